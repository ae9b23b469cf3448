"""Request bodies -> images or pictures: one table of readers by Content-Type, for fit=strict and fit=mnist alike."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.bodies.arrays import gray_levels, json_array, npy_array
from app.bodies.limits import UploadLimits
from app.bodies.multipart import multipart_files
from app.errors import BodyError, MediaTypeError
from inkling.digit import NUM_PIXELS, SIDE, Gray, Images
from inkling.errors import ImageError, TooLargeError
from inkling.vision.image_files import decode_image, decode_picture


def read_images(body: bytes, content_type: str, limits: UploadLimits) -> Images:
    """Return the images (n, 28, 28) of a request's body, as fit=strict reads them.

    Raises:
        MediaTypeError: the Content-Type is none of MEDIA_TYPES.
        BodyError: the body is not what its Content-Type says.
        ImageError: an image cannot be read, or is not 28x28.
        TooLargeError: too many images, or pixels.
    """
    images = _reader(body, content_type)(body, content_type, _STRICT, limits)
    if isinstance(images, np.ndarray):
        return np.ascontiguousarray(images)
    images = list(images)
    return images[0][np.newaxis] if len(images) == 1 else np.stack(images)


def read_pictures(body: bytes, content_type: str, limits: UploadLimits) -> Iterator[Gray]:
    """Yield the pictures (h, w) of a request's body, as fit=mnist reads them: one by one, since each may be large.

    Raises:
        MediaTypeError: the Content-Type is none of MEDIA_TYPES.
        BodyError: the body is not what its Content-Type says.
        ImageError: a picture cannot be read.
        TooLargeError: too many pictures, or pixels.
    """
    yield from _reader(body, content_type)(body, content_type, _MNIST, limits)


class _FitRules(NamedTuple):
    """The rules of fit=strict or fit=mnist."""

    decode: Callable[..., Gray]
    """`decode_image` or `decode_picture`."""
    reshape: Callable[[NDArray[Any], UploadLimits, str], NDArray[Any]]
    """Array of any shape -> pictures (n, h, w)."""


_Reader = Callable[[bytes, str, _FitRules, UploadLimits], Iterable[Gray]]


def _reader(body: bytes, content_type: str) -> _Reader:
    read = _READERS.get(content_type)
    media_type = content_type.partition(";")[0].strip().lower()
    if read is None:
        read = _READERS.get(media_type)
    if read is None:
        raise MediaTypeError(
            f"Content-Type is {media_type or 'missing'}, expected one of {', '.join(MEDIA_TYPES)}; "
            "with curl: -F file=@digit.png"
        )
    if not body:
        raise BodyError(f"the body is empty, expected {media_type}")
    return read


def _read_multipart(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> Iterator[Gray]:
    files = multipart_files(body, content_type)
    limits.check_count(len(files))
    total = 0
    for i, file in enumerate(files, 1):
        name = f"image {i} of {len(files)}"
        picture = _decode(fit, file, name, limits)
        total += picture.size
        if total > limits.max_total_pixels and fit is _MNIST:
            raise TooLargeError(
                f"{name} brings the request to {total} pixels, the limit is {limits.max_total_pixels} per request; "
                "send several requests"
            )
        yield picture


def _read_file(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> NDArray[np.uint8]:
    return _decode(fit, body, "the image", limits)[np.newaxis]


def _decode(fit: _FitRules, file: bytes, name: str, limits: UploadLimits) -> Gray:
    return fit.decode(
        file, limits.max_pixels, name, max_side=limits.max_side, max_decoder_bytes=limits.max_decoder_bytes
    )


def _read_json(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> NDArray[np.uint8]:
    return gray_levels(fit.reshape(json_array(body), limits, "`images`"))


def _read_npy(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> NDArray[np.uint8]:
    return fit.reshape(npy_array(body), limits, "the array")


def _read_raw(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> Images:
    count, rest = divmod(len(body), NUM_PIXELS)
    if rest:
        raise ImageError(f"the body is {len(body)} bytes long, expected a multiple of {NUM_PIXELS}: one byte per pixel")
    limits.check_count(count)
    return np.frombuffer(body, np.uint8).reshape(count, SIDE, SIDE)


def _as_images(array: NDArray[Any], limits: UploadLimits, name: str) -> NDArray[Any]:
    """Return (n, 28, 28) from (28, 28), (n, 28, 28) or (n, 784)."""
    if array.ndim not in (2, 3) or (
        array.shape[-2:] != (SIDE, SIDE) and (array.ndim != 2 or array.shape[1] != NUM_PIXELS)
    ):
        raise ImageError(f"{name} has shape {array.shape}, expected (28, 28), (n, 28, 28) or (n, 784)")
    images = array.reshape(-1, SIDE, SIDE)
    if not len(images):
        raise ImageError(f"{name} holds no image")
    limits.check_count(len(images))
    return images


def _as_pictures(array: NDArray[Any], limits: UploadLimits, name: str) -> NDArray[Any]:
    """Return (n, h, w) from (h, w), (n, h, w) or (n, 784): flattened images are read as with fit=strict."""
    if array.ndim == 2:
        array = array.reshape(-1, SIDE, SIDE) if array.shape[1] == NUM_PIXELS else array[np.newaxis]
    if array.ndim != 3:
        raise ImageError(f"{name} has shape {array.shape}, expected (h, w), (n, h, w) or (n, {NUM_PIXELS})")
    if not array.size:
        raise ImageError(f"{name} has shape {array.shape}: it holds no image")
    limits.check_count(len(array))
    height, width = array.shape[1:]
    limits.picture.check_size(width, height, "each image")
    return array


_STRICT = _FitRules(decode_image, _as_images)
_MNIST = _FitRules(decode_picture, _as_pictures)

_READERS: dict[str, _Reader] = {
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
MEDIA_TYPES = tuple(_READERS)
