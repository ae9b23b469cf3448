import httpx
import pytest
from fastapi import FastAPI

from app.settings import Settings
from tests.support.services import connect, eventually_answers

pytestmark = pytest.mark.anyio


async def test_process_that_answers_lives(client: httpx.AsyncClient) -> None:
    response = await client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_server_with_a_version_is_ready(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    answer = response.json()
    assert 0 <= answer.pop("registry_age_s") < 30
    assert (response.status_code, answer) == (200, {"status": "ready", "version": 1, "refused": None, "stale": None})


async def test_application_can_be_started_again_after_its_end(app: FastAPI, settings: Settings) -> None:
    for _ in range(2):
        async with connect(app) as client:
            assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("is_unready", [False, True])
async def test_registry_that_has_not_answered_for_long_is_a_warning_or_503(
    settings: Settings, is_unready: bool
) -> None:
    changed = {"max_registry_age_s": 1, "registry_poll_s": 60, "unready_if_stale": is_unready}
    async with connect(settings.model_copy(update=changed)) as client:
        ready = await eventually_answers(
            client, "/readyz", lambda answer: answer.status_code == 503 or answer.json()["stale"] is not None
        )
    assert ready.status_code == (503 if is_unready else 200)
    assert "version 1 is served, which may not be the promoted one any more" in ready.text
