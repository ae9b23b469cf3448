"""The images that the benchmarks train on."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.digits import write_mnist


@contextmanager
def mnist_dir() -> Iterator[tuple[Path, str]]:
    """Yield a folder of MNIST's four files, or of drawn digits where there is none, and its images' name."""
    if folder := os.environ.get("INKLING_MNIST_DIR"):
        yield Path(folder), "MNIST"
        return
    with tempfile.TemporaryDirectory() as made:
        yield write_mnist(Path(made), train=8000), "8,000 drawn digits (no INKLING_MNIST_DIR)"
