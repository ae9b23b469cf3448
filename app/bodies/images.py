"""Request bodies -> images or pictures: one table of readers by Content-Type, for fit=strict and fit=mnist alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.bodies.arrays import as_images, as_pictures
from app.bodies.data_uris import data_uri_files, json_texts
from app.bodies.json_array import json_levels
from app.bodies.limits import UploadLimits
from app.bodies.multipart import multipart_files
from app.bodies.npy_array import npy_levels
from app.bodies.raw_array import raw_images
from app.decoders.work import Picture, PictureFile
from app.errors import BodyError, MediaTypeError
from inkling.digit import SIDE, Gray, Images
from inkling.errors import ImageError, TooLargeError
from inkling.file_kinds import IMAGE_KINDS, NPY_KIND, file_kind
from inkling.predictor import Fit
from inkling.vision.fast_png import plain_png_pixels
from inkling.vision.image_files import decode_image, refuse_other_kind


def read_images(
    body: bytes, content_type: str, limits: UploadLimits, decode: Callable[..., Gray] = decode_image
) -> Images:
    """Return the images (n, 28, 28) of a request's body, as fit=strict reads them; files by `decode`.

    Raises:
        MediaTypeError: the Content-Type is none of MEDIA_TYPES.
        BodyError: the body is not what its Content-Type says.
        ImageError: an image cannot be read, or is not 28x28.
        TooLargeError: too many images, or pixels.
    """
    return stack(_reader(body, content_type)(body, content_type, _FitRules(decode, as_images), limits))


def stack(images: Iterable[Gray]) -> Images:
    """Return images (28, 28) as one array (n, 28, 28)."""
    if isinstance(images, np.ndarray):
        return np.ascontiguousarray(images)
    images = list(images)
    return images[0][np.newaxis] if len(images) == 1 else np.stack(images)


def undecoded_images(body: bytes, content_type: str, limits: UploadLimits) -> Images | list[Picture]:
    """Return the images of a request's body, as fit=strict reads them; of files, those that take time as files.

    Raises:
        InputError: as `read_images`; but for errors in the files that are left.
    """
    images = _reader(body, content_type)(body, content_type, _FitRules(_plain_or_file, as_images), limits)
    return images if isinstance(images, np.ndarray) else list(images)


def undecoded_pictures(body: bytes, content_type: str, limits: UploadLimits) -> list[Picture]:
    """Return the pictures of a request's body, as fit=mnist reads them, but files as files.

    Raises:
        MediaTypeError: the Content-Type is none of MEDIA_TYPES.
        BodyError: the body is not what its Content-Type says.
        ImageError: an array or a file is no picture.
        TooLargeError: too many pictures, or pixels.
    """
    return list(_reader(body, content_type)(body, content_type, _FitRules(_file, as_pictures), limits))


def undecoded_files(files: Sequence[bytes], fit: Fit, limits: UploadLimits) -> list[Picture]:
    """Return image files as pictures; with fit="strict" the plainest are decoded already.

    Raises:
        ImageError: a file is of another kind.
        TooLargeError: they have too many pixels together.
    """
    rules = _FitRules(_plain_or_file, as_images) if fit == "strict" else _FitRules(_file, as_pictures)
    return list(_read_files(files, rules, limits))


def _file(content: bytes, max_pixels: int, name: str, **limits: int) -> PictureFile:
    return PictureFile(content, name)


def _plain_or_file(content: bytes, max_pixels: int, name: str, **limits: int) -> Picture:
    plain = plain_png_pixels(content)
    if plain is None or len(plain) > max_pixels:
        return PictureFile(content, name)
    return np.frombuffer(plain, np.uint8).reshape(SIDE, SIDE)


class _FitRules(NamedTuple):
    """The rules of fit=strict or fit=mnist."""

    decode: Callable[..., Any]
    """As `decode_image`, which it is; or it puts the file off, and returns a PictureFile."""
    reshape: Callable[[NDArray[Any], UploadLimits, str], NDArray[Any]]
    """Array of any shape -> pictures (n, h, w)."""


_Reader = Callable[[bytes, str, _FitRules, UploadLimits], Iterable[Any]]


def _reader(body: bytes, content_type: str) -> _Reader:
    read = _READERS.get(content_type)
    if read is None:
        media_type = content_type.partition(";")[0].strip().lower()
        read = _READERS.get(_ALIASES.get(media_type, media_type)) or _reader_by_content(body, media_type)
    if not body:
        raise BodyError(f"the body is empty, expected {content_type[:100]}")
    return read


def _reader_by_content(body: bytes, media_type: str) -> _Reader:
    """Return the reader of a file that was sent without its type, as `curl --data-binary` does."""
    kind = file_kind(body)
    if media_type in _UNTYPED and (kind in IMAGE_KINDS or kind == NPY_KIND):
        return _read_raw
    if _lacks_line_ends(body):
        raise MediaTypeError(_LOST_LINE_ENDS)
    is_kind = f" and the body {kind}" if kind else ""
    raise MediaTypeError(
        f"Content-Type is {media_type[:100] or 'missing'}{is_kind}, expected one of {', '.join(MEDIA_TYPES)}; "
        "with curl: -F file=@digit.png"
    )


def _read_multipart(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> Iterator[Any]:
    return _read_files(multipart_files(body, content_type, limits), fit, limits)


def _read_files(files: Sequence[bytes], fit: _FitRules, limits: UploadLimits) -> Iterator[Any]:
    total = 0
    for i, file in enumerate(files, 1):
        name = f"image {i} of {len(files)}"
        _check_file(file, name)
        picture = _decode(fit, file, name, limits)
        total += picture.size
        if total > limits.max_total_pixels and fit.reshape is as_pictures:
            raise TooLargeError(
                f"{name} brings the request to {total} pixels, the limit is {limits.max_total_pixels} per request; "
                "send several requests"
            )
        yield picture


def _read_file(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> list[Any]:
    _check_file(body, "the body")
    return [_decode(fit, body, "the image", limits)]


def _check_file(file: bytes, name: str) -> None:
    """Refuse a file that surely is no image, by its kind."""
    if file.startswith(_PNG_SIGNATURE):
        return
    if _lacks_line_ends(file):
        raise ImageError(_LOST_LINE_ENDS)
    refuse_other_kind(file, name)


def _lacks_line_ends(file: bytes) -> bool:
    """Return whether this is an image file whose line ends were removed, as `curl -d @FILE` does."""
    if file.startswith(_PNG_SIGNATURE[:4]):
        return not file.startswith(_PNG_SIGNATURE)
    return file.startswith(b"\xff\xd8\xff") and len(file) > 256 and b"\n" not in file and b"\r" not in file


def _decode(fit: _FitRules, file: bytes, name: str, limits: UploadLimits) -> Any:
    return fit.decode(
        file, limits.max_pixels, name, max_side=limits.max_side, max_decoder_bytes=limits.max_decoder_bytes
    )


def _read_json(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> Iterable[Any]:
    texts = json_texts(body, limits)
    if texts is not None:
        return _read_files(data_uri_files(texts), fit, limits)
    return fit.reshape(json_levels(body), limits, "`images`")


def _read_npy(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> NDArray[np.uint8]:
    return fit.reshape(npy_levels(body), limits, "the array")


def _read_raw(body: bytes, content_type: str, fit: _FitRules, limits: UploadLimits) -> Iterable[Any]:
    """Read raw pixels, or the file that a client of this most general type sent."""
    kind = file_kind(body)
    if kind in IMAGE_KINDS:
        return _read_file(body, content_type, fit, limits)
    if kind == NPY_KIND:
        return _read_npy(body, content_type, fit, limits)
    if _lacks_line_ends(body):
        raise ImageError(_LOST_LINE_ENDS)
    return raw_images(body, limits, kind)


_READERS: dict[str, _Reader] = {
    "multipart/form-data": _read_multipart,
    "image/png": _read_file,
    "image/jpeg": _read_file,
    "image/webp": _read_file,
    "image/bmp": _read_file,
    "image/gif": _read_file,
    "image/avif": _read_file,
    "image/heic": _read_file,
    "image/heif": _read_file,
    "application/json": _read_json,
    "application/octet-stream": _read_raw,
    "application/x-npy": _read_npy,
}
MEDIA_TYPES = tuple(_READERS)
_ALIASES = {
    **dict.fromkeys(("image/jpg", "image/pjpeg", "image/x-jpeg", "image/jfif"), "image/jpeg"),
    **dict.fromkeys(("image/x-png", "image/apng", "image/vnd.mozilla.apng"), "image/png"),
    **dict.fromkeys(("image/x-bmp", "image/x-ms-bmp", "image/x-windows-bmp", "image/ms-bmp"), "image/bmp"),
    **dict.fromkeys(("image/x-webp",), "image/webp"),
    **dict.fromkeys(("image/x-gif",), "image/gif"),
    **dict.fromkeys(("image/avif-sequence",), "image/avif"),
    **dict.fromkeys(("image/heic-sequence", "image/heif-sequence", "image/x-heic", "image/x-heif"), "image/heic"),
    **dict.fromkeys(("application/npy", "application/x-numpy", "application/vnd.numpy"), "application/x-npy"),
    **dict.fromkeys(("text/json", "application/x-json"), "application/json"),
    **dict.fromkeys(("binary/octet-stream", "application/x-binary"), "application/octet-stream"),
}
"""Other names of the same types, registered or not, that clients send."""
_UNTYPED = ("", "application/x-www-form-urlencoded")
"""Content-Types of clients that were given none: curl sends the second."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LOST_LINE_ENDS = (
    "the body is an image file without its line ends: `curl -d` removes them; "
    "use --data-binary @digit.png, or -F file=@digit.png"
)
