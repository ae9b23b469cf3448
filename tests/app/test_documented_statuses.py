import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.main import create_app
from app.settings import Settings
from tests.support.openapi import operations
from tests.support.services import connect

pytestmark = pytest.mark.anyio

DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = dict(operations(DOCUMENT))
UNUSUAL: dict[str, dict[str, Any]] = {
    "a foreign host": {"headers": {"Host": "attacker.example"}},
    "a large body": {"headers": {"Content-Length": "99999999"}},
    "an unknown parameter": {"params": {"nonsense": "1"}},
    "a body of another type": {"content": b"<digit/>", "headers": {"Content-Type": "text/xml"}},
    "a malformed body": {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "a foreign page": {"headers": {"Origin": "http://attacker.example"}},
}


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client, without the key, of a server that wants one."""
    async with connect(settings.model_copy(update={"api_key": SecretStr("a key for tests")})) as client:
        yield client


async def ask(client: httpx.AsyncClient, name: str, **request: Any) -> httpx.Response:
    """Make a call of the document, and check that the status of its answer is documented."""
    method, path = name.split()
    response = await client.request(method, re.sub(r"{\w+}", "7", path), **request)
    documented = OPERATIONS[name]["responses"]
    assert str(response.status_code) in documented, (name, response.text)
    content_type = response.headers.get("Content-Type", "").partition(";")[0]
    content = documented[str(response.status_code)].get("content", {"": "an empty answer"})
    assert content_type in content, (name, content_type)
    return response


@pytest.mark.parametrize("kind", UNUSUAL)
async def test_answers_to_unusual_requests_are_documented(client: httpx.AsyncClient, kind: str) -> None:
    for name in OPERATIONS:
        await ask(client, name, **UNUSUAL[kind])


async def test_calls_that_need_the_key_are_those_that_the_document_names(guarded: httpx.AsyncClient) -> None:
    for name, operation in OPERATIONS.items():
        needs_key = (await ask(guarded, name)).status_code == 401
        assert needs_key == bool(operation["security"]), name


async def test_rate_limit_is_documented_at_the_calls_that_have_it(settings: Settings) -> None:
    async with connect(settings.model_copy(update={"max_requests_per_minute": 1})) as client:
        await client.get("/versions")
        for name, operation in OPERATIONS.items():
            is_limited = (await ask(client, name)).status_code == 429
            assert is_limited == ("429" in operation["responses"]), name
