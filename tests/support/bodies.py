"""Request bodies for tests: image files, .npy files (true and lying), multipart forms."""

import io
import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from app.bodies.images import read_images, undecoded_pictures
from app.bodies.limits import UploadLimits
from app.decoders.work import PictureFile
from inkling.digit import Gray, Images
from inkling.vision.image_files import decode_picture

BOUNDARY = "a-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
JSON, RAW, NPY, PNG = "application/json", "application/octet-stream", "application/x-npy", "image/png"


def image_file(image: NDArray[np.uint8] | Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """Return an image, or pixels (28, 28), as the content of a file."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    if file_format == "HEIC":
        pillow_heif.register_heif_opener(decode_threads=1)
        picture.save(file, "HEIF", **{"quality": -1, "chroma": 444, **options})  # -1: lossless
    elif file_format == "AVIF":
        picture.save(file, file_format, **{"quality": 100, "subsampling": "4:4:4", "speed": 9, **options})
    else:
        picture.save(file, file_format, **options)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header claims to be large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(64))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def npy_file(array: NDArray[Any], version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    return file.getvalue()


def npy_claiming(shape: Any, data: bytes, descr: str = "|u1") -> bytes:
    """Return a .npy file whose header claims a shape and dtype that its data need not have."""
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def form(parts: Sequence[tuple[str, bytes]], boundary: str = BOUNDARY) -> bytes:
    """Return a multipart/form-data body of (name, content) parts."""
    head = '--{}\r\nContent-Disposition: form-data; name="{}"; filename="digit.png"\r\nContent-Type: image/png\r\n\r\n'
    body = b"".join(head.format(boundary, name).encode() + content + b"\r\n" for name, content in parts)
    return body + f"--{boundary}--\r\n".encode()


def images_form(images: NDArray[np.uint8]) -> bytes:
    return form([("file", image_file(image)) for image in images])


def images_json(images: Any) -> bytes:
    return json.dumps({"images": images.tolist() if isinstance(images, np.ndarray) else images}).encode()


MAX_PIXELS = 1_000_000
LIMITS = UploadLimits(max_images=100, max_pixels=MAX_PIXELS)
GRADIENT = np.arange(784, dtype=np.uint8).reshape(28, 28)


def read(body: bytes, content_type: str, limits: UploadLimits = LIMITS) -> Images:
    """Read a body as the service does, within small limits."""
    return read_images(body, content_type, limits)


def read_pictures(body: bytes, content_type: str, limits: UploadLimits) -> list[Gray]:
    """Read a body as the service does with fit=mnist, but decode its files here."""
    return [
        decode_picture(picture.content, limits.max_pixels, picture.name)
        if isinstance(picture, PictureFile)
        else picture
        for picture in undecoded_pictures(body, content_type, limits)
    ]
