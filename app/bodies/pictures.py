"""Request bodies -> gray pictures of any size, (h, w), 0 black to 255 white, as `fit=mnist` takes them."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from app.bodies.arrays import gray_levels, json_array, npy_array
from app.bodies.images import MEDIA_TYPES, UploadLimits, open_image, read_images, reader
from app.bodies.multipart import multipart_files
from inkling.digit import SIDE, Gray
from inkling.errors import ImageError, TooLargeError

PICTURES_A_REQUEST = 4
"""A request's pictures together may have this many times the pixels of the largest one."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of this EXIF orientation upright."""


def read_pictures(body: bytes, content_type: str, limits: UploadLimits) -> Iterator[Gray]:
    """Return the pictures of a request's body, one after another: each may be large.

    Raises:
        MediaTypeError: the Content-Type is none of MEDIA_TYPES.
        BodyError: the body is not what its Content-Type says.
        ImageError: a picture cannot be read.
        TooLargeError: too many pictures, or pixels.
    """
    return reader(_READERS, body, content_type)(body, content_type, limits)


def decode_picture(content: bytes, max_pixels: int, name: str = "the image") -> Gray:
    """Return the gray levels (h, w) of an image file, upright; of several frames the first counts.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: more than `max_pixels`.
    """
    return open_image(content, max_pixels, name, _upright)


def data_uri(picture: Gray) -> str:
    """Return a picture (h, w) as a PNG in a `data:` URI, which a page can show as it is."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _upright(image: Image.Image) -> Gray:
    image.draft("L", image.size)  # a JPEG need not decode its colors
    gray = _gray(image)
    turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if turn is None:
        return gray
    return np.asarray(Image.fromarray(gray).transpose(turn))


def _gray(image: Image.Image) -> Gray:
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(np.asarray(image))
    if image.has_transparency_data:
        return _on_ground(image.convert("RGBA"))
    return np.asarray(image.convert("L"))


def _eight_bits(deep: NDArray[np.generic]) -> Gray:
    """Return the levels of a deep picture as 0 to 255: of the 8, 10, 12, 14 or 16 bits that its values need."""
    levels = deep.astype(np.float32)
    bits = next((bits for bits in (8, 10, 12, 14) if levels.max() < 1 << bits), 16)
    eight: Gray = np.rint(np.clip(levels, 0, None) * np.float32(255 / ((1 << bits) - 1))).astype(np.uint8)
    return eight


def _on_ground(image: Image.Image) -> Gray:
    """Return the levels of an RGBA picture laid on a ground that shows it.

    Where much is transparent, that is the ground, and what is opaque the ink: it gets black or white, whichever the
    ink is not. Where little is (rounded corners), the opaque part is the paper, and is carried on.
    """
    gray, alpha = np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
    opaque = gray[alpha > 127]
    if not len(opaque):
        opaque = gray[alpha > 0] if alpha.any() else np.zeros(1, np.uint8)
    typical = float(np.median(opaque))
    is_ink = (alpha < 128).mean() > 0.3
    ground = (0 if typical > 127 else 255) if is_ink else round(typical)
    levels = np.empty_like(gray)
    for i in range(0, len(gray), 256):  # in strips: 40 million pixels would be gigabytes in between
        rows = slice(i, i + 256)
        opacity = alpha[rows].astype(np.uint32)
        levels[rows] = (gray[rows] * opacity + ground * (255 - opacity) + 127) // 255
    return levels


def _read_multipart(body: bytes, content_type: str, limits: UploadLimits) -> Iterator[Gray]:
    files = multipart_files(body, content_type)
    limits.check_count(len(files))
    budget = PICTURES_A_REQUEST * limits.max_pixels
    for i, file in enumerate(files, 1):
        name = f"image {i} of {len(files)}"
        picture = decode_picture(file, limits.max_pixels, name)
        budget -= picture.size
        if budget < 0:
            raise TooLargeError(
                f"{name} brings the request over {PICTURES_A_REQUEST * limits.max_pixels} pixels in all; "
                "send several requests"
            )
        yield picture


def _read_file(body: bytes, content_type: str, limits: UploadLimits) -> Iterator[Gray]:
    yield decode_picture(body, limits.max_pixels)


def _read_json(body: bytes, content_type: str, limits: UploadLimits) -> Iterator[Gray]:
    yield from gray_levels(_shape(json_array(body), limits, "`images`"))


def _read_npy(body: bytes, content_type: str, limits: UploadLimits) -> Iterator[Gray]:
    yield from _shape(npy_array(body), limits, "the array")


def _read_raw(body: bytes, content_type: str, limits: UploadLimits) -> Iterator[Gray]:
    yield from read_images(body, content_type, limits)


def _shape(array: NDArray[np.generic], limits: UploadLimits, name: str) -> NDArray[np.generic]:
    """Return (n, h, w) from (h, w), (n, h, w) or (n, 784): flattened images stay what they are with fit=strict."""
    if array.ndim == 2:
        array = array.reshape(-1, SIDE, SIDE) if array.shape[1] == SIDE * SIDE else array[np.newaxis]
    if array.ndim != 3:
        raise ImageError(f"{name} has shape {array.shape}, expected (h, w), (n, h, w) or (n, {SIDE * SIDE})")
    if not array.size:
        raise ImageError(f"{name} has shape {array.shape}: it holds no image")
    limits.check_count(len(array))
    height, width = array.shape[1:]
    if height * width > limits.max_pixels:
        raise TooLargeError(
            f"the images are {width}x{height}, {width * height} pixels each; the limit is {limits.max_pixels}: "
            "scale them down"
        )
    return array


_READERS: Mapping[str, Callable[[bytes, str, UploadLimits], Iterator[Gray]]] = {
    media_type: {
        "multipart/form-data": _read_multipart,
        "application/json": _read_json,
        "application/octet-stream": _read_raw,
        "application/x-npy": _read_npy,
    }.get(media_type, _read_file)
    for media_type in MEDIA_TYPES
}
