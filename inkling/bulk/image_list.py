"""Image files, each of one image: many of them make a unit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inkling.bulk.batches import Batch, Loaded, Unit, Unreadable
from inkling.bulk.storage import read_files
from inkling.predictor import Fit


@dataclass(frozen=True)
class ImageFiles:
    """Some image files, which are opened where they are read."""

    names: tuple[str, ...]

    @property
    def key(self) -> str:
        return "\n".join(self.names)

    def read(self, fit: Fit) -> Iterator[Batch]:
        del fit
        for names, contents in read_files(self.names):
            yield Batch(names, None, contents)

    def split(self) -> Sequence[Unit]:
        middle = len(self.names) // 2
        return [] if middle == 0 else [ImageFiles(self.names[:middle]), ImageFiles(self.names[middle:])]

    def failed(self, reason: str) -> Loaded:
        return Loaded(Batch(self.names, None, [Unreadable(reason)] * len(self.names)), self.key)
