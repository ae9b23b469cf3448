import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest

from inkling.file_kinds import IMAGE_KINDS, file_kind, likely_kind
from inkling.vision.image_files import FORMATS
from tests.support.bodies import GRADIENT, image_file, npy_file


def zip_of(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, x_train=GRADIENT)
    return file.getvalue()


@pytest.mark.parametrize("file_format", FORMATS)
def test_images_that_are_read_are_recognized(file_format: str) -> None:
    assert file_kind(image_file(GRADIENT, file_format)) in IMAGE_KINDS


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (npy_file(GRADIENT), "a .npy file"),
        (npz(), "an .npz file"),
        (zip_of("archive/data.pkl", "archive/data/0"), "a PyTorch file (.pt); pickles are never read"),
        (zip_of("metadata.json", "config.json", "model.weights.h5"), "a Keras file (.keras)"),
        (zip_of("a.txt"), "a zip file"),
        (zip_of(), "an empty zip file"),
        (gzip.compress(b"x", mtime=0), "a gzip file"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a PyTorch file (.pt); pickles are never read"),
        (pickle.dumps([1], 2), "a pickle; pickles are never read"),
        (pickle.dumps([1]), "a pickle; pickles are never read"),
        (b"\x89HDF\r\n\x1a\n" + bytes(8), "an HDF5 file, such as Keras's .h5"),
        (b"\x1c\0\0\0TFL3", "a LiteRT file (.tflite)"),
        (b"\0\0\0\x18ftypisom\0\0\2\0mp41", "an MP4 video"),
        (image_file(GRADIENT, "TIFF"), "a TIFF image"),
        (b"\0\0\0\x14ftypavif\0\0\0\0mif1", "an AVIF image"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC image"),
        (b"\0\0\0\x18ftypheix\0\0\0\0mif1heix", "a HEIC image"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a QuickTime video (.mov)"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a camera's raw photo"),
        (b"RIFF\x24\0\0\0AVI LIST", "an AVI video"),
    ],
)
def test_other_files_are_named(content: bytes, kind: str) -> None:
    assert file_kind(content) == kind


@pytest.mark.parametrize(
    ("content", "kind", "advice"),
    [
        (b"%PDF-1.7", "a PDF file", "save its page as PNG"),
        (b"\r\nheader\r\n%PDF-1.4", "a PDF file", "save its page as PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing", "draw it as PNG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a --><svg/>", "an SVG drawing", "draw it as PNG"),
        (b"<?xml version='1.0'?><plist/>", "an XML document", ""),
        (b"<!DOCTYPE html><html><svg/></html>", "an HTML page", "send the image itself"),
        (b'{"error": "not found"}', "a text in braces, such as JSON", "application/json"),
        (b"data:image/png;base64,iVBO", "the text of a data: URI", "in JSON"),
        (b"iVBORw0KGgoAAAANSUhEUg==", "the text of a PNG image in Base64", "send its bytes"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL image", "save it as PNG or JPEG"),
        (image_file(GRADIENT, "ICO"), "an icon (.ico)", "save it as PNG or JPEG"),
        (image_file(GRADIENT, "PPM"), "a PNM image", "save it as PNG or JPEG"),
        (bytes(257) + b"ustar\00000", "a tar file", "unpack it"),
        (bytes(128) + b"DICM", "a DICOM file", "save it as PNG or JPEG"),
        (b"\0\0\x10\0moov", "a QuickTime video (.mov)", "send one of its frames"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z file", "unpack it, and send the images in it"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS", "git lfs pull"),
        (zip_of("word/document.xml"), "a Word document", "save its page as PNG"),
        (zip_of("7.png"), "a zip file", "unpack it"),
    ],
)
def test_file_that_was_meant_to_be_an_image_is_named_with_what_to_send(content: bytes, kind: str, advice: str) -> None:
    found = likely_kind(content)
    assert found is not None
    assert found.name == kind
    assert advice in found.advice


@pytest.mark.parametrize("content", [b"", b"x", b"7.png", bytes(784), b"\0\1" * 500])
def test_bytes_of_no_known_kind_are_not_named(content: bytes) -> None:
    assert likely_kind(content) is None


@pytest.mark.parametrize("content", [b"", b"x", b"BM", b"BM" + bytes(9), b"RIFF....CDXA", bytes(784), b"\x80\x04"])
def test_anything_else_has_no_kind(content: bytes) -> None:
    assert file_kind(content) is None
