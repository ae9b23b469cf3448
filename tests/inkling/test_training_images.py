import gzip
from pathlib import Path

import numpy as np
import pytest

from inkling import mnist
from inkling.errors import DatasetError
from inkling.training_images import CHUNK, find_training_folder, training_images


def write_npz(folder: Path, **replaced: np.ndarray) -> None:
    dataset = mnist.read_folder(folder)
    arrays = {"x_train": dataset.train.images, "y_train": dataset.train.labels}
    arrays |= {"x_test": dataset.test.images, "y_test": dataset.test.labels} | replaced
    np.savez_compressed(folder / mnist.NPZ, allow_pickle=False, **arrays)


@pytest.fixture
def folder(tmp_path: Path, small_mnist_dir: Path) -> Path:
    """A copy of the small MNIST, plain."""
    dataset = mnist.read_folder(small_mnist_dir)
    for name, array in (
        (mnist.TRAIN_IMAGES, dataset.train.images),
        (mnist.TRAIN_LABELS, dataset.train.labels),
        (mnist.TEST_IMAGES, dataset.test.images),
        (mnist.TEST_LABELS, dataset.test.labels),
    ):
        (tmp_path / name).write_bytes(mnist.idx_bytes(array))
    return tmp_path


@pytest.mark.parametrize("form", ["plain", "gz", "npz"])
def test_images_come_in_pieces_in_every_form_of_the_files(folder: Path, form: str) -> None:
    expected = mnist.read_folder(folder).train.images
    plain = folder / mnist.TRAIN_IMAGES
    if form == "npz":
        write_npz(folder)
    elif form == "gz":
        (folder / f"{mnist.TRAIN_IMAGES}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    if form != "plain":
        plain.unlink()
    pieces = list(training_images(folder))
    assert max(map(len, pieces)) == CHUNK
    np.testing.assert_array_equal(np.concatenate(pieces), expected)


def test_folder_without_training_images_or_labels_is_none(folder: Path, tmp_path: Path) -> None:
    assert find_training_folder(folder, tmp_path / "data") == folder
    (folder / mnist.TRAIN_LABELS).unlink()
    assert find_training_folder(folder, tmp_path / "data") is None
    assert find_training_folder(None, tmp_path / "data") is None


def test_damaged_files_are_refused(folder: Path) -> None:
    plain = folder / mnist.TRAIN_IMAGES
    content = plain.read_bytes()
    for damaged, reason in (
        (content[:-1], "it ends within images 1024 to 2047 of 2000"),
        (content[:10], "cannot be read"),
        (b"\1" + content[1:], "no IDX file"),
        (content[:4] + b"\xff" * 4 + content[8:], "expected at most"),
    ):
        plain.write_bytes(damaged)
        with pytest.raises(DatasetError, match=reason):
            list(training_images(folder))
    plain.unlink()
    (folder / f"{mnist.TRAIN_IMAGES}.gz").write_bytes(gzip.compress(content)[:-100])
    with pytest.raises(DatasetError, match="INKLING_MNIST_DIR"):
        list(training_images(folder))


def test_damaged_archives_are_refused(folder: Path) -> None:
    write_npz(folder, x_train=np.zeros((20, 784), np.uint8))
    (folder / mnist.TRAIN_IMAGES).unlink()
    with pytest.raises(DatasetError, match="expected uint8"):
        list(training_images(folder))
    (folder / mnist.NPZ).write_bytes(b"PK")
    with pytest.raises(DatasetError, match="zip"):
        list(training_images(folder))


def test_file_of_mnists_size_must_be_mnists(folder: Path) -> None:
    zeros = mnist.idx_bytes(np.zeros((60_000, 28, 28), np.uint8))
    (folder / mnist.TRAIN_IMAGES).write_bytes(zeros)
    with pytest.raises(DatasetError, match="SHA-256"):
        for _ in training_images(folder):
            pass


@pytest.mark.mnist
def test_real_images_are_those_of_the_dataset(real_mnist_dir: Path) -> None:
    pieces = list(training_images(real_mnist_dir))
    np.testing.assert_array_equal(np.concatenate(pieces), mnist.read_folder(real_mnist_dir).train.images)
