import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.admission.key_guesses import WRONG_KEYS
from app.main import create_app
from app.settings import Settings
from tests.app.test_errors import check_problem
from tests.support.services import BASE_URL

pytestmark = pytest.mark.anyio

KEY = "a-key-for-tests"


@asynccontextmanager
async def keyed(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings.model_copy(update={"api_key": SecretStr(KEY)}))
    async with app.router.lifespan_context(app):
        yield app


def client_at(app: FastAPI, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url=BASE_URL)


async def try_key(client: httpx.AsyncClient, key: str) -> httpx.Response:
    return await client.delete("/train/1", headers={"Authorization": f"Bearer {key}"})


async def test_guesses_are_slowed_and_logged_and_lock_nobody_else_out(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with keyed(settings) as app, client_at(app, "10.0.0.1") as guesser, client_at(app, "10.0.0.2") as owner:
        answers = [await try_key(guesser, f"wrong-key-{number}") for number in range(WRONG_KEYS + 5)]
        assert [answer.status_code for answer in answers] == [401] * WRONG_KEYS + [429] * 5
        check_problem(answers[-1], 429)
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert (await try_key(guesser, KEY)).status_code == 429  # or guessing would go on
        assert (await try_key(owner, KEY)).status_code == 404
        assert (await guesser.get("/versions")).is_success
        logged = [record for record in caplog.records if record.name == "app.security"]
        assert len(logged) == WRONG_KEYS
        assert all(record.levelno == logging.WARNING and "10.0.0.1" in record.getMessage() for record in logged)
        assert answers[0].headers["x-request-id"] in logged[0].getMessage()
        assert KEY not in caplog.text
        assert "wrong-key" not in caplog.text


async def test_right_keys_and_missing_ones_are_no_guesses(settings: Settings) -> None:
    async with keyed(settings) as app, client_at(app, "10.0.0.1") as client:
        for _ in range(2 * WRONG_KEYS):
            assert (await try_key(client, KEY)).status_code == 404
            assert (await client.delete("/train/1")).status_code == 401
        assert (await try_key(client, "wrong-key")).status_code == 401
