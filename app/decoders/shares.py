"""The pictures of a request, shared out to the decoder processes by an estimate of what they take."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from anyio.to_thread import run_sync

from app.decoders.work import Picture, PictureFile, Task, estimate_bytes, estimate_seconds

BATCH_S, BATCH_PICTURES = 0.05, 64
"""The pictures of a request are done in batches, by several processes."""


class Share(NamedTuple):
    """Some pictures of a request, which one process does together."""

    numbers: range
    """Of its pictures in the request, from 1."""
    pictures: Sequence[Picture]
    seconds: float
    memory_bytes: int
    body_bytes: int


async def share_out(task: Task, pictures: Sequence[Picture]) -> list[Share]:
    """Return a request's pictures in batches; in a thread if they are many, since 10,000 take 25 ms."""
    if len(pictures) <= BATCH_PICTURES:
        return list(_shares(task, pictures))
    return await run_sync(lambda: list(_shares(task, pictures)))


def _shares(task: Task, pictures: Sequence[Picture]) -> Iterator[Share]:
    start, seconds = 0, 0.0
    for i, picture in enumerate(pictures, 1):
        seconds += estimate_seconds(picture, task)
        if seconds > BATCH_S or i - start == BATCH_PICTURES or i == len(pictures):
            some = pictures[start:i]
            memory_bytes = max(map(estimate_bytes, some))
            body_bytes = sum(len(item.content) if isinstance(item, PictureFile) else item.size for item in some)
            yield Share(range(start + 1, i + 1), some, seconds, memory_bytes, body_bytes)
            start, seconds = i, 0.0
