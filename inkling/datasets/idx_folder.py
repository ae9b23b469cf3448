"""Folders of IDX files as MNIST, Fashion-MNIST, KMNIST and EMNIST are published, and others of that format."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkling.datasets.published import PUBLISHED, Published, own_name
from inkling.digit import DIGIT_NAMES, NUM_CLASSES
from inkling.errors import DatasetError
from inkling.mnist import (
    CANONICAL_SHA256,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    Split,
    find_file,
    pair,
    parse_idx,
    read_content,
)

CLASSES_FILE = "classes.txt"
"""The names of the classes, one per line, in the order of the labels."""
MAX_NAME = 64
"""Characters of a class's name."""


@dataclass(frozen=True)
class IdxFolder:
    """The content of a folder of IDX files."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split | None
    """None: the folder has no test files."""


def read_idx_folder(folder: Path) -> IdxFolder | None:
    """Read the IDX files of a folder, plain or .gz; None if there are none.

    Raises:
        DatasetError: a file is missing, damaged, of another kind, or of images of another size; the classes have no
            names; or a label is beyond them.
    """
    for prefix, tests in _prefixes():
        images = find_file(folder, prefix + TRAIN_IMAGES)
        if images is not None:
            published = _identify(images, prefix)
            is_transposed = published is not None and published.is_transposed
            train = _read_pair(folder, prefix + TRAIN_IMAGES, prefix + TRAIN_LABELS, is_transposed=is_transposed)
            test = None
            if find_file(folder, prefix + tests[0]) is not None:
                test = _read_pair(folder, prefix + tests[0], prefix + tests[1], is_transposed=is_transposed)
            name = published.name if published else own_name(folder)
            return IdxFolder(name, _read_classes(folder, published), train, test)
    return None


def _prefixes() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each start of the files' names, with the rest of the names of the test files."""
    for prefix in sorted({published.prefix for published in PUBLISHED}):
        tests = (TEST_IMAGES, TEST_LABELS)
        yield prefix, (tests if not prefix else (tests[0].replace("t10k", "test"), tests[1].replace("t10k", "test")))


def _identify(images: Path, prefix: str) -> Published | None:
    """Return the published dataset of a file of training images, None if it is another one."""
    if prefix:
        return next(published for published in PUBLISHED if published.prefix == prefix)
    content = _read(images)
    if hashlib.sha256(content).hexdigest() == CANONICAL_SHA256[TRAIN_IMAGES]:
        return Published("mnist", DIGIT_NAMES, frozenset())
    md5 = hashlib.md5(images.read_bytes(), usedforsecurity=False).hexdigest()
    return next((published for published in PUBLISHED if md5 in published.train_images_md5), None)


def _read_pair(folder: Path, images: str, labels: str, *, is_transposed: bool) -> Split:
    arrays = {name: _read_array(folder, name) for name in (images, labels)}
    if is_transposed:
        arrays[images] = np.ascontiguousarray(arrays[images].transpose(0, 2, 1))
    split = pair(arrays, images, labels)
    if len(missing := np.setdiff1d(np.arange(NUM_CLASSES), split.labels)):
        raise DatasetError(
            f"{folder / labels} has no image of the labels {', '.join(map(str, missing))}; expected ten classes, "
            f"0 to {NUM_CLASSES - 1}"
        )
    return split


def _read_array(folder: Path, name: str) -> NDArray[np.uint8]:
    path = find_file(folder, name)
    if path is None:
        raise DatasetError(f"{folder} lacks {name} (plain or .gz)")
    return parse_idx(name, _read(path))


def _read(path: Path) -> bytes:
    try:
        return read_content(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def _read_classes(folder: Path, published: Published | None) -> tuple[str, ...]:
    """Return the names of the classes: those of classes.txt, or else of the published dataset.

    Raises:
        DatasetError: there are neither, or the file does not hold ten names.
    """
    path = folder / CLASSES_FILE
    if not path.is_file():
        if published is not None:
            return published.classes
        raise DatasetError(
            f"{folder} holds no dataset whose classes are known: write their ten names into {path}, one per line, in "
            f"the order of the labels; for digits the lines 0 to {NUM_CLASSES - 1}"
        )
    try:
        names = tuple(line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip())
    except ValueError as error:
        raise DatasetError(f"{path} is not a text in UTF-8: {error}") from error
    check_names(names, str(path))
    return names


def check_names(names: tuple[str, ...], where: str) -> None:
    """Raise DatasetError unless these are ten different names of classes."""
    shown = ", ".join(name[:MAX_NAME] for name in names[:12]) + (", ..." if len(names) > 12 else "")
    if len(names) != NUM_CLASSES:
        raise DatasetError(f"{where} has {len(names)} classes ({shown}), expected {NUM_CLASSES}: the network has ten")
    if len(set(names)) != NUM_CLASSES:
        raise DatasetError(f"{where} names a class twice: {shown}")
    for name in names:
        if len(name) > MAX_NAME or not name.isprintable():
            raise DatasetError(
                f"{where}: the name {name[: 2 * MAX_NAME]!r} of a class has {len(name)} characters, at most {MAX_NAME} "
                "printable ones are taken"
            )
