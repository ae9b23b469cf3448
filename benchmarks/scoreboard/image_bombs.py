"""Image files that are small to send and costly to read, each built from its format's specification."""

import io
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, RGBA = 0, 2, 6
CHANNELS = {GRAY: 1, RGB: 3, RGBA: 4}


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, *, color: int = GRAY, depth: int = 8, interlace: int = 0, before: Iterable[bytes] = ()
) -> bytes:
    """Return a blank PNG of any size, without holding its pixels; `before` are chunks in front of the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    row_bytes = 1 + (width * CHANNELS[color] * depth + 7) // 8
    packed, left = zlib.compressobj(9), row_bytes * height
    data, block = [], bytes(1 << 20)
    while left > 0:
        data.append(packed.compress(block[: min(left, len(block))]))
        left -= len(block)
    data.append(packed.flush())
    chunks = [png_chunk(b"IHDR", header), *before, png_chunk(b"IDAT", b"".join(data)), png_chunk(b"IEND", b"")]
    return PNG + b"".join(chunks)


def png_with_text(chunks: int) -> bytes:
    """Return a 28x28 PNG with compressed texts of almost one megabyte each, which take a kilobyte each in the file."""
    text = zlib.compress(b" " * ((1 << 20) - 1), 9)
    return png(28, 28, before=[png_chunk(b"zTXt", b"k%d\0\0" % i + text) for i in range(chunks)])


def png_with_profile() -> bytes:
    """Return a 28x28 PNG whose color profile is 1,000 times larger than in the file."""
    return png(28, 28, before=[png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(200 << 20), 9))])


def progressive_jpeg(side: int, scans: int) -> bytes:
    """Return a progressive JPEG of a blank square whose last scan is repeated: each repetition visits all blocks."""
    made = io.BytesIO()
    Image.new("L", (side, side)).save(made, "JPEG", progressive=True)
    content = made.getvalue()
    last = content.rindex(b"\xff\xda")
    table = content.rfind(b"\xff\xc4", 0, last)  # the Huffman table before it
    start = table if table + 2 + int.from_bytes(content[table + 2 : table + 4]) == last else last
    return content[:start] + content[start:-2] * scans + content[-2:]


def webp(width: int, height: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height), (0, 0, 90)).save(made, "WEBP", quality=1, method=0)
    return made.getvalue()


def animated_webp_header(width: int, height: int) -> bytes:
    """Return an animated WebP of one frame of one pixel on a large canvas, which its decoder allocates."""
    made = io.BytesIO()
    Image.new("RGBA", (1, 1)).save(made, "WEBP", lossless=True)
    content = made.getvalue()
    frame = content[content.index(b"VP8L") :]
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunks = _riff_chunk(b"VP8X", b"\x12\0\0\0" + canvas) + _riff_chunk(b"ANIM", bytes(6))
    chunks += _riff_chunk(b"ANMF", bytes(6) + bytes(6) + b"\x64\0\0" + b"\0" + frame)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def gif(side: int, frames: int) -> bytes:
    """Return an animated GIF of large frames that are almost alike."""
    made = io.BytesIO()
    pictures = [Image.new("L", (side, side), i) for i in range(frames)]
    pictures[0].save(made, "GIF", save_all=True, append_images=pictures[1:])
    return made.getvalue()


def bmp(width: int, height: int) -> bytes:
    """Return a run-length encoded BMP that ends at once: all its pixels are implied."""
    palette = bytes(4 * 256)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 2, 2835, 2835, 256, 0)
    offset = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + 2, 0, 0, offset) + header + palette + b"\0\1"


def noise_png(side: int, seed: int) -> bytes:
    """Return a gray PNG of random pixels, which nothing compresses."""
    made = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    Image.fromarray(pixels).save(made, "PNG", compress_level=0)
    return made.getvalue()


def dots_png(side: int) -> bytes:
    """Return a picture of single pixels, a quarter of all: as many connected components as can be."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[::2, ::2] = 255
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "PNG", compress_level=9)
    return made.getvalue()
