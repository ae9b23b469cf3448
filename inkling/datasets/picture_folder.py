"""A folder of pictures, with one folder per class."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inkling.datasets.idx_folder import check_names
from inkling.digit import DIGIT_NAMES, SIDE, Gray
from inkling.errors import DatasetError, InputError
from inkling.mnist import PictureFit, Split
from inkling.vision.image_files import decode_scaled
from inkling.vision.normalized_files import normalize_file

MAX_PICTURES = 300_000
"""As many as one training run can learn in memory; EMNIST's digits are 280,000."""
MAX_BYTES = 64 << 20
"""A file that is larger is no picture that a person drew or took."""
NO_PICTURES = {"__macosx", "thumbs.db", "desktop.ini"}
"""Files and folders that systems add on their own, beside those whose names begin with a dot."""


@dataclass(frozen=True)
class PictureFolder:
    """The content of a folder of pictures."""

    classes: tuple[str, ...]
    pictures: Split
    paths: tuple[Path, ...]
    """Of each picture (n,)."""
    unreadable: tuple[str, ...]
    """About each file that is no picture, in words that name it."""


def class_folders(folder: Path) -> list[Path]:
    """Return the folders of the classes; those of digits by value, others by name."""
    return sorted((path for path in _visible(folder) if path.is_dir()), key=lambda path: path.name)


def read_picture_folder(
    folder: Path, fit: PictureFit, on_read: Callable[[int, int], None] = lambda read, total: None
) -> PictureFolder:
    """Read the pictures of a folder and make images of them.

    Args:
        folder: with one folder per class.
        fit: mnist: as fit=mnist makes them; plain: the whole picture, scaled.
        on_read: called with the number of files read so far, from 0, and with their total.

    Raises:
        DatasetError: there are not ten classes, a class is empty, or there are too many pictures.
    """
    folders = class_folders(folder)
    check_names(tuple(path.name for path in folders), str(folder))
    files = [_files(path) for path in folders]
    if empty := [path.name for path, found in zip(folders, files, strict=True) if not found]:
        raise DatasetError(f"{folder} has no picture of the classes {', '.join(empty)}")
    paths = [(label, path) for label, found in enumerate(files) for path in found]
    if len(paths) > MAX_PICTURES:
        raise DatasetError(f"{folder} holds {len(paths)} files, the limit is {MAX_PICTURES}")
    images: list[Gray] = []
    read: list[tuple[int, Path]] = []
    unreadable = []
    for count, (label, path) in enumerate(paths):
        on_read(count, len(paths))
        try:
            images.append(_read(path, fit))
            read.append((label, path))
        except (InputError, OSError) as error:
            unreadable.append(str(error) if str(path) in str(error) else f"{path}: {error}")
    on_read(len(paths), len(paths))
    pixels = np.array(images, np.uint8).reshape(-1, SIDE, SIDE)
    return PictureFolder(
        classes=tuple(path.name for path in folders),
        pictures=Split(pixels, np.array([label for label, _ in read], np.uint8)),
        paths=tuple(path for _, path in read),
        unreadable=tuple(unreadable),
    )


def default_fit(classes: tuple[str, ...]) -> PictureFit:
    """Return how pictures of classes become images: digits as MNIST's, others as they are."""
    return "mnist" if classes == DIGIT_NAMES else "plain"


def _read(path: Path, fit: PictureFit) -> Gray:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path} has {size} bytes, the limit is {MAX_BYTES}")
    content = path.read_bytes()
    if fit == "plain":
        return decode_scaled(content, name=str(path))
    return normalize_file(content, name=str(path)).normalized.pixels


def _files(folder: Path) -> list[Path]:
    """Return the files in a folder and its folders, in the order of their names."""
    found: list[Path] = []
    for path in _visible(folder):
        found += _files(path) if path.is_dir() else [path]
    return found


def _visible(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in NO_PICTURES and not path.is_symlink()
    )
