"""The formats of exports, and the function that writes one."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Final, Literal, get_args

from inkling.errors import MissingPackageError
from inkling.exports.network import PortableNetwork

Format = Literal["onnx", "c", "js", "npz", "safetensors"]
"""The formats that need no TensorFlow."""
TensorFlowFormat = Literal["savedmodel", "litert"]
"""The formats that `training.exports` writes."""
AnyFormat = Literal["onnx", "savedmodel", "litert", "c", "js", "npz", "safetensors"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SUFFIXES: Final[dict[AnyFormat, str]] = {
    "onnx": ".onnx",
    "savedmodel": "-savedmodel",
    "litert": ".tflite",
    "c": ".h",
    "js": ".mjs",
    "npz": ".npz",
    "safetensors": ".safetensors",
}
"""The ends of the files' names, of savedmodel's folder."""

_MODULES: Final[dict[Format, str]] = {
    "onnx": "inkling.exports.onnx_model",
    "c": "inkling.exports.c_header",
    "js": "inkling.exports.js_module",
    "npz": "inkling.exports.npz_archive",
    "safetensors": "inkling.exports.safetensors_file",
}
"""The modules whose `write` makes each file, imported when it is used."""


@dataclass(frozen=True)
class Export:
    """A version as one file."""

    name: str
    content: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def export(network: PortableNetwork, format_name: Format) -> Export:
    """Return a version in a format: the same bytes whenever it is written.

    Raises:
        CheckpointError: the network does not compute probabilities.
        MissingPackageError: the format is `onnx`, and the package `onnx` is not installed.
    """
    try:
        write = import_module(_MODULES[format_name]).write
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise MissingPackageError(
            "the format onnx needs the package onnx, which is not installed; "
            "run pip install '.[onnx]' in the project's folder"
        ) from error
    return Export(f"inkling-{network.version}{SUFFIXES[format_name]}", write(network))
