"""File locks between the processes of one machine. The kernel releases each when its process ends."""
