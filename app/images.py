"""Request bodies -> images, uint8 (n, 28, 28), 0 ground to 255 ink; with limits, and errors that say what was wrong."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import BodyError, ImageError, MediaTypeError, TooLargeError
from app.settings import Settings

SIDE = 28
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Limits:
    max_images: int
    max_pixels: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(settings.max_images, settings.max_pixels)

    def check_count(self, count: int) -> None:
        if count > self.max_images:
            raise TooLargeError(f"{count} images in one request, the limit is {self.max_images}; send several requests")


def read_images(body: bytes, content_type: str, limits: Limits) -> Images:
    """Return the images of a request's body.

    Raises:
        MediaTypeError: the Content-Type is none of MEDIA_TYPES.
        BodyError: the body is not what its Content-Type says.
        ImageError: an image cannot be read, or is not 28x28.
        TooLargeError: too many images, or pixels.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    read = MEDIA_TYPES.get(media_type)
    if read is None:
        raise MediaTypeError(
            f"Content-Type is {media_type or 'missing'}, expected one of {', '.join(MEDIA_TYPES)}; "
            "with curl: -F file=@digit.png"
        )
    if not body:
        raise BodyError(f"the body is empty, expected {media_type}")
    return read(body, content_type, limits)


def decode(content: bytes, max_pixels: int, name: str = "the image") -> Images:
    """Return the pixels (28, 28) of an image file, read as MNIST stores digits: light ink on a dark ground.

    Colours become grey; transparent pixels are ground; of several frames the first counts.

    Raises:
        ImageError: not an image in one of FORMATS, or not 28x28.
        TooLargeError: more than `max_pixels`.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise TooLargeError(
                    f"{name} is {width}x{height}, {width * height} pixels; the limit is {max_pixels}: scale it down"
                )
            if image.size != (SIDE, SIDE):
                raise ImageError(
                    f"{name} is {width}x{height} pixels, expected {SIDE}x{SIDE}; send ?fit=mnist to normalise it"
                )
            return np.frombuffer(_grey(image).tobytes(), np.uint8).reshape(SIDE, SIDE)
    except (ImageError, TooLargeError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(f"{name} has too many pixels, the limit is {max_pixels}: scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} ({len(content)} bytes) is not an image; {', '.join(FORMATS)} are read") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise ImageError(f"{name} ({len(content)} bytes) is damaged: {error}") from error


def _grey(image: Image.Image) -> Image.Image:
    if image.mode == "L" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16 bits
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return image.convert("L")


def _read_multipart(body: bytes, content_type: str, limits: Limits) -> Images:
    files = multipart_files(body, content_type)
    limits.check_count(len(files))
    names = [f"image {i} of {len(files)}" for i in range(1, len(files) + 1)]
    return np.stack([decode(file, limits.max_pixels, name) for file, name in zip(files, names, strict=True)])


def multipart_files(body: bytes, content_type: str) -> list[bytes]:
    """Return the contents of the parts named `file` of a multipart/form-data body, in their order.

    Raises:
        BodyError: not multipart, or no such part.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise BodyError("Content-Type multipart/form-data has no boundary; let your HTTP client set the header")
    parts: list[tuple[bytes, bytearray]] = []
    field, value, disposition = bytearray(), bytearray(), bytearray()
    is_ended = False

    def begin_part() -> None:
        disposition.clear()

    def end_header() -> None:
        if field.lower() == b"content-disposition":
            disposition[:] = value
        field.clear()
        value.clear()

    def begin_data() -> None:
        parts.append((parse_options_header(bytes(disposition))[1].get(b"name", b""), bytearray()))

    def end() -> None:
        nonlocal is_ended
        is_ended = True

    callbacks: dict[str, Callable[..., None]] = {
        "on_part_begin": begin_part,
        "on_header_field": lambda data, start, end: field.extend(data[start:end]),
        "on_header_value": lambda data, start, end: value.extend(data[start:end]),
        "on_header_end": end_header,
        "on_headers_finished": begin_data,
        "on_end": end,
        "on_part_data": lambda data, start, end: parts[-1][1].extend(data[start:end]),
    }
    try:
        parser = MultipartParser(boundary, cast(Any, callbacks))
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BodyError(f"the body is not multipart/form-data: {error}") from error
    if not is_ended:
        raise BodyError("the body ends before its last boundary: it is not all there")
    files = [bytes(data) for name, data in parts if name == b"file"]
    if not files:
        found = ", ".join(name.decode("utf-8", "replace") or "(no name)" for name, _ in parts) or "none"
        raise BodyError(f"no part is named 'file'; parts found: {found[:200]}; with curl: -F file=@digit.png")
    return files


def _read_file(body: bytes, content_type: str, limits: Limits) -> Images:
    return decode(body, limits.max_pixels)[np.newaxis]


def _read_json(body: bytes, content_type: str, limits: Limits) -> Images:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise BodyError('expected {"images": [...]}: nested numbers 0 to 255, (28, 28), (n, 28, 28) or (n, 784)')
    if not _leaf_types(document["images"]) <= {int, float}:
        raise ImageError("`images` must hold numbers 0 to 255, and nothing else")
    try:
        array = np.asarray(document["images"])
    except ValueError as error:
        raise ImageError("`images` is ragged: its rows differ in length") from error
    if not array.size:
        raise ImageError("`images` must hold numbers 0 to 255, and nothing else")
    images = _shape(array, limits, "`images`")
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 255):  # NaN is neither
        raise ImageError(f"`images` holds numbers from {low} to {high}, expected 0 to 255")
    if array.dtype.kind == "f" and high <= 1 and (array % 1).any():
        raise ImageError(f"`images` seems to be scaled to 0 to 1 (its largest number is {high}); send 0 to 255")
    pixels: Images = np.rint(images).astype(np.uint8)
    return pixels


def _leaf_types(nested: list[Any]) -> set[type]:
    """Return the types of what nested lists hold. Looked at first: NumPy would make an array of the longest string."""
    types: set[type] = set()
    while nested:
        here = set(map(type, nested))
        types |= here - {list}
        nested = list(chain.from_iterable(item for item in nested if type(item) is list)) if list in here else []
    return types


def _read_raw(body: bytes, content_type: str, limits: Limits) -> Images:
    count, rest = divmod(len(body), SIDE * SIDE)
    if rest:
        raise ImageError(f"the body is {len(body)} bytes long, expected a multiple of {SIDE * SIDE}: one byte a pixel")
    limits.check_count(count)
    return np.frombuffer(body, np.uint8).reshape(count, SIDE, SIDE)


def _read_npy(body: bytes, content_type: str, limits: Limits) -> Images:
    file = io.BytesIO(body)
    try:
        # By hand, not np.load: it would allocate what the header claims before it reads what is there.
        major, _ = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read_header(file)
    except Exception as error:  # NumPy parses the header as a Python literal, and raises many kinds
        raise BodyError(f"the body is not a .npy file: {error}") from error
    if dtype != np.uint8:
        raise ImageError(f"the array is {dtype}, expected uint8")
    held = len(body) - file.tell()
    if held != int(np.prod(shape, dtype=object)):
        raise BodyError(f"the .npy file holds {held} bytes of pixels, its shape {shape} needs another number")
    try:
        array = np.frombuffer(body, np.uint8, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")
    except ValueError as error:  # negative, more than 64 dimensions, or past 64 bits
        raise BodyError(f"the .npy file claims an impossible shape, {str(shape)[:100]}: {error}") from error
    return np.ascontiguousarray(_shape(array, limits, "the array"))


def _shape(array: NDArray[Any], limits: Limits, name: str) -> NDArray[Any]:
    """Return (n, 28, 28) from (28, 28), (n, 28, 28) or (n, 784)."""
    if array.ndim not in (2, 3) or (
        array.shape[-2:] != (SIDE, SIDE) and (array.ndim != 2 or array.shape[1] != SIDE * SIDE)
    ):
        raise ImageError(f"{name} has shape {array.shape}, expected (28, 28), (n, 28, 28) or (n, 784)")
    images = array.reshape(-1, SIDE, SIDE)
    if not len(images):
        raise ImageError(f"{name} holds no image")
    limits.check_count(len(images))
    return images


MEDIA_TYPES: dict[str, Callable[[bytes, str, Limits], Images]] = {
    "multipart/form-data": _read_multipart,
    "image/png": _read_file,
    "image/jpeg": _read_file,
    "image/webp": _read_file,
    "image/bmp": _read_file,
    "image/gif": _read_file,
    "application/json": _read_json,
    "application/octet-stream": _read_raw,
    "application/x-npy": _read_npy,
}
