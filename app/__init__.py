"""The service: HTTP around the library `inkling`."""

from inkling.blas_threads import default_to_one_blas_thread

default_to_one_blas_thread()  # before NumPy is imported, whichever program starts the service
