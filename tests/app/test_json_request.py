import json
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from app.json_request import MAX_JSON_BYTES
from app.settings import Settings
from tests.app.test_errors import check_problem
from tests.support.bodies import JSON
from tests.support.servers import start_server
from tests.support.services import connect

pytestmark = pytest.mark.anyio

CALLS = [("POST", "/train"), ("PUT", "/versions/current")]


async def send(
    client: httpx.AsyncClient, body: bytes, content_type: str | None = JSON, method: str = "POST", path: str = "/train"
) -> httpx.Response:
    headers = {"Content-Type": content_type} if content_type is not None else {}
    return await client.request(method, path, content=body, headers=headers)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"promote": "never"}'.encode("utf-16"), "UTF-16"),
        ('{"promote": "never"}'.encode("utf-16-le"), "UTF-16"),
        ('{"promote": "never"}'.encode("utf-16-be"), "UTF-16"),
        ('{"promote": "never"}'.encode("utf-32"), "UTF-16 or UTF-32"),
        ('{"promote": "né"}'.encode("latin-1"), "not UTF-8, from byte 14"),
        (b'{"promote": "never", "promote": "always"}', "'promote' is given twice"),
        (b'{"overrides": {"seed": 1, "seed": 2}}', "'seed' is given twice"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "given twice"),
        (b"{", "not JSON: "),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"overrides": {"seed": 1%s}}' % (b"0" * 5000), "not JSON: "),
        (b'{"promote": "never"} x', "not JSON: "),
    ],
)
async def test_ambiguous_or_broken_json_is_refused_with_the_reason(
    client: httpx.AsyncClient, body: bytes, words: str
) -> None:
    for method, path in CALLS:
        assert words in check_problem(await send(client, body, method=method, path=path), 400)["detail"]
    assert (await client.get("/train")).json()["items"] == []


@pytest.mark.parametrize("value", ["true", "1.0", '"1"', "NaN", "Infinity", "null", "[1]", "1e3"])
async def test_what_is_no_integer_is_refused(client: httpx.AsyncClient, value: str) -> None:
    assert (
        await send(client, b'{"version": %s}' % value.encode(), method="PUT", path="/versions/current")
    ).status_code == 422
    if value != "null":  # of an override: as if it was not given
        for name in ("seed", "batch_size", "training_steps"):
            body = check_problem(
                await send(client, b'{"overrides": {"%s": %s}}' % (name.encode(), value.encode())), 422
            )
            assert body["errors"][0]["field"].startswith(f"body.overrides.{name}")
    assert (await client.get("/train")).json()["items"] == []


@pytest.mark.parametrize("value", ["true", '"0.5"', "NaN", "-Infinity"])
async def test_what_is_no_number_is_refused(client: httpx.AsyncClient, value: str) -> None:
    assert (await send(client, b'{"overrides": {"learning_rate": %s}}' % value.encode())).status_code == 422


async def test_byte_order_mark_and_plain_integers_are_read(client: httpx.AsyncClient) -> None:
    response = await send(client, b"\xef\xbb\xbf" + b'{"overrides": {"seed": 3, "learning_rate": 1}}')
    assert response.status_code == 202
    assert (response.json()["recipe"]["seed"], response.json()["recipe"]["learning_rate"]) == (3, 1)


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "image/png", "x"]
)
async def test_body_that_is_not_sent_as_json_never_runs_on_defaults(
    client: httpx.AsyncClient, content_type: str | None
) -> None:
    for body in (b'{"promote": "never"}', b" ", b"a=b"):
        assert "application/json" in check_problem(await send(client, body, content_type), 415)["detail"]
    assert (await client.get("/train")).json()["items"] == []


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
async def test_json_by_any_of_its_names_is_read(client: httpx.AsyncClient, content_type: str) -> None:
    assert (await send(client, b'{"promote": "never"}', content_type)).json()["promote"] == "never"


async def test_declared_body_that_does_not_come_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"Content-Length": "20", "Content-Type": JSON}
    assert "did not come" in check_problem(await client.post("/train", headers=headers), 400)["detail"]
    assert (await client.get("/train")).json()["items"] == []


async def test_json_calls_take_little(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    for method, path in CALLS:
        for response in (
            await send(client, b" " * (MAX_JSON_BYTES + 1), method=method, path=path),
            await client.request(method, path, content=chunks(), headers={"Content-Type": JSON}),
        ):
            assert str(MAX_JSON_BYTES) in check_problem(response, 413)["detail"]
            assert response.headers["connection"] == "close"
    assert (await send(client, b"{}".ljust(MAX_JSON_BYTES))).status_code == 202


async def test_unknown_keys_are_answered_shortly(client: httpx.AsyncClient) -> None:
    body = json.dumps({f"k{i}": i for i in range(4000)}).encode()
    assert len(body) < MAX_JSON_BYTES
    response = await send(client, body)
    problem = check_problem(response, 422)
    assert len(problem["errors"]) == 20
    assert problem["detail"].endswith("; and 3980 more")
    assert len(response.content) < 10_000
    long = await send(client, json.dumps({"k" * 30_000: "v" * 30_000}).encode())
    assert len(long.content) < 2_000
    assert len(check_problem(long, 422)["errors"][0]["field"]) < 200


@pytest.mark.parametrize("declared", [16 << 20, 70_000])
def test_key_is_required_before_the_body_is_read(tmp_path_factory: pytest.TempPathFactory, declared: int) -> None:
    data_dir = tmp_path_factory.mktemp("data")
    with start_server(data_dir, "--trainer", "external", INKLING_API_KEY="a-key-for-tests") as server:
        url = httpx.URL(server.url)
        for call in (b"POST /train", b"PUT /versions/current", b"POST /versions"):
            with socket.create_connection((url.host, url.port or 0), timeout=30) as connection:
                connection.sendall(call + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
                connection.sendall(b"Content-Length: %d\r\n\r\n" % declared)  # and no byte of the body
                answer = b""
                while received := connection.recv(65536):  # until the server closes
                    answer += received
            assert answer.startswith(b"HTTP/1.1 401 ")
            assert b"connection: close" in answer.lower()


async def test_origin_is_checked_before_the_body(settings: Settings) -> None:
    async with connect(settings) as client:
        headers = {"Origin": "https://example.org", "Content-Type": JSON}
        for method, path in CALLS:
            assert (await client.request(method, path, content=b"{", headers=headers)).status_code == 403
