import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from app.admission.answer_headers import ANSWER_HEADERS
from tests.support.services import connect

pytestmark = pytest.mark.anyio

PATHS = ["/", "/docs", "/openapi.json", "/train", "/versions", "/versions/1", "/promotions", "/metrics", "/livez"]


@pytest.mark.parametrize("path", [*PATHS, "/problems", "/docs/assets/swagger-ui.css", "/versions/1/checkpoint"])
async def test_head_answers_the_head_of_get(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    ignored = {"x-request-id", "server-timing"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in get.headers.items() if k not in ignored
    }


async def test_head_of_readiness_has_the_length_of_its_own_age(client: httpx.AsyncClient) -> None:
    """`registry_age_s` has another number of digits in each answer, so the lengths may differ by those digits."""
    head, get = await client.head("/readyz"), await client.get("/readyz")
    assert (head.status_code, head.content) == (200, b"")
    digits = len("1234.567") - len("0.0")
    assert abs(int(head.headers["content-length"]) - len(get.content)) <= digits
    changing = {"x-request-id", "server-timing", "content-length"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }


async def test_head_where_there_is_no_get_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.head("/predict")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert (await client.head("/nowhere")).status_code == 404
    assert "HEAD" in (await client.put("/train")).headers["allow"]


async def test_head_of_a_stream_ends_at_once(app: FastAPI) -> None:
    async def stream() -> StreamingResponse:
        async def many() -> object:
            while True:
                yield b"x"

        return StreamingResponse(many())  # type: ignore[arg-type]

    app.add_api_route("/stream", stream)
    async with connect(app) as client:
        assert (await client.head("/stream")).content == b""


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/docs/assets/swagger-ui.css", "/docs/assets/none"])
async def test_every_answer_limits_what_a_browser_does_with_it(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    for name, value in ANSWER_HEADERS:
        assert response.headers.get_list(name.decode()) == [value.decode()]


async def test_predictions_and_refusals_have_the_headers_too(client: httpx.AsyncClient) -> None:
    raw = {"Content-Type": "application/octet-stream"}
    for response in (
        await client.post("/predict", content=bytes(784), headers=raw),
        await client.post("/predict?fit=strict", content=bytes(784), headers=raw),
        await client.post("/predict", content=b"x", headers=raw),
        await client.get("/livez", headers={"Host": "example.org"}),
    ):
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert response.headers["x-content-type-options"] == "nosniff"
