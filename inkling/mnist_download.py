"""The download of MNIST: the archive that Keras publishes, checked and written as the four IDX files."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkling.atomic_file import write_atomically
from inkling.errors import DatasetError
from inkling.mnist import (
    CANONICAL_SHA256,
    NPZ_MEMBERS,
    Dataset,
    how_to_provide,
    idx_bytes,
    missing_files,
    npz_array,
    read_folder,
)

KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MAX_DOWNLOAD_BYTES = 64 << 20
"""Default limit on the archive; it has 11.5 MB."""


def load_or_download(mnist_dir: Path | None, data_dir: Path, url: str | None = None) -> Dataset:
    """Load MNIST from `mnist_dir`, else from `data_dir`/mnist, else download it into the latter, by default from Keras.

    Raises:
        DatasetError: a file is missing or damaged, or the download failed.
    """
    if mnist_dir is not None:
        return read_folder(mnist_dir)
    folder = data_dir / "mnist"
    if missing_files(folder):
        download(folder, url or KERAS_URL)
    return read_folder(folder)


def download(folder: Path, url: str = KERAS_URL, *, max_bytes: int = MAX_DOWNLOAD_BYTES) -> None:
    """Download MNIST as Keras publishes it, check it, and write the four IDX files into `folder`.

    Raises:
        DatasetError: there is no network, or the response is not MNIST.
    """
    arrays = _read_npz(_fetch(url, folder, max_bytes), url)
    contents: dict[str, bytes] = {}
    for name, array in arrays.items():
        content = idx_bytes(array)
        digest = hashlib.sha256(content).hexdigest()
        if digest != CANONICAL_SHA256[name]:
            raise DatasetError(
                f"{url}: {name} has SHA-256 {digest}, expected {CANONICAL_SHA256[name]}. {how_to_provide(folder)}"
            )
        contents[name] = content
    for name, content in contents.items():
        write_atomically(folder / name, content)


def _fetch(url: str, folder: Path, max_bytes: int) -> bytes:
    import httpx  # noqa: PLC0415  of the extra `train`: whoever has the files needs neither
    from tqdm import tqdm  # noqa: PLC0415

    content = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response:
            response.raise_for_status()
            total = int(response.headers.get("content-length", 0)) or None
            with tqdm(total=total, unit="B", unit_scale=True, desc="MNIST", disable=None) as bar:
                for chunk in response.iter_bytes():
                    content += chunk
                    bar.update(len(chunk))
                    if len(content) > max_bytes:
                        raise DatasetError(f"{url} is larger than {max_bytes} bytes: it is not MNIST")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DatasetError(f"MNIST cannot be downloaded from {url}: {error}. {how_to_provide(folder)}") from error
    return bytes(content)


def _read_npz(content: bytes, url: str) -> dict[str, NDArray[np.uint8]]:
    try:
        return {name: npz_array(content, member) for name, member in NPZ_MEMBERS.items()}
    except Exception as error:  # NumPy raises many kinds of exceptions for a damaged archive
        raise DatasetError(f"the response of {url} is not MNIST: {error}") from error
