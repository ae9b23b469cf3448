"""Exports that TensorFlow writes: SavedModel and LiteRT. `inkling.exports` has the others."""
