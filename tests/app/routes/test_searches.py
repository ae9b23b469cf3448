"""/searches: start, list, watch and cancel searches."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from inkling.registry.registry import Registry
from tests.support.searches import claim, end_trial
from tests.support.services import connect

pytestmark = pytest.mark.anyio

BODY = {
    "overrides": {"training_steps": 60, "display_step": 20},
    "space": {"learning_rate": "log:0.001..0.1"},
    "trials": 8,
    "name": "rates",
}


async def start(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    return await client.post("/searches", json={**BODY, **fields})


async def test_search_is_started_once_and_ranks_its_trials(
    client: httpx.AsyncClient, registry: Registry, checkpoint: Checkpoint
) -> None:
    response = await start(client)
    search = response.json()
    assert response.status_code == 202, response.text
    assert response.headers["location"] == "/searches/1"
    assert (search["state"], search["trials"], search["generation"], search["ranking"]) == ("running", 8, 4, [])
    assert search["recipe"]["training_steps"] == 60
    assert (await start(client)).json() == search
    # when: a trainer has trained one of two trials
    found = registry.searches.get(1)
    recipes = [found.plan.recipe.with_overrides({"learning_rate": rate}) for rate in (0.01, 0.02)]
    registry.searches.queue_trials(found, 0, recipes, {})
    claim(registry)
    end_trial(registry, claim(registry), checkpoint, 0.25)
    # then
    best, other = (await client.get("/searches/1")).json()["ranking"]
    assert (best["trial"], best["run"], best["values"], best["validation_loss"], best["state"]) == (
        2, 2, {"learning_rate": 0.02}, 0.25, "succeeded",
    )  # fmt: skip
    assert best["interval_95"] == pytest.approx([0.8506, 0.9344], abs=1e-4)
    assert (other["state"], other["validation_loss"], other["interval_95"]) == ("running", None, None)
    run = (await client.get("/train/2")).json()
    assert (run["search"], run["trial"], run["progress"][-1]["validation_loss"]) == (1, 2, 0.25)


async def test_searches_are_listed_by_page_and_cancelled_once(client: httpx.AsyncClient) -> None:
    for number in (1, 2, 3):
        await start(client, name=None if number == 2 else f"search-{number}")
    page = (await client.get("/searches?limit=2")).json()
    assert [(item["id"], item["name"]) for item in page["items"]] == [(3, "search-3"), (2, None)]
    last = (await client.get(f"/searches?limit=2&before={page['next']}")).json()
    assert ([item["id"] for item in last["items"]], last["next"]) == ([1], None)
    assert (await client.delete("/searches/2")).json()["state"] == "cancelled"
    again = await client.delete("/searches/2")
    assert (again.status_code, again.json()["title"]) == (409, "The search has ended")
    missing = await client.get("/searches/9")
    assert (missing.status_code, missing.json()["detail"]) == (404, "there is no search 9; GET /searches lists them")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"space": {"learnin_rate": "0.1..1"}}, "body.space.learnin_rate", "did you mean learning_rate?"),
        ({"space": {"learning_rate": "0.1..2"}}, "body.space.learning_rate", "less than or equal to 1"),
        ({"space": {"learning_rate": 0.1}}, "body.space.learning_rate", "valid string"),
        ({"space": {}}, "body.space", "at least 1"),
        ({"space": {"training_steps": "10..60"}}, "body.space", "lower display_step"),
        ({"space": {f"field{i}": "0..1" for i in range(9)}}, "body.space", "at most 8"),
        ({"overrides": {"validation_size": 0}}, "body.space", "validation_size is 0"),
        ({"overrides": {"warmup_steps": 5000}}, "body.overrides", "warmup_steps is 5000"),
        ({"trials": 1001}, "body.trials", "less than or equal to 1000"),
        ({"trials": True}, "body.trials", "valid integer"),
        ({"generation": 0}, "body.generation", "greater than or equal to 1"),
        ({"name": "a b"}, "body.name", "pattern"),
        ({"promote": "always"}, "body.promote", "Extra inputs"),
    ],
    ids=str,
)
async def test_wrong_field_is_named_and_starts_nothing(
    client: httpx.AsyncClient, fields: dict[str, Any], field: str, words: str
) -> None:
    response = await start(client, **fields)
    assert response.status_code == 422
    assert [(error["field"], words in error["message"]) for error in response.json()["errors"]] == [(field, True)]
    assert (await client.get("/searches")).json()["items"] == []


async def test_refusals_say_what_to_do(settings: Settings) -> None:
    few = settings.model_copy(update={"max_queued_runs": 1, "max_versions": 12})
    async with connect(few) as client:
        base = await start(client, overrides={"base": 9})
        assert (base.status_code, "there is no version 9" in base.text) == (422, True)
        many = await start(client, trials=12)
        assert (many.status_code, many.json()["title"]) == (429, "Too many versions")
        assert (await start(client)).status_code == 202
        other = await start(client, seed=5)
        assert (other.status_code, other.json()["title"]) == (409, "The name is taken")
        full = await start(client, name=None)
        assert (full.status_code, full.json()["title"]) == (429, "Too many queued runs")


async def test_key_protects_what_changes_searches(settings: Settings) -> None:
    async with connect(settings.model_copy(update={"api_key": SecretStr("a long enough secret")})) as client:
        assert (await start(client)).status_code == 401
        assert (await client.delete("/searches/1")).status_code == 401
        assert (await client.get("/searches")).status_code == 200
