import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.errors import DatasetError
from inkling.mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, idx_bytes, read_folder
from tests.support.digits import compress

FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@pytest.fixture
def folder(tmp_path: Path, tiny_mnist_dir: Path) -> Path:
    """A folder of its own with four small files: 20 digits to train on, 10 to test on."""
    return Path(shutil.copytree(tiny_mnist_dir, tmp_path / "mnist"))


@pytest.mark.parametrize("kept", [0, 5, 15, 0.5, -1])
def test_truncated_gz_is_refused(folder: Path, kept: float) -> None:
    # given
    packed = compress(folder / TRAIN_IMAGES)
    content = packed.read_bytes()
    packed.write_bytes(content[: int(len(content) * kept) if kept == 0.5 else int(kept)])
    # then
    with pytest.raises(DatasetError, match=TRAIN_IMAGES):
        read_folder(folder)


def test_gz_with_a_bad_checksum_is_refused(folder: Path) -> None:
    packed = compress(folder / TEST_IMAGES)
    content = bytearray(packed.read_bytes())
    content[-8] ^= 1  # the CRC-32 is the first half of the last eight bytes
    packed.write_bytes(content)
    with pytest.raises(DatasetError, match=r"t10k-images-idx3-ubyte\.gz cannot be read: CRC check failed"):
        read_folder(folder)


def test_gz_with_damaged_data_is_refused(folder: Path) -> None:
    packed = compress(folder / TEST_IMAGES)
    content = bytearray(packed.read_bytes())
    content[20:60] = b"\xff" * 40
    packed.write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_folder(folder)


def test_gz_that_is_not_gzip_is_refused(folder: Path) -> None:
    packed = compress(folder / TEST_LABELS)
    packed.write_bytes(b"<html>not found</html>")
    with pytest.raises(DatasetError, match=r"cannot be read: Not a gzipped file .* Put MNIST's four files"):
        read_folder(folder)


def test_file_larger_than_the_limit_is_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match="holds more than 1000 bytes"):
        read_folder(folder, max_file_bytes=1000)


@pytest.mark.parametrize("name", FILES)
def test_wrong_magic_number_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(struct.pack(">I", 2052) + content[4:])
    with pytest.raises(DatasetError, match=f"{name} starts with magic number 2052, expected 20"):
        read_folder(folder)


def test_labels_in_place_of_images_are_refused(folder: Path) -> None:
    shutil.copy(folder / TRAIN_LABELS, folder / TRAIN_IMAGES)
    with pytest.raises(DatasetError, match="starts with magic number 2049, expected 2051"):
        read_folder(folder)


@pytest.mark.parametrize("shape", [(32, 32), (28, 27), (1, 784), (784, 1), (2**32 - 1, 2**32 - 1), (0, 28)])
def test_images_of_another_size_are_refused(folder: Path, shape: tuple[int, int]) -> None:
    content = (folder / TRAIN_IMAGES).read_bytes()
    (folder / TRAIN_IMAGES).write_bytes(content[:8] + struct.pack(">II", *shape) + content[16:])
    with pytest.raises(DatasetError, match=f"holds images of {shape[0]}x{shape[1]} pixels, expected 28x28"):
        read_folder(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("count", [0, 1, 21, 60_000, 2**31, 2**32 - 1])
def test_header_with_a_wrong_count_is_refused(folder: Path, name: str, count: int) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:4] + struct.pack(">I", count) + content[8:])
    with pytest.raises(DatasetError, match=rf"{name} is {len(content)} bytes long, expected \d+ for {count} items"):
        read_folder(folder)


@pytest.mark.parametrize("size", [0, 4, 7, 15])
def test_file_shorter_than_its_header_is_refused(folder: Path, size: int) -> None:
    content = (folder / TRAIN_IMAGES).read_bytes()
    (folder / TRAIN_IMAGES).write_bytes(content[:size])
    with pytest.raises(DatasetError, match=f"is {size} bytes long, shorter than its header of 16"):
        read_folder(folder)


def test_different_numbers_of_images_and_labels_are_refused(folder: Path) -> None:
    (folder / TRAIN_LABELS).write_bytes(idx_bytes(np.zeros(19, np.uint8)))
    with pytest.raises(DatasetError, match=r"holds 20 items but .* 19: they do not belong together"):
        read_folder(folder)


def test_label_beyond_nine_is_refused(folder: Path) -> None:
    labels = np.arange(10, dtype=np.uint8)
    labels[3] = 10
    (folder / TEST_LABELS).write_bytes(idx_bytes(labels))
    with pytest.raises(DatasetError, match=f"{TEST_LABELS} holds the label 10, expected 0 to 9"):
        read_folder(folder)


@pytest.mark.parametrize(("images", "labels"), [(TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)])
def test_empty_set_is_refused(folder: Path, images: str, labels: str) -> None:
    (folder / images).write_bytes(idx_bytes(np.zeros((0, 28, 28), np.uint8)))
    (folder / labels).write_bytes(idx_bytes(np.zeros(0, np.uint8)))
    with pytest.raises(DatasetError, match=f"{images} holds no image"):
        read_folder(folder)


def test_file_of_mnists_size_with_other_content_is_called_damaged(folder: Path) -> None:
    (folder / TEST_LABELS).write_bytes(idx_bytes(np.zeros(10_000, np.uint8)))
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte has MNIST's size but SHA-256 .*: it is damaged"):
        read_folder(folder)


@given(st.sampled_from(FILES), st.binary(max_size=64), st.integers(0, 24))
@settings(deadline=None)
def test_damage_is_refused_or_harmless(tiny_mnist_dir: Path, name: str, damage: bytes, offset: int) -> None:
    # given: a file with some bytes of its beginning replaced
    path, content = tiny_mnist_dir / name, (tiny_mnist_dir / name).read_bytes()
    path.write_bytes((content[:offset] + damage + content[offset + len(damage) :])[: len(content)])
    # when, then: it is refused with our own error, or what was read is a set of digits
    try:
        data = read_folder(tiny_mnist_dir)
        assert data.train.images.shape == (20, 28, 28)
        assert data.test.labels.max() <= 9
    except DatasetError:
        pass
    finally:
        path.write_bytes(content)
