"""The header of an image file: the size of its picture, and the memory that decoding it takes."""

from dataclasses import dataclass


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
    """By EXIF, 1 to 8; 1 is upright."""

    @property
    def memory_bytes(self) -> int:
        """Memory that decoding to gray levels takes, without the file."""
        return self.decoder_bytes + self.width * self.height
