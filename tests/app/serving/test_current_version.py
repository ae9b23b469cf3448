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


def flipped(content: bytes, where: int = 100_000) -> bytes:
    """Return a file with one bit flipped."""
    changed = bytearray(content)
    changed[where] ^= 4
    return bytes(changed)


def replace_content(settings: Settings, version: int, content: bytes) -> None:
    """Damage a version's file in the database, behind the registry's back."""
    connection = sqlite3.connect(settings.data_dir / "inkling.db")
    with connection:
        connection.execute("UPDATE checkpoints SET content = ? WHERE version = ?", (content, version))
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


def test_shipped_network_is_served_if_no_version_loads(registry: Registry, shipped: Checkpoint) -> None:
    publish(registry, damaged(retrained(shipped, 2)))
    serving = CurrentVersion(registry)
    serving.poll()
    assert (serving.served.version.version, serving.served.version.digest) == (0, shipped.digest)
    assert serving.refused is not None
    assert serving.refused.startswith("version 1 is refused: ")
    assert "the network that ships is served instead" in serving.refused


def test_damaged_copy_of_the_shipped_network_is_replaced_by_the_installed_file(
    registry: Registry, settings: Settings, shipped: Checkpoint
) -> None:
    registry.versions.add_first(shipped)
    replace_content(settings, 1, flipped(shipped.content))
    serving = CurrentVersion(registry)
    serving.poll()
    assert (serving.served.version.version, serving.predictor.version) == (1, 1)
    assert serving.refused is not None
    assert "its copy in the installed package is served instead" in serving.refused


def test_last_promoted_version_that_loads_stands_in_for_a_damaged_one_after_a_restart(
    registry: Registry, settings: Settings, shipped: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    # given: versions 1 to 3 were served, 4 was not promoted; the bits of 3 flip
    registry.versions.add_first(shipped)
    for seed in (2, 3):
        publish(registry, retrained(shipped, seed))
    publish(registry, retrained(shipped, 4), promoted=False)
    whole = registry.versions.checkpoint(3)
    replace_content(settings, 3, flipped(whole))
    # when
    serving = CurrentVersion(registry, retry_s=0)
    serving.poll()
    # then
    assert serving.predictor.version == 2
    assert serving.refused is not None
    assert serving.refused.startswith("version 3 is refused: ")
    assert "version 2 is served instead" in serving.refused
    assert "version 3 is refused" in caplog.text
    # when: the file is whole again
    replace_content(settings, 3, whole)
    serving.poll()
    # then
    assert serving.predictor.version == 3
    assert serving.served.version.digest == retrained(shipped, 3).digest


@pytest.mark.parametrize("where", [100, 3000, 200_000, -1])
def test_flipped_bit_anywhere_is_noticed(
    registry: Registry, settings: Settings, shipped: Checkpoint, where: int
) -> None:
    registry.versions.add_first(shipped)
    publish(registry, retrained(shipped, 2))
    replace_content(settings, 2, flipped(registry.versions.checkpoint(2), where))
    serving = CurrentVersion(registry)
    serving.poll()
    assert serving.predictor.version == 1
    assert serving.refused is not None


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
async def test_server_whose_served_version_is_damaged_starts_and_says_so(
    settings: Settings, registry: Registry, shipped: Checkpoint
) -> None:
    registry.versions.add_first(shipped)
    publish(registry, damaged(shipped))
    async with connect(settings) as client:
        ready = (await client.get("/readyz")).json()
        assert (ready["version"], ready["refused"][:23]) == (1, "version 2 is refused: n")
        metrics = (await client.get("/metrics")).json()
        assert (metrics["version"], metrics["refused"]) == (1, ready["refused"])
        assert "inkling_promotion_refused 1.0" in (await client.get("/metrics?format=prometheus")).text
        response = await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
        assert (response.status_code, response.json()["version"]) == (200, 1)
        # the version that stands in cannot be deleted
        assert (await client.delete("/versions/1")).status_code == 409
        publish(registry, retrained(shipped, 3))
        await eventually_answers(client, "/readyz", lambda response: response.json()["refused"] is None)


@pytest.mark.anyio
async def test_existing_registry_keeps_its_versions_at_the_next_start(
    settings: Settings, registry: Registry, shipped: Checkpoint
) -> None:
    publish(registry, retrained(shipped, 2))
    async with connect(settings) as client:
        versions = (await client.get("/versions")).json()["items"]
        assert [(item["version"], item["origin"]) for item in versions] == [(1, "run")]
