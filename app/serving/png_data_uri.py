"""Images inside of JSON answers."""

from base64 import b64encode

from inkling.digit import Gray
from inkling.vision.image_files import png_bytes


def png_data_uri(image: Gray) -> str:
    """Return a gray image (h, w) as a PNG file in a data: URI (RFC 2397)."""
    return f"data:image/png;base64,{b64encode(png_bytes(image)).decode()}"
