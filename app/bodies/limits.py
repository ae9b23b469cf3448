"""The limits on what one request may upload."""

from dataclasses import dataclass

from app.settings import Settings
from inkling.errors import TooLargeError

PICTURES_PER_REQUEST = 4
"""A request's pictures together may have this many times the pixels of the largest one."""


@dataclass(frozen=True)
class UploadLimits:
    max_images: int
    max_pixels: int

    @classmethod
    def from_settings(cls, settings: Settings) -> "UploadLimits":
        return cls(settings.max_images, settings.max_pixels)

    @property
    def max_total_pixels(self) -> int:
        """The limit on the pixels of all pictures of a request."""
        return PICTURES_PER_REQUEST * self.max_pixels

    def check_count(self, count: int) -> None:
        """Raise TooLargeError if a request holds more images than allowed."""
        if count > self.max_images:
            raise TooLargeError(f"{count} images in one request, the limit is {self.max_images}; send several requests")
