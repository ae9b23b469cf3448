"""The limits on the images of one upload; app/observability/middleware.py limits its bytes."""

from dataclasses import dataclass

from app.settings import Settings
from inkling.errors import TooLargeError

TOTAL_PIXELS_FACTOR = 4
"""The pictures of a request may together have this many times `max_pixels`."""


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
        return TOTAL_PIXELS_FACTOR * self.max_pixels

    def check_count(self, count: int) -> None:
        """Raise TooLargeError if a request holds more images than allowed."""
        if count > self.max_images:
            raise TooLargeError(f"{count} images in one request, the limit is {self.max_images}; send several requests")
