import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from inkling.errors import DatasetError
from inkling.mnist import (
    CANONICAL_SHA256,
    NPZ,
    NPZ_MEMBERS,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx_bytes,
    load_test,
    missing_files,
    read_folder,
)
from inkling.mnist_download import KERAS_URL, load_or_download
from tests.support.digits import compress, files_of, make_digits, write_mnist

FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@pytest.fixture
def folder(tmp_path: Path, tiny_mnist_dir: Path) -> Path:
    """A folder of its own with four small files: 20 digits to train on, 10 to test on."""
    return Path(shutil.copytree(tiny_mnist_dir, tmp_path / "mnist"))


# folders


def test_images_and_labels_are_read(folder: Path) -> None:
    # when
    data = read_folder(folder)
    # then
    for split, (images, labels) in ((data.train, make_digits(20, seed=1)), (data.test, make_digits(10, seed=2))):
        np.testing.assert_array_equal(split.images, images)
        np.testing.assert_array_equal(split.labels, labels)
        assert split.images.dtype == split.labels.dtype == np.uint8
    assert (len(data.train), len(data.test)) == (20, 10)


def test_other_digits_than_mnist_are_called_custom(folder: Path) -> None:
    assert read_folder(folder).name == "custom"


def test_digest_is_of_the_four_plain_contents(folder: Path) -> None:
    # given
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES]
    expected = hashlib.sha256("".join(digests).encode()).hexdigest()
    # then: packed or not
    assert read_folder(folder).digest == expected
    for name in FILES:
        compress(folder / name)
    assert read_folder(folder).digest == expected


def test_plain_file_is_preferred_to_a_packed_one(folder: Path) -> None:
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(b"not gzip")
    assert len(read_folder(folder).train) == 20


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named_with_where_to_put_it(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert missing_files(folder) == [name]
    with pytest.raises(DatasetError) as raised:
        read_folder(folder)
    message = str(raised.value)
    assert message.startswith(f"{folder} lacks {name} (plain or .gz). Put MNIST's four files")
    assert "INKLING_MNIST_DIR" in message
    assert all(f"{file} {sha}" in message for file, sha in CANONICAL_SHA256.items())


def test_folder_that_is_not_there_lacks_every_file(tmp_path: Path) -> None:
    assert missing_files(tmp_path / "nowhere") == list(FILES)


def test_folder_that_is_a_file_lacks_every_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert missing_files(tmp_path / "file") == list(FILES)


def test_folder_in_place_of_a_file_is_a_missing_file(folder: Path) -> None:
    (folder / TRAIN_LABELS).unlink()
    (folder / TRAIN_LABELS).mkdir()
    assert missing_files(folder) == [TRAIN_LABELS]


# other names, and mnist.npz


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_under_kaggles_names_are_found(folder: Path, suffix: str) -> None:
    expected = read_folder(folder).digest
    for name in FILES:
        path = (folder / name).rename(folder / name.replace("-idx", ".idx"))
        if suffix:
            compress(path)
    assert (missing_files(folder), read_folder(folder).digest) == ([], expected)


def test_files_in_folders_of_their_names_are_found(folder: Path) -> None:
    expected = read_folder(folder).digest
    for name in FILES:
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).mkdir()
        (folder / name / name).write_bytes(content)
    assert read_folder(folder).digest == expected


def as_npz(folder: Path, **changes: object) -> None:
    """Replace the four files of a folder by mnist.npz."""
    arrays = files_of(read_folder(folder))
    for name in FILES:
        (folder / name).unlink()
    members = {member: arrays[name] for name, member in NPZ_MEMBERS.items()}
    np.savez_compressed(folder / NPZ, **{**members, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_arrays_of_keras_are_read_as_the_four_files(folder: Path, dtype: type[np.generic]) -> None:
    whole = read_folder(folder)
    as_npz(folder, y_train=whole.train.labels.astype(dtype))
    assert (missing_files(folder), read_folder(folder).digest) == ([], whole.digest)
    test = load_test(folder, folder)
    assert test is not None
    np.testing.assert_array_equal(test.images, whole.test.images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((20, 28, 28))}, "x_train is float64, expected uint8, or integers 0 to 255"),
        ({"y_test": np.full(10, 256)}, "y_test is int64, expected uint8"),
        ({"x_test": np.zeros((10, 784), np.uint8)}, r"x_test has shape \(10, 784\), expected 3 axes"),
        ({"x_test": np.zeros((10, 27, 28), np.uint8)}, "holds images of 27x28 pixels, expected 28x28"),
        ({"y_train": np.zeros(3, np.uint8)}, "do not belong together"),
    ],
)
def test_other_arrays_are_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    as_npz(folder, **changes)
    with pytest.raises(DatasetError, match=message):
        read_folder(folder)


def test_damaged_or_too_large_archive_is_refused(folder: Path) -> None:
    as_npz(folder)
    with pytest.raises(DatasetError, match=r"mnist.npz cannot be read: x_train holds .* expected at most 100"):
        read_folder(folder, max_file_bytes=100)
    (folder / NPZ).write_bytes((folder / NPZ).read_bytes()[:500])
    with pytest.raises(DatasetError, match=r"mnist.npz cannot be read: .* Put MNIST's four files"):
        read_folder(folder)


# splits


def test_the_last_training_images_are_held_out(folder: Path) -> None:
    data = read_folder(folder)
    train, validation = data.hold_out(5)
    np.testing.assert_array_equal(train.images, data.train.images[:15])
    np.testing.assert_array_equal(validation.images, data.train.images[15:])
    np.testing.assert_array_equal(validation.labels, data.train.labels[15:])


def test_nothing_is_held_out_of_the_tutorial(folder: Path) -> None:
    data = read_folder(folder)
    train, validation = data.hold_out(0)
    assert (len(train), len(validation)) == (20, 0)


def test_one_image_at_least_is_left_to_train_on(folder: Path) -> None:
    data = read_folder(folder)
    assert len(data.hold_out(19)[0]) == 1
    for size in (20, 21):
        with pytest.raises(DatasetError, match=f"validation_size {size} leaves nothing .* 20 training images"):
            data.hold_out(size)


# where the data come from


def test_mnist_dir_goes_before_the_data_directory(tmp_path: Path, folder: Path) -> None:
    write_mnist(tmp_path / "data" / "mnist", train=30, test=10)
    assert len(load_or_download(folder, tmp_path / "data").train) == 20


def test_mnist_dir_that_lacks_files_is_an_error_even_when_the_data_directory_has_them(tmp_path: Path) -> None:
    write_mnist(tmp_path / "data" / "mnist", train=30, test=10)
    with pytest.raises(DatasetError, match="lacks"):
        load_or_download(tmp_path, tmp_path / "data")


@pytest.mark.usefixtures("no_network")
def test_data_directory_is_read_without_a_download(tmp_path: Path) -> None:
    write_mnist(tmp_path / "data" / "mnist", train=30, test=10)
    assert len(load_or_download(None, tmp_path / "data").train) == 30


@pytest.mark.usefixtures("no_network")
def test_mirror_is_asked_in_place_of_the_default(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot be downloaded from http://127\.0\.0\.1:9/mnist\.npz"):
        load_or_download(None, tmp_path / "data", "http://127.0.0.1:9/mnist.npz")


@pytest.mark.usefixtures("no_network")
def test_without_data_and_network_the_error_says_where_to_put_the_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as raised:
        load_or_download(None, tmp_path / "data")
    message = str(raised.value)
    assert message.startswith(f"MNIST cannot be downloaded from {KERAS_URL}: ")
    assert "INKLING_MNIST_MIRROR" in message
    assert str(tmp_path / "data" / "mnist") in message
    assert all(f"{file} {sha}" in message for file, sha in CANONICAL_SHA256.items())


# the real data


@pytest.mark.mnist
def test_canonical_digits_are_recognized(real_mnist_dir: Path) -> None:
    data = read_folder(real_mnist_dir)
    assert (data.name, len(data.train), len(data.test)) == ("mnist", 60_000, 10_000)
    assert data.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.mnist
@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_of_mnist_is_found(tmp_path: Path, real_mnist_dir: Path, name: str) -> None:
    # given: the canonical files, one of them with a label or a pixel changed
    data = read_folder(real_mnist_dir)
    for file, array in files_of(data).items():
        (tmp_path / file).write_bytes(changed(idx_bytes(array)) if file == name else idx_bytes(array))
    # then
    with pytest.raises(DatasetError, match=f"{name} has MNIST's size but SHA-256 .*: it is damaged"):
        read_folder(tmp_path)


def changed(content: bytes) -> bytes:
    """Return the content with the last byte replaced by another that a digit or a pixel could have."""
    return content[:-1] + bytes([1 if content[-1] == 0 else 0])
