"""The warm start: the dataset, its tensors and the compiled steps that a trainer process keeps for the next run."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.datasets.own_data import OnRead, load_dataset
from inkling.mnist import Dataset, Split, files_in
from inkling.network.recipe import Recipe
from inkling.settings import StoreSettings

if TYPE_CHECKING:
    from training.loop import Tensors
    from training.trainer import Trainer


class WarmStart:
    """Owns the dataset, the tensors and the trainer of the last run. What it keeps changes no bit of the next one."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._dataset: Dataset | None = None
        self._files: str | None = None
        self._tensors: tuple[Split, Tensors] | None = None
        self._trainer: Trainer | None = None

    def dataset(self, on_read: OnRead, on_cold: Callable[[], None] = lambda: None) -> Dataset:
        """Return the dataset: that of the last run, unless its files have changed since.

        Args:
            on_read: as in `load_dataset`; not called for a dataset that is kept.
            on_cold: called before a dataset is read.

        Raises:
            DatasetError: the data are missing or invalid.
        """
        files = _fingerprint(self._settings)
        if self._dataset is None or files is None or files != self._files:
            on_cold()
            self._dataset = self._tensors = None  # frees their memory before the next ones are read
            self._dataset, self._files = load_dataset(self._settings, on_read), files
        return self._dataset

    def tensors(self, split: Split) -> "Tensors":
        """Return the tensors of a part of the dataset: those of the last run if it is the same part."""
        from training.loop import to_tensors  # noqa: PLC0415  TensorFlow, as below

        if self._tensors is None or self._tensors[0] is not split:
            self._tensors = None  # frees their memory before the next ones are made
            self._tensors = (split, to_tensors(split))
        return self._tensors[1]

    def has_compiled(self, recipe: Recipe, images: int) -> bool:
        """Return whether the trainer of the last run needs no compilation for a recipe on so many images."""
        return self._trainer is not None and self._trainer.fits(recipe, images)

    def trainer(self, recipe: Recipe, images: int) -> "Trainer":
        """Return a trainer at the start of a recipe: that of the last run if its compiled steps fit, else a new one."""
        from training.trainer import Trainer  # noqa: PLC0415  TensorFlow: 5 s and 500 MB, only when there is a run

        if self._trainer and self._trainer.fits(recipe, images):
            self._trainer.restart(recipe)
        else:
            self._trainer = None  # frees its memory before the next one is made
            self._trainer = Trainer(recipe, images)
        return self._trainer


def _fingerprint(settings: StoreSettings) -> str | None:
    """Return a digest of the dataset's files with their inodes, sizes and times of change; None if one is missing."""
    digest = hashlib.sha256()
    try:
        for path in _files(settings):
            stat = path.stat()
            digest.update(f"{path}\0{stat.st_ino} {stat.st_size} {stat.st_ctime_ns}\n".encode())
    except OSError:  # `load_dataset` says which
        return None
    return digest.hexdigest()


def _files(settings: StoreSettings) -> Iterable[Path]:
    if settings.dataset is None:
        return files_in(settings.mnist_dir or settings.data_dir / "mnist")
    return sorted(settings.dataset.rglob("*"))
