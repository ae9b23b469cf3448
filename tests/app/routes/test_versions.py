import hashlib

import httpx
import pytest

from tests.app.bodies import RAW
from tests.app.services import publish, retrained
from training import checkpoint
from training.checkpoint import Checkpoint
from training.registry import Registry

pytestmark = pytest.mark.anyio


@pytest.fixture
def second(client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint) -> Checkpoint:
    """A second version, published and not promoted."""
    new = retrained(shipped, 2)
    publish(registry, new, promoted=False)
    return new


async def test_shipped_network_is_version_1_of_a_new_registry(client: httpx.AsyncClient, shipped: Checkpoint) -> None:
    listed = (await client.get("/versions")).json()
    assert listed["next"] is None
    (version,) = listed["items"]
    assert (version["version"], version["run_id"], version["origin"]) == (1, None, "shipped")
    assert version["digest"] == shipped.digest
    assert version["evaluation"]["accuracy"] == shipped.card.evaluation.accuracy
    assert (await client.get("/versions/1")).json() == version


async def test_versions_are_listed_newest_first_a_page_at_a_time(client: httpx.AsyncClient, second: Checkpoint) -> None:
    first = (await client.get("/versions?limit=1")).json()
    assert ([item["version"] for item in first["items"]], first["next"]) == ([2], 2)
    last = (await client.get("/versions?limit=1&before=2")).json()
    assert [item["version"] for item in last["items"]] == [1]


async def test_checkpoint_is_downloaded_as_it_was_published(client: httpx.AsyncClient, second: Checkpoint) -> None:
    response = await client.get("/versions/2/checkpoint")
    assert response.content == second.content
    assert checkpoint.load(response.content).digest == second.digest
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == 'attachment; filename="inkling-2.safetensors"'
    assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'


async def test_promoted_version_is_served_at_once_and_rolled_back(
    client: httpx.AsyncClient, second: Checkpoint
) -> None:
    for version in (2, 1):
        response = await client.put("/versions/current", json={"version": version})
        assert response.status_code == 200
        promotion = response.json()
        assert (promotion["version"], promotion["policy"]) == (version, "manual")
        assert promotion["reason"] == "asked for by PUT /versions/current"
        answer = await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})
        assert answer.json()["version"] == version
    listed = (await client.get("/promotions")).json()["items"]
    assert [item["version"] for item in listed] == [1, 2, 1]


async def test_promoting_the_served_version_again_changes_nothing(client: httpx.AsyncClient) -> None:
    response = await client.put("/versions/current", json={"version": 1})
    assert (response.status_code, response.json()["policy"]) == (200, "shipped")
    assert len((await client.get("/promotions")).json()["items"]) == 1


async def test_unknown_version_is_404_and_the_served_one_stays(client: httpx.AsyncClient) -> None:
    for response in (
        await client.get("/versions/7"),
        await client.get("/versions/7/checkpoint"),
        await client.put("/versions/current", json={"version": 7}),
    ):
        assert response.status_code == 404
        assert response.json()["detail"] == "there is no version 7; GET /versions lists them"
    assert (await client.get("/readyz")).json()["version"] == 1


@pytest.mark.parametrize("body", [{}, {"version": 0}, {"version": 2**31}, {"version": "x"}, {"version": 1, "to": 2}])
async def test_promotion_of_what_is_no_version_is_422(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await client.put("/versions/current", json=body)).status_code == 422


@pytest.mark.parametrize("version", ["0", "x", str(2**31)])
async def test_version_that_cannot_be_one_is_422(client: httpx.AsyncClient, version: str) -> None:
    assert (await client.get(f"/versions/{version}")).status_code == 422
    assert (await client.get(f"/versions/{version}/checkpoint")).status_code == 422
