"""TensorFlow Serving's answers about a model: its status and its metadata."""

from collections.abc import Sequence
from typing import Any, Final

from app.protocols.names import INPUT, MODEL, SCORES
from inkling.digit import NUM_CLASSES, NUM_PIXELS

DEFAULT_SIGNATURE: Final = "serving_default"
FILES_SIGNATURE: Final = "serving_files"
SIGNATURES: Final = (DEFAULT_SIGNATURE, "predict_images", FILES_SIGNATURE)
"""The second is the first, by the name in tensorflow/serving's mnist_saved_model.py."""


def status(versions: Sequence[int]) -> dict[str, Any]:
    """Return the status of versions, newest first; `name` and `ready` are KServe's own answer at the same path."""
    return {
        "model_version_status": [
            {"version": str(version), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            for version in versions
        ],
        "name": MODEL,
        "ready": True,
    }


def metadata(version: int) -> dict[str, Any]:
    """Return the signatures of a version, as protobuf prints them in JSON: 64-bit integers are text."""
    return {
        "model_spec": {"name": MODEL, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": {name: _signature(name) for name in SIGNATURES}}},
    }


def _signature(name: str) -> dict[str, Any]:
    is_files = name == FILES_SIGNATURE
    tensor = _tensor(name, INPUT, "DT_STRING", -1) if is_files else _tensor(name, INPUT, "DT_FLOAT", -1, NUM_PIXELS)
    return {
        "inputs": {INPUT: tensor},
        "outputs": {SCORES: _tensor(name, SCORES, "DT_FLOAT", -1, NUM_CLASSES)},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def _tensor(signature: str, name: str, dtype: str, *sizes: int) -> dict[str, Any]:
    return {
        "dtype": dtype,
        "tensor_shape": {"dim": [{"size": str(size), "name": ""} for size in sizes], "unknown_rank": False},
        "name": f"{signature}_{name}:0",
    }
