"""The models of the Open Inference Protocol, version 2: what they take and give, and where a path names one."""

from typing import Any

from app.errors import ProtocolError
from app.protocols.calls import Call
from app.protocols.names import DIGITS, FILES_MODEL, INPUT, MODEL, SCORES
from inkling import __version__
from inkling.digit import NUM_CLASSES, NUM_PIXELS

MODELS = (MODEL, FILES_MODEL)
SERVER: dict[str, Any] = {
    "name": "inkling",
    "version": __version__,
    "extensions": ["classification", "binary_tensor_data", "model_repository", "model_configuration", "statistics"],
}

_PLATFORM = "inkling_numpy"
_INPUTS = {
    # not FP32: perf_analyzer fills the advertised type with random bytes, and each byte is a pixel
    MODEL: {"name": INPUT, "datatype": "UINT8", "shape": [-1, NUM_PIXELS]},
    FILES_MODEL: {"name": INPUT, "datatype": "BYTES", "shape": [-1]},
}
_OUTPUTS = [
    {"name": SCORES, "datatype": "FP32", "shape": [-1, NUM_CLASSES]},
    {"name": DIGITS, "datatype": "INT64", "shape": [-1]},
]
_CONFIGURED_INPUTS = {
    MODEL: {"name": INPUT, "data_type": "TYPE_UINT8", "dims": [NUM_PIXELS], "format": "FORMAT_NONE"},
    FILES_MODEL: {"name": INPUT, "data_type": "TYPE_STRING", "dims": [1], "format": "FORMAT_NONE"},
}


def model_of(call: Call) -> str:
    """Return the model that the path names.

    Raises:
        ProtocolError: there is none of this name.
    """
    return require_model(call.parameters["model"])


def require_model(name: str) -> str:
    """Return a model's name.

    Raises:
        ProtocolError: there is none of this name.
    """
    if name not in MODELS:
        raise ProtocolError(404, f"there is no model {name[:100]!r}; there are '{MODEL}' and '{FILES_MODEL}'")
    return name


def version_of(call: Call) -> int | None:
    """Return the version that the path names; None: the one that is served."""
    text = call.parameters.get("version")
    return None if text is None else require_version(text)


def require_version(text: str) -> int:
    """Return a version's number.

    Raises:
        ProtocolError: it is no number.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise ProtocolError(404, f"there is no version {text[:40]!r}: versions are numbers, GET /versions lists them")
    return int(text)


def describe_model(name: str, versions: list[int]) -> dict[str, Any]:
    """Return the metadata of a model."""
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": _PLATFORM,
        "inputs": [_INPUTS[name]],
        "outputs": _OUTPUTS,
    }


def configure_model(name: str, max_images: int) -> dict[str, Any]:
    """Return the configuration of a model as Triton has it; its dims are those of one image."""
    return {
        "name": name,
        "platform": _PLATFORM,
        "max_batch_size": max_images,
        "input": [_CONFIGURED_INPUTS[name]],
        "output": [
            {"name": SCORES, "data_type": "TYPE_FP32", "dims": [NUM_CLASSES]},
            {"name": DIGITS, "data_type": "TYPE_INT64", "dims": [1]},
        ],
        "version_policy": {"latest": {"num_versions": 1}},
        "instance_group": [{"name": name, "kind": "KIND_CPU", "count": 1}],
    }


def index_models(versions: list[int]) -> list[dict[str, str]]:
    """Return the index of the repository: every model in every version."""
    return [
        {"name": name, "version": str(version), "state": "READY", "reason": ""}
        for name in MODELS
        for version in versions
    ]
