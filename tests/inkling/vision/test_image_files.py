import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from inkling.digit import Gray
from inkling.errors import ImageError, InputError, TooLargeError
from inkling.vision.image_files import FORMATS, decode_image, decode_picture
from tests.support.bodies import (
    MAX_PIXELS,
    image_file,
    png_chunk,
    png_claiming,
)


def test_colors_become_gray() -> None:
    pixels = np.zeros((28, 28, 3), np.uint8)
    pixels[:, :14] = (255, 255, 255)
    pixels[:, 14:] = (255, 0, 0)
    gray = decode_image(image_file(Image.fromarray(pixels)), MAX_PIXELS)
    assert (gray[:, :14] == 255).all()
    assert (gray[:, 14:] == 76).all()  # ITU-R 601: 0.299 of 255


@pytest.mark.parametrize(
    ("mode", "foreground", "clear"),
    [
        ("RGBA", (255, 255, 255, 255), (255, 255, 255, 0)),
        ("LA", (255, 255), (255, 0)),
    ],
)
def test_transparent_pixels_are_background(mode: str, foreground: tuple[int, ...], clear: tuple[int, ...]) -> None:
    picture = Image.new(mode, (28, 28), clear)
    picture.paste(foreground, (10, 10, 18, 18))
    gray = decode_image(image_file(picture), MAX_PIXELS)
    assert gray[14, 14] == 255
    assert gray[0, 0] == 0
    assert gray.sum() == 64 * 255


def test_half_transparent_foreground_is_half_as_light() -> None:
    gray = decode_image(image_file(Image.new("LA", (28, 28), (255, 128))), MAX_PIXELS)
    assert (gray == 128).all()


def palette(foreground: int) -> Image.Image:
    picture = Image.new("P", (28, 28), 0)
    picture.putpalette([255, 255, 255, 255, 255, 255, 51, 51, 51])
    picture.paste(foreground, (10, 10, 18, 18))
    return picture


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_palette_is_resolved_and_its_transparent_color_is_background(file_format: str) -> None:
    gray = decode_image(image_file(palette(1), file_format, transparency=0), MAX_PIXELS)
    assert gray.sum() == 64 * 255


def test_palette_without_transparency_is_resolved() -> None:
    gray = decode_image(image_file(palette(2), "PNG"), MAX_PIXELS)
    assert (gray[0, 0], gray[14, 14]) == (255, 51)


def test_palette_with_many_transparent_colors_is_resolved() -> None:
    gray = decode_image(image_file(palette(1), "PNG", transparency=bytes([0, 128, 255])), MAX_PIXELS)
    assert (gray[0, 0], gray[14, 14]) == (0, 128)


def test_gray_with_a_transparent_value_has_it_as_background() -> None:
    picture = Image.new("L", (28, 28), 200)
    picture.paste(100, (10, 10, 18, 18))
    gray = decode_image(image_file(picture, "PNG", transparency=200), MAX_PIXELS)
    assert (gray[0, 0], gray[14, 14]) == (0, 100)


def test_one_bit_images_are_black_and_white() -> None:
    picture = Image.new("1", (28, 28), 0)
    picture.paste(1, (10, 10, 18, 18))
    gray = decode_image(image_file(picture), MAX_PIXELS)
    assert gray.sum() == 64 * 255


def test_sixteen_bits_are_scaled_to_eight() -> None:
    deep = (np.arange(784, dtype=np.uint32).reshape(28, 28) * 65535 // 783).astype(np.uint16)
    gray = decode_image(image_file(Image.fromarray(deep)), MAX_PIXELS)
    np.testing.assert_array_equal(gray, deep >> 8)


def test_sixteen_bit_colors_are_read() -> None:
    row = b"\0" + struct.pack(">3H", 65535, 65535, 65535) * 28
    header = struct.pack(">IIBBBBB", 28, 28, 16, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(row * 28))
    assert (decode_image(body + png_chunk(b"IEND", b""), MAX_PIXELS) == 255).all()


def test_cmyk_jpeg_is_read() -> None:
    picture = Image.new("CMYK", (28, 28), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 14, 28))
    gray = decode_image(image_file(picture, "JPEG", quality=100), MAX_PIXELS)
    assert gray[14, 3] > 240
    assert gray[14, 24] < 15


def test_animation_counts_by_its_first_frame() -> None:
    first, second = Image.new("L", (28, 28), 0), Image.new("L", (28, 28), 255)
    first.paste(255, (10, 10, 18, 18))
    body = image_file(first, "GIF", save_all=True, append_images=[second], duration=100)
    assert decode_image(body, MAX_PIXELS).sum() == 64 * 255


@pytest.mark.parametrize("file_format", FORMATS)
def test_other_sizes_are_refused_and_fit_is_named(file_format: str) -> None:
    body = image_file(Image.new("L", (40, 28)), file_format)
    with pytest.raises(ImageError, match=r"digit\.png is 40x28 pixels, expected 28x28"):
        decode_image(body, MAX_PIXELS, "digit.png")


@pytest.mark.parametrize("file_format", ["TIFF", "ICO", "PPM", "PDF", "TGA"])
def test_formats_that_are_not_allowed_are_not_opened(file_format: str) -> None:
    body = image_file(Image.new("RGB", (28, 28)), file_format)
    with pytest.raises(ImageError, match=r"(is not|expected) an image.* PNG, JPEG, WEBP, BMP, GIF, AVIF, HEIC"):
        decode_image(body, MAX_PIXELS)


@pytest.mark.parametrize("file_format", FORMATS)
def test_truncated_file_is_refused_or_never_half_read(digits: Gray, file_format: str) -> None:
    body = image_file(digits[0], file_format)
    whole = decode_image(body, MAX_PIXELS)
    for length in range(1, len(body), 7):
        try:
            # If it is read, only its end marks are missing.
            np.testing.assert_array_equal(decode_image(body[:length], MAX_PIXELS), whole)
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017  either is right


@pytest.mark.parametrize(("width", "height"), [(2000, 501), (1_000_001, 1), (10_000, 10_000), (60_000, 60_000)])
def test_header_that_claims_many_pixels_is_refused_before_they_are_allocated(width: int, height: int) -> None:
    with pytest.raises(TooLargeError, match=f"the limit is {MAX_PIXELS}"):
        decode_image(png_claiming(width, height), MAX_PIXELS)


def test_image_at_the_limit_of_pixels_is_judged_by_its_size_alone() -> None:
    with pytest.raises(ImageError, match="1000x1000"):
        decode_image(png_claiming(1000, 1000), MAX_PIXELS)


@pytest.mark.parametrize("size", [(0, 0), (0, 28), (0x7FFFFFFF, 0x7FFFFFFF)])
def test_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        decode_image(png_claiming(*size), MAX_PIXELS)


def test_texts_that_inflate_a_thousandfold_are_not_read(digits: Gray) -> None:
    body = image_file(digits[0])
    bomb = png_chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(32 << 20), 9))
    np.testing.assert_array_equal(decode_image(body[:33] + bomb + body[33:], MAX_PIXELS), digits[0])


def test_damaged_file_is_refused_and_not_called_another_format(digits: Gray) -> None:
    body = bytearray(image_file(digits[0]))
    body[-30] ^= 0xFF
    with pytest.raises(ImageError, match=r"the image \(\d+ bytes\) is damaged"):
        decode_image(bytes(body), MAX_PIXELS)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("level", [0, 40, 63])
def test_dark_strokes_on_transparency_is_seen(digits: Gray, mode: str, level: int) -> None:
    levels, alpha = Image.new("L", (28, 28), level), Image.fromarray(digits[7])
    gray = decode_image(image_file(Image.merge(mode, [levels] * (len(mode) - 1) + [alpha])), MAX_PIXELS)
    assert np.abs(gray - digits[7] * ((255 - level) / 255)).max() < 2


def test_dark_paper_with_transparent_corners_stays_dark() -> None:
    picture = Image.new("LA", (28, 28), (20, 255))
    picture.paste((0, 0), (0, 0, 4, 4))
    assert decode_image(image_file(picture), MAX_PIXELS).max() == 20


def test_light_digit_on_a_dark_card_on_transparency_stays_light() -> None:
    picture = Image.new("LA", (28, 28), (0, 0))
    picture.paste((0, 255), (4, 4, 24, 24))
    picture.paste((255, 255), (12, 8, 16, 20))
    gray = decode_image(image_file(picture), MAX_PIXELS)
    assert (gray.sum(), gray[14, 14]) == (48 * 255, 255)


@pytest.mark.parametrize("maximum", [255, 1023, 4095, 65535])
def test_deep_gray_is_scaled_by_the_bits_it_needs(digits: Gray, maximum: int) -> None:
    deep = np.rint(digits[3] * (maximum / 255)).astype(np.uint16)
    gray = decode_image(image_file(Image.fromarray(deep)), MAX_PIXELS)
    np.testing.assert_array_equal(gray, digits[3])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_image_is_turned_upright_as_a_picture_is(digits: Gray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for file_format, options in (("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"lossless": True})):
        file = image_file(digits[7], file_format, exif=exif, **options)
        np.testing.assert_array_equal(decode_image(file, MAX_PIXELS), decode_picture(file, MAX_PIXELS))
    turned = decode_image(image_file(digits[7], exif=exif), MAX_PIXELS)
    assert (turned == digits[7]).all() == (orientation == 1)
