import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.api_route import ApiRoute
from app.query_rules import LENIENT_PATHS
from tests.app.test_errors import check_problem

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path", "name", "words"),
    [
        ("POST", "/predict?Fit=mnist", "Fit", "did you mean fit?"),
        ("POST", "/predict?fits=mnist", "fits", "did you mean fit?"),
        ("POST", "/predict?fit=mnist&return_images=true", "return_images", "did you mean return_image?"),
        ("POST", "/explain?digits=3", "digits", "did you mean digit?"),
        ("POST", "/predict?zzz=", "zzz", "which takes as, fit, none, remember, return_image"),
        ("POST", "/train?recipe=accurate", "recipe", "it belongs in the JSON body, as recipe"),
        ("POST", "/train?Learning_Rate=1", "Learning_Rate", "it belongs in the JSON body, as overrides.learning_rate"),
        ("POST", "/train?idempotency_key=a", "idempotency_key", "send it as the header"),
        ("PUT", "/versions/current?version=1", "version", "it belongs in the JSON body, as version"),
        ("GET", "/train?limits=3", "limits", "did you mean limit?"),
        ("GET", "/train/1?x=1", "x", "which takes none"),
        ("DELETE", "/train/1?force=1", "force", "which takes none"),
        ("GET", "/train/1/events?after=3", "after", "which takes none"),
        ("GET", "/versions/current?x", "x", "which takes none"),
        ("GET", "/metrics?Format=prometheus", "Format", "did you mean format?"),
        ("GET", "/metrics?accept=text/plain", "accept", "send it as the header accept"),
        ("GET", "/promotions?page=2", "page", "not a query parameter"),
        ("GET", "/problems?x=1", "x", "which takes none"),
        ("POST", "/versions?promote=always", "promote", "which takes none"),
        ("POST", "/predict?fit=strict&fit=mnist", "fit", "given 2 times, expected once"),
        ("GET", "/train?limit=1&limit=1", "limit", "given 2 times"),
    ],
)
async def test_parameter_that_nobody_reads_is_named(
    client: httpx.AsyncClient, method: str, path: str, name: str, words: str
) -> None:
    body = check_problem(await client.request(method, path), 422)
    assert [error["field"] for error in body["errors"]] == [f"query.{name}"]
    assert words in body["errors"][0]["message"]
    assert words in body["detail"]
    assert (await client.get("/train")).json()["items"] == []


async def test_no_call_takes_an_unknown_parameter(app: FastAPI, client: httpx.AsyncClient) -> None:
    checked = 0
    for context in iter_route_contexts(app.routes):
        if getattr(context, "include_in_schema", False) and context.path not in LENIENT_PATHS:
            assert isinstance(context.original_route, ApiRoute), context.path
            path = (context.path or "").replace("{run_id}", "1").replace("{version}", "1")
            for method in context.methods or ():
                assert (await client.request(method, f"{path}?qqq=1")).status_code == 422, (method, path)
                checked += 1
    assert checked > 12


async def test_probes_and_pages_ignore_what_is_appended(client: httpx.AsyncClient) -> None:
    for path in ("/livez", "/readyz", "/ping", "/", "/docs", "/openapi.json"):
        assert (await client.get(f"{path}?utm_source=x&utm_source=y")).is_success


async def test_many_unknown_parameters_are_answered_shortly(client: httpx.AsyncClient) -> None:
    query = "&".join(f"{'p' * 200}{i}={'v' * 200}" for i in range(100))
    response = await client.get(f"/train?{query}")
    body = check_problem(response, 422)
    assert len(body["errors"]) == 20
    assert body["detail"].endswith("; and 80 more")
    assert len(response.content) < 20_000
