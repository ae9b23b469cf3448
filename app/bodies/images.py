"""Request bodies -> images, uint8 (n, 28, 28), 0 ground to 255 ink; with limits, and errors that say what was wrong."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from app.bodies.arrays import gray_levels, json_array, npy_array
from app.bodies.multipart import multipart_files
from app.errors import BodyError, MediaTypeError
from app.settings import Settings
from inkling.digit import SIDE, Images
from inkling.errors import ImageError, TooLargeError
from inkling.vision.fast_png import plain_png_pixels

T = TypeVar("T")

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")


@dataclass(frozen=True)
class UploadLimits:
    max_images: int
    max_pixels: int

    @classmethod
    def of(cls, settings: Settings) -> "UploadLimits":
        return cls(settings.max_images, settings.max_pixels)

    def check_count(self, count: int) -> None:
        if count > self.max_images:
            raise TooLargeError(f"{count} images in one request, the limit is {self.max_images}; send several requests")


def read_images(body: bytes, content_type: str, limits: UploadLimits) -> Images:
    """Return the images of a request's body.

    Raises:
        MediaTypeError: the Content-Type is none of MEDIA_TYPES.
        BodyError: the body is not what its Content-Type says.
        ImageError: an image cannot be read, or is not 28x28.
        TooLargeError: too many images, or pixels.
    """
    return reader(MEDIA_TYPES, body, content_type)(body, content_type, limits)


def reader(readers: Mapping[str, T], body: bytes, content_type: str) -> T:
    """Return which of the readers of MEDIA_TYPES reads a body.

    Raises:
        MediaTypeError: none does.
        BodyError: the body is empty.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    read = readers.get(media_type)
    if read is None:
        raise MediaTypeError(
            f"Content-Type is {media_type or 'missing'}, expected one of {', '.join(MEDIA_TYPES)}; "
            "with curl: -F file=@digit.png"
        )
    if not body:
        raise BodyError(f"the body is empty, expected {media_type}")
    return read


def decode(content: bytes, max_pixels: int, name: str = "the image") -> Images:
    """Return the pixels (28, 28) of an image file, read as MNIST stores digits: light ink on a dark ground.

    Colors become gray; transparent pixels are ground; of several frames the first counts.

    Raises:
        ImageError: not an image in one of FORMATS, or not 28x28.
        TooLargeError: more than `max_pixels`.
    """
    plain = plain_png_pixels(content)
    if plain is None or len(plain) > max_pixels:
        return open_image(content, max_pixels, name, lambda image: _pixels(image, name))
    return np.frombuffer(plain, np.uint8).reshape(SIDE, SIDE)


def open_image(content: bytes, max_pixels: int, name: str, read: Callable[[Image.Image], T]) -> T:
    """Return what `read` makes of an image file, opened but not decoded yet.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: more than `max_pixels`.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise TooLargeError(
                    f"{name} is {width}x{height}, {width * height} pixels; the limit is {max_pixels}: scale it down"
                )
            return read(image)
    except (ImageError, TooLargeError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(f"{name} has too many pixels, the limit is {max_pixels}: scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} ({len(content)} bytes) is not an image; {', '.join(FORMATS)} are read") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise ImageError(f"{name} ({len(content)} bytes) is damaged: {error}") from error


def _pixels(image: Image.Image, name: str) -> Images:
    width, height = image.size
    if image.size != (SIDE, SIDE):
        raise ImageError(f"{name} is {width}x{height} pixels, expected {SIDE}x{SIDE}; send ?fit=mnist to normalize it")
    return np.frombuffer(_gray(image).tobytes(), np.uint8).reshape(SIDE, SIDE)


def _gray(image: Image.Image) -> Image.Image:
    if image.mode == "L" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16 bits
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return image.convert("L")


def _read_multipart(body: bytes, content_type: str, limits: UploadLimits) -> Images:
    files = multipart_files(body, content_type)
    limits.check_count(len(files))
    names = [f"image {i} of {len(files)}" for i in range(1, len(files) + 1)]
    return np.stack([decode(file, limits.max_pixels, name) for file, name in zip(files, names, strict=True)])


def _read_file(body: bytes, content_type: str, limits: UploadLimits) -> Images:
    return decode(body, limits.max_pixels)[np.newaxis]


def _read_json(body: bytes, content_type: str, limits: UploadLimits) -> Images:
    return gray_levels(_shape(json_array(body), limits, "`images`"))


def _read_raw(body: bytes, content_type: str, limits: UploadLimits) -> Images:
    count, rest = divmod(len(body), SIDE * SIDE)
    if rest:
        raise ImageError(f"the body is {len(body)} bytes long, expected a multiple of {SIDE * SIDE}: one byte a pixel")
    limits.check_count(count)
    return np.frombuffer(body, np.uint8).reshape(count, SIDE, SIDE)


def _read_npy(body: bytes, content_type: str, limits: UploadLimits) -> Images:
    return np.ascontiguousarray(_shape(npy_array(body), limits, "the array"))


def _shape(array: NDArray[Any], limits: UploadLimits, name: str) -> NDArray[Any]:
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


MEDIA_TYPES: dict[str, Callable[[bytes, str, UploadLimits], Images]] = {
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
