"""Files that claim much, or hold what their pixels do not need."""

import io
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from inkling.digit import Gray
from inkling.errors import ImageError, ImageSizeError, TooLargeError
from inkling.vision.formats import gif, jpeg, png
from inkling.vision.formats.exif import read_orientation
from inkling.vision.image_files import FORMATS, decode_image, decode_picture
from inkling.vision.image_headers import claimed_pixels, read_header
from inkling.vision.pillow_decoders import open_file
from tests.support.bodies import image_file, png_chunk, png_claiming

BOUNDED_S = 3.0
"""Generous: each of these files takes some milliseconds, and took seconds to minutes without its limit."""


def test_every_format_claims_the_size_that_pillow_sees() -> None:
    for mode in ("L", "RGB", "RGBA"):
        picture = Image.effect_noise((301, 203), 90).convert(mode)
        for file_format in FORMATS:
            content = image_file(picture.convert("RGB") if file_format == "JPEG" else picture, file_format)
            header = read_header(content)
            assert header is not None
            assert header.file_format == ("HEIF" if file_format == "HEIC" else file_format)
            assert (header.width, header.height) == (301, 203)
            assert 301 * 203 <= claimed_pixels(content) <= 302 * 204  # HEIC pads odd sides
            with Image.open(io.BytesIO(content)) as whole, open_file(header) as stripped:
                seen = "RGBA" if header.mosaic is None else "LA"
                assert whole.convert(seen).tobytes() == stripped.convert(seen).tobytes()


@pytest.mark.parametrize("content", [b"", b"x", b"%PDF-1.7", bytes(100)])
def test_other_files_have_no_header(content: bytes) -> None:
    assert read_header(content) is None
    assert claimed_pixels(content) == 0


@pytest.mark.parametrize("file_format", FORMATS)
def test_file_that_ends_in_its_header_is_damaged(digits: Gray, file_format: str) -> None:
    content = image_file(digits[0], file_format)
    for length in range(len(content)):
        assert claimed_pixels(content[:length]) in (0, 784, 64 * 64)  # HEIC pads small pictures
    with pytest.raises(ImageError, match=r"is damaged|is not an image"):
        decode_image(content[:20])


# sides and memory


@pytest.mark.parametrize(("width", "height"), [(300_000, 1), (1, 300_000), (16_385, 2)])
def test_each_side_is_limited(width: int, height: int) -> None:
    for decode in (decode_image, decode_picture):
        with pytest.raises(TooLargeError, match=f"is {width}x{height} pixels; the limit is 16384 on each side"):
            decode(png_claiming(width, height))


def test_memory_counts_channels_and_depth() -> None:
    gray = png_claiming(6000, 5000)
    rgba = gray[:25] + b"\6" + gray[26:]  # the color type, whose checksum Pillow would check
    header = read_header(rgba)
    assert header is not None
    assert header.memory_bytes == 5 * 6000 * 5000
    with pytest.raises(TooLargeError, match=r"decoding this kind of PNG takes 150000000 bytes of memory"):
        decode_picture(rgba)
    assert read_header(gray).memory_bytes == 2 * 6000 * 5000  # type: ignore[union-attr]


def animated_webp(width: int, height: int) -> bytes:
    """Return the head of an animation that claims a canvas, without a frame."""
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    chunks += b"ANMF" + struct.pack("<I", 24) + bytes(24)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def test_animation_that_claims_a_large_canvas_is_refused_by_its_header() -> None:
    with pytest.raises(TooLargeError, match="16383x8192"):
        decode_picture(animated_webp(16_383, 8_192))
    with pytest.raises(TooLargeError, match="decoding this kind of WEBP takes"):
        decode_picture(animated_webp(4_000, 3_000))


def test_strict_refuses_another_size_by_the_header() -> None:
    with pytest.raises(ImageSizeError, match="2000x1000 pixels, expected 28x28"):
        decode_image(animated_webp(2_000, 1_000))  # Pillow would make room for the canvas before it finds no frame


def end_of_colors(gif_file: bytes | bytearray) -> int:
    """Return where the first block of a GIF with global colors begins."""
    return 13 + (3 << ((gif_file[10] & 7) + 1))


def test_gif_counts_with_its_frame_outside_of_its_screen(digits: Gray) -> None:
    content = bytearray(image_file(digits[0], "GIF"))
    frame = content.index(b",", end_of_colors(content))
    content[frame + 5 : frame + 9] = struct.pack("<HH", 20_000, 20_000)
    with pytest.raises(TooLargeError, match="20000x20000"):
        decode_picture(bytes(content))


@pytest.mark.parametrize("compression", [0, 1])
def test_bmp_is_measured_by_its_header_whichever_way_it_is_stored(compression: int) -> None:
    info = struct.pack("<IiiHHIIiiII", 40, 9000, -9000, 1, 8, compression, 0, 0, 0, 0, 0)
    content = b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info
    with pytest.raises(TooLargeError, match="9000x9000"):
        decode_picture(content)
    core = b"BM" + struct.pack("<IHHI", 26, 0, 0, 26) + struct.pack("<IHHHH", 12, 9000, 9000, 1, 24)
    assert read_header(core).memory_bytes == 5 * 9000 * 9000  # type: ignore[union-attr]


# JPEG


def progressive(scans: int, side: int = 1000) -> bytes:
    """Return a progressive JPEG that repeats its last scan."""
    content = image_file(Image.new("L", (side, side), 200), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + content[-2:]


def test_more_scans_than_encoders_write_are_refused() -> None:
    assert decode_picture(progressive(3)).shape == (1000, 1000)
    started = time.process_time()
    with pytest.raises(ImageError, match="more than 64 scans"):
        decode_picture(progressive(5000))
    assert time.process_time() - started < BOUNDED_S


def test_sequential_jpeg_has_at_most_a_scan_per_component() -> None:
    content = image_file(Image.new("L", (64, 64), 200), "JPEG")
    scan = content[content.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="more than 1 scans"):
        decode_picture(content[:-2] + scan + content[-2:])


def test_coefficients_of_a_progressive_jpeg_count() -> None:
    baseline, whole = (
        read_header(image_file(Image.new("RGB", (64, 64)), "JPEG", progressive=is_whole, subsampling=0))
        for is_whole in (False, True)
    )
    assert baseline is not None
    assert whole is not None
    assert (baseline.decoder_bytes, whole.decoder_bytes) == (64 * 64, 7 * 64 * 64)


def test_jpeg_of_strange_structure_is_damaged() -> None:
    content = image_file(Image.new("L", (64, 64), 200), "JPEG")
    frame = content[content.index(b"\xff\xc0") : content.index(b"\xff\xc4")]
    comment = b"\xff\xfe\0\2"
    for damaged, message in (
        (content[:2] + frame + content[2:], "more than one frame"),
        (content.replace(frame, b""), "a scan comes before its frame"),
        (content[:2] + comment * jpeg.MAX_SEGMENTS + content[2:], "more than 5000 segments"),
        (content[:2] + b"\xff\xd9", "no frame header"),
        (content[:2] + b"\xff\xff\xff\x01" + b"\xff", "no frame header"),
    ):
        assert claimed_pixels(damaged) in (0, 64 * 64)
        with pytest.raises(ImageError, match=message):
            decode_picture(damaged)


def test_texts_profiles_and_later_pictures_of_a_jpeg_are_not_read() -> None:
    picture = Image.linear_gradient("L")
    content = image_file(picture, "JPEG", quality=95, comment=b"x" * 1000, icc_profile=b"y" * 5000)
    header = read_header(content + content)
    assert header is not None
    assert len(header.content) < len(content) - 6000
    np.testing.assert_array_equal(decode_picture(content + content), decode_picture(content))


# chunks and blocks


def test_png_of_too_many_chunks_is_damaged(digits: Gray) -> None:
    content = image_file(digits[0])
    with pytest.raises(ImageError, match="more than 50000 chunks"):
        decode_image(content[:33] + png_chunk(b"IDAT", b"") * png.MAX_CHUNKS + content[33:])


def test_only_the_first_header_of_a_png_counts(digits: Gray) -> None:
    content = image_file(digits[0])
    second = png_claiming(30_000, 30_000)[8:33]
    np.testing.assert_array_equal(decode_image(content[:33] + second + content[33:]), digits[0])
    with pytest.raises(ImageError, match="its first chunk is not IHDR"):
        decode_image(content[:8] + png_chunk(b"tEXt", b"a\0b") + content[8:])


def test_png_with_texts_is_read_without_them(digits: Gray) -> None:
    content = image_file(digits[0])
    profile = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(16 << 20)))
    started = time.process_time()
    for _ in range(20):
        decode_image(content[:33] + profile + content[33:])
    assert time.process_time() - started < BOUNDED_S


def test_texts_of_a_gif_are_dropped(digits: Gray) -> None:
    content = image_file(digits[0], "GIF")
    start = end_of_colors(content)
    text = b"!\xfe" + (b"\xff" + b"x" * 255) * 5000 + b"\0"
    np.testing.assert_array_equal(decode_image(content[:start] + text * 3 + content[start:]), digits[0])
    with pytest.raises(ImageError, match="more than 20000 blocks"):
        decode_image(content[:start] + text * 5 + content[start:])
    assert gif.MAX_BLOCKS == 20_000
    with pytest.raises(ImageError, match="it has no picture"):
        decode_image(content[:start] + b";")


# EXIF


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_found_among_other_tags(prefix: bytes, order: str) -> None:
    def exif(value: int, tag: int = 0x0112) -> bytes:
        entries = struct.pack(f"{order}HHII", 0x0110, 2, 1 << 30, 8) + struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
        return prefix + head + struct.pack(f"{order}H", 2) + entries

    assert [read_orientation(exif(value)) for value in (6, 0, 9)] == [6, 1, 1]
    assert read_orientation(exif(6, tag=0x0113)) == 1
    assert [read_orientation(exif(6)[:length]) for length in range(len(exif(6)) - 4)] == [1] * (len(exif(6)) - 4)


@pytest.mark.parametrize("make", [lambda exif: exif, lambda exif: exif + bytes(1 << 20)])
def test_orientation_of_a_webp_is_read(make: Callable[[bytes], bytes]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    content = image_file(Image.linear_gradient("L"), "WEBP", lossless=True, exif=make(exif.tobytes()))
    assert (decode_picture(content) == decode_picture(image_file(Image.linear_gradient("L")))[::-1, ::-1]).all()
