import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.errors import DatasetError
from inkling.mnist import CANONICAL_SHA256, TEST_LABELS, TRAIN_IMAGES, Dataset, read_folder
from inkling.mnist_download import download
from tests.support.digits import files_of


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


def downloaded(folder: Path, url: str) -> str:
    """Download, expect a refusal that leaves nothing behind, and return its message."""
    with pytest.raises(DatasetError) as raised:
        download(folder, url)
    assert not folder.exists() or not list(folder.iterdir())
    return str(raised.value)


@pytest.mark.usefixtures("_no_proxy")
def test_archive_of_other_digits_is_refused(tmp_path: Path, tiny_mnist_dir: Path) -> None:
    with serving({"/mnist.npz": npz_bytes(read_folder(tiny_mnist_dir))}) as url:
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
def test_response_that_is_no_archive_of_mnist_is_refused(tmp_path: Path, content: bytes) -> None:
    with serving({"/mnist.npz": content}) as url:
        message = downloaded(tmp_path / "new", f"{url}/mnist.npz")
    assert message.startswith(f"the response of {url}/mnist.npz is not MNIST: ")


@pytest.mark.usefixtures("_no_proxy")
def test_archive_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], object)
    content = archive(x_train=objects, y_train=objects, x_test=objects, y_test=objects)
    with serving({"/mnist.npz": content}) as url:
        assert "allow_pickle" in downloaded(tmp_path / "new", f"{url}/mnist.npz")


@pytest.mark.usefixtures("_no_proxy")
def test_server_without_mnist_is_reported(tmp_path: Path) -> None:
    with serving({}) as url:
        message = downloaded(tmp_path / "new", f"{url}/mnist.npz")
    assert "404" in message
    assert "Put MNIST's four files" in message


@pytest.mark.usefixtures("_no_proxy")
def test_download_follows_a_redirect(tmp_path: Path, tiny_mnist_dir: Path) -> None:
    with serving({"/mnist.npz": npz_bytes(read_folder(tiny_mnist_dir))}) as url:
        assert "has SHA-256" in downloaded(tmp_path / "new", f"{url}/mnist.npz/moved")


@pytest.mark.usefixtures("_no_proxy")
def test_response_larger_than_the_limit_is_cut_off(tmp_path: Path) -> None:
    with (
        serving({"/mnist.npz": b"\0" * (1 << 21)}) as url,
        pytest.raises(DatasetError, match="is larger than 1048576 bytes"),
    ):
        download(tmp_path / "new", f"{url}/mnist.npz", max_bytes=1 << 20)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("url", ["mnist.npz", "ftp://127.0.0.1/mnist.npz", "http://[", "http://127.0.0.1:0/mnist.npz"])
@pytest.mark.usefixtures("_no_proxy")
def test_address_that_cannot_be_fetched_is_reported(tmp_path: Path, url: str) -> None:
    assert "cannot be downloaded" in downloaded(tmp_path / "new", url)


# the real data


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
    whole = files_of(data)[name].tobytes()
    at = content.index(whole) + len(whole) // 2
    damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    # then: the archive's own checksum finds it
    with serving({"/mnist.npz": damaged}) as url:
        assert "is not MNIST" in downloaded(tmp_path / "new", f"{url}/mnist.npz")


@pytest.mark.mnist
@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
@pytest.mark.usefixtures("_no_proxy")
def test_sound_archive_with_one_changed_byte_of_mnist_is_refused(
    tmp_path: Path, real_mnist_dir: Path, name: str
) -> None:
    # given: an archive whose own checksums are right
    arrays = files_of(read_folder(real_mnist_dir))
    arrays[name] = arrays[name].copy()
    arrays[name].flat[1] ^= 1
    members = dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays.values(), strict=True))
    # then: the SHA-256 of the file finds it, and the sound ones are not kept either
    with serving({"/mnist.npz": archive(**members)}) as url:
        assert f"{name} has SHA-256" in downloaded(tmp_path / "new", f"{url}/mnist.npz")
