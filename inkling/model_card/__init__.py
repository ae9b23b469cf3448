"""The model card: measurements of a checkpoint, and their presentation. Only the command line imports it."""
