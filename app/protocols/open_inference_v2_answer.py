"""Answers of the Open Inference Protocol, version 2: tensors in JSON, or after it in binary form."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.protocols.calls import JSON, ProtocolAnswer
from app.protocols.names import DIGITS, SCORES
from app.protocols.open_inference_v2_request import Output
from app.protocols.tensors import pack_strings
from inkling.digit import NUM_CLASSES
from inkling.predictor import Predictions

MAX_WARNED = 20
"""Images whose warnings an answer names."""
_BINARY = (b"content-type", b"application/octet-stream")


class Tensor(NamedTuple):
    name: str
    datatype: str
    shape: list[int]
    data: NDArray[Any] | list[str]


def encode_answer(predictions: Predictions, model: str, request_id: str, outputs: Sequence[Output]) -> ProtocolAnswer:
    """Return the answer with these outputs."""
    described: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for output in outputs:
        name, datatype, shape, data = tensor_of(predictions, output)
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape}
        if output.is_binary:
            raw = data.tobytes() if isinstance(data, np.ndarray) else pack_strings([text.encode() for text in data])
            tensor["parameters"] = {"binary_data_size": len(raw)}
            parts.append(raw)
        else:
            tensor["data"] = data
        described.append(tensor)
    document: dict[str, Any] = {
        "model_name": model,
        "model_version": str(predictions.version),
        "id": request_id,
        "outputs": described,
    }
    if warnings := warnings_of(predictions):
        document["parameters"] = {"warnings": warnings}
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not parts:
        return ProtocolAnswer(head, [JSON])
    headers = [_BINARY, (b"inference-header-content-length", b"%d" % len(head))]
    return ProtocolAnswer(b"".join((head, *parts)), headers)


def tensor_of(predictions: Predictions, output: Output) -> Tensor:
    """Return an output: scores, digits, or in place of the scores the best classes in words."""
    probabilities = predictions.probabilities
    count = len(probabilities)
    if output.name == DIGITS:
        return Tensor(DIGITS, "INT64", [count], probabilities.argmax(axis=1))
    if output.classes:
        return Tensor(SCORES, "BYTES", [count, output.classes], _classes_in_words(probabilities, output.classes))
    return Tensor(SCORES, "FP32", [count, NUM_CLASSES], probabilities.reshape(-1))


def warnings_of(predictions: Predictions) -> str:
    """Return what is wrong with the images, in words; empty if nothing is."""
    if not any(predictions.warnings):
        return ""
    found = [
        f"image {number}: {'; '.join(warnings)}" for number, warnings in enumerate(predictions.warnings, 1) if warnings
    ]
    rest = [f"and {len(found) - MAX_WARNED} more images"] if len(found) > MAX_WARNED else []
    return "; ".join(found[:MAX_WARNED] + rest)


def _classes_in_words(probabilities: NDArray[np.float32], count: int) -> list[str]:
    """Return `score:index:label` of the best classes of each image, one after another."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return [
        f"{row[digit]:f}:{digit}:{digit}" for row, digits in zip(probabilities, best, strict=True) for digit in digits
    ]
