"""Training with TensorFlow around the library. Never imports the web service."""

from inkling.blas_threads import default_to_one_blas_thread

default_to_one_blas_thread()  # before NumPy is imported; so that versions have the same bits whoever starts the trainer
