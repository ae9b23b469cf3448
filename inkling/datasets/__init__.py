"""Datasets of one's own: IDX files or folders of pictures, of ten classes with names."""
