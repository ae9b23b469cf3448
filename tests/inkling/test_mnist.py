import gzip
import hashlib
import io
import shutil
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkling import mnist, mnist_download
from inkling.atomic_file import write_atomically
from inkling.errors import DatasetError
from inkling.mnist import (
    CANONICAL_SHA256,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    Dataset,
    idx_bytes,
    load,
    missing_files,
    read_folder,
)
from inkling.mnist_download import download
from tests.support.digits import make_digits, write_mnist

FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@pytest.fixture(scope="module")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mnist(tmp_path_factory.mktemp("tiny"), train=20, test=10)


@pytest.fixture
def folder(tmp_path: Path, tiny_dir: Path) -> Path:
    """A folder of its own with four small files: 20 digits to train on, 10 to test on."""
    return Path(shutil.copytree(tiny_dir, tmp_path / "mnist"))


@contextmanager
def serving(answers: dict[str, bytes]) -> Iterator[str]:
    """Serve bytes by path on a free port; yield the server's URL. A path ending in /moved leads to the one before."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = answers.get(self.path)
            if self.path.endswith("/moved"):
                self.send_response(302)
                self.send_header("Location", self.path.removesuffix("/moved"))
            else:
                self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def npz_bytes(data: Dataset) -> bytes:
    """Return a dataset as Keras publishes MNIST."""
    file = io.BytesIO()
    np.savez(
        file,
        x_train=data.train.images,
        y_train=data.train.labels,
        x_test=data.test.images,
        y_test=data.test.labels,
    )
    return file.getvalue()


def compress(path: Path) -> Path:
    """Put `path`.gz in the place of `path`."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


# folders


def test_what_was_written_is_read(folder: Path) -> None:
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


# damaged files


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


def test_file_larger_than_any_dataset_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MAX_FILE_BYTES", 1000)
    with pytest.raises(DatasetError, match="holds more than 1000 bytes"):
        read_folder(folder)


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
def test_header_that_counts_other_items_than_there_are_is_refused(folder: Path, name: str, count: int) -> None:
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


def test_images_and_labels_that_differ_in_number_are_refused(folder: Path) -> None:
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
def test_set_without_images_is_refused(folder: Path, images: str, labels: str) -> None:
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
def test_damage_is_refused_or_harmless(tiny_dir: Path, name: str, damage: bytes, offset: int) -> None:
    # given: a file with some bytes of its beginning replaced
    path, content = tiny_dir / name, (tiny_dir / name).read_bytes()
    path.write_bytes((content[:offset] + damage + content[offset + len(damage) :])[: len(content)])
    # when, then: it is refused with our own error, or what was read is a set of digits
    try:
        data = read_folder(tiny_dir)
        assert data.train.images.shape == (20, 28, 28)
        assert data.test.labels.max() <= 9
    except DatasetError:
        pass
    finally:
        path.write_bytes(content)


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
    assert len(load(folder, tmp_path / "data").train) == 20


def test_mnist_dir_that_lacks_files_is_an_error_even_when_the_data_directory_has_them(tmp_path: Path) -> None:
    write_mnist(tmp_path / "data" / "mnist", train=30, test=10)
    with pytest.raises(DatasetError, match="lacks"):
        load(tmp_path, tmp_path / "data")


@pytest.mark.usefixtures("no_network")
def test_data_directory_is_read_without_a_download(tmp_path: Path) -> None:
    write_mnist(tmp_path / "data" / "mnist", train=30, test=10)
    assert len(load(None, tmp_path / "data").train) == 30


@pytest.mark.usefixtures("no_network")
def test_without_data_and_network_the_error_says_where_to_put_the_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as raised:
        load(None, tmp_path / "data")
    message = str(raised.value)
    assert message.startswith(f"MNIST cannot be downloaded from {mnist_download.KERAS_URL}: ")
    assert str(tmp_path / "data" / "mnist") in message
    assert all(f"{file} {sha}" in message for file, sha in CANONICAL_SHA256.items())


# downloads


def downloaded(folder: Path, url: str) -> str:
    """Download, expect a refusal that leaves nothing behind, and return its message."""
    with pytest.raises(DatasetError) as raised:
        download(folder, url)
    assert not folder.exists() or not list(folder.iterdir())
    return str(raised.value)


@pytest.mark.usefixtures("_no_proxy")
def test_archive_of_other_digits_is_refused(tmp_path: Path, folder: Path) -> None:
    with serving({"/mnist.npz": npz_bytes(read_folder(folder))}) as url:
        message = downloaded(tmp_path / "new", f"{url}/mnist.npz")
    assert "train-images-idx3-ubyte has SHA-256" in message
    assert CANONICAL_SHA256[TRAIN_IMAGES] in message


def npy_bytes(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive(**arrays: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>log in to this network</html>", id="a_page"),
        pytest.param(npy_bytes(np.zeros(3)), id="an_array"),
        pytest.param(archive(x_train=np.zeros((1, 28, 28), np.uint8)), id="one_array_of_four"),
        pytest.param(
            archive(**dict.fromkeys(("x_train", "y_train", "x_test", "y_test"), np.zeros(3, np.uint8)))[:-30],
            id="a_truncated_archive",
        ),
    ],
)
@pytest.mark.usefixtures("_no_proxy")
def test_answer_that_is_no_archive_of_mnist_is_refused(tmp_path: Path, content: bytes) -> None:
    with serving({"/mnist.npz": content}) as url:
        message = downloaded(tmp_path / "new", f"{url}/mnist.npz")
    assert message.startswith(f"{url}/mnist.npz did not answer with MNIST: ")


@pytest.mark.usefixtures("_no_proxy")
def test_archive_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], object)
    content = archive(x_train=objects, y_train=objects, x_test=objects, y_test=objects)
    with serving({"/mnist.npz": content}) as url:
        assert "allow_pickle" in downloaded(tmp_path / "new", f"{url}/mnist.npz")


@pytest.mark.usefixtures("_no_proxy")
def test_server_that_has_no_mnist_is_reported(tmp_path: Path) -> None:
    with serving({}) as url:
        message = downloaded(tmp_path / "new", f"{url}/mnist.npz")
    assert "404" in message
    assert "Put MNIST's four files" in message


@pytest.mark.usefixtures("_no_proxy")
def test_download_follows_a_redirect(tmp_path: Path, folder: Path) -> None:
    with serving({"/mnist.npz": npz_bytes(read_folder(folder))}) as url:
        assert "has SHA-256" in downloaded(tmp_path / "new", f"{url}/mnist.npz/moved")


@pytest.mark.usefixtures("_no_proxy")
def test_endless_answer_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_download, "MAX_DOWNLOAD_BYTES", 1 << 20)
    with serving({"/mnist.npz": b"\0" * (1 << 21)}) as url:
        assert "is larger than 1048576 bytes" in downloaded(tmp_path / "new", f"{url}/mnist.npz")


@pytest.mark.parametrize("url", ["mnist.npz", "ftp://127.0.0.1/mnist.npz", "http://[", "http://127.0.0.1:0/mnist.npz"])
@pytest.mark.usefixtures("_no_proxy")
def test_address_that_cannot_be_fetched_is_reported(tmp_path: Path, url: str) -> None:
    assert "cannot be downloaded" in downloaded(tmp_path / "new", url)


# files written whole


def test_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_written_file_may_be_read_by_whoever_may_read_any_new_file(tmp_path: Path) -> None:
    # a checkpoint that only its maker can read cannot be served by another user, as in a container
    (tmp_path / "any").touch()
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


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
    for file, array in arrays_of(data).items():
        (tmp_path / file).write_bytes(changed(idx_bytes(array)) if file == name else idx_bytes(array))
    # then
    with pytest.raises(DatasetError, match=f"{name} has MNIST's size but SHA-256 .*: it is damaged"):
        read_folder(tmp_path)


@pytest.mark.mnist
@pytest.mark.usefixtures("_no_proxy")
def test_downloaded_mnist_is_written_as_the_four_canonical_files(tmp_path: Path, real_mnist_dir: Path) -> None:
    with serving({"/mnist.npz": npz_bytes(read_folder(real_mnist_dir))}) as url:
        download(tmp_path / "new", f"{url}/mnist.npz")
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "new").iterdir()}
    assert digests == CANONICAL_SHA256
    assert read_folder(tmp_path / "new").name == "mnist"


@pytest.mark.mnist
@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
@pytest.mark.usefixtures("_no_proxy")
def test_download_with_one_changed_byte_is_refused(tmp_path: Path, real_mnist_dir: Path, name: str) -> None:
    # given
    data = read_folder(real_mnist_dir)
    content = npz_bytes(data)
    whole = arrays_of(data)[name].tobytes()
    at = content.index(whole) + len(whole) // 2
    damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    # then: the archive's own checksum finds it
    with serving({"/mnist.npz": damaged}) as url:
        assert "did not answer with MNIST" in downloaded(tmp_path / "new", f"{url}/mnist.npz")


@pytest.mark.mnist
@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
@pytest.mark.usefixtures("_no_proxy")
def test_sound_archive_with_one_changed_byte_of_mnist_is_refused(
    tmp_path: Path, real_mnist_dir: Path, name: str
) -> None:
    # given: an archive whose own checksums are right
    arrays = arrays_of(read_folder(real_mnist_dir))
    arrays[name] = arrays[name].copy()
    arrays[name].flat[1] ^= 1
    members = dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays.values(), strict=True))
    # then: the SHA-256 of the file finds it, and the sound ones are not kept either
    with serving({"/mnist.npz": archive(**members)}) as url:
        assert f"{name} has SHA-256" in downloaded(tmp_path / "new", f"{url}/mnist.npz")


def arrays_of(data: Dataset) -> dict[str, NDArray[np.uint8]]:
    arrays = (data.train.images, data.train.labels, data.test.images, data.test.labels)
    return dict(zip(FILES, arrays, strict=True))


def changed(content: bytes) -> bytes:
    """Return the content with the last byte replaced by another that a digit or a pixel could have."""
    return content[:-1] + bytes([1 if content[-1] == 0 else 0])
