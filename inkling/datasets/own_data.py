"""Own data: a dataset from a folder of IDX files, or of pictures, that somebody names."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from inkling.datasets.content import find_distinct, split_by_content, without_images_of
from inkling.datasets.idx_folder import IdxFolder, read_idx_folder
from inkling.datasets.picture_folder import class_folders, default_fit, read_picture_folder
from inkling.datasets.published import own_name
from inkling.errors import DatasetError
from inkling.mnist import Dataset, PictureFit, Split, digest_of, idx_bytes
from inkling.mnist_download import load_or_download
from inkling.settings import StoreSettings

SHOWN = 10
"""Files that an error names; the others it counts."""

OnRead = Callable[[int, int], None]


def require_dataset(settings: StoreSettings, name: str | None) -> None:
    """Check that a run which was queued for a dataset is not trained on another one.

    Raises:
        DatasetError: the settings name another one.
    """
    if settings.dataset_name != name:
        asked, found = (f"own data named {data}" if data else "MNIST" for data in (name, settings.dataset_name))
        raise DatasetError(
            f"the run was queued for {asked}, and its trainer has {found}: start server and trainers with the same "
            "INKLING_DATASET"
        )


def load_dataset(settings: StoreSettings, on_read: OnRead = lambda read, total: None) -> Dataset:
    """Load the dataset that the settings name: own data, or else MNIST, which is downloaded if it is missing.

    Args:
        settings: the folders.
        on_read: called with the number of pictures read so far, from 0, and with their total, if own data are pictures.

    Raises:
        DatasetError: the data are missing or invalid.
    """
    if settings.dataset is None:
        return load_or_download(settings.mnist_dir, settings.data_dir, settings.mnist_mirror)
    fit = None if settings.dataset_fit == "auto" else settings.dataset_fit
    try:
        return read_own_data(settings.dataset, fit, skip=settings.dataset_skip, on_read=on_read)
    except OSError as error:
        raise DatasetError(f"{settings.dataset} cannot be read: {error}") from error


def read_own_data(
    folder: Path, fit: PictureFit | None = None, *, skip: bool = False, on_read: OnRead = lambda read, total: None
) -> Dataset:
    """Read a dataset of ten classes.

    Args:
        folder: of IDX files, or with one folder of pictures per class.
        fit: how pictures become images; None: digits as by fit=mnist, others scaled as a whole.
        skip: leave out pictures that cannot be used, instead of refusing the dataset.
        on_read: as in `load_dataset`.

    Raises:
        OSError: the folder cannot be read.
        DatasetError: it holds neither, or not ten classes, or pictures that cannot be used.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder: it should hold IDX files, or one folder of pictures per class")
    if (idx := read_idx_folder(folder)) is not None:
        return _idx_dataset(idx, fit)
    if not class_folders(folder):
        raise DatasetError(
            f"{folder} holds neither IDX files (train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz) nor "
            "one folder of pictures per class"
        )
    return _picture_dataset(folder, fit, on_read, skip=skip)


def _idx_dataset(idx: IdxFolder, fit: PictureFit | None) -> Dataset:
    remarks: list[str] = []
    if idx.test is None:
        kept = idx.train.take(find_distinct(idx.train).kept)
        if left_out := len(idx.train) - len(kept):
            remarks.append(f"{left_out} of {len(idx.train)} images were left out: each is the same as another one")
        splits = split_by_content(kept, idx.classes)
    else:
        splits = without_images_of(idx.train, idx.test), idx.test
        if left_out := len(idx.train) - len(splits[0]):
            remarks.append(f"{left_out} of {len(idx.train)} training images were left out: they are test images, too")
    return _dataset(idx.name, idx.classes, fit, splits, remarks)


def _picture_dataset(folder: Path, fit: PictureFit | None, on_read: OnRead, *, skip: bool) -> Dataset:
    classes = tuple(path.name for path in class_folders(folder))
    fit = fit or default_fit(classes)
    found = read_picture_folder(folder, fit, on_read)
    distinct = find_distinct(found.pictures)
    problems = [
        *found.unreadable,
        *(f"{found.paths[i]}: the same picture is in another class" for i in distinct.contradictory),
    ]
    total = len(found.paths) + len(found.unreadable)
    if problems and not skip:
        raise DatasetError(
            f"{len(problems)} of {total} pictures in {folder} cannot be used: {_listed(problems)}. Mend or remove "
            "them; or leave them out with --skip, or INKLING_DATASET_SKIP=true"
        )
    remarks = [f"{len(problems)} of {total} pictures were left out: {_listed(problems)}"] if problems else []
    if distinct.repeated:
        remarks.append(f"{distinct.repeated} pictures were left out: each is the same as another one of its class")
    splits = split_by_content(found.pictures.take(distinct.kept), classes)
    return _dataset(own_name(folder), classes, fit, splits, remarks)


def _dataset(
    name: str, classes: tuple[str, ...], fit: PictureFit | None, splits: tuple[Split, Split], remarks: Sequence[str]
) -> Dataset:
    train, test = splits
    arrays = (train.images, train.labels, test.images, test.labels)
    return Dataset(
        name=name,
        digest=digest_of(hashlib.sha256(idx_bytes(array)).hexdigest() for array in arrays),
        train=train,
        test=test,
        classes=classes,
        fit=fit or default_fit(classes),
        is_own=True,
        remarks=tuple(remarks),
    )


def _listed(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more
