import httpx
import pytest
from fastapi import FastAPI

from app.settings import Settings
from tests.support.services import connect

pytestmark = pytest.mark.anyio


async def test_process_that_answers_lives(client: httpx.AsyncClient) -> None:
    response = await client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_server_with_a_version_is_ready(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "version": 1, "refused": None})


async def test_application_can_be_started_again_after_its_end(app: FastAPI, settings: Settings) -> None:
    for _ in range(2):
        async with connect(app) as client:
            assert (await client.get("/readyz")).status_code == 200
