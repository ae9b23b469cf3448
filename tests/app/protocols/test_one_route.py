import httpx
import pytest
from fastapi import FastAPI

from inkling import __version__

pytestmark = pytest.mark.anyio


async def test_ping_answers_when_a_version_is_loaded(client: httpx.AsyncClient) -> None:
    response = await client.get("/ping")
    assert (response.status_code, response.json()["version"]) == (200, 1)
    assert (await client.head("/ping")).status_code == 200


async def test_ping_answers_503_from_the_moment_of_a_stop(client: httpx.AsyncClient, app: FastAPI) -> None:
    app.state.stopping.set()
    response = await client.get("/ping")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


async def test_release_is_answered_as_text(client: httpx.AsyncClient) -> None:
    response = await client.get("/version")
    assert (response.status_code, response.text) == (200, __version__)
    assert response.headers["Content-Type"].startswith("text/plain")
