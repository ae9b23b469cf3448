import anyio
import pytest

from app.errors import UnavailableError
from app.serving.current_version import CurrentVersion
from app.serving.numbered_versions import MAX_LOADED, NumberedVersions
from inkling.errors import UnknownVersionError
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.services import publish, retrained

pytestmark = pytest.mark.anyio


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def versions(registry: Registry, shipped: Checkpoint, now: list[float]) -> NumberedVersions:
    registry.versions.add_first(shipped)
    current = CurrentVersion(registry)
    current.poll()
    return NumberedVersions(registry, current, 1.0, lambda: now[0])


async def test_served_version_is_the_default(versions: NumberedVersions) -> None:
    assert await versions.predictor(None) is await versions.predictor(1)


async def test_other_version_is_loaded_once_and_checked_again(
    versions: NumberedVersions, registry: Registry, shipped: Checkpoint, now: list[float]
) -> None:
    number = publish(registry, retrained(shipped, 1), promoted=False)
    first = await versions.predictor(number)
    assert first.version == number
    assert await versions.predictor(number) is first
    now[0] += 2
    assert await versions.predictor(number) is first
    registry.versions.delete(number)
    now[0] += 2
    with pytest.raises(UnknownVersionError, match="was deleted"):
        await versions.predictor(number)


async def test_few_versions_are_kept(versions: NumberedVersions, registry: Registry, shipped: Checkpoint) -> None:
    numbers = [publish(registry, retrained(shipped, seed), promoted=False) for seed in range(MAX_LOADED + 1)]
    first = await versions.predictor(numbers[0])
    async with anyio.create_task_group() as tasks:
        for number in numbers[1:]:
            tasks.start_soon(versions.predictor, number)
    assert await versions.predictor(numbers[0]) is not first
    assert await versions.numbers() == [1, *numbers]


@pytest.mark.parametrize("number", [0, -1, 99, 2**31, 10**30])
async def test_unknown_versions_are_refused(versions: NumberedVersions, number: int) -> None:
    with pytest.raises(UnknownVersionError):
        await versions.predictor(number)


async def test_damaged_version_is_unavailable(
    versions: NumberedVersions, registry: Registry, shipped: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = publish(registry, retrained(shipped, 1), promoted=False)
    monkeypatch.setattr(registry.versions, "checkpoint", lambda version: shipped.content)
    with pytest.raises(UnavailableError, match="its SHA-256 is"):
        await versions.predictor(number)
