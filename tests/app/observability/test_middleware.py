import logging
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.exposition import Exposition
from app.observability.metrics import Metrics
from app.observability.middleware import RequestMiddleware
from app.settings import Settings
from tests.support.bodies import JSON, RAW
from tests.support.servers import Server, start_server
from tests.support.services import connect

pytestmark = pytest.mark.anyio

LIMIT = 2048


@pytest.fixture
def small(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_body_bytes": LIMIT})


async def chunks(size: int, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(size)


# request ids


@pytest.mark.parametrize("given", ["a", "5f1c0f8e2b7a4d93", "A.b_c-1", "x" * 64])
async def test_safe_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    for path in ("/livez", "/nowhere"):
        response = await client.get(path, headers={"X-Request-ID": given})
        assert response.headers["x-request-id"] == given
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 65, "a\tb", "<script>", "a/b", "é", "a%0Ab", "a\x1b[31m"])
async def test_unsafe_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/livez", headers=[(b"X-Request-ID", given.encode())])
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])


async def test_request_ids_differ(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/livez")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


# the limit on bytes


async def test_body_at_the_limit_is_read(small: Settings) -> None:
    async with connect(small) as client:
        body = b'{"images": [[0]]}'.ljust(LIMIT)
        response = await client.post("/predict", content=body, headers={"Content-Type": JSON})
        assert response.status_code == 422
        response = await client.post("/predict", content=chunks(784, 2), headers={"Content-Type": RAW})
        assert response.status_code == 200


async def test_declared_length_over_the_limit_is_refused(small: Settings) -> None:
    async with connect(small) as client:
        response = await client.post("/predict", content=bytes(LIMIT + 1), headers={"Content-Type": RAW})
    assert response.status_code == 413
    assert response.json()["detail"] == (
        f"the body is {LIMIT + 1} bytes long, the limit is {LIMIT} (INKLING_MAX_BODY_BYTES)"
    )


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [("POST", "/predict", RAW), ("POST", "/train", JSON), ("PUT", "/versions/current", JSON)],
)
async def test_chunked_body_over_the_limit_is_refused(
    small: Settings, method: str, path: str, content_type: str
) -> None:
    async with connect(small) as client:
        response = await client.request(method, path, content=chunks(512, 1000), headers={"Content-Type": content_type})
    assert "content-length" not in response.request.headers
    assert response.status_code == 413
    assert response.json()["type"] == "/problems/too-large"
    assert f"more than {LIMIT}" in response.json()["detail"]


@pytest.mark.parametrize("length", ["nonsense", "-5", "+784", "\u00b2"])
async def test_length_that_is_no_length_is_no_crash(client: httpx.AsyncClient, length: str) -> None:
    headers = [(b"Content-Type", RAW.encode()), (b"Content-Length", length.encode("latin-1"))]
    response = await client.post("/predict", content=bytes(784), headers=headers)
    assert response.status_code < 500


def test_server_refuses_a_large_body_before_it_has_come(server: Server) -> None:
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 0), timeout=30) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n")
        connection.sendall(b"Content-Length: 999999999\r\n\r\n")  # and no byte of the body
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_server_refuses_a_chunked_body_over_the_limit_and_goes_on(server: Server) -> None:
    def megabytes() -> Iterator[bytes]:
        for _ in range(17):
            yield bytes(1 << 20)

    with server.client() as client:
        response = client.post("/predict", content=megabytes(), headers={"Content-Type": RAW})
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"
    with server.client() as client:
        assert client.get("/livez").is_success


# metrics, log, and the unforeseen


def wrapped(app: ASGIApp, metrics: Metrics, *, access_log: bool = False) -> httpx.AsyncClient:
    middleware = RequestMiddleware(app, metrics=metrics, max_body_bytes=LIMIT, access_log=access_log)
    return httpx.AsyncClient(transport=httpx.ASGITransport(middleware), base_url="http://127.0.0.1")


def statuses(metrics: Metrics) -> set[str]:
    content, _ = Exposition(metrics).encode("text/plain", None)
    return {
        sample.labels["status"]
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
        if sample.name == "inkling_requests_total"
    }


async def test_unforeseen_error_is_logged_under_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("unforeseen")

    async with wrapped(fail, Metrics()) as client:
        response = await client.get("/x", headers={"X-Request-ID": "this-request"})
    assert response.status_code == 500
    assert response.json()["request_id"] == response.headers["x-request-id"] == "this-request"
    assert "request this-request: GET /x" in caplog.text
    assert ("app.problems", logging.WARNING) in [(record.name, record.levelno) for record in caplog.records]
    assert "RuntimeError: unforeseen" in caplog.text


async def test_error_after_the_answer_began_breaks_the_connection() -> None:
    async def fail_late(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("too late")

    metrics = Metrics()
    async with wrapped(fail_late, metrics) as client:
        with pytest.raises(RuntimeError, match="too late"):
            await client.get("/")
    assert statuses(metrics) == {"200"}


async def test_client_that_does_not_wait_is_counted_as_closed() -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def disconnected() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError("nobody listens")

    metrics = Metrics()
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    await RequestMiddleware(read, metrics=metrics, max_body_bytes=LIMIT, access_log=False)(scope, disconnected, send)
    assert statuses(metrics) == {"499"}


async def test_what_is_not_http_passes_through() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        raise AssertionError("nothing is sent")

    await RequestMiddleware(app, metrics=Metrics(), max_body_bytes=LIMIT, access_log=True)(
        {"type": "lifespan"}, receive, send
    )
    assert seen == ["lifespan"]


async def test_access_log_has_a_line_a_request_only_when_it_is_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for is_on in (False, True):
        async with wrapped(PlainTextResponse("hello"), Metrics(), access_log=is_on) as client:
            await client.get("/x?secret=1", headers={"X-Request-ID": "this-request"})
        lines = [record.getMessage() for record in caplog.records if record.name == "app.access"]
        assert len(lines) == is_on
    assert re.fullmatch(r"GET /x 200 \d+\.\d ms this-request", lines[0])


async def test_answer_that_the_application_makes_keeps_its_headers(app: FastAPI, client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics", headers={"X-Request-ID": "abc"})
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert response.headers.get_list("x-request-id") == ["abc"]


@pytest.mark.parametrize("is_on", [False, True])
def test_server_logs_requests_only_when_asked_to(tmp_path: Path, is_on: bool) -> None:
    arguments = ("--trainer", "external", *(["--access-log"] if is_on else []))
    with start_server(tmp_path / "data", *arguments) as server, server.client() as client:
        client.get("/livez", headers={"X-Request-ID": "this-request"})
    lines = [line for line in server.log if "GET /livez 200" in line and line.endswith(" this-request")]
    assert len(lines) == is_on
