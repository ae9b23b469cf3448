"""The tests. NumPy's kernels are chosen as Inkling chooses them, whatever the shell says, before NumPy is imported."""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)

import inkling  # noqa: F401
