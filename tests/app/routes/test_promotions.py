import httpx
import pytest

from tests.app.services import publish, retrained
from training.checkpoint import Checkpoint
from training.registry import Registry

pytestmark = pytest.mark.anyio


async def test_first_promotion_is_of_the_shipped_version(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/promotions")).json()
    assert listed["next"] is None
    (promotion,) = listed["items"]
    assert (promotion["id"], promotion["version"], promotion["policy"]) == (1, 1, "shipped")
    assert promotion["reason"] == "the version that Inkling ships with"


async def test_promotions_are_listed_newest_first_a_page_at_a_time(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint
) -> None:
    publish(registry, retrained(shipped, 2))
    registry.promote(1, "a test rolls back")
    first = (await client.get("/promotions?limit=2")).json()
    assert [(item["version"], item["policy"]) for item in first["items"]] == [(1, "manual"), (2, "always")]
    assert first["items"][0]["reason"] == "a test rolls back"
    last = (await client.get(f"/promotions?limit=2&before={first['next']}")).json()
    assert ([item["id"] for item in last["items"]], last["next"]) == ([1], None)
