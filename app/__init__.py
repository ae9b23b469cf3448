"""The web service around the library. Never imports TensorFlow."""
