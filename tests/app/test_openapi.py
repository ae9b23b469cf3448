from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import numpy as np
import pytest
import schemathesis
from fastapi import FastAPI
from pydantic import SecretStr
from schemathesis.engine import events, from_schema

from app.errors import TABLE
from app.main import create_app
from app.settings import Settings
from inkling.digit import Gray
from inkling.network.recipe import TUTORIAL
from inkling.registry.registry import Registry

KEY = "a key for tests"
EVENTS = "/train/{run_id}/events"
PROBLEM = "application/problem+json"


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or what its reference or its one alternative that is not null leads to."""
    for alternative in schema.get("anyOf", ()):
        if alternative != {"type": "null"}:
            return resolved(document, alternative)
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def test_every_call_of_the_contract_is_documented(document: dict[str, Any]) -> None:
    assert {name for name, _ in operations(document)} == {
        "POST /predict",
        "POST /explain",
        "POST /train",
        "GET /train",
        "GET /train/{run_id}",
        "GET /train/{run_id}/events",
        "DELETE /train/{run_id}",
        "GET /versions",
        "POST /versions",
        "GET /versions/current",
        "GET /versions/{version}",
        "GET /versions/{version}/checkpoint",
        "PUT /versions/current",
        "GET /promotions",
        "GET /metrics",
        "GET /livez",
        "GET /readyz",
        "GET /problems",
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in references(document):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_operation_says_what_it_does_under_a_name_of_its_own(document: dict[str, Any]) -> None:
    ids = []
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["tags"], name
        ids.append(operation["operationId"])
    assert len(set(ids)) == len(ids)


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    without = []
    for name, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            schema = resolved(document, content["schema"])
            has_properties_of_its_own = all(
                "example" in field or "examples" in field or "format" in field.get("items", {})
                for field in schema.get("properties", {"": {}}).values()
            )
            has_example = content.keys() & {"example", "examples"} or schema.keys() & {"example", "examples", "format"}
            if not has_example and not has_properties_of_its_own:
                without.append(f"{name} {media_type}")
    assert without == []


def test_every_error_is_documented_with_an_example_of_its_shape(document: dict[str, Any]) -> None:
    statuses = set()
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            statuses.add(int(status))
            assert response["content"].keys() == {PROBLEM}, (name, status)
            content = response["content"][PROBLEM]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["examples"], (name, status)
            for example in content["examples"].values():
                value = example["value"]
                assert (value["status"], value["title"]) in TABLE.values()
                assert value["detail"]
                assert value["instance"].startswith("/")
    assert {status for status, _ in TABLE.values()} <= statuses


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        ("POST /predict", {400, 413, 415, 422, 503}),
        ("POST /explain", {400, 413, 415, 422, 503}),
        ("POST /train", {400, 401, 403, 413, 415, 422, 429, 503}),
        ("GET /train/{run_id}", {404, 422}),
        ("DELETE /train/{run_id}", {401, 403, 404, 409, 422}),
        ("GET /train/{run_id}/events", {404, 422}),
        ("POST /versions", {401, 403, 413, 422}),
        ("GET /versions/current", {503}),
        ("PUT /versions/current", {400, 401, 403, 404, 412, 413, 415, 422}),
        ("GET /versions/{version}", {404, 422}),
        ("GET /versions/{version}/checkpoint", {404, 422}),
        ("GET /readyz", {503}),
        ("GET /metrics", {422, 503}),
    ],
)
def test_errors_that_a_call_can_meet_are_documented(
    document: dict[str, Any], operation: str, statuses: set[int]
) -> None:
    documented = {int(status) for status in dict(operations(document))[operation]["responses"]}
    assert statuses <= documented


def test_unsafe_calls_are_documented_with_the_key(document: dict[str, Any]) -> None:
    secured = {name for name, operation in operations(document) if operation.get("security")}
    assert secured == {"POST /train", "DELETE /train/{run_id}", "POST /versions", "PUT /versions/current"}
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_titles_of_statuses_are_http(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["description"] == HTTPStatus(int(status)).phrase


@pytest.mark.anyio
async def test_document_is_served_and_the_same_each_time(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    first = (await client.get("/openapi.json")).json()
    assert first == (await client.get("/openapi.json")).json()
    assert first["paths"].keys() == document["paths"].keys()
    assert first["openapi"].startswith("3.")


@pytest.mark.anyio
async def test_examples_of_json_bodies_work_when_sent(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    sent = 0
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema = resolved(document, content["schema"])
        examples = [example["value"] for example in content.get("examples", {}).values()]
        examples += schema.get("examples", [])
        examples += [content["example"]] if "example" in content else []
        method, path = name.split()
        for example in examples:
            response = await client.request(method, path, json=example)
            assert response.is_success, (name, response.text)
            sent += 1
    assert sent >= 3  # /predict, /train, /versions/current


@pytest.mark.anyio
async def test_answer_of_explain_has_the_documented_form(
    client: httpx.AsyncClient, document: dict[str, Any], digits: Gray
) -> None:
    content = document["paths"]["/explain"]["post"]["responses"]["200"]["content"]["application/json"]
    headers = {"Content-Type": "application/octet-stream"}
    answer, example = (
        (await client.post("/explain", content=digits[3].tobytes(), headers=headers)).json(),
        content["example"],
    )
    assert answer.keys() == example.keys() == set(resolved(document, content["schema"])["required"])
    assert answer["prediction"].keys() == example["prediction"].keys()
    assert np.shape(answer["contributions"]) == np.shape(example["contributions"]) == (28, 28)
    assert np.sum(example["contributions"]) == example["logit"] - example["baseline_logit"]


@pytest.mark.anyio
async def test_answer_of_predict_has_the_documented_form(
    client: httpx.AsyncClient, document: dict[str, Any], digits: Gray
) -> None:
    content = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    headers = {"Content-Type": "application/octet-stream"}
    answer = (await client.post("/predict", content=digits[3].tobytes(), headers=headers)).json()
    assert answer.keys() == content["example"].keys()
    assert answer["predictions"][0].keys() == content["example"]["predictions"][0].keys()
    assert answer.keys() == set(resolved(document, content["schema"])["required"])


def fuzz(settings: Settings, *, events_only: bool) -> set[tuple[str, int]]:
    """Send generated requests, to the event streams or to all else; return the calls and statuses that came.

    Raises:
        AssertionError: an answer was undocumented, or the server's mistake.
    """
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {KEY}"},
            "generation": {"max-examples": 25, "database": "none"},
            "phases": {"stateful": {"enabled": False}},
            "checks": {
                "enabled": False,
                "status_code_conformance": {"enabled": True},
                "content_type_conformance": {"enabled": True},
                "response_headers_conformance": {"enabled": True},
                "response_schema_conformance": {"enabled": True},
                "ignored_auth": {"enabled": True},
                "allow_header_conformance": {"enabled": True},
                "not_a_server_error": {"enabled": True, "expected-statuses": ["2xx", "3xx", "4xx", 503]},
            },
        }
    )
    app = create_app(settings.model_copy(update={"api_key": SecretStr(KEY)}))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    chosen = schema.include(path=EVENTS) if events_only else schema.exclude(path=EVENTS)
    failures, answers = set(), set()
    for event in from_schema(chosen).execute():
        assert not isinstance(event, events.FatalError), event
        if isinstance(event, events.NonFatalError):
            failures.add(str(event.value))
        elif isinstance(event, events.ScenarioFinished):
            for case, checks in event.recorder.checks.items():
                exchange = event.recorder.interactions[case]
                assert exchange.response is not None
                answers.add((event.recorder.label, exchange.response.status_code))
                for check in checks:
                    if check.failure_info is not None:
                        sent = exchange.request
                        failures.add(
                            f"{sent.method} {sent.uri} {(sent.body or b'')[:300]!r}: "
                            f"{exchange.response.status_code}, {check.failure_info.failure.message}"
                        )
    assert not failures, "\n".join(sorted(failures))
    return answers


@pytest.mark.filterwarnings("default")  # schemathesis's own affairs
def test_generated_requests_meet_no_mistake_and_no_undocumented_answer(settings: Settings) -> None:
    answers = fuzz(settings, events_only=False)
    assert {
        ("POST /predict", 200),
        ("POST /explain", 200),
        ("POST /train", 202),
        ("PUT /versions/current", 200),
    } <= answers
    assert {("POST /versions", 422), ("GET /versions/current", 200)} <= answers


@pytest.mark.filterwarnings("default")
def test_generated_requests_for_events_meet_no_mistake(settings: Settings, registry: Registry) -> None:
    # given: runs that have ended, so that their streams end
    for _ in range(3):
        registry.runs.cancel(registry.runs.queue(TUTORIAL, "never", max_queued=1)[0].id)
    # then
    assert {(f"GET {EVENTS}", status) for status in (200, 404, 422)} <= fuzz(settings, events_only=True)
