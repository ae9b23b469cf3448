"""The bodies of TensorFlow Serving's REST API, of KServe v1, and of the contracts that borrow from them."""

import binascii
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from app.bodies.base64_text import decode_any_base64
from app.errors import ProtocolError
from app.protocols.json_body import JsonBody
from app.protocols.names import INPUT
from app.protocols.pixels import Pixels, count_images
from inkling.digit import NUM_PIXELS
from inkling.errors import InputError
from inkling.predictor import Fit

ROWS, COLUMNS = "instances", "inputs"
SPLIT, RECORDS = "dataframe_split", "dataframe_records"
"""Those of pandas in MLflow's bodies."""
ITEM_KEYS = (INPUT, "image", "data")
"""Names of the one input: its own, and those in KServe's samples of MNIST."""
BEFORE_ARRAY = re.compile(
    rb'(?<!\\)"(?:instances|inputs)"\s*:\s*(?:\{\s*"(?:images|image|data)"\s*:\s*)?(?=\[)'
    rb'|(?<!\\)"dataframe_split"\s*:\s*\{[^{}]{0,200000}?"data"\s*:\s*(?=\[)'
)
"""Before the array of numbers of an ordinary large body."""
_SHOWN = 60


class Tensor(NamedTuple):
    """The input `images`: pixels or image files, at least one."""

    pixels: Pixels | None
    """(n, 784)."""
    files: Sequence[bytes]


def parse_json(body: bytes) -> JsonBody:
    """Return a body's document, which is an object; text after it is ignored.

    Raises:
        ProtocolError: it is none, in TensorFlow Serving's words.
    """
    if not body:
        raise ProtocolError(400, "JSON Parse error: The document is empty")
    try:
        parsed = JsonBody(body, BEFORE_ARRAY, ignores_rest=True)
    except InputError as error:
        raise ProtocolError(400, f"JSON Parse error: Invalid value. {error}") from error
    if not isinstance(parsed.document, dict):
        raise ProtocolError(400, f'JSON Value: {_shown(parsed.document)} Is not object; send {{"{ROWS}": [...]}}')
    return parsed


def format_of(document: dict[str, Any]) -> str:
    """Return which of ROWS and COLUMNS a document has.

    Raises:
        ProtocolError: it has both, or neither.
    """
    if ROWS in document and COLUMNS in document:
        raise ProtocolError(400, f"Not formatted correctly expecting only one of '{COLUMNS}' or '{ROWS}' keys to exist")
    if ROWS not in document and COLUMNS not in document:
        raise ProtocolError(400, f"Missing '{COLUMNS}' or '{ROWS}' key")
    return ROWS if ROWS in document else COLUMNS


def fit_of(document: dict[str, Any]) -> Fit:
    """Return how the image files of a document become images: `{"parameters": {"fit": "mnist"}}`.

    Raises:
        ProtocolError: it is none of the ways.
    """
    parameters = document.get("parameters")
    return require_fit(parameters.get("fit", "strict")) if isinstance(parameters, dict) else "strict"


def require_fit(value: Any) -> Fit:
    """Return a value that is a fit.

    Raises:
        ProtocolError: it is none.
    """
    for fit in get_args(Fit):
        if value == fit:
            found: Fit = fit
            return found
    raise ProtocolError(400, f"fit is {_shown(value)}, expected {' or '.join(get_args(Fit))}")


def read_tensor(body: JsonBody, key: str) -> Tensor:
    """Return the input of a document, from the value of one of the keys above.

    Raises:
        InputError: the value holds others than images, or images of another shape.
        ProtocolError: it is not formed as TensorFlow Serving and MLflow expect, in their words.
    """
    value = body.document[key]
    if key in (ROWS, RECORDS):
        return _tensor_of_rows(body, value, key)
    if key == SPLIT:
        return _tensor_of_columns(body, _data_of(value))
    if isinstance(value, dict) and not _is_base64_object(value):
        value = _named(value, "Missing named input: images in 'inputs' object.")
    return _tensor_of_columns(body, value)


def _tensor_of_rows(body: JsonBody, rows: Any, key: str) -> Tensor:
    if body.keeps(rows):
        return _numbers(body, rows)
    if not isinstance(rows, list):
        raise ProtocolError(400, f"Expecting '{key}' to be an list/array, not {_shown(rows)}")
    if not rows:
        raise ProtocolError(400, f"No values in '{key}' array")
    return _tensor_of_columns(body, [_value_of(row, number, key) for number, row in enumerate(rows)])


def _value_of(row: Any, number: int, key: str) -> Any:
    """Return the image in a row: the row itself, or the value of its one key."""
    if not isinstance(row, dict) or _is_base64_object(row):
        return row
    if key == RECORDS and len(row) == NUM_PIXELS:
        return list(row.values())
    return _named(row, f"Failed to process element: {number} of '{key}' list. JSON object: {_shown(row)}")


def _named(values: dict[str, Any], failure: str) -> Any:
    found = [name for name in ITEM_KEYS if name in values]
    if len(found) != 1:
        raise ProtocolError(
            400, f"{failure} keys must be equal to: {INPUT}, found: {', '.join(values)[:200] or 'none'}"
        )
    return values[found[0]]


def _tensor_of_columns(body: JsonBody, value: Any) -> Tensor:
    """Return the tensor of all images: nested lists of numbers, or files."""
    if body.keeps(value):
        return _numbers(body, value)
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, str | dict) for item in items):
        return Tensor(None, [_file(item, f"image {i} of {len(items)}") for i, item in enumerate(items, 1)])
    return _numbers(body, value)


def _numbers(body: JsonBody, value: Any) -> Tensor:
    levels, shape = body.levels(value, is_unit=None)
    count = count_images(shape[:1] + shape[2:] if len(shape) == 3 and shape[1:] == (1, NUM_PIXELS) else shape)
    return Tensor(levels.reshape(count, NUM_PIXELS), ())


def _data_of(split: Any) -> Any:
    """Return the rows of a data frame; its columns are the pixels, or one that holds images."""
    if not isinstance(split, dict) or "data" not in split:
        raise ProtocolError(400, f"{SPLIT} must be an object with `data`, not {_shown(split)}")
    rows = split["data"]
    if isinstance(rows, list) and all(isinstance(row, list) and len(row) == 1 for row in rows):
        return [row[0] for row in rows]
    return rows


def _file(item: Any, name: str) -> bytes:
    """Return an image file: `{"b64": "..."}`, or Base64 by itself."""
    text = item["b64"] if _is_base64_object(item) else item
    if not isinstance(text, str):
        raise ProtocolError(
            400,
            f"JSON Value: {_shown(item)} not formatted correctly for base64 data; {name} must be "
            '{"b64": "..."} as the others are, or all must be numbers',
        )
    text = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return decode_any_base64(text.encode())
    except binascii.Error as error:
        raise ProtocolError(
            400,
            f"JSON Value: {_shown(text)} Type: String is not of expected type: float; nor is {name} an image file in "
            f"Base64: {error}",
        ) from error


def _is_base64_object(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _shown(value: Any) -> str:
    """Return a value as an error message shows it, cut short."""
    if isinstance(value, list | dict):
        return f"{'[...]' if isinstance(value, list) else '{...}'}"
    text = f'"{value[:_SHOWN]}"' if isinstance(value, str) else str(value)[:_SHOWN]
    return text.encode("utf-8", "replace").decode()
