"""The header of an image file: the size of its picture, and the memory that decoding it takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Mosaic:
    """A picture in tiles, each a file of its own, so that decoding takes the memory of one."""

    columns: int
    tile_size: tuple[int, int]
    """Width and height of each; the last ones may go beyond the picture."""
    corner: tuple[int, int]
    """Where the picture begins, in pixels from the left and top of all tiles."""
    is_opaque: bool
    tiles: Callable[[], Iterator[bytes]]
    """Yields the files, row by row. Raises ValueError if one is damaged."""


@dataclass(frozen=True)
class ImageHeader:
    file_format: str
    """As Pillow names it."""
    width: int
    height: int
    decoder_bytes: int
    """Memory that Pillow's decoder of this format takes, without the file."""
    content: bytes
    """The file, without the parts that its pixels do not need: texts, profiles, thumbnails, later pictures."""
    orientation: int = 1
    """By EXIF, or the format's own property: 1 to 8 as in EXIF; 1 is upright."""
    mosaic: Mosaic | None = None
    """The tiles of a picture that has some; `content` is empty then."""

    @property
    def memory_bytes(self) -> int:
        """Memory that decoding to gray levels takes, without the file."""
        return self.decoder_bytes + self.width * self.height
