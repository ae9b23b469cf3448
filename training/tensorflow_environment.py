"""The environment variables that TensorFlow reads when it is imported."""

import os

from inkling.cpus import count_cpus


def prepare_tensorflow(threads: int | None = None) -> None:
    """Set the variables for this process. Call it before the first import of TensorFlow.

    `import tensorflow` also imports Keras, which fails if its backend or its legacy release, chosen by variables that
    other programs of the user need, is not installed. Nothing here depends on that choice.

    Args:
        threads: that one operation computes with; None: TensorFlow's default.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    if threads:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)


def computing_threads() -> int:
    """Return how many threads one operation of TensorFlow computes with."""
    return int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) or count_cpus()
