import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import UnavailableError
from app.serving.current_version import CurrentVersion
from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.registry.registry import Registry
from tests.support.bodies import RAW
from tests.support.services import connect, eventually_answers, publish, retrained


def damaged(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint whose file is no checkpoint, as a trainer gone wrong might publish it."""
    return Checkpoint(checkpoint.content[:1000], checkpoint.parameters, checkpoint.card)


def replace_content(settings: Settings, version: int, content: bytes) -> None:
    """Damage a version's file in the database, behind the registry's back."""
    connection = sqlite3.connect(settings.data_dir / "inkling.db")
    with connection:
        connection.execute("UPDATE versions SET checkpoint = ? WHERE version = ?", (content, version))
    connection.close()


def test_nothing_is_served_before_the_first_look(registry: Registry) -> None:
    serving = CurrentVersion(registry)
    with pytest.raises(UnavailableError, match="no version is loaded yet"):
        serving.predictor.classifier  # noqa: B018
    serving.poll()
    with pytest.raises(UnavailableError, match="no version is loaded yet"):  # the registry has none
        serving.predictor.classifier  # noqa: B018


def test_promotions_are_followed_forward_and_back(registry: Registry, shipped: Checkpoint) -> None:
    registry.versions.add_first(shipped)
    serving = CurrentVersion(registry)
    serving.poll()
    first = serving.predictor.classifier
    assert (first.version, serving.refused) == (1, None)
    assert publish(registry, retrained(shipped, 2)) == 2
    assert serving.predictor.classifier is first
    serving.poll()
    assert serving.predictor.classifier.version == 2
    registry.versions.promote(1, "a test rolls back")
    serving.poll()
    assert serving.predictor.classifier.version == 1


def test_version_that_is_not_promoted_is_not_served(registry: Registry, shipped: Checkpoint) -> None:
    registry.versions.add_first(shipped)
    publish(registry, retrained(shipped, 2), promoted=False)
    serving = CurrentVersion(registry)
    serving.poll()
    assert serving.predictor.classifier.version == 1


def test_look_that_finds_nothing_new_loads_nothing(registry: Registry, shipped: Checkpoint) -> None:
    registry.versions.add_first(shipped)
    serving = CurrentVersion(registry)
    serving.poll()
    loaded = serving.predictor.classifier
    serving.poll()
    assert serving.predictor.classifier is loaded


def test_corrupt_version_is_refused_and_the_last_good_one_goes_on(
    registry: Registry, shipped: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    registry.versions.add_first(shipped)
    serving = CurrentVersion(registry)
    serving.poll()
    publish(registry, damaged(shipped))
    for _ in range(3):
        serving.poll()
    assert serving.predictor.classifier.version == 1
    assert serving.refused
    assert serving.refused.startswith("version 2 is refused: ")
    assert caplog.text.count("version 2 is refused") == 1  # once, not at every look
    publish(registry, retrained(shipped, 3))
    serving.poll()
    assert serving.predictor.classifier.version == 3
    assert serving.refused is None


def test_version_whose_bytes_changed_is_refused(registry: Registry, settings: Settings, shipped: Checkpoint) -> None:
    registry.versions.add_first(shipped)
    serving = CurrentVersion(registry)
    serving.poll()
    publish(registry, retrained(shipped, 2))
    replace_content(settings, 2, retrained(shipped, 3).content)
    serving.poll()
    assert serving.predictor.classifier.version == 1
    assert serving.refused
    assert "SHA-256" in serving.refused


def test_version_without_a_good_one_before_it_says_why_nothing_is_served(
    registry: Registry, shipped: Checkpoint
) -> None:
    publish(registry, damaged(shipped))
    serving = CurrentVersion(registry)
    serving.poll()
    with pytest.raises(UnavailableError, match="version 1 is refused"):
        serving.predictor.classifier  # noqa: B018


def test_readers_see_whole_versions_while_many_look_at_once(
    registry: Registry, shipped: Checkpoint, digits: NDArray[np.uint8]
) -> None:
    registry.versions.add_first(shipped)
    checkpoints = {1: shipped, **{version: retrained(shipped, version) for version in (2, 3)}}
    expected = {version: Classifier(c, version).probabilities(digits) for version, c in checkpoints.items()}
    serving = CurrentVersion(registry)
    serving.poll()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            serving.poll()

    def read() -> set[int]:
        seen = set()
        while not ended.is_set():
            classifier = serving.predictor.classifier
            np.testing.assert_allclose(classifier.probabilities(digits), expected[classifier.version], atol=1e-6)
            seen.add(classifier.version)
        return seen

    with ThreadPoolExecutor(4) as threads:
        looks = [threads.submit(look) for _ in range(2)]
        reads = [threads.submit(read) for _ in range(2)]
        try:
            for version in (2, 3):
                publish(registry, checkpoints[version])
            for version in (1, 2, 3, 1, 2):
                registry.versions.promote(version, "a test")
        finally:
            ended.set()
        for future in looks:
            future.result()
        assert set.union(*(future.result() for future in reads)) <= {1, 2, 3}
    serving.poll()
    assert serving.predictor.classifier.version == 2


@pytest.mark.anyio
async def test_application_follows_promotions_made_by_others(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint
) -> None:
    new = retrained(shipped, 2)
    publish(registry, new)
    report = await eventually_answers(client, "/metrics", lambda response: response.json()["version"] == 2)
    assert report.json()["digest"] == new.digest
    response = await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
    assert response.headers["x-model-version"] == "2"
    registry.versions.promote(1, "a test rolls back")
    await eventually_answers(client, "/readyz", lambda response: response.json()["version"] == 1)


@pytest.mark.anyio
async def test_readyz_says_which_version_is_refused(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint
) -> None:
    assert (await client.get("/readyz")).json()["refused"] is None
    publish(registry, damaged(shipped))
    ready = await eventually_answers(client, "/readyz", lambda response: response.json()["refused"] is not None)
    assert (ready.status_code, ready.json()["version"]) == (200, 1)
    assert ready.json()["refused"].startswith("version 2 is refused: ")
    response = await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
    assert response.json()["version"] == 1


@pytest.mark.anyio
async def test_server_without_a_good_version_lives_and_is_not_ready(
    settings: Settings, registry: Registry, shipped: Checkpoint
) -> None:
    publish(registry, damaged(shipped))
    async with connect(settings) as client:
        assert (await client.get("/livez")).status_code == 200
        for response in (
            await client.get("/readyz"),
            await client.get("/metrics"),
            await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW}),
        ):
            assert response.status_code == 503
            assert response.headers["retry-after"]
            assert response.json()["detail"].startswith("version 1 is refused: ")
        publish(registry, shipped)
        await eventually_answers(client, "/readyz", lambda response: response.status_code == 200)


@pytest.mark.anyio
async def test_existing_registry_keeps_its_versions_at_the_next_start(
    settings: Settings, registry: Registry, shipped: Checkpoint
) -> None:
    publish(registry, retrained(shipped, 2))
    async with connect(settings) as client:
        versions = (await client.get("/versions")).json()["items"]
        assert [(item["version"], item["origin"]) for item in versions] == [(1, "run")]
