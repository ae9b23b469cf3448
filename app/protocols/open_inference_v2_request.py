"""Requests of the Open Inference Protocol, version 2: from a body in JSON, or JSON and binary tensors, to images."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from app.bodies.base64_text import decode_any_base64
from app.errors import ProtocolError
from app.protocols.json_body import JsonBody
from app.protocols.names import DIGITS, FILES_MODEL, INPUT, MODEL, SCORES
from app.protocols.pixels import Pixels, count_images
from app.protocols.tensors import BYTES, binary_pixels, byte_strings, number_type
from inkling.digit import NUM_CLASSES, NUM_PIXELS
from inkling.predictor import Fit

MAX_SIZE = 2**63 - 1
"""Of an axis, as in the protocol; Python's json takes thousands of digits, whose products it does not print."""
MAX_SHOWN = 100
"""Characters of a name that an error shows."""


class Output(NamedTuple):
    name: str
    is_binary: bool
    classes: int
    """The number of classes in words in place of the scores; 0: the scores."""


class InferRequest(NamedTuple):
    id: str | None
    """None: the client gave none."""
    images: Pixels | list[bytes]
    """Pixels (n, 784), or image files."""
    outputs: tuple[Output, ...]
    fit: Fit


BOTH_BINARY = (Output(SCORES, is_binary=True, classes=0), Output(DIGITS, is_binary=True, classes=0))
BOTH_PLAIN = (Output(SCORES, is_binary=False, classes=0), Output(DIGITS, is_binary=False, classes=0))


def read_request(body: bytes, header_length: bytes | None, model: str) -> InferRequest:
    """Return the request in a body.

    Args:
        body: JSON, or JSON and the binary tensors.
        header_length: the header Inference-Header-Content-Length: the bytes of JSON; None if there is none.
        model: to which it was sent.

    Raises:
        ProtocolError: it is not what the protocol says.
        InputError: the images are none.
    """
    if header_length is None:
        return _read_document(body, None, model)
    size = int(header_length[:19]) if header_length.isdigit() else -1
    if not 0 <= size <= len(body):
        raise ProtocolError(
            400,
            f"Inference-Header-Content-Length is {header_length[:40].decode('latin-1')!r}, expected the bytes of JSON, "
            f"0 to {len(body)}",
        )
    if size == 0:
        return _read_raw(body, model)
    return _read_document(body[:size], memoryview(body)[size:], model)


def _read_raw(body: bytes, model: str) -> InferRequest:
    """Read a body of one tensor and nothing else; both outputs are answered binary."""
    images: Pixels | list[bytes]
    if model == MODEL:
        images = binary_pixels(body, "UINT8", (len(body) // NUM_PIXELS, NUM_PIXELS))
    else:
        if not body:
            raise ProtocolError(400, "the body is empty, expected an image file, or files each after its length")
        try:
            images = byte_strings(body)
        except ProtocolError:
            images = [body]
    return InferRequest(None, images, BOTH_BINARY, "strict")


def _read_document(head: bytes, tail: memoryview | None, model: str) -> InferRequest:
    parsed = JsonBody(head, "data")
    document = parsed.document
    if type(document) is not dict:
        raise ProtocolError(400, 'the body is no object, expected {"inputs": [...]}')
    tensor = _only_input(document.get("inputs"), model)
    parameters = parameters_of(document, "the request")
    outputs = read_outputs(document.get("outputs"), is_binary=parameters.get("binary_data_output") is True)
    given_id = document.get("id")
    if given_id is not None and type(given_id) is not str:
        raise ProtocolError(400, f"id is {_kind(given_id)}, expected text")
    images = _read_tensor(tensor, parsed, tail, model)
    return InferRequest(given_id, images, outputs, require_fit(parameters, model))


def _only_input(inputs: Any, model: str) -> dict[str, Any]:
    if type(inputs) is not list or not all(type(tensor) is dict for tensor in inputs):
        raise ProtocolError(400, f"inputs is {_kind(inputs)}, expected a list of one tensor, `{INPUT}`")
    for tensor in inputs:
        require_input(tensor.get("name"), model)
    if len(inputs) != 1:
        raise ProtocolError(400, f"{len(inputs)} inputs, model '{model}' has one: '{INPUT}'")
    found: dict[str, Any] = inputs[0]
    return found


def require_input(name: Any, model: str) -> None:
    """Raise ProtocolError if a tensor's name is not that of the input of the models."""
    if name != INPUT:
        raise ProtocolError(
            400, f"unexpected inference input {str(name)[:MAX_SHOWN]!r} for model '{model}'; it has '{INPUT}'"
        )


def parameters_of(owner: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters of a request or tensor; unknown ones do not count.

    Raises:
        ProtocolError: they are no object.
    """
    parameters = owner.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise ProtocolError(400, f"parameters of {name} is {_kind(parameters)}, expected an object")
    found: dict[str, Any] = parameters
    if "shared_memory_region" in found:
        raise ProtocolError(400, f"{name} is in shared memory, which this server does not use; send it in the body")
    return found


def read_outputs(outputs: Any, *, is_binary: bool) -> tuple[Output, ...]:
    """Return the outputs that a request asks for, in its order; without any, all, in the order of the metadata.

    Args:
        outputs: as the request has them.
        is_binary: whether those that do not say are answered in binary form.

    Raises:
        ProtocolError: one is unknown, or comes twice, or has a wrong parameter.
    """
    if outputs is None or outputs == []:
        return BOTH_BINARY if is_binary else BOTH_PLAIN
    if type(outputs) is not list or not all(type(output) is dict for output in outputs):
        raise ProtocolError(400, f"outputs is {_kind(outputs)}, expected a list of objects")
    found: list[Output] = []
    for output in outputs[: len(BOTH_PLAIN) + 1]:
        name = output.get("name")
        if name not in (SCORES, DIGITS):
            raise ProtocolError(
                400, f"unexpected inference output {str(name)[:MAX_SHOWN]!r}; there are '{SCORES}' and '{DIGITS}'"
            )
        if any(name == earlier.name for earlier in found):
            raise ProtocolError(400, f"output '{name}' is asked for twice")
        parameters = parameters_of(output, f"output '{name}'")
        asked = parameters.get("binary_data", is_binary)
        found.append(Output(name, asked is True, _classes(parameters.get("classification", 0), name)))
    return tuple(found)


def _classes(count: Any, name: str) -> int:
    if type(count) is not int or count < 0:
        raise ProtocolError(400, f"classification is {_kind(count)}, expected a number of classes, 0 to {NUM_CLASSES}")
    if count and name != SCORES:
        raise ProtocolError(400, f"output '{name}' has no classes; ask '{SCORES}' for its classification")
    return min(count, NUM_CLASSES)


def require_fit(parameters: dict[str, Any], model: str) -> Fit:
    """Return how image files become images, by the parameter `fit`.

    Raises:
        ProtocolError: the model takes pixels, or it is none of the ways.
    """
    fit = parameters.get("fit", "strict")
    if fit == "mnist" and model == FILES_MODEL:
        return "mnist"
    if fit == "strict":
        return "strict"
    if fit == "mnist":
        raise ProtocolError(400, f"fit=mnist needs image files: send them to the model '{FILES_MODEL}'")
    raise ProtocolError(400, f"fit is {str(fit)[:MAX_SHOWN]!r}, expected strict or mnist")


def _read_tensor(tensor: dict[str, Any], parsed: JsonBody, tail: memoryview | None, model: str) -> Pixels | list[bytes]:
    shape = _shape_of(tensor.get("shape"))
    datatype, data = tensor.get("datatype"), tensor.get("data")
    size = parameters_of(tensor, f"input '{INPUT}'").get("binary_data_size")
    if size is None:
        if tail:
            raise ProtocolError(400, f"{len(tail)} bytes come after the JSON, and no input has binary_data_size")
        if model == FILES_MODEL:
            return _files_of(data, datatype, shape)
        return _pixels_of(data, datatype, shape, parsed)
    if data is not None:
        raise ProtocolError(400, f"input '{INPUT}' has both data and binary_data_size, expected one")
    found = 0 if tail is None else len(tail)
    if type(size) is not int or size != found:
        raise ProtocolError(400, f"binary_data_size is {str(size)[:40]}, and {found} bytes come after the JSON")
    raw = tail if tail is not None else memoryview(b"")
    if model == MODEL:
        return binary_pixels(raw, datatype, shape)
    _require_files(datatype, shape)
    return _counted(byte_strings(raw), shape)


def _shape_of(shape: Any) -> list[int]:
    if type(shape) is not list or not all(type(size) is int and 0 <= size <= MAX_SIZE for size in shape):
        raise ProtocolError(
            400, f"shape of '{INPUT}' is {str(shape)[:MAX_SHOWN]}, expected a list of whole numbers of 64 bits"
        )
    return shape


def _pixels_of(data: Any, datatype: Any, shape: Sequence[int], parsed: JsonBody) -> Pixels:
    kind = number_type(datatype)
    count = count_images(shape)
    if datatype == "FP16":
        raise ProtocolError(400, "JSON has no FP16; send FP32, or FP16 in binary form")
    if datatype == "UINT8" and type(data) is list and set(map(type, data)) == {int}:  # the fast path
        try:
            levels = np.frombuffer(bytes(data), np.uint8)
        except ValueError:
            levels = parsed.flat_levels(data, is_unit=False)
    else:
        levels = parsed.flat_levels(data, is_unit=kind.is_unit)
    if len(levels) != count * NUM_PIXELS:
        raise ProtocolError(400, f"'{INPUT}' has {len(levels)} numbers, shape {list(shape)} has {math.prod(shape)}")
    return levels.reshape(count, NUM_PIXELS)


def _files_of(data: Any, datatype: Any, shape: Sequence[int]) -> list[bytes]:
    _require_files(datatype, shape)
    texts = _flat_texts(data)
    return _counted([_file_of(text, number) for number, text in enumerate(texts, 1)], shape)


def _flat_texts(data: Any) -> list[Any]:
    """Return a list of texts, one axis of single ones removed: shape [n, 1]."""
    if type(data) is not list:
        raise ProtocolError(400, f"data of '{INPUT}' is {_kind(data)}, expected a list of image files in Base64")
    return [item[0] if type(item) is list and len(item) == 1 else item for item in data]


def _file_of(text: Any, number: int) -> bytes:
    if type(text) is not str:
        raise ProtocolError(400, f"element {number} of '{INPUT}' is {_kind(text)}, expected an image file in Base64")
    try:
        return decode_any_base64(text.encode())
    except ValueError as error:
        raise ProtocolError(400, f"element {number} of '{INPUT}' is not in Base64: {error}") from error


def _require_files(datatype: Any, shape: Sequence[int]) -> None:
    if datatype != BYTES:
        raise ProtocolError(
            400,
            f"datatype is {str(datatype)[:40]!r}, expected {BYTES}: image files; send pixels to the model '{MODEL}'",
        )
    if tuple(shape[1:]) not in ((), (1,)) or not shape or shape[0] < 1:
        raise ProtocolError(400, f"shape of '{INPUT}' is {list(shape)[:8]}, expected [n] with n at least 1")


def _counted(files: list[bytes], shape: Sequence[int]) -> list[bytes]:
    if len(files) != shape[0]:
        raise ProtocolError(400, f"'{INPUT}' has {len(files)} elements, shape {list(shape)} has {shape[0]}")
    return files


def _kind(value: Any) -> str:
    """Return a value in words for an error message."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    return "a list" if isinstance(value, list) else "an object"
