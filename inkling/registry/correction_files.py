"""Corrections as files: a folder of PNG files by label and source, or two IDX files, which hold digits only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from inkling.digit import NUM_CLASSES, SIDE
from inkling.errors import DatasetError, ImageError
from inkling.mnist import idx_bytes, parse_idx
from inkling.registry.records import Correction
from inkling.vision.image_files import decode_image, png_bytes

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
NONE = "none"
FOLDERS = (*map(str, range(NUM_CLASSES)), NONE)


@dataclass
class CorrectionFiles:
    """The corrections that were read from files."""

    images: list[bytes] = field(default_factory=list)
    labels: list[int | None] = field(default_factory=list)
    sources: list[str | None] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """About each file that is no image of 28x28 pixels, in words."""


def write_png_files(corrections: Sequence[Correction], folder: Path) -> None:
    """Write each image as LABEL/SOURCE/ID.png, or LABEL/ID.png if it has no source.

    Raises:
        OSError: the folder cannot be written.
    """
    for correction in corrections:
        label = NONE if correction.label is None else str(correction.label)
        path = folder / label / (correction.source or "") / f"{correction.id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_bytes(np.frombuffer(correction.image, np.uint8).reshape(SIDE, SIDE)))


def write_idx_files(corrections: Sequence[Correction], folder: Path) -> int:
    """Write the images and labels as two IDX files; return how many were written: those of digits.

    Raises:
        OSError: the folder cannot be written.
    """
    digits = [correction for correction in corrections if correction.label is not None]
    images = np.frombuffer(b"".join(correction.image for correction in digits), np.uint8).reshape(-1, SIDE, SIDE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / IMAGES).write_bytes(idx_bytes(images))
    (folder / LABELS).write_bytes(idx_bytes(np.array([correction.label for correction in digits], np.uint8)))
    return len(digits)


def read_correction_files(folder: Path) -> CorrectionFiles:
    """Read what `write_png_files` or `write_idx_files` wrote.

    Raises:
        OSError: a file cannot be read.
        DatasetError: the folder holds neither, or its IDX files are damaged or do not belong together.
    """
    if (folder / IMAGES).is_file():
        return _read_idx_files(folder)
    if not any((folder / name).is_dir() for name in FOLDERS):
        raise DatasetError(
            f"{folder} holds neither {IMAGES} and {LABELS} nor folders named {', '.join(FOLDERS)} with PNG files"
        )
    found = CorrectionFiles()
    for name in FOLDERS:
        for path in sorted((folder / name).rglob("*.png")):
            _read_png_file(path, folder / name, None if name == NONE else int(name), found)
    return found


def _read_png_file(path: Path, folder: Path, label: int | None, found: CorrectionFiles) -> None:
    try:
        image = decode_image(path.read_bytes(), name=str(path))
    except ImageError as error:
        found.unreadable.append(str(error))
        return
    found.images.append(image.tobytes())
    found.labels.append(label)
    found.sources.append(None if path.parent == folder else path.parent.name)


def _read_idx_files(folder: Path) -> CorrectionFiles:
    images = parse_idx(IMAGES, (folder / IMAGES).read_bytes())
    labels = parse_idx(LABELS, (folder / LABELS).read_bytes())
    if len(images) != len(labels):
        raise DatasetError(f"{folder}: {IMAGES} holds {len(images)} items but {LABELS} {len(labels)}")
    if len(labels) and labels.max() >= NUM_CLASSES:
        raise DatasetError(f"{folder}: {LABELS} holds the label {labels.max()}, expected 0 to {NUM_CLASSES - 1}")
    return CorrectionFiles([image.tobytes() for image in images], labels.tolist(), [None] * len(images))
