"""The service: HTTP around the library `inkling`."""

import os

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

# One BLAS thread, unless the user has chosen: threads that wait for each other while something else keeps a core busy
# bring requests of 50 images to 7 % of their rate. BLAS reads this when NumPy is imported, which is after this package,
# whichever program starts it.
if not any(name in os.environ for name in BLAS_THREADS):
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"))
