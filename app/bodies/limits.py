"""The limits on the images of one upload; app/observability/middleware.py limits its bytes."""

from dataclasses import dataclass

from app.settings import Settings
from inkling.errors import TooLargeError
from inkling.vision.image_files import MAX_DECODER_BYTES, MAX_SIDE, PictureLimits

TOTAL_PIXELS_FACTOR = 4
"""The pictures of a request may together have this many times `max_pixels`."""


@dataclass(frozen=True)
class UploadLimits:
    max_images: int
    max_pixels: int
    max_side: int = MAX_SIDE
    max_decoder_bytes: int = MAX_DECODER_BYTES

    @classmethod
    def from_settings(cls, settings: Settings) -> "UploadLimits":
        return cls(settings.max_images, settings.max_pixels, settings.max_side, settings.max_decoder_bytes)

    @property
    def picture(self) -> PictureLimits:
        """The limits on each picture."""
        return PictureLimits(self.max_pixels, self.max_side, self.max_decoder_bytes)

    @property
    def max_total_pixels(self) -> int:
        """The limit on the pixels of all pictures of a request."""
        return TOTAL_PIXELS_FACTOR * self.max_pixels

    def check_count(self, count: int) -> None:
        """Raise TooLargeError if a request holds more images than allowed."""
        if count > self.max_images:
            raise TooLargeError(f"{count} images in one request, the limit is {self.max_images}; send several requests")
