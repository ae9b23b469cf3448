import importlib.util
import logging
import re
import weakref
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.error_answers import answer_error
from app.errors import TABLE, slug
from app.settings import Settings
from inkling.errors import ImageError
from inkling.network.recipe import TUTORIAL
from tests.support.bodies import JSON, PNG, RAW
from tests.support.services import connect, eventually_answers, open_registry

pytestmark = pytest.mark.anyio

Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]

KEY = {"api_key": "a-key-for-tests"}
BEARER = {"Authorization": "Bearer a-key-for-tests"}


def check_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that a response is a problem as RFC 9457 and DESIGN section 5 want it, and return it."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    fields = {"type", "title", "status", "detail", "instance", "request_id"}
    assert fields <= body.keys() <= {*fields, "errors"}
    assert all(isinstance(body[name], str) and body[name] for name in fields - {"status"})
    assert body["status"] == status
    assert body["instance"] == response.request.url.path
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["type"] == "about:blank" or body["type"].startswith("/problems/")
    if body["type"] == "about:blank":
        assert body["title"] == HTTPStatus(status).phrase  # RFC 9457, section 4.2.1
    for error in body.get("errors", ()):
        assert error.keys() == {"field", "message", "value"}
    assert "Traceback" not in response.text
    assert '.py"' not in response.text
    return body


async def second_run(client: httpx.AsyncClient) -> httpx.Response:
    await client.post("/train")
    return await client.post("/train")


async def cancel_twice(client: httpx.AsyncClient) -> httpx.Response:
    location = (await client.post("/train")).headers["location"]
    await client.delete(location)
    return await client.delete(location)


async def other_request_under_the_same_key(client: httpx.AsyncClient) -> httpx.Response:
    headers = {"Idempotency-Key": "once"}
    await client.post("/train", headers=headers)
    return await client.post("/train", headers=headers, json={"promote": "always"})


async def promote_what_moved(client: httpx.AsyncClient) -> httpx.Response:
    return await client.put("/versions/current", json={"version": 1}, headers={"If-Match": '"7"'})


def post(path: str, content: bytes = b"", content_type: str = "", **headers: str) -> Ask:
    given = {"Content-Type": content_type} if content_type else {}
    return lambda client: client.post(path, content=content, headers={**given, **headers})


def get(path: str) -> Ask:
    return lambda client: client.get(path)


CASES: dict[str, tuple[int, Ask, dict[str, Any]]] = {
    "body that is not JSON": (400, post("/train", b"{", JSON), {}),
    "body that is null": (400, post("/train", b"null", JSON), {}),
    "body that is not UTF-8": (400, post("/train", b'"\xff"', JSON), {}),
    "body nested too deeply": (400, post("/train", b"[" * 60_000, JSON), {}),
    "body that is not what its type says": (400, post("/predict", b"{", JSON), {}),
    "no key": (401, post("/train"), KEY),
    "wrong key": (401, post("/train", Authorization="Bearer something else"), KEY),
    "page of another site": (403, post("/train", Origin="https://example.org"), {}),
    "no such path": (404, get("/nowhere"), {}),
    "no such run": (404, get("/train/7"), {}),
    "no such version": (404, get("/versions/7"), {}),
    "no such asset": (404, get("/docs/assets/nothing.js"), {}),
    "no such problem": (404, get("/problems/nothing"), {}),
    "method that is not taken": (405, get("/predict"), {}),
    "run that has ended": (409, cancel_twice, {}),
    "promotion that has moved": (412, promote_what_moved, {}),
    "body over the limit": (413, post("/predict", bytes(2000), RAW), {"max_body_bytes": 1024}),
    "images over the limit": (413, post("/predict", bytes(2 * 784), RAW), {"max_images": 1}),
    "type that is not taken": (415, post("/predict", b"x", "text/plain"), {}),
    "form where JSON is expected": (415, post("/train", b"a=b", "application/x-www-form-urlencoded"), {}),
    "not an image": (422, post("/predict", b"x", PNG), {}),
    "more images than one": (422, post("/explain", bytes(2 * 784), RAW), {}),
    "no digit": (422, post("/predict?fit=mnist", bytes(784), RAW), {}),
    "picture of a fit that answers none": (422, post("/predict?return_image=true", bytes(784), RAW), {}),
    "not a checkpoint": (422, post("/versions", b"x", RAW), {}),
    "unknown value of a parameter": (422, post("/predict?fit=loosely", bytes(784), RAW), {}),
    "parameter out of bounds": (422, get("/train?limit=0"), {}),
    "unknown field": (422, post("/train", b'{"recipes": 1}', JSON), {}),
    "field out of bounds": (422, post("/train", b'{"overrides": {"learning_rate": -1}}', JSON), {}),
    "field that is not a number": (422, post("/train", b'{"overrides": {"learning_rate": NaN}}', JSON), {}),
    "field of more than 64 bits": (422, post("/train", b'{"overrides": {"seed": 1%s}}' % (b"0" * 30), JSON), {}),
    "text with half a surrogate pair": (422, post("/train", b'{"promote": "\\ud800"}', JSON), {}),
    "field named by half a surrogate pair": (422, post("/train", b'{"\\ud800": 1}', JSON), {}),
    "fields that contradict each other": (
        422,
        post("/train", b'{"overrides": {"training_steps": 1000000, "display_step": 1}}', JSON),
        {},
    ),
    "other request under the same key": (422, other_request_under_the_same_key, {}),
    "too many runs": (429, second_run, {"max_queued_runs": 1}),
}


@pytest.mark.parametrize("name", CASES)
async def test_every_error_has_the_same_shape(settings: Settings, name: str) -> None:
    status, ask, changes = CASES[name]
    async with connect(Settings(**{**settings.model_dump(), **changes})) as client:
        response = await ask(client)
        body = check_problem(response, status)
        assert bool(response.headers.get("allow")) == (status == 405)
        assert bool(response.headers.get("retry-after")) == (status in (429, 503))
        assert bool(response.headers.get("www-authenticate")) == (status == 401)
        if body["type"] != "about:blank":
            kind = await client.get(body["type"])
            assert kind.status_code == 200
            assert (kind.json()["title"], kind.json()["status"]) == (body["title"], status)


def test_every_status_of_the_contract_is_tested() -> None:
    tested = {status for status, _, _ in CASES.values()} | {500, 503}
    tested |= {408, 431, 501}  # in tests/app/connections and tests/app/routes/test_exports.py
    assert tested == {400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 431, 500, 501, 503}
    assert {status for status, _ in TABLE.values()} <= tested


async def test_unforeseen_error_is_a_problem_without_its_traceback(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError("a secret of the server")

    app.add_api_route("/fail", fail)
    async with connect(app) as client:
        response = await client.get("/fail")
    body = check_problem(response, 500)
    assert "a secret" not in response.text
    assert body["request_id"] in body["detail"]
    logged = [record for record in caplog.records if record.name == "app.error_answers"]
    assert body["request_id"] in logged[0].getMessage()
    assert logged[0].exc_info
    assert str(logged[0].exc_info[1]) == "a secret of the server"


async def test_run_without_tensorflow_is_unavailable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tensorflow" else find_spec(name))
    async with connect(settings.model_copy(update={"trainer": "process"})) as client:
        response = await client.post("/train")
        assert (await client.get("/train")).json()["items"] == []
    body = check_problem(response, 503)
    assert "pip install '.[train]'" in body["detail"]
    assert int(response.headers["retry-after"]) > 0


async def test_registry_that_fails_is_unavailable_until_it_is_back(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    database = sqlalchemy.create_engine(settings.registry_url)
    failures: list[str] = []

    @sqlalchemy.event.listens_for(sqlalchemy.Engine, "handle_error")
    def count(context: sqlalchemy.ExceptionContext) -> None:
        failures.append(str(context.original_exception))

    async with connect(settings) as client:
        with database.begin() as connection:
            connection.execute(sqlalchemy.text("ALTER TABLE promotions RENAME TO hidden"))
        response = await client.get("/promotions")
        body = check_problem(response, 503)
        assert int(response.headers["retry-after"]) > 0
        assert "hidden" not in response.text
        assert "SELECT" not in response.text
        kind = (await client.get(body["type"])).json()
        assert kind["status"] == 503
        assert (await client.post("/predict", content=bytes(784), headers={"Content-Type": RAW})).is_success
        await eventually_answers(client, "/livez", lambda response: len(failures) > 3)  # the server looks on
        with database.begin() as connection:
            connection.execute(sqlalchemy.text("ALTER TABLE hidden RENAME TO promotions"))
        await eventually_answers(client, "/promotions", lambda response: response.is_success)
    sqlalchemy.event.remove(sqlalchemy.Engine, "handle_error", count)
    database.dispose()
    assert caplog.text.count("cannot read the registry") == 1  # once, not at every look


async def test_problems_are_listed_and_each_says_what_it_means(client: httpx.AsyncClient) -> None:
    kinds = (await client.get("/problems")).json()
    assert {(kind["status"], kind["title"]) for kind in kinds} >= set(TABLE.values())
    for kind in kinds:
        assert kind["meaning"]
        assert kind["meaning"] != SQLAlchemyError.__doc__  # it is not ours, and means nothing to a reader
        assert (await client.get(f"/problems/{slug(kind['title'])}")).json() == kind


def test_slugs_are_safe_in_a_path() -> None:
    slugs = [slug(title) for _, title in TABLE.values()]
    assert all(re.fullmatch("[a-z0-9-]+", name) for name in slugs)
    assert len(set(slugs)) == len(TABLE)


async def test_405_names_every_method_of_the_path(client: httpx.AsyncClient) -> None:
    def allowed(response: httpx.Response) -> set[str]:
        assert response.status_code == 405
        return {method.strip() for method in response.headers["allow"].split(",")}

    assert {"GET", "POST"} <= allowed(await client.put("/train"))
    assert {"GET", "DELETE"} <= allowed(await client.post("/train/1"))
    assert "POST" in allowed(await client.get("/predict"))
    assert "GET" in allowed(await client.post("/docs/assets/swagger-ui.css"))


async def test_validation_names_each_field_with_its_value_cut_short(client: httpx.AsyncClient) -> None:
    recipe = "x" * 1000
    response = await client.post("/train", json={"recipe": recipe, "overrides": {"seed": [1] * 500, "batch_size": 0}})
    body = check_problem(response, 422)
    errors = {error["field"]: error for error in body["errors"]}
    assert errors.keys() == {"body.recipe", "body.overrides.seed", "body.overrides.batch_size"}
    assert errors["body.overrides.batch_size"]["value"] == 0
    assert errors["body.recipe"]["value"] == recipe[:100]
    assert len(errors["body.overrides.seed"]["value"]) == 100
    assert all(error["message"] in body["detail"] for error in body["errors"])


async def test_wrong_parameter_is_named_whatever_the_body_is(client: httpx.AsyncClient) -> None:
    for content_type in (RAW, PNG, JSON, "multipart/form-data; boundary=x"):
        response = await client.post("/predict?fit=loosely", content=bytes(784), headers={"Content-Type": content_type})
        assert check_problem(response, 422)["errors"][0]["field"] == "query.fit"


async def test_rows_that_no_longer_fit_are_the_servers_mistake_not_the_clients(settings: Settings) -> None:
    with open_registry(settings) as registry:
        registry.runs.queue(TUTORIAL, "never", max_queued=1)
    database = sqlalchemy.create_engine(settings.registry_url)
    with database.begin() as connection:
        connection.execute(sqlalchemy.text("""UPDATE runs SET recipe = '{"batch_size": -1}'"""))
    database.dispose()
    async with connect(settings) as client:
        check_problem(await client.get("/train/1"), 500)


async def test_log_of_a_foreseen_error_has_no_traceback(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        check_problem(await client.get("/train/7"), 404)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_server_whose_registry_cannot_be_opened_does_not_start(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "inkling.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(sqlalchemy.exc.DatabaseError):
        async with connect(settings):
            pass


def test_answered_error_keeps_no_local_variable_of_the_calls_that_it_ended() -> None:
    class Body:
        """Stands for what was parsed; unlike a list, it can be watched."""

    def fail() -> None:
        body = Body()
        bodies.append(weakref.ref(body))
        raise ImageError("no image")

    bodies: list[weakref.ref[Body]] = []
    try:
        try:
            fail()
        except ImageError as cause:
            raise HTTPException(400) from cause
    except HTTPException as error:
        kept = error
    assert bodies[0]() is not None
    answer_error(Request({"type": "http", "method": "GET", "path": "/", "headers": []}), kept)
    assert bodies[0]() is None
