"""Kinds of files, recognized by their first bytes ("magic numbers"), and what to send in their place."""

from typing import NamedTuple


class FileKind(NamedTuple):
    name: str
    """A noun with its article."""
    advice: str = ""
    """What to send instead, to have it read as an image; empty if there is nothing to say."""


HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"avif", b"avis", b"mif1", b"mif2", b"msf1"}
)
"""Brands of files that hold pictures as items (ISO/IEC 23008-12, annex B; https://aomediacodec.github.io/av1-avif/)."""
HEIF_SEQUENCE_BRANDS = frozenset({b"hevc", b"hevx", b"avis", b"msf1"})
"""Main brands of animations."""
MAX_BRANDS = 32

_SAVE = "save it as PNG or JPEG"
_FRAME = "send one of its frames as PNG or JPEG"
_PAGE = "save its page as PNG"
_DRAW = "draw it as PNG"
_DEVELOP = "develop it to JPEG or PNG"
_UNPACK = "unpack it, and send the images in it"

_PNG, _JPEG, _GIF = FileKind("a PNG image"), FileKind("a JPEG image"), FileKind("a GIF image")
_WEBP, _BMP = FileKind("a WebP image"), FileKind("a BMP image")
_AVIF, _HEIC = FileKind("an AVIF image"), FileKind("a HEIC image")
_PYTORCH = FileKind("a PyTorch file (.pt); pickles are never read")
_PICKLE = FileKind("a pickle; pickles are never read")
_TIFF = FileKind("a TIFF image", _SAVE)
_RAW = FileKind("a camera's raw photo", _DEVELOP)
_JPEG_2000, _JPEG_XL = FileKind("a JPEG 2000 image", _SAVE), FileKind("a JPEG XL image", _SAVE)
_ZIP = FileKind("a zip file", _UNPACK)
_MPEG = FileKind("an MPEG video", _FRAME)
_SVG = FileKind("an SVG drawing", _DRAW)
_SIGNATURES: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
    (b"\x93NUMPY", FileKind("a .npy file")),
    (b"\x1f\x8b\x08", FileKind("a gzip file", _UNPACK)),
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", FileKind("an empty zip file")),
    (b"\x89HDF\r\n\x1a\n", FileKind("an HDF5 file, such as Keras's .h5")),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9", _PYTORCH),
    (b"II*\x00\x10\x00\x00\x00CR", _RAW),
    (b"II*\x00", _TIFF),
    (b"MM\x00*", _TIFF),
    (b"II+\x00", _TIFF),
    (b"MM\x00+", _TIFF),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIRO\x08\x00\x00\x00", _RAW),
    (b"IIRS\x08\x00\x00\x00", _RAW),
    (b"IIU\x00\x18\x00\x00\x00", _RAW),
    (b"FOVb", _RAW),
    (b"II\xbc\x01", FileKind("a JPEG XR image", _SAVE)),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", _JPEG_2000),
    (b"\xff\x4f\xff\x51", _JPEG_2000),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", _JPEG_XL),
    (b"8BPS\x00", FileKind("a Photoshop file", _SAVE)),
    (b"gimp xcf", FileKind("a GIMP file", _SAVE)),
    (b"qoif", FileKind("a QOI image", _SAVE)),
    (b"v/1\x01", FileKind("an OpenEXR image", _SAVE)),
    (b"#?RADIANCE", FileKind("a Radiance HDR image", _SAVE)),
    (b"DDS |\x00\x00\x00", FileKind("a DDS image", _SAVE)),
    (b"BPG\xfb", FileKind("a BPG image", _SAVE)),
    (b"icns", FileKind("an icon of macOS (.icns)", _SAVE)),
    (b"\x8aMNG\r\n\x1a\n", FileKind("an MNG animation", _FRAME)),
    (b"%PDF", FileKind("a PDF file", _PAGE)),
    (b"%!PS", FileKind("a PostScript file", _PAGE)),
    (b"\xc5\xd0\xd3\xc6", FileKind("a PostScript file", _PAGE)),
    (b"AT&TFORM", FileKind("a DjVu file", _PAGE)),
    (b"{\\rtf", FileKind("an RTF document", _PAGE)),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind("an old Office document", _PAGE)),
    (b"\x1aE\xdf\xa3", FileKind("a WebM or Matroska video", _FRAME)),
    (b"\x00\x00\x01\xba", _MPEG),
    (b"\x00\x00\x01\xb3", _MPEG),
    (b"FLV\x01", FileKind("a Flash video", _FRAME)),
    (b"0&\xb2u\x8ef\xcf\x11", FileKind("a Windows Media file", _FRAME)),
    (b"OggS\x00", FileKind("an Ogg file (sound or video)")),
    (b"fLaC", FileKind("a FLAC sound")),
    (b"ID3", FileKind("an MP3 sound")),
    (b"7z\xbc\xaf\x27\x1c", FileKind("a 7z file", _UNPACK)),
    (b"Rar!\x1a\x07", FileKind("a RAR file", _UNPACK)),
    (b"BZh", FileKind("a bzip2 file", _UNPACK)),
    (b"\xfd7zXZ\x00", FileKind("an xz file", _UNPACK)),
    (b"(\xb5/\xfd", FileKind("a zstd file", _UNPACK)),
    (b"SQLite format 3\x00", FileKind("an SQLite database")),
    (b"version https://git-lfs", FileKind("a pointer of Git LFS", "fetch the file itself with `git lfs pull`")),
    (b"\x00\x00\x08\x01", FileKind("an IDX file of labels")),
    (b"\x00\x00\x08\x03", FileKind("an IDX file of images")),
)
_BY_START = {
    start: tuple((signature, kind) for signature, kind in _SIGNATURES if signature.startswith(start))
    for start in {signature[:2] for signature, _ in _SIGNATURES} | {b"RI", b"BM", b"\x80\x03", b"\x80\x04", b"\x80\x05"}
}
"""First two bytes -> the signatures that begin so: few, because raw pixels are looked up too."""
_ZIP_MEMBERS: tuple[tuple[bytes, FileKind], ...] = (
    (b"data.pkl", _PYTORCH),
    (b"model.weights.h5", FileKind("a Keras file (.keras)")),
    (b"saved_model.pb", FileKind("a zipped SavedModel of TensorFlow")),
    (b"xl/workbook", FileKind("a spreadsheet", _PAGE)),
    (b"word/document", FileKind("a Word document", _PAGE)),
    (b"ppt/presentation", FileKind("a presentation", _PAGE)),
    (b"opendocument", FileKind("an OpenDocument file", _PAGE)),
    (b".npy", FileKind("an .npz file")),
)
_RIFF = {b"WEBP": _WEBP, b"AVI ": FileKind("an AVI video", _FRAME), b"WAVE": FileKind("a WAV sound")}
_BRANDS = {
    b"avif": _AVIF,
    b"avis": _AVIF,
    b"crx ": _RAW,
    b"qt  ": FileKind("a QuickTime video (.mov)", _FRAME),
    b"M4A ": FileKind("an M4A sound"),
}
_MP4 = FileKind("an MP4 video", _FRAME)
_SHORT: tuple[tuple[int, bytes, FileKind], ...] = (
    (0, b"\xff\x0a", _JPEG_XL),
    (0, b"\0\0\1\0", FileKind("an icon (.ico)", _SAVE)),
    (0, b"\0\0\2\0", FileKind("a cursor (.cur)", _SAVE)),
    *((0, b"P%d%c" % (number, space), FileKind("a PNM image", _SAVE)) for number in range(1, 8) for space in b" \n\r"),
    (4, b"moov", _BRANDS[b"qt  "]),
    (4, b"mdat", _BRANDS[b"qt  "]),
    (4, b"wide", _BRANDS[b"qt  "]),
    (128, b"DICM", FileKind("a DICOM file", _SAVE)),
    (257, b"ustar", FileKind("a tar file", _UNPACK)),
)
"""Where a signature stands, and its kind: of two or four bytes, or deep in the file."""
_TEXTS: tuple[tuple[bytes, FileKind], ...] = (
    (b"<!doctype html", FileKind("an HTML page", "send the image itself: a page of its address was stored")),
    (b"<html", FileKind("an HTML page", "send the image itself: a page of its address was stored")),
    (b"data:", FileKind("the text of a data: URI", 'send its bytes, or the text in JSON: {"images": ["data:..."]}')),
    (b"ivborw0kggo", FileKind("the text of a PNG image in Base64", "send its bytes")),
    (b"/9j/", FileKind("the text of a JPEG image in Base64", "send its bytes")),
    (b"<?xml", FileKind("an XML document")),
    (b"{", FileKind("a text in braces, such as JSON", "send numbers as application/json")),
)
_TEXT_BYTES = 1 << 10
"""The kind of a text shows in so many of its first bytes, if at all."""
IMAGE_KINDS = frozenset(kind.name for kind in (_PNG, _JPEG, _GIF, _WEBP, _BMP, _AVIF, _HEIC))
"""The kinds that Inkling reads as images."""
NPY_KIND = "a .npy file"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".avif", ".heic", ".heif", ".hif")
"""Names of the formats that are read as images, for files that are not named one by one."""


def file_kind(content: bytes) -> str | None:
    """Return the kind of a file, as a noun with its article; None if its first bytes are no known signature."""
    kind = _by_signature(content)
    return kind.name if kind else None


def likely_kind(content: bytes) -> FileKind | None:
    """Return the kind of a file that is meant to be an image, also by signs that raw pixels might have by chance."""
    return _by_signature(content) or _by_short_signature(content) or _by_text(content[:_TEXT_BYTES])


def file_brands(content: bytes) -> list[bytes]:
    """Return the brands of a file of boxes, the main one first; none of another file (ISO/IEC 14496-12, 4.3)."""
    if content[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(content[:4]), len(content), 16 + 4 * MAX_BRANDS)
    return [content[8:12], *(content[start : start + 4] for start in range(16, end, 4))]


def _by_signature(content: bytes) -> FileKind | None:
    signatures = _BY_START.get(content[:2])
    if signatures is None and content[4:8] not in (b"ftyp", b"TFL3"):
        return None
    kind = next((kind for signature, kind in signatures or () if content.startswith(signature)), None)
    if kind is _ZIP:
        return next((kind for member, kind in _ZIP_MEMBERS if member in content), kind)
    return kind or _by_fields(content)


def _by_fields(content: bytes) -> FileKind | None:
    """Return the kind of a file whose signature is short or does not stand at its beginning."""
    if content.startswith(b"RIFF"):
        return _RIFF.get(content[8:12])
    if content.startswith(b"BM") and int.from_bytes(content[2:6], "little") == len(content):
        return _BMP
    if content[:1] == b"\x80" and content.endswith(b"."):
        return _PICKLE
    if content[4:8] == b"TFL3":
        return FileKind("a LiteRT file (.tflite)")
    return _by_brand(content)


def _by_brand(content: bytes) -> FileKind | None:
    brands = file_brands(content)
    if not brands:
        return None
    if brands[0] in _BRANDS:
        return _BRANDS[brands[0]]
    if HEIF_BRANDS.isdisjoint(brands):
        return _MP4
    return _AVIF if b"avif" in brands and b"heic" not in brands else _HEIC


def _by_short_signature(content: bytes) -> FileKind | None:
    found = (kind for start, sign, kind in _SHORT if content[start : start + len(sign)] == sign)
    return next(found, None)


def _by_text(start: bytes) -> FileKind | None:
    text = start.removeprefix(b"\xef\xbb\xbf").strip().lower()
    if b"<svg" in text and text.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")):
        return _SVG
    if kind := next((kind for sign, kind in _TEXTS if text.startswith(sign)), None):
        return kind
    if b"%pdf-" in text:  # a reader skips what stands before it
        return FileKind("a PDF file", _PAGE)
    return None
