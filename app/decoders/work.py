"""The work of the decoder processes: pictures in files and arrays, and an estimate of what they take."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from inkling.digit import Gray, Images
from inkling.predictor import Fit
from inkling.vision.formats.heif import is_heif, seems_tiled
from inkling.vision.formats.webp import DECODER_BYTES as WEBP_BYTES
from inkling.vision.formats.webp import is_webp
from inkling.vision.image_headers import claimed_pixels
from inkling.vision.normalization import Normalized
from inkling.vision.numbers.page import Page

PICTURE_S, PIXEL_S, BYTE_S = 2e-4, 25e-9, 5e-9
"""Seconds of CPU per picture, pixel and byte of its file, roughly: measured with photos and drawings of all sizes."""
WORK_PIXELS, WORK_PIXEL_S = 256 * 256, 80e-9
"""The digit is searched for in at most so many pixels, which take longer."""
HEIF_PIXEL_S = 30e-9
"""Beyond that, in HEIC and AVIF files."""
PIXEL_BYTES, HEIF_PIXEL_BYTES, TILED_PIXEL_BYTES = 5.2, 11, 3
"""Memory per pixel, at most, of decoding RGBA or of normalizing; of a HEIC or AVIF file, whole or in tiles."""
PAGE_PIXELS = 1024 * 1024
"""Numbers are searched for in at most so many."""


class Decoded(NamedTuple):
    """Pictures as the network reads them."""

    images: Images
    """With fit="strict": (n, 28, 28); else (0, 28, 28)."""
    normalized: tuple[Normalized, ...]
    """With fit="mnist": (n,); else empty."""
    pages: tuple[Page, ...] = ()
    """With "numbers": (n,); else empty."""
    normalize_s: float = 0.0
    """Seconds of searching and normalizing the digits, after the files were decoded."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """An image file that is not decoded yet: one object for the garbage collector, since a request may hold 10,000."""

    content: bytes
    name: str
    """In error messages."""
    size: int = field(init=False)
    """Pixels that it claims to have; as an array's `size`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", claimed_pixels(self.content))


Picture = PictureFile | Gray
Task = Fit | Literal["numbers"]
"""What is made of pictures: images, by one of the two rules, or pages of numbers."""


def estimate_seconds(picture: Picture, task: Task = "mnist") -> float:
    """Return roughly the CPU time that a picture takes, if it is an ordinary one."""
    file_bytes = len(picture.content) if isinstance(picture, PictureFile) else 0
    pixel_s = PIXEL_S + HEIF_PIXEL_S if isinstance(picture, PictureFile) and is_heif(picture.content) else PIXEL_S
    work_pixels = PAGE_PIXELS if task == "numbers" else WORK_PIXELS
    return PICTURE_S + pixel_s * picture.size + WORK_PIXEL_S * min(picture.size, work_pixels) + BYTE_S * file_bytes


def estimate_bytes(picture: Picture) -> int:
    """Return roughly the memory that a picture takes."""
    pixel_bytes = PIXEL_BYTES
    if isinstance(picture, PictureFile):
        pixel_bytes = WEBP_BYTES + 1 if is_webp(picture.content) else pixel_bytes
        if is_heif(picture.content):
            pixel_bytes = TILED_PIXEL_BYTES if seems_tiled(picture.content) else HEIF_PIXEL_BYTES
    return int(picture.size * pixel_bytes)
