"""The fast route of POST /predict. With `?fit=strict`, the default, FastAPI answers: both answers must be equal."""

from collections import Counter

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from tests.support.bodies import JSON, MULTIPART, NPY, PNG, RAW, form, image_file, images_form, images_json
from tests.support.digits import make_digits
from tests.support.services import connect

pytestmark = pytest.mark.anyio

IMAGES = make_digits(100, seed=9)[0]


def seen(response: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return what must be equal of two answers: all but what is measured or made up."""
    headers = [(name, value) for name, value in response.headers.multi_items() if name != "server-timing"]
    return response.status_code, headers, response.content


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (images_form(IMAGES[:3]), {"Content-Type": MULTIPART}),
        (image_file(IMAGES[0]), {"Content-Type": PNG}),
        (image_file(IMAGES[0]), {"Content-Type": f"{PNG}; x=y", "Accept": NPY}),
        (IMAGES.tobytes(), {"Content-Type": RAW, "Accept": "text/html, */*"}),
        (images_json(IMAGES[0]), {"Content-Type": JSON, "Accept": JSON}),
        (b"", {"Content-Type": PNG}),
        (b"x", {}),
        (b"x", {"Content-Type": "text/plain"}),
        (b"x", {"Content-Type": PNG}),
        (bytes(785), {"Content-Type": RAW}),
        (bytes(784_001), {"Content-Type": RAW}),
        (form([("other", b"x")]), {"Content-Type": MULTIPART}),
        (form([("file", b"x"), ("fit", b"mnist")]), {"Content-Type": MULTIPART}),
        (image_file(IMAGES[0]), {"Content-Type": RAW}),
        ((255 - IMAGES[0]).tobytes(), {"Content-Type": RAW}),
        (b"[", {"Content-Type": JSON}),
        (bytes(2 << 20), {"Content-Type": RAW}),
    ],
)
async def test_fast_answer_is_fastapis(settings: Settings, body: bytes, headers: dict[str, str]) -> None:
    limited = settings.model_copy(update={"max_body_bytes": 1 << 20})
    async with connect(limited) as client:
        direct, by_fastapi = [
            await client.post(path, content=body, headers={**headers, "X-Request-ID": "one"})
            for path in ("/predict", "/predict?fit=strict")
        ]
    assert seen(direct) == seen(by_fastapi)


async def test_first_of_two_headers_counts(client: httpx.AsyncClient) -> None:
    headers = [("Content-Type", RAW), ("Content-Type", PNG), ("Accept", NPY), ("Accept", JSON)]
    direct, by_fastapi = [
        await client.post(path, content=bytes(784), headers=headers) for path in ("/predict", "/predict?fit=strict")
    ]
    assert direct.headers["content-type"] == by_fastapi.headers["content-type"] == NPY


async def test_other_methods_are_fastapis(client: httpx.AsyncClient) -> None:
    response = await client.get("/predict")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_both_ways_are_one_route_of_the_metrics(client: httpx.AsyncClient) -> None:
    for path in ("/predict", "/predict?fit=strict"):
        await client.post(path, content=bytes(784), headers={"Content-Type": RAW})
    families = text_string_to_metric_families((await client.get("/metrics?format=prometheus")).text)
    (counted,) = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "inkling_requests_total" and sample.labels["route"] == "/predict"
    ]
    assert counted == 2


class CountingMiddleware:
    """A plain ASGI middleware, as CORS and tracing are."""

    def __init__(self, app: ASGIApp, counts: Counter[str]) -> None:
        self._app, self._counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._counts[f"{scope['method']} {scope['path']}"] += 1
        await self._app(scope, receive, send)


async def test_middleware_that_is_added_to_the_app_sees_every_prediction(settings: Settings) -> None:
    app, counts = create_app(settings), Counter[str]()
    app.add_middleware(CountingMiddleware, counts=counts)
    async with connect(app) as client:
        for path in ("/predict", "/predict?fit=strict", "/predict"):
            assert (await client.post(path, content=bytes(784), headers={"Content-Type": RAW})).status_code == 200
        assert (await client.post("/predict", content=b"x", headers={"Content-Type": PNG})).status_code == 422
    assert counts == {"POST /predict": 4}


async def test_cors_middleware_answers_for_predictions(settings: Settings) -> None:
    app, origin = create_app(settings), "https://example.org"
    app.add_middleware(CORSMiddleware, allow_origins=[origin])
    async with connect(app) as client:
        headers = {"Content-Type": RAW, "Origin": origin}
        response = await client.post("/predict", content=bytes(784), headers=headers)
    assert response.headers["access-control-allow-origin"] == origin


async def test_client_that_left_while_it_sent_is_not_answered(app: FastAPI, client: httpx.AsyncClient) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError("nobody listens")

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    assert messages == []
