"""The worst bodies of at most 16 MB: name, path, media type and bytes of each."""

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.scoreboard import image_bombs as bombs

MAX_BYTES = 16 << 20
STRICT, FIT = "/predict", "/predict?fit=mnist"
JSON, RAW, NPY = "application/json", "application/octet-stream", "application/x-npy"
BOUNDARY = "scoreboard"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Input:
    name: str
    path: str
    content_type: str
    body: bytes


def tall_pictures() -> list[Input]:
    """Return pictures of few bytes and few pixels, one of whose sides is extreme."""
    sides = [(300_000, 1), (1, 300_000), (625_000, 1), (40_000_000, 1), (1, 40_000_000), (2_000, 20_000)]
    return [Input(f"PNG {width}x{height}", FIT, "image/png", bombs.png(width, height)) for width, height in sides]


def large_pictures() -> list[Input]:
    return [
        Input("RGBA PNG of 24 megapixels", FIT, "image/png", bombs.png(6000, 4000, color=bombs.RGBA)),
        Input("16-bit RGBA PNG of 39 megapixels", FIT, "image/png", bombs.png(6500, 6000, color=bombs.RGBA, depth=16)),
        Input("interlaced gray PNG of 24 megapixels", FIT, "image/png", bombs.png(6000, 4000, interlace=1)),
        Input("WebP of 12 megapixels", FIT, "image/webp", bombs.webp(4000, 3000)),
        Input("animated WebP, header only", FIT, "image/webp", bombs.animated_webp_header(8000, 4990)),
        Input("animated WebP, header only, strict", STRICT, "image/webp", bombs.animated_webp_header(8000, 4990)),
        Input("BMP of 36 megapixels", FIT, "image/bmp", bombs.bmp(6000, 6000)),
        Input("GIF of 4 large frames", FIT, "image/gif", bombs.gif(3000, 4)),
    ]


def slow_pictures() -> list[Input]:
    return [
        Input("progressive JPEG, 6000x6000, 1,500 scans", FIT, "image/jpeg", bombs.progressive_jpeg(6000, 1500)),
        Input("progressive JPEG, 2000x2000, 9,000 scans", FIT, "image/jpeg", bombs.progressive_jpeg(2000, 9000)),
        Input("progressive JPEG, strict", STRICT, "image/jpeg", bombs.progressive_jpeg(2000, 3000)),
        Input("PNG with 60 compressed texts", STRICT, "image/png", bombs.png_with_text(60)),
        Input("PNG with 2,000 compressed texts", STRICT, "image/png", bombs.png_with_text(2000)),
        Input("PNG with a color profile of 200 MB", STRICT, "image/png", bombs.png_with_profile()),
        Input("random pixels, 3900x3900", FIT, "image/png", bombs.noise_png(3900, 1)),
        Input("single dots, 6000x6000", FIT, "image/png", bombs.dots_png(6000)),
    ]


def large_arrays() -> list[Input]:
    noise = np.random.default_rng(1).integers(0, 256, (10_000, 784), np.uint8)
    return [
        Input("10,000 random images, raw", STRICT, RAW, noise.tobytes()),
        Input("10,000 random images, raw, normalized", FIT, RAW, noise.tobytes()),
        Input("10,000 random images, npy, normalized", FIT, NPY, npy(noise.reshape(-1, 28, 28))),
        Input("one random picture of 8 megapixels, npy", FIT, NPY, npy(noise.ravel()[:7_840_000].reshape(2800, 2800))),
        Input("npy that claims a shape of 10^18", STRICT, NPY, npy_header((10**6, 10**6, 10**6))),
        Input("npy header of 15 MB", STRICT, NPY, npy_header((28, 28), padding=15 << 20)),
        Input("10,000 images, JSON", STRICT, JSON, b'{"images":' + b"[" + b",".join([_row(784)] * 10_000) + b"]}"),
    ]


def texts() -> list[Input]:
    """Return JSON, forms and other text that is costly to parse."""
    fill = MAX_BYTES - 100
    return [
        Input("JSON of empty lists", STRICT, JSON, b'{"images":[' + b"[]," * (fill // 3) + b"[]]}"),
        Input("JSON of empty lists, bare", STRICT, JSON, b"[" + b"[]," * (fill // 3) + b"[]]"),
        Input("JSON of empty objects", STRICT, JSON, b"[" + b"{}," * (fill // 3) + b"{}]"),
        Input("JSON nested to the end", STRICT, JSON, b"[" * fill),
        Input("JSON of one long number", STRICT, JSON, b'{"images":[' + b"9" * fill + b"]}"),
        Input("JSON of small numbers", STRICT, JSON, b'{"images":[' + b"0," * (fill // 2) + b"0]}"),
        Input("JSON of unknown keys", STRICT, JSON, unknown_keys(fill)),
        Input("training request of unknown keys", "/train", JSON, unknown_keys(fill)),
        Input("training request of nested lists", "/train", JSON, b"[" * fill),
        Input("form of 100,000 parts", STRICT, FORM, form(100_000, b"x")),
        Input("form of 10,000 tiny PNGs, normalized", FIT, FORM, form(10_000, bombs.png(28, 28))),
        Input("form of one part with a header of 15 MB", STRICT, FORM, _form_of_a_long_header()),
        Input("form of boundaries only", STRICT, FORM, f"--{BOUNDARY}\r\n".encode() * (fill // 14)),
        Input("form of almost-boundaries", STRICT, FORM, form(1, b"\r\n--scoreboar" * (fill // 13))),
        Input("checkpoint with a header of 15 MB", "/versions", RAW, struct.pack("<Q", 15 << 20) + b"{" * (15 << 20)),
    ]


def all_inputs() -> Iterator[Input]:
    for inputs in (tall_pictures, large_pictures, slow_pictures, large_arrays, texts):
        yield from inputs()


def unknown_keys(size: int) -> bytes:
    keys = (f'"unknown{i}":"{i}"' for i in range(size // 28))
    return b"{" + ",".join(keys).encode() + b"}"


def npy(array: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()


def npy_header(shape: tuple[int, ...], padding: int = 0) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}{' ' * padding}\n".encode()
    return b"\x93NUMPY\x02\0" + struct.pack("<I", len(text)) + text


def form(parts: int, content: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    return (head + content + b"\r\n") * parts + f"--{BOUNDARY}--\r\n".encode()


def _form_of_a_long_header() -> bytes:
    return form(1, b"x").replace(b"\r\n\r\n", b"\r\nX-Long: " + b"a" * (15 << 20) + b"\r\n\r\n", 1)


def _row(numbers: int) -> bytes:
    return json.dumps([0] * numbers, separators=(",", ":")).encode()
