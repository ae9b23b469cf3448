"""The image file formats: what a file claims and holds, read from its bytes before Pillow opens it."""
