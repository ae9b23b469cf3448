"""Real applications and registries for tests, and a way to await what they do."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import anyio
import httpx
import numpy as np
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from inkling.network.checkpoint import Checkpoint, save
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Decision
from inkling.registry.registry import Registry
from tests.support.processes import pauses

BASE_URL = "http://127.0.0.1:8000"
DEADLINE_S = 300.0
"""Far beyond what any of them takes, and only lost by a test that fails."""

T = TypeVar("T")


@asynccontextmanager
async def connect(app: FastAPI | Settings, base_url: str = BASE_URL) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an application in this process, between its start and its end."""
    application = create_app(app) if isinstance(app, Settings) else app
    transport = httpx.ASGITransport(application)
    async with (
        application.router.lifespan_context(application),
        httpx.AsyncClient(transport=transport, base_url=base_url) as client,
    ):
        yield client


@contextmanager
def open_registry(settings: Settings) -> Iterator[Registry]:
    """Yield the registry as another process sees it: through a connection of its own."""
    registry = Registry(settings.registry_url)
    try:
        yield registry
    finally:
        registry.close()


def publish(registry: Registry, checkpoint: Checkpoint, *, promoted: bool = True) -> int:
    """Publish a checkpoint as a trainer does, and return its version."""
    registry.runs.queue(TUTORIAL, "always", max_queued=100)
    claim = registry.runs.claim(lease_s=30, owner="a test")
    assert claim is not None
    decision = Decision(promoted, "as the test wants it")
    return registry.publish(claim, checkpoint, lambda served: decision).version


def retrained(checkpoint: Checkpoint, seed: int) -> Checkpoint:
    """Return another network, of seeded random parameters."""
    random = np.random.default_rng(seed)
    parameters = {
        name: random.normal(0, 0.05, array.shape).astype(np.float32) for name, array in checkpoint.parameters.items()
    }
    return save(parameters, checkpoint.card)


def eventually(look: Callable[[], T | None], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Look until something true is seen, and return it.

    Raises:
        AssertionError: it was not seen in time.
    """
    end = time.monotonic() + deadline_s
    for pause_s in pauses():
        if seen := look():
            return seen
        if time.monotonic() > end:
            break
        time.sleep(pause_s)
    raise AssertionError(f"not seen within {deadline_s} s: {what}")


async def eventually_answers(
    client: httpx.AsyncClient,
    path: str,
    is_awaited: Callable[[httpx.Response], bool],
    deadline_s: float = DEADLINE_S,
) -> httpx.Response:
    """Ask for a path until the answer is the awaited one, and return it."""
    end = time.monotonic() + deadline_s
    for pause_s in pauses():
        if is_awaited(response := await client.get(path)):
            return response
        if time.monotonic() > end:
            break
        await anyio.sleep(pause_s)
    raise AssertionError(f"{path} still answers {response.status_code}: {response.text}")
