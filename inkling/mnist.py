"""MNIST: four IDX files or `mnist.npz` from a folder, or the Keras download, checked before use.

Format: http://yann.lecun.com/exdb/mnist, "THE IDX FILE FORMAT". Files of MNIST's own size must be MNIST's: their
uncompressed content is compared with the original's by SHA-256. Other numbers of 28x28 digits are another dataset,
"custom", of which only sizes and labels are checked. Datasets of other classes are read by `inkling.datasets`.
"""

import gzip
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from inkling.digit import DIGIT_NAMES, NUM_CLASSES, SIDE
from inkling.errors import DatasetError

IMAGES_MAGIC, LABELS_MAGIC = 2051, 2049

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

CANONICAL_SHA256: Final = {
    TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each canonical file, decompressed."""
CANONICAL_COUNTS = {TRAIN_IMAGES: 60_000, TRAIN_LABELS: 60_000, TEST_IMAGES: 10_000, TEST_LABELS: 10_000}

NPZ = "mnist.npz"
"""All four arrays, as Keras publishes them."""
NPZ_MEMBERS: Final = {TRAIN_IMAGES: "x_train", TRAIN_LABELS: "y_train", TEST_IMAGES: "x_test", TEST_LABELS: "y_test"}

MAX_FILE_BYTES = 1 << 30
"""Default limit on an uncompressed file; MNIST's largest has 47 MB."""

PictureFit = Literal["mnist", "plain"]
"""How the pictures of a dataset became 28x28. mnist: as by MNIST's makers, or fit=mnist; plain: scaled as a whole."""
OWN_HELD_OUT = 6
"""Of own data at most one training image in so many is held out: a folder of drawings may hold few."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels. Equal only to itself, as a dataset."""

    images: NDArray[np.uint8]
    """(n, 28, 28), 0 background to 255 foreground."""
    labels: NDArray[np.uint8]
    """(n,), 0 to 9."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice) -> "Split":
        return Split(self.images[part], self.labels[part])

    def take(self, chosen: NDArray[Any]) -> "Split":
        """Return the images of these indices, or those for which a mask is true."""
        return Split(self.images[chosen], self.labels[chosen])


def join(first: Split, second: Split) -> Split:
    """Return the images of both, one after the other."""
    return Split(np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels]))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images. Equal only to itself, so that what was made of it can be kept for the next run."""

    name: str
    """ "mnist"; "custom" for other digits in its place; or the name of own data."""
    digest: str
    """SHA-256 over the SHA-256 of the four files, uncompressed."""
    train: Split
    test: Split
    classes: tuple[str, ...] = DIGIT_NAMES
    """The names of the ten classes."""
    fit: PictureFit = "mnist"
    is_own: bool = False
    """Whether it is own data, which may be few: then fewer images are held out than a recipe says."""
    remarks: tuple[str, ...] = ()
    """What was left out when it was read, one sentence each."""
    _parts: dict[int, tuple[Split, Split]] = field(default_factory=dict, init=False, repr=False)
    """The two parts of the training images, views of them, by the number held out."""

    @property
    def shows_digits(self) -> bool:
        return self.classes == DIGIT_NAMES

    def hold_out(self, validation_size: int) -> tuple[Split, Split]:
        """Return (train, validation): the last `validation_size` training images are held out, of own data fewer.

        The same two objects for the same size.

        Raises:
            DatasetError: no image would be left to train on.
        """
        if self.is_own:
            validation_size = min(validation_size, len(self.train) // OWN_HELD_OUT)
        kept = len(self.train) - validation_size
        if kept < 1:
            raise DatasetError(
                f"validation_size {validation_size} leaves nothing to train on: "
                f"the dataset has {len(self.train)} training images"
            )
        return self._parts.setdefault(kept, (self.train[:kept], self.train[kept:]))


def load_test(mnist_dir: Path | None, data_dir: Path) -> Split | None:
    """Return the test images if their files are present; nothing is downloaded.

    Raises:
        DatasetError: a file is damaged.
    """
    folder = mnist_dir or data_dir / "mnist"
    if {TEST_IMAGES, TEST_LABELS} & set(missing_files(folder)):
        return None
    arrays = {name: read_array(folder, name) for name in (TEST_IMAGES, TEST_LABELS)}
    return pair(arrays, TEST_IMAGES, TEST_LABELS)


def read_array(folder: Path, name: str) -> NDArray[np.uint8]:
    """Return the images (n, 28, 28), or the labels (n,), of one of the four files.

    Raises:
        DatasetError: it is damaged, or of the wrong kind.
    """
    content = _read_file(folder, name)
    return _parse(name, content, hashlib.sha256(content).hexdigest())


def missing_files(folder: Path) -> list[str]:
    if (folder / NPZ).is_file():
        return []
    return [name for name in CANONICAL_SHA256 if find_file(folder, name) is None]


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that `read_folder` reads, if none is missing."""
    return sorted({find_file(folder, name) or folder / NPZ for name in CANONICAL_SHA256})


def read_folder(folder: Path, *, max_file_bytes: int = MAX_FILE_BYTES) -> Dataset:
    """Read the four IDX files of a folder, plain or .gz; those that are not there from its `mnist.npz`.

    Raises:
        DatasetError: a file is missing, damaged, of the wrong kind, or larger than `max_file_bytes`, or the numbers of
            images and labels differ.
    """
    if missing := missing_files(folder):
        raise DatasetError(f"{folder} lacks {', '.join(missing)} (plain or .gz). {how_to_provide(folder)}")
    contents = {name: _read_file(folder, name, max_file_bytes) for name in CANONICAL_SHA256}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    arrays = {name: _parse(name, contents[name], digests[name]) for name in contents}
    splits = [
        pair(arrays, images, labels) for images, labels in ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS))
    ]
    return Dataset(
        name="mnist" if digests == CANONICAL_SHA256 else "custom",
        digest=digest_of(digests.values()),
        train=splits[0],
        test=splits[1],
    )


def digest_of(digests: Iterable[str]) -> str:
    """Return the digest of a dataset, given the SHA-256 of the content of its four files in hexadecimal."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """Return images (n, 28, 28) or labels (n,) as the content of an IDX file."""
    magic = IMAGES_MAGIC if array.ndim == 3 else LABELS_MAGIC
    return struct.pack(f">I{array.ndim}I", magic, *array.shape) + array.tobytes()


def npz_array(content: bytes, member: str, max_bytes: int = MAX_FILE_BYTES) -> NDArray[np.uint8]:
    """Return an array of the content of an .npz file.

    Raises:
        ValueError: it does not hold numbers 0 to 255, or more than `max_bytes`; NumPy raises many other exceptions.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo(f"{member}.npy").file_size
    if size > max_bytes:
        raise ValueError(f"{member} holds {size} bytes, expected at most {max_bytes}")
    with np.load(io.BytesIO(content), allow_pickle=False) as npz:
        array = npz[member]
    if array.dtype.kind not in "iu" or (array.size and not 0 <= array.min() <= array.max() <= 255):
        raise ValueError(f"{member} is {array.dtype}, expected uint8, or integers 0 to 255")
    return np.ascontiguousarray(array, np.uint8)


def find_file(folder: Path, name: str) -> Path | None:
    """Return the path of an IDX file, under the name that its makers gave it, or that of Kaggle's copies."""
    dotted = name.replace("-idx", ".idx")
    names = [kaggle for plain in (name, dotted) for kaggle in (plain, f"{plain}.gz")]
    return next((path for path in (*(folder / n for n in names), folder / name / name) if path.is_file()), None)


def _read_file(folder: Path, name: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    path = find_file(folder, name)
    if path is None:
        return _read_from_npz(folder, name, max_bytes)
    try:
        return read_content(path, max_bytes)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}. {how_to_provide(folder)}") from error


def read_content(path: Path, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a file, uncompressed if its name ends in .gz.

    Raises:
        OSError: it cannot be read.
        DatasetError: it holds more than `max_bytes`.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except (EOFError, zlib.error) as error:
        raise OSError(str(error)) from error
    if len(content) > max_bytes:
        raise DatasetError(f"{path} holds more than {max_bytes} bytes")
    return content


def _read_from_npz(folder: Path, name: str, max_bytes: int) -> bytes:
    """Return the content of an IDX file from the array in `mnist.npz`."""
    path = folder / NPZ
    try:
        array = npz_array(path.read_bytes(), NPZ_MEMBERS[name], max_bytes)
    except Exception as error:  # NumPy raises many kinds of exceptions for a damaged archive
        raise DatasetError(f"{path} cannot be read: {error}. {how_to_provide(folder)}") from error
    axes = 3 if "images" in name else 1
    if array.ndim != axes:
        raise DatasetError(f"{path}: {NPZ_MEMBERS[name]} has shape {array.shape}, expected {axes} axes")
    return idx_bytes(array)


def parse_idx(name: str, content: bytes) -> NDArray[np.uint8]:
    """Return images (n, 28, 28), or labels (n,), from the content of an IDX file whose name says which it holds.

    Raises:
        DatasetError: it is of another kind, of another size, or cut short.
    """
    is_images = "images" in name
    magic, shape = (IMAGES_MAGIC, (SIDE, SIDE)) if is_images else (LABELS_MAGIC, ())
    header = 8 + 4 * len(shape)
    if len(content) < header:
        raise DatasetError(f"{name} is {len(content)} bytes long, shorter than its header of {header}")
    found, count, *rest = struct.unpack_from(f">II{len(shape)}I", content)
    if found != magic:
        raise DatasetError(f"{name} starts with magic number {found}, expected {magic}")
    if tuple(rest) != shape:
        raise DatasetError(f"{name} holds images of {rest[0]}x{rest[1]} pixels, expected {SIDE}x{SIDE}")
    expected = header + count * int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise DatasetError(f"{name} is {len(content)} bytes long, expected {expected} for {count} items")
    return np.frombuffer(content, np.uint8, offset=header).reshape(count, *shape)


def _parse(name: str, content: bytes, digest: str) -> NDArray[np.uint8]:
    array = parse_idx(name, content)
    if len(array) == CANONICAL_COUNTS[name] and digest != CANONICAL_SHA256[name]:
        raise DatasetError(
            f"{name} has MNIST's size but SHA-256 {digest}, expected {CANONICAL_SHA256[name]}: it is damaged, or of "
            "another dataset of this size: `inkling train --data FOLDER`, or INKLING_DATASET, reads those"
        )
    return array


def pair(arrays: dict[str, NDArray[np.uint8]], images: str, labels: str) -> Split:
    """Return images with their labels, from the arrays of IDX files by their names.

    Raises:
        DatasetError: their numbers differ, there are none, or a label is beyond the ten classes.
    """
    split = Split(arrays[images], arrays[labels])
    if len(split.images) != len(split.labels):
        raise DatasetError(
            f"{images} holds {len(split.images)} items but {labels} {len(split.labels)}: they do not belong together"
        )
    if not len(split):
        raise DatasetError(f"{images} holds no image")
    if split.labels.max() >= NUM_CLASSES:
        raise DatasetError(f"{labels} holds the label {split.labels.max()}, expected 0 to {NUM_CLASSES - 1}")
    return split


def how_to_provide(folder: Path) -> str:
    """Return an instruction for the case that MNIST's files are missing or damaged."""
    return (
        f"Put MNIST's four files, plain or .gz, or Keras's {NPZ}, into {folder} or into the folder that "
        "INKLING_MNIST_DIR names, or name a mirror of that in INKLING_MNIST_MIRROR; "
        f"their plain contents have SHA-256 {'; '.join(f'{name} {sha}' for name, sha in CANONICAL_SHA256.items())}"
    )
