"""The formats of exports, and the function that writes one."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Final, Literal, get_args

from inkling.errors import MissingPackageError
from inkling.exports.network import PortableNetwork, Weights
from inkling.network.checkpoint import Checkpoint

Format = Literal["onnx", "c", "js", "npz", "safetensors"]
"""The formats that need no TensorFlow."""
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_MODULES: Final[dict[Format, tuple[str, str]]] = {
    "onnx": ("inkling.exports.onnx_model", ".onnx"),
    "c": ("inkling.exports.c_header", ".h"),
    "js": ("inkling.exports.js_module", ".mjs"),
    "npz": ("inkling.exports.npz_archive", ".npz"),
    "safetensors": ("inkling.exports.safetensors_file", ".safetensors"),
}
"""Format -> module whose `write` makes the file, imported when it is used; suffix of the file."""


@dataclass(frozen=True)
class Export:
    """A version as one file."""

    name: str
    content: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def export(checkpoint: Checkpoint, version: int, format: Format, weights: Weights = "f32") -> Export:  # noqa: A002
    """Return a version in a format: the same bytes whenever it is written.

    Raises:
        CheckpointError: the network does not compute probabilities.
        ExportError: a weight is too large for float16.
        MissingPackageError: the format is `onnx`, and the package `onnx` is not installed.
    """
    module, suffix = _MODULES[format]
    try:
        write = import_module(module).write
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise MissingPackageError(
            "the format onnx needs the package onnx, which is not installed; "
            "run pip install '.[onnx]' in the project's folder"
        ) from error
    return Export(f"inkling-{version}{suffix}", write(PortableNetwork(checkpoint, version, weights)))
