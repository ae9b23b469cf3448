"""The fast decoder accepts only what Pillow accepts, and decodes the same pixels."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inkling.errors import ImageError
from inkling.vision.fast_png import decodes_in_place, plain_png_pixels
from inkling.vision.image_files import PictureLimits, decode_image, open_image
from tests.support.bodies import image_file, png_chunk
from tests.support.digits import make_digits

IMAGES = make_digits(20, seed=8)[0]


def by_pillow(content: bytes) -> bytes | None:
    try:
        return open_image(content, PictureLimits(784), "it", lambda image, header: image.tobytes())
    except ImageError:
        return None


def with_data(data: bytes) -> bytes:
    """Return a PNG of 28x28 gray pixels around compressed data, its checksums right."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("level", range(10))
def test_plain_png_gives_its_pixels(level: int) -> None:
    for image in IMAGES:
        assert plain_png_pixels(image_file(image, compress_level=level)) == image.tobytes()


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("L", (28, 29)),
        Image.new("1", (28, 28)),
        Image.new("P", (28, 28)),
        Image.new("LA", (28, 28)),
        Image.new("RGB", (28, 28)),
    ],
)
def test_other_png_is_left_to_pillow(picture: Image.Image) -> None:
    assert plain_png_pixels(image_file(picture)) is None


def test_png_with_more_chunks_is_left_to_pillow() -> None:
    body = image_file(Image.fromarray(IMAGES[0]), transparency=0)
    assert plain_png_pixels(body) is None
    np.testing.assert_array_equal(decode_image(body, 784), IMAGES[0])


def test_wrong_checksum_is_left_to_pillow_to_judge() -> None:
    body = bytearray(image_file(IMAGES[0]))
    body[-14] ^= 1
    assert plain_png_pixels(bytes(body)) is None


@settings(database=None, deadline=None, max_examples=500)
@given(
    which=st.integers(0, len(IMAGES) - 1),
    position=st.integers(0, 1000),
    damage=st.binary(min_size=1, max_size=3),
    end=st.integers(0, 40),
    extra=st.binary(max_size=5),
)
def test_damaged_data_are_never_decoded_differently_than_by_pillow(
    which: int, position: int, damage: bytes, end: int, extra: bytes
) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in IMAGES[which])
    data = zlib.compress(rows)
    position %= len(data)
    data = (data[:position] + damage + data[position + len(damage) :])[: len(data) - end] + extra
    pixels = plain_png_pixels(with_data(data))
    assert pixels is None or bytes(pixels) == by_pillow(with_data(data))


def test_pillow_that_decodes_elsewhere_is_noticed(monkeypatch: pytest.MonkeyPatch, digits: NDArray[np.uint8]) -> None:
    assert decodes_in_place()
    decodes_in_place.cache_clear()
    frombytes = Image.Image.frombytes

    def elsewhere(image: Image.Image, *arguments: object) -> None:
        frombytes(image.copy(), *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "frombytes", elsewhere)
    assert plain_png_pixels(image_file(digits[0])) is None
    decodes_in_place.cache_clear()
