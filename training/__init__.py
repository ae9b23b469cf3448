"""Training with TensorFlow around the library. Never imports the web service."""
