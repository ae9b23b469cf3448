"""The checkpoint file: safetensors with the network's parameters, and a card with their origin and scores."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json
from safetensors import SafetensorError

from inkling.digit import DIGIT_NAMES, NUM_CLASSES
from inkling.errors import CheckpointError
from inkling.file_kinds import file_kind
from inkling.network.evaluation import Evaluation
from inkling.network.learned_dataset import LearnedDataset
from inkling.network.recipe import Recipe
from inkling.network.views import Views

FORMAT_VERSION = 3
READ_FORMAT_VERSIONS = (1, 2, 3)
"""Files of version 1 have no digit probe; those of 2 may have a linear one, those of 3 also one with hidden units."""
MAX_CHECKPOINT_BYTES = 4 << 20
"""A checkpoint has 600 KB; a much larger file is something else."""

NO_DIGEST = b"0" * 64
METADATA = b'"__metadata__":{'
"""The start of the metadata, as safetensors writes it."""
_DIGEST_IN_FILE = re.compile(rb'"sha256":\s*"([0-9a-f]{64})"')
"""The metadata `sha256`: the SHA-256 of the file, with zeros in the place of these digits."""

SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "weights/h1": (784, 128),
    "weights/h2": (128, 256),
    "weights/out": (256, 10),
    "biases/b1": (128,),
    "biases/b2": (256,),
    "biases/out": (10,),
}
LINEAR_PROBE_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "weights/is_digit": (128 + 256 + 1,),
    "biases/is_digit": (1,),
}
"""A logistic regression on the activations of both hidden layers and the largest logit, in this order.

See `inkling.network.digit_probe`. All or none of a probe's arrays are there.
"""
PROBE_UNITS: Final = 32
PROBE_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "weights/is_digit_hidden": (128 + 256 + 1, PROBE_UNITS),
    "biases/is_digit_hidden": (PROBE_UNITS,),
    "weights/is_digit": (PROBE_UNITS + 1,),
    "biases/is_digit": (1,),
}
"""The same with a hidden layer of the probe's own on them; a logistic regression on its units and the largest logit."""


class DigitProbeFit(BaseModel):
    """How the digit probe of a checkpoint was fitted; the shares are of pictures that it was not fitted on."""

    model_config = ConfigDict(frozen=True)

    digits: int = Field(
        ge=0, description="pictures of digits: learned ones, as they are and distorted, and synthetic ones"
    )
    non_digits: int = Field(ge=0, description="drawn pictures without a digit")
    lost: float = Field(ge=0, le=1, description="share of the held-out digits that score below 0.5")
    found: dict[str, float] = Field(description="share of each kind of non-digits that scores below 0.5")


class LearnedFeedback(BaseModel):
    """The corrections that a training had."""

    model_config = ConfigDict(frozen=True)

    digest: str = Field(description="SHA-256 of all of them, in hexadecimal")
    learned: int = Field(ge=0, description="pictures that it learned")
    held_out: int = Field(ge=0, description="pictures that it was judged on, and did not learn")
    sources: int = Field(ge=0, description="people whom the learned pictures come from")
    set_aside: int = Field(0, ge=0, description="pictures whose labels contradict what is known, or each other")


class Card(BaseModel):
    """The metadata of a checkpoint. It holds no date: the same training makes the same file, byte for byte."""

    model_config = ConfigDict(frozen=True)

    format_version: int = FORMAT_VERSION
    recipe: Recipe
    dataset: str = Field(description='"mnist"; "custom" for other digits in its place; or the name of own data')
    dataset_digest: str = Field(description="SHA-256 over the SHA-256 of the four files")
    classes: tuple[str, ...] | None = Field(
        None,
        min_length=NUM_CLASSES,
        max_length=NUM_CLASSES,
        exclude_if=lambda classes: classes is None,
        description="the names of the ten classes; missing: the digits 0 to 9",
    )
    fit: Literal["mnist", "plain"] = Field(
        "mnist",
        exclude_if=lambda fit: fit == "mnist",
        description="how its pictures became 28x28: mnist, as by fit=mnist; plain, scaled as a whole; missing: mnist",
    )
    evaluation: Evaluation = Field(description="on the test images")
    temperature: float = Field(1.0, gt=0, le=100, allow_inf_nan=False, description="divides the logits")
    views: Views | None = Field(None, description="how it reads images that it is not sure of; null: as all others")
    digit_probe: DigitProbeFit | None = Field(
        None, description="how the probe was fitted that finds pictures without a digit; null: there is none"
    )
    feedback: LearnedFeedback | None = Field(None, description="the corrections that it learned; null: none")
    libraries: dict[str, str] = Field(description="versions of the libraries that trained it")

    @property
    def learned(self) -> LearnedDataset:
        return LearnedDataset(self.dataset, self.classes or DIGIT_NAMES)


@dataclass(frozen=True)
class Checkpoint:
    """A trained network."""

    content: bytes
    """The file."""
    parameters: dict[str, NDArray[np.float32]]
    """By the names of SHAPES, and of LINEAR_PROBE_SHAPES or PROBE_SHAPES if it has a digit probe."""
    card: Card

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def save(parameters: dict[str, NDArray[np.float32]], card: Card) -> Checkpoint:
    """Return the checkpoint of `parameters`, verified by loading it.

    Raises:
        CheckpointError: the parameters have wrong names, shapes or dtypes, or are not finite.
    """
    return load(serialize(parameters, card))


def serialize(
    tensors: Mapping[str, NDArray[Any]], card: Card, metadata: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """Return a safetensors file with a card, further metadata, and the digest of itself. Nothing is verified."""
    content = safetensors.numpy.save(
        {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
        metadata={"inkling": card.model_dump_json()},
    )
    content = _with_metadata(content, {"sha256": NO_DIGEST.decode(), **metadata})
    return _with_digest(content, _digest_without_itself(content).encode())


def load(content: bytes, *, is_intact: bool = False) -> Checkpoint:
    """Read and verify a checkpoint file.

    Args:
        content: the file.
        is_intact: the caller has compared its SHA-256: the one that the file states is not computed again.

    Raises:
        CheckpointError: wrong size, names, shapes, dtype, digest or format version, or a value that is not finite.
    """
    parameters = read_tensors(content)
    verify(parameters)
    metadata = _read_metadata(content)
    stated = metadata.get("sha256")  # missing in files of 0.2
    if not is_intact and stated is not None and stated != (found := _digest_without_itself(content)):
        raise CheckpointError(
            f"its SHA-256 is {found}, its metadata state {stated}: it is damaged, or was written again"
        )
    return Checkpoint(content, parameters, _read_card(metadata))


def read_tensors(content: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of a safetensors file; their names and shapes are not checked.

    Raises:
        CheckpointError: it is not a safetensors file, or too large.
    """
    kind = file_kind(content)
    found = f" but {kind}" if kind else ""
    if len(content) > MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"{len(content)} bytes{found}, expected at most {MAX_CHECKPOINT_BYTES}")
    try:
        tensors: dict[str, NDArray[np.float32]] = safetensors.numpy.load(content)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"not a safetensors file of arrays{found}: {error}; `inkling train --out FILE` writes one"
        ) from error
    return tensors


def verify(parameters: dict[str, NDArray[np.float32]]) -> None:
    """Check names, shapes, dtypes and finiteness.

    Raises:
        CheckpointError: a name, shape or dtype is not this network's, or a value is not finite.
    """
    expected = SHAPES
    if not parameters.keys().isdisjoint(PROBE_SHAPES):
        has_units = any(name.endswith("is_digit_hidden") for name in parameters)
        expected = SHAPES | (PROBE_SHAPES if has_units else LINEAR_PROBE_SHAPES)
    if parameters.keys() != expected.keys():
        raise CheckpointError(f"holds {sorted(parameters)}, expected {sorted(expected)}")
    for name, shape in expected.items():
        array = parameters[name]
        if array.dtype != np.float32:
            raise CheckpointError(f"{name} is {array.dtype}, expected float32")
        if array.shape != shape:
            raise CheckpointError(f"{name} has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{name} holds values that are not finite")


def _digest_without_itself(content: bytes) -> str:
    """Return the SHA-256 of a file with zeros in the place of the digest on its card."""
    return hashlib.sha256(_with_digest(content, NO_DIGEST)).hexdigest()


def _with_digest(content: bytes, digest: bytes) -> bytes:
    found = _DIGEST_IN_FILE.search(content)
    return content if found is None else content[: found.start(1)] + digest + content[found.end(1) :]


def _with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return the file with metadata before its own: safetensors writes several in random order."""
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip()
    header = header.replace(METADATA, METADATA + json.dumps(metadata, separators=(",", ":"))[1:-1].encode() + b",", 1)
    header += b" " * (-len(header) % 8)  # the tensors stay aligned
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def _read_metadata(content: bytes) -> dict[str, str]:
    """Read the metadata from the header (https://huggingface.co/docs/safetensors, "Format"): a length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__") or {}


def _read_card(metadata: dict[str, str]) -> Card:
    if "inkling" not in metadata:
        raise CheckpointError("has no card: the metadata `inkling` is missing")
    try:
        # Unlike the json module, from_json bounds depth and numbers, and accepts only UTF-8.
        card = from_json(metadata["inkling"])
        found = card.get("format_version") if isinstance(card, dict) else None
        if found not in READ_FORMAT_VERSIONS:
            raise CheckpointError(f"format version is {found}, expected {' or '.join(map(str, READ_FORMAT_VERSIONS))}")
        return Card.model_validate(card, extra="ignore")  # recipes of other releases may have more fields
    except ValueError as error:  # includes pydantic's ValidationError
        raise CheckpointError(f"its card cannot be read: {error}") from error
