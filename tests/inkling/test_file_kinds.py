import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest

from inkling.file_kinds import IMAGE_KINDS, file_kind
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
    ],
)
def test_other_files_are_named(content: bytes, kind: str) -> None:
    assert file_kind(content) == kind


@pytest.mark.parametrize("content", [b"", b"x", b"BM", b"BM" + bytes(9), b"RIFF....CDXA", bytes(784), b"\x80\x04"])
def test_anything_else_has_no_kind(content: bytes) -> None:
    assert file_kind(content) is None
