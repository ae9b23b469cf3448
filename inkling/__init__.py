"""Handwritten digits: pictures to 28x28, the network in NumPy, checkpoints, and the registry of versions.

Knows neither HTTP nor TensorFlow: `app` serves it, `training` trains it.
"""

__version__ = "0.2.0"
