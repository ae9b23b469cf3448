"""The body of Hugging Face's image classification clients: one image file, or one in JSON with the number of labels."""

import binascii
from typing import Any, NamedTuple

import orjson

from app.bodies.base64_text import decode_any_base64
from app.bodies.limits import UploadLimits
from app.bodies.unknown_fields import refuse_unknown
from app.errors import BodyError, FieldError
from inkling.digit import NUM_CLASSES
from inkling.errors import ImageError

DEFAULT_LABELS = 5
"""As transformers' pipeline: https://huggingface.co/docs/inference-providers/tasks/image-classification."""
EXPECTED = 'expected {"inputs": "...", "parameters": {"top_k": 3}}, with an image file in Base64 as `inputs`'
_DATA_URI = "data:"


class LabelsRequest(NamedTuple):
    body: bytes
    """An image file, or what the other calls read, too."""
    content_type: str
    max_labels: int


def read_labels_request(body: bytes, content_type: str, limits: UploadLimits) -> LabelsRequest:
    """Return the image of a body, and how many labels it asks for.

    Raises:
        BodyError: it is not JSON, as its Content-Type says.
        FieldError: a field is unknown, or has an invalid value.
        ImageError: `inputs` is not Base64.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        return LabelsRequest(body, content_type, DEFAULT_LABELS)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}; {EXPECTED}") from error
    if not isinstance(document, dict):
        raise BodyError(EXPECTED)
    if "images" in document:
        return LabelsRequest(body, content_type, DEFAULT_LABELS)
    refuse_unknown(document, ("inputs", "parameters", "options"), "field of the body")
    file = _file(document.get("inputs"))
    return LabelsRequest(file, "image/png", _max_labels(document.get("parameters")))


def _file(inputs: Any) -> bytes:
    if not isinstance(inputs, str) or not inputs:
        raise BodyError(EXPECTED)
    if "://" in inputs[:100]:
        raise ImageError(f"`inputs` is a URL ({inputs[:60]!r}), and nothing is fetched; {EXPECTED}")
    text = inputs.partition(",")[2] if inputs.startswith(_DATA_URI) else inputs
    try:
        return decode_any_base64(text.encode())
    except binascii.Error as error:
        raise ImageError(f"`inputs` begins with {inputs[:60]!r} and is not Base64: {error}; {EXPECTED}") from error


def _max_labels(parameters: Any) -> int:
    if parameters is None:
        return DEFAULT_LABELS
    if not isinstance(parameters, dict):
        raise FieldError(f"`parameters` must be an object, such as {{}}; {EXPECTED}")
    refuse_unknown(parameters, ("top_k", "function_to_apply"), "field of `parameters`")
    function = parameters.get("function_to_apply")
    if function not in (None, "softmax"):
        raise FieldError(f"function_to_apply is {str(function)[:100]!r}; the network answers `softmax` only")
    count = parameters.get("top_k")
    if count is None:
        return DEFAULT_LABELS
    if type(count) is not int or count < 1:
        raise FieldError(f"top_k is {str(count)[:100]}, expected a whole number from 1 to {NUM_CLASSES}")
    return min(count, NUM_CLASSES)
