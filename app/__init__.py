"""The web service. Knows HTTP and never imports TensorFlow."""

__version__ = "0.1.0"
