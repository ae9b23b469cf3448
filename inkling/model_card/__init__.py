"""The model card: what is measured of a checkpoint, and how it is told. Only the command line imports it."""
