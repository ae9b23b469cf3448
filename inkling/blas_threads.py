"""The threads of BLAS, with which NumPy multiplies matrices. Their number is chosen when NumPy is imported."""

import os
from collections.abc import MutableMapping

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def default_to_one_blas_thread(environment: MutableMapping[str, str] = os.environ) -> None:
    """Choose one thread, unless the user has chosen.

    Threads that wait for each other while something else keeps a core busy bring requests of 50 images to 7 % of their
    rate, and slow the fit of a digit probe. `OMP_NUM_THREADS` is left alone: other libraries read it, too.
    """
    if not any(name in environment for name in BLAS_THREADS):
        environment.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"))
