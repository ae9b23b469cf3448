"""The words of proxies about a request count from trusted ones only."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from app.admission.forwarded import FORWARDED_HOST, Forwarded
from app.main import create_app
from app.public_paths import public_prefix
from app.settings import Settings
from tests.support.services import connect

PROXY = "10.1.2.3"


def rewritten(
    forwarded: Forwarded, path: str = "/train", *, peer: str | None = PROXY, **headers: str
) -> dict[str, Any]:
    named = [(f"x-forwarded-{name}".encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "headers": named, "client": (peer, 1) if peer else None}
    forwarded.rewrite(scope)
    return scope


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that does nothing."""


TRUSTED = Forwarded(nothing, "", ("10.0.0.0/8", "::1"))


@pytest.mark.parametrize(
    ("given", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the first one is the client's own invention
        ("6.6.6.6, 203.0.113.9, 10.9.9.9", "203.0.113.9"),  # through two proxies
        ("10.8.8.8, 10.9.9.9", "10.8.8.8"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unknown", PROXY),
        ("203.0.113.9, \n forged", PROXY),
    ],
)
def test_client_is_the_last_address_that_is_no_proxy(given: str, client: str) -> None:
    assert rewritten(TRUSTED, **{"for": given})["client"][0] == client


@pytest.mark.parametrize("peer", ["203.0.113.1", "fe80::1%eth0", "unix", None])
def test_headers_of_strangers_count_for_nothing(peer: str | None) -> None:
    scope = rewritten(TRUSTED, peer=peer, prefix="/evil", host="evil.example", **{"for": "1.2.3.4"})
    assert scope["client"] == ((peer, 1) if peer else None)
    assert public_prefix(scope) == ""
    assert FORWARDED_HOST not in scope


def test_proxy_on_a_socket_for_ipv4_and_ipv6_is_known_by_its_ipv4_address() -> None:
    assert rewritten(TRUSTED, peer=f"::ffff:{PROXY}", **{"for": "1.2.3.4"})["client"] == ("1.2.3.4", 0)


@pytest.mark.parametrize(
    ("prefix", "public"),
    [("/inkling", "/inkling"), ("/a/, /b", "/a/b"), ("//evil.example", ""), ("/a b", ""), ("/" + "a" * 200, "")],
)
def test_prefix_is_a_path_and_nothing_else(prefix: str, public: str) -> None:
    assert public_prefix(rewritten(TRUSTED, prefix=prefix)) == public


@pytest.mark.parametrize(
    ("path", "inner"),
    [("/inkling/train", "/train"), ("/train", "/train"), ("/inkling", "/"), ("/inklings", "/inklings")],
)
def test_root_path_may_stay_in_the_path_or_be_taken_away(path: str, inner: str) -> None:
    scope = rewritten(Forwarded(nothing, "/inkling", ()), path, prefix="/ignored")
    assert (scope["path"], public_prefix(scope)) == (inner, "/inkling")


def test_every_proxy_may_be_trusted() -> None:
    assert rewritten(Forwarded(nothing, "", ("*",)), peer="203.0.113.1", prefix="/a", host="a.example") | {
        "headers": []
    } == {
        "type": "http",
        "path": "/train",
        "headers": [],
        "client": ("203.0.113.1", 1),
        "public_prefix": "/a",
        FORWARDED_HOST: "a.example",
    }


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.0/33", "10.0.0.1;10.0.0.2"])
def test_proxy_that_is_no_address_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="is no IP address"):
        Settings(trusted_proxies=wrong)


@pytest.mark.parametrize("wrong", ["inkling", "//inkling", "/a b", "/inkling?"])
def test_root_path_that_is_no_path_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="root_path"):
        Settings(root_path=wrong)


@pytest.mark.anyio
async def test_answers_name_paths_below_the_root_path(settings: Settings) -> None:
    async with connect(settings.model_copy(update={"root_path": "/inkling"})) as client:
        queued = await client.post("/inkling/train")
        assert (queued.status_code, queued.headers["location"]) == (202, "/inkling/train/1")
        problem = (await client.get("/inkling/train/7")).json()
        assert (problem["type"], problem["instance"]) == ("/inkling/problems/no-such-run", "/inkling/train/7")
        assert (await client.get(problem["type"])).is_success
        page = await client.get("/inkling")
        assert b'<base href="/inkling/">' in page.content


@pytest.mark.anyio
async def test_page_has_a_base_only_behind_a_prefix(app: FastAPI, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"trusted_proxies": "127.0.0.1"}))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        plain = await client.get("/")
        below = await client.get("/", headers={"X-Forwarded-Prefix": "/inkling"})
        assert b"<base" not in plain.content
        assert b'<base href="/inkling/">' in below.content
        assert plain.headers["etag"] != below.headers["etag"]
