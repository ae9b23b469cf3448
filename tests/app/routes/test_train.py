from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.settings import Settings
from inkling.network.recipe import TUTORIAL
from inkling.registry.registry import Registry
from tests.support.services import connect

pytestmark = pytest.mark.anyio


async def start(client: httpx.AsyncClient, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    response = await client.post("/train", json=body, headers=headers)
    assert response.status_code == 202, response.text
    run: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/train/{run['id']}"
    return run


async def test_run_is_queued_with_the_tutorials_recipe(client: httpx.AsyncClient) -> None:
    run = await start(client)
    assert run["recipe"] == TUTORIAL.model_dump()
    assert (run["state"], run["promote"], run["step"], run["total_steps"]) == ("queued", "if_better", 0, 3000)
    assert (run["progress"], run["version"], run["error"], run["decision"]) == ([], None, None, None)
    requested_at = datetime.fromisoformat(run["requested_at"])
    assert timedelta() <= datetime.now(UTC) - requested_at < timedelta(minutes=1)
    assert (await client.get("/train/1")).json() == run


async def test_run_keeps_the_trace_that_its_request_names(client: httpx.AsyncClient, registry: Registry) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for header, kept in ((traceparent, traceparent), ("nonsense", None)):
        run = await start(client, traceparent=header)
        assert registry.runs.get(run["id"]).traceparent == kept


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_every_field_is_optional(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/train", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 202
    assert response.json()["recipe"] == TUTORIAL.model_dump()


async def test_overrides_change_fields_of_the_recipe(client: httpx.AsyncClient) -> None:
    overrides = {"learning_rate": 0.01, "training_steps": 500, "seed": 3, "batch_size": None}
    run = await start(client, {"recipe": "tutorial", "overrides": overrides, "promote": "never"})
    assert run["recipe"] == {**TUTORIAL.model_dump(), "learning_rate": 0.01, "training_steps": 500, "seed": 3}
    assert (run["promote"], run["total_steps"]) == ("never", 500)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"recipe": "magic"}, "body.recipe"),
        ({"promote": "sometimes"}, "body.promote"),
        ({"recepe": "tutorial"}, "body.recepe"),
        ({"overrides": {"name": "mine"}}, "body.overrides.name"),
        ({"overrides": {"epochs": 3}}, "body.overrides.epochs"),
        ({"overrides": {"learning_rate": 0}}, "body.overrides.learning_rate"),
        ({"overrides": {"learning_rate": "fast"}}, "body.overrides.learning_rate"),
        ({"overrides": {"batch_size": 10_000}}, "body.overrides.batch_size"),
        ({"overrides": {"batch_size": 1.5}}, "body.overrides.batch_size"),
        ({"overrides": {"batch_size": True}}, "body.overrides.batch_size"),
        ({"overrides": {"learning_rate": True}}, "body.overrides.learning_rate"),
        ({"overrides": {"seed": False}}, "body.overrides.seed"),
        ({"overrides": {"seed": "7"}}, "body.overrides.seed"),
        ({"overrides": {"training_steps": 100, "warmup_steps": 101}}, "body.overrides"),
        ({"recipe": "accurate", "overrides": {"training_steps": 999}}, "body.overrides"),
        ({"overrides": None}, "body.overrides"),
        ({"overrides": {"training_steps": 1_000_000, "display_step": 1}}, "body.overrides"),
        ([], "body"),
        ("tutorial", "body"),
    ],
)
async def test_wrong_field_is_named_and_queues_nothing(client: httpx.AsyncClient, body: Any, field: str) -> None:
    response = await client.post("/train", json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await client.get("/train")).json()["items"] == []


async def test_base_is_a_version(client: httpx.AsyncClient) -> None:
    assert (await start(client, {"overrides": {"base": 1, "feedback": 0.1}}))["recipe"]["base"] == 1
    response = await client.post("/train", json={"overrides": {"base": 9}})
    assert response.status_code == 422
    assert response.json()["detail"] == "base: there is no version 9; GET /versions lists them"


async def test_same_idempotency_key_starts_no_second_run(client: httpx.AsyncClient) -> None:
    body = {"promote": "always"}
    first = await start(client, body, **{"Idempotency-Key": "once"})
    again = await start(client, body, **{"Idempotency-Key": "once"})
    other = await start(client, body, **{"Idempotency-Key": "twice"})
    assert (first["id"], again["id"], other["id"]) == (1, 1, 2)
    response = await client.post("/train", headers={"Idempotency-Key": "once"})
    assert response.status_code == 422
    assert "'once' was used for another request, which made run 1" in response.json()["detail"]


async def test_same_idempotency_key_is_answered_even_when_the_queue_is_full(settings: Settings) -> None:
    async with connect(settings.model_copy(update={"max_queued_runs": 1})) as client:
        await start(client, None, **{"Idempotency-Key": "once"})
        assert (await start(client, None, **{"Idempotency-Key": "once"}))["id"] == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_idempotency_key_has_1_to_255_characters(client: httpx.AsyncClient, key: str) -> None:
    response = await client.post("/train", headers={"Idempotency-Key": key})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "header.idempotency-key"


async def test_full_queue_takes_no_run_until_one_is_cancelled(settings: Settings) -> None:
    async with connect(settings.model_copy(update={"max_queued_runs": 2})) as client:
        await start(client)
        await start(client)
        response = await client.post("/train")
        assert response.status_code == 429
        assert "2 runs are queued already, the limit is 2" in response.json()["detail"]
        assert (await client.delete("/train/1")).json()["state"] == "cancelled"
        assert (await start(client))["id"] == 3


async def test_runs_are_listed_newest_first_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    assert (await client.get("/train")).json() == {"items": [], "next": None}
    for _ in range(5):
        await start(client)
    first = (await client.get("/train?limit=2")).json()
    assert ([run["id"] for run in first["items"]], first["next"]) == ([5, 4], 4)
    second = (await client.get(f"/train?limit=2&before={first['next']}")).json()
    assert [run["id"] for run in second["items"]] == [3, 2]
    last = (await client.get(f"/train?limit=2&before={second['next']}")).json()
    assert ([run["id"] for run in last["items"]], last["next"]) == ([1], None)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "before=0", "before=99999999999999999999"])
async def test_page_out_of_bounds_is_refused(client: httpx.AsyncClient, query: str) -> None:
    for path in ("/train", "/versions", "/promotions"):
        assert (await client.get(f"{path}?{query}")).status_code == 422


async def test_cancelled_run_stays_cancelled(client: httpx.AsyncClient, registry: Registry) -> None:
    await start(client)
    cancelled = await client.delete("/train/1")
    assert cancelled.status_code == 200
    assert (cancelled.json()["state"], cancelled.json()["waits_for"]) == ("cancelled", None)
    assert cancelled.json()["finished_at"]
    assert registry.runs.claim(lease_s=30, owner="a test") is None
    again = await client.delete("/train/1")
    assert (again.status_code, again.json()["detail"]) == (409, "run 1 is cancelled: it cannot be cancelled any more")


async def test_run_being_trained_can_be_cancelled(client: httpx.AsyncClient, registry: Registry) -> None:
    await start(client)
    registry.runs.claim(lease_s=30, owner="a test")
    assert (await client.get("/train/1")).json()["state"] == "running"
    assert (await client.delete("/train/1")).json()["state"] == "cancelled"


@pytest.mark.parametrize("run_id", ["1", "7", str(2**31 - 1)])
async def test_unknown_run_is_404(client: httpx.AsyncClient, run_id: str) -> None:
    for response in (await client.get(f"/train/{run_id}"), await client.delete(f"/train/{run_id}")):
        assert response.status_code == 404
        assert response.json()["detail"] == f"there is no run {run_id}; GET /train lists them"


@pytest.mark.parametrize("run_id", ["0", "-1", "x", str(2**31), "1.5"])
async def test_run_id_that_cannot_be_one_is_422(client: httpx.AsyncClient, run_id: str) -> None:
    assert (await client.get(f"/train/{run_id}")).status_code == 422
    assert (await client.delete(f"/train/{run_id}")).status_code == 422


async def test_run_for_a_deleted_database_is_an_error(client: httpx.AsyncClient, settings: Settings) -> None:
    (settings.data_dir / "inkling.db").unlink()
    response = await client.post("/train")
    assert (response.status_code, response.json()["title"]) == (503, "The database file is gone")
    assert "was deleted while it was in use" in response.json()["detail"]
    assert (await client.get("/readyz")).status_code == 200
    assert not (settings.data_dir / "inkling.db").exists()
