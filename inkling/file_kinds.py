"""The kinds of files that are sent or kept by mistake, recognized by their first bytes ("magic numbers")."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"\x93NUMPY", "a .npy file"),
    (b"\x1f\x8b\x08", "a gzip file"),
    (b"PK\x03\x04", "a zip file"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras's .h5"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9", "a PyTorch file (.pt); pickles are never read"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"%PDF", "a PDF file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"(\xb5/\xfd", "a zstd file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x00\x00\x08\x01", "an IDX file of labels"),
    (b"\x00\x00\x08\x03", "an IDX file of images"),
)
_STARTS = frozenset(
    {signature[:2] for signature, _ in _SIGNATURES} | {b"RI", b"BM", b"\x80\x03", b"\x80\x04", b"\x80\x05"}
)
_ZIP_MEMBERS: tuple[tuple[bytes, str], ...] = (
    (b"data.pkl", "a PyTorch file (.pt); pickles are never read"),
    (b"model.weights.h5", "a Keras file (.keras)"),
    (b"saved_model.pb", "a zipped SavedModel of TensorFlow"),
    (b"xl/workbook", "a spreadsheet"),
    (b".npy", "an .npz file"),
)
IMAGE_KINDS = frozenset({"a PNG image", "a JPEG image", "a GIF image", "a WebP image", "a BMP image"})
"""The kinds that Inkling reads as images."""
NPY_KIND = "a .npy file"


def file_kind(content: bytes) -> str | None:
    """Return the kind of a file, as a noun with its article; None if its first bytes are no known signature."""
    if content[:2] not in _STARTS and content[4:8] not in (b"ftyp", b"TFL3"):
        return None
    kind = next((kind for signature, kind in _SIGNATURES if content.startswith(signature)), None)
    if kind == "a zip file":
        return next((kind for member, kind in _ZIP_MEMBERS if member in content), kind)
    return kind or _kind_by_fields(content)


def _kind_by_fields(content: bytes) -> str | None:
    """Return the kind of a file whose signature is short or does not stand at its beginning."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "a WebP image"
    if content.startswith(b"BM") and int.from_bytes(content[2:6], "little") == len(content):
        return "a BMP image"
    if content[:1] == b"\x80" and content.endswith(b"."):
        return "a pickle; pickles are never read"
    if content[4:8] == b"TFL3":
        return "a LiteRT file (.tflite)"
    if content[4:8] == b"ftyp":
        return "an AVIF or HEIC image, or a video"
    return None
