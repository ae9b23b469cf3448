"""Image files, opened within limits, and decoded to images of 28x28 pixels or to pictures of any size."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from inkling.digit import SIDE, Gray
from inkling.errors import ImageError, ImageSizeError, TooLargeError, UnreadError
from inkling.file_kinds import IMAGE_KINDS, file_kind, likely_kind
from inkling.vision.fast_png import plain_png_pixels
from inkling.vision.formats.image_header import ImageHeader
from inkling.vision.gray import to_gray, to_gray_on_black
from inkling.vision.image_headers import read_header
from inkling.vision.pillow_decoders import open_file

T = TypeVar("T")

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "AVIF", "HEIC")
MAX_PIXELS = 40_000_000
"""Default limit on the pixels of an image; a phone's photo has 12 million."""
MAX_SIDE = 16_384
"""Default limit on the width and the height of an image; a phone's panorama has some 16,000."""
MAX_DECODER_BYTES = 128 << 20
"""Default limit on the memory that decoding an image takes, without its file: 24 million pixels of RGBA need 120 MB."""


@dataclass(frozen=True)
class PictureLimits:
    """The limits on the picture in an image file; its bytes are limited where they are received."""

    max_pixels: int = MAX_PIXELS
    max_side: int = MAX_SIDE
    max_decoder_bytes: int = MAX_DECODER_BYTES

    def check_size(self, width: int, height: int, name: str) -> None:
        """Raise TooLargeError if a picture has too many pixels, or is too wide or too high."""
        if width * height > self.max_pixels:
            raise TooLargeError(
                f"{name} is {width}x{height}, {width * height} pixels; the limit is {self.max_pixels}: scale it down"
            )
        if max(width, height) > self.max_side:
            raise TooLargeError(
                f"{name} is {width}x{height} pixels; the limit is {self.max_side} on each side: scale it down"
            )

    def check(self, header: ImageHeader, name: str) -> None:
        """Raise TooLargeError if a file's picture is too large, or needs too much memory."""
        self.check_size(header.width, header.height, name)
        if header.memory_bytes > self.max_decoder_bytes:
            raise TooLargeError(
                f"{name} is {header.width}x{header.height} pixels, and decoding this kind of {header.file_format} "
                f"takes {header.memory_bytes} bytes of memory; the limit is {self.max_decoder_bytes}: scale it down"
            )


def decode_image(
    content: bytes,
    max_pixels: int = MAX_PIXELS,
    name: str = "the image",
    *,
    max_side: int = MAX_SIDE,
    max_decoder_bytes: int = MAX_DECODER_BYTES,
) -> Gray:
    """Return the pixels (28, 28) of an image file, read as MNIST stores digits: light foreground on dark background.

    Colors become gray; transparent pixels are background, and dark strokes on them become light; the image is turned
    upright as EXIF says; of several frames the first counts.

    Args:
        content: the file.
        max_pixels: the limit on its pixels.
        name: its name in error messages.
        max_side: the limit on its width and height.
        max_decoder_bytes: the limit on the memory that decoding it takes.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        ImageSizeError: not 28x28.
        TooLargeError: a limit is exceeded.
    """
    plain = plain_png_pixels(content)
    if plain is not None and len(plain) <= max_pixels:
        return np.frombuffer(plain, np.uint8).reshape(SIDE, SIDE)
    limits = PictureLimits(max_pixels, max_side, max_decoder_bytes)
    return open_image(content, limits, name, _pixels, size=(SIDE, SIDE))


def decode_scaled(content: bytes, name: str = "the image") -> Gray:
    """Return an image file of any size as an image (28, 28): one of 28x28 pixels as `decode_image` does.

    A larger or smaller picture is scaled as a whole and keeps its proportions; its shorter side is filled up with the
    median of its border.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: a default limit is exceeded.
    """
    gray = open_image(content, PictureLimits(), name, _pixels)
    height, width = gray.shape
    scale = SIDE / max(height, width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    image = np.full((SIDE, SIDE), np.median(border), np.uint8)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    image[top : top + size[1], left : left + size[0]] = np.asarray(Image.fromarray(gray).resize(size, resampling))
    return image


def decode_picture(
    content: bytes,
    max_pixels: int = MAX_PIXELS,
    name: str = "the image",
    *,
    max_side: int = MAX_SIDE,
    max_decoder_bytes: int = MAX_DECODER_BYTES,
) -> Gray:
    """Return the gray levels (h, w) of an image file of any size, upright; of several frames the first counts.

    Args:
        content: the file.
        max_pixels: the limit on its pixels.
        name: its name in error messages.
        max_side: the limit on its width and height.
        max_decoder_bytes: the limit on the memory that decoding it takes.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: a limit is exceeded.
    """
    return open_image(content, PictureLimits(max_pixels, max_side, max_decoder_bytes), name, _upright)


class ReducedPicture(NamedTuple):
    """A picture, perhaps at a fraction of its size."""

    gray: Gray
    """(h, w): its gray levels, upright."""
    step: int
    """How many times its sides were divided: 1, 2, 4 or 8."""
    whole_shape: tuple[int, int]
    """Height and width of the whole picture, upright."""


def decode_reduced(content: bytes, limits: PictureLimits, name: str, *, above: int, side: int) -> ReducedPicture:
    """Return the picture of an image file; of a large JPEG file a fraction of it, which takes a fraction of the time.

    The fraction is the inverse transform of fewer coefficients: each block of 8x8 pixels becomes 4x4, 2x2 or one.

    Args:
        content: the file.
        limits: those on the whole picture.
        name: its name in error messages.
        above: a picture whose longer side has at most as many pixels remains whole.
        side: the pixels of the longer side of a reduced picture, at least.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        TooLargeError: a limit is exceeded.
    """

    def read(image: Image.Image, header: ImageHeader) -> ReducedPicture:
        longer = max(header.width, header.height)
        step = max(1, longer // side) if longer > above else 1
        image.draft("L", (max(1, header.width // step), max(1, header.height // step)))
        shape = (header.width, header.height) if header.orientation >= 5 else (header.height, header.width)
        gray = _turned(to_gray(image), header.orientation)
        return ReducedPicture(gray, round(longer / max(gray.shape)), shape)

    return open_image(content, limits, name, read)


def png_bytes(picture: Gray | Image.Image) -> bytes:
    """Return a picture as the content of a PNG file."""
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, "PNG")
    return file.getvalue()


def open_image(
    content: bytes,
    limits: PictureLimits,
    name: str,
    read: Callable[[Image.Image, ImageHeader], T],
    *,
    size: tuple[int, int] | None = None,
) -> T:
    """Open an image file, without decoding it yet, and return what `read` returns for it and its header.

    Raises:
        ImageError: not an image in one of FORMATS, or damaged.
        ImageSizeError: not of this size. Pillow does not see the file: it would make room for its picture first.
        TooLargeError: a limit is exceeded.
    """
    try:
        header = read_header(content)
        if header is None:
            raise UnidentifiedImageError
        limits.check(header, name)
        if size is not None and (header.width, header.height) != size:
            raise ImageSizeError(f"{name} is {header.width}x{header.height} pixels, expected {size[0]}x{size[1]}")
        with open_file(header) as image:
            return read(image, header)
    except UnreadError as error:
        raise UnreadError(f"{name} ({len(content)} bytes) cannot be read: {error}") from error
    except (ImageError, TooLargeError):
        raise
    except MemoryError as error:
        raise TooLargeError(f"{name} needs more memory than there is: scale it down") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(f"{name} has more pixels than Pillow reads: scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} ({len(content)} bytes) {_other_kind(content)}") from error
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions for damaged files
        raise ImageError(f"{name} ({len(content)} bytes) is damaged: {error}") from error


def refuse_other_kind(content: bytes, name: str) -> None:
    """Raise ImageError if a file surely is no image that is read, by its first bytes; the error names its kind."""
    kind = file_kind(content)
    if kind is not None and kind not in IMAGE_KINDS:
        raise ImageError(f"{name} {_other_kind(content)}")


def _other_kind(content: bytes) -> str:
    """Return what is wrong with a file that is no image that is read, and what to do."""
    kind = likely_kind(content)
    if kind is None or kind.name in IMAGE_KINDS:
        return f"is not an image; {', '.join(FORMATS)} are read"
    advice = f"; {kind.advice}" if kind.advice else ""
    return f"is {kind.name}, expected an image: {', '.join(FORMATS)}{advice}"


def _pixels(image: Image.Image, header: ImageHeader) -> Gray:
    return _turned(to_gray_on_black(image), header.orientation)


def _upright(image: Image.Image, header: ImageHeader) -> Gray:
    image.draft("L", image.size)  # lets a JPEG skip decoding its colors
    return _turned(to_gray(image), header.orientation)


def _turned(gray: Gray, orientation: int) -> Gray:
    """Return gray levels (h, w) upright; they are stored in one of the eight orientations of EXIF."""
    if orientation >= 5:
        gray = gray.T
    if orientation in (2, 3, 6, 7):
        gray = gray[:, ::-1]
    if orientation in (3, 4, 7, 8):
        gray = gray[::-1]
    return np.ascontiguousarray(gray)
