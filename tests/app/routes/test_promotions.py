import dataclasses

import httpx
import pytest

from inkling.network.checkpoint import Checkpoint
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Comparison, Decision
from inkling.registry.registry import Registry
from tests.support.services import publish, retrained

pytestmark = pytest.mark.anyio


async def test_first_promotion_is_of_the_shipped_version(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/promotions")).json()
    assert listed["next"] is None
    (promotion,) = listed["items"]
    assert (promotion["id"], promotion["version"], promotion["policy"]) == (1, 1, "shipped")
    assert promotion["reason"] == "the version that Inkling ships with"
    assert (promotion["is_promoted"], promotion["compared_with"], promotion["comparison"]) == (True, None, None)


async def test_promotions_are_listed_newest_first_a_page_at_a_time(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint
) -> None:
    publish(registry, retrained(shipped, 2))
    registry.versions.promote(1, "a test rolls back")
    first = (await client.get("/promotions?limit=2")).json()
    assert [(item["version"], item["policy"]) for item in first["items"]] == [(1, "manual"), (2, "always")]
    assert first["items"][0]["reason"] == "a test rolls back"
    last = (await client.get(f"/promotions?limit=2&before={first['next']}")).json()
    assert ([item["id"] for item in last["items"]], last["next"]) == ([1], None)


async def test_refusal_is_listed_with_the_scores_that_decided(
    client: httpx.AsyncClient, registry: Registry, shipped: Checkpoint
) -> None:
    # given: a run whose version was worse than the served one
    comparison = Comparison(500, 430, 450, 10, 30, 0.999, 8, -0.25)
    registry.runs.queue(TUTORIAL, "if_better", max_queued=1)
    claim = registry.runs.claim(lease_s=30, owner="a test")
    assert claim
    # when
    registry.publish(claim, retrained(shipped, 2), lambda served: Decision(False, "it reads fewer", comparison))
    # then: the history says why, and the served version is still the first
    refusal, first = (await client.get("/promotions")).json()["items"]
    assert (refusal["version"], refusal["policy"], refusal["reason"]) == (2, "if_better", "it reads fewer")
    assert (refusal["is_promoted"], refusal["compared_with"]) == (False, 1)
    assert refusal["comparison"] == dataclasses.asdict(comparison)
    assert first["is_promoted"]
    current = await client.get("/versions/current")
    assert (current.json()["version"], current.headers["etag"]) == (1, f'"{first["id"]}"')
    ready = (await client.get("/readyz")).json()
    assert (ready["status"], ready["version"], ready["refused"]) == ("ready", 1, None)
