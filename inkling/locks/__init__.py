"""File locks between the processes of one machine. The kernel releases a lock when its process ends."""
