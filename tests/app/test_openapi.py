from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import SecretStr
from schemathesis.engine import events, from_schema

from app.errors import TABLE, HeadersTooLargeError, MalformedRequestError, RequestTimeoutError
from app.main import create_app
from app.protocol_paths import is_protocol_path
from app.settings import Settings
from inkling.network.recipe import TUTORIAL
from inkling.registry.registry import Registry
from tests.support.openapi import objects, operations

KEY = "a-key-for-tests"
EVENTS = "/train/{run_id}/events"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), trainer="external")).openapi()


def test_every_call_of_the_contract_is_documented_under_its_operation_id(document: dict[str, Any]) -> None:
    # Generators name their functions by these: a change breaks the programs that use them.
    assert {name: operation["operationId"] for name, operation in operations(document)} == {
        "POST /predict": "predict",
        "POST /explain": "explain",
        "POST /read": "read",
        "POST /labels": "label",
        "POST /train": "start_run",
        "GET /train": "list_runs",
        "GET /train/{run_id}": "get_run",
        "GET /train/{run_id}/events": "watch_run",
        "GET /train/{run_id}/weights": "get_weights",
        "DELETE /train/{run_id}": "cancel_run",
        "POST /searches": "start_search",
        "GET /searches": "list_searches",
        "GET /searches/{search_id}": "get_search",
        "DELETE /searches/{search_id}": "cancel_search",
        "GET /versions": "list_versions",
        "POST /versions": "upload_version",
        "GET /versions/current": "get_current_version",
        "GET /versions/{version}": "get_version",
        "DELETE /versions/{version}": "delete_version",
        "GET /versions/{version}/checkpoint": "download_checkpoint",
        "GET /versions/{version}/export": "export_version",
        "PUT /versions/current": "promote_version",
        "GET /promotions": "list_promotions",
        "GET /errors": "list_recent_errors",
        "GET /versions/{version}/units/{layer}/{unit}": "list_activating_images",
        "GET /versions/{version}/misread": "list_misread_images",
        "POST /feedback": "correct",
        "GET /feedback": "list_corrections",
        "DELETE /feedback": "delete_corrections",
        "GET /feedback/{correction}": "get_correction",
        "DELETE /feedback/{correction}": "delete_correction",
        "GET /metrics": "get_metrics",
        "GET /livez": "live",
        "GET /readyz": "ready",
        "GET /ping": "ping",
        "GET /version": "get_release",
        "GET /problems": "list_problems",
        "POST /invocations": "invoke",
        "POST /score": "score",
        "GET /v1/models": "v1_models",
        "POST /v1/models/{model}:predict": "v1_predict",
        "GET /v1/models/{model}": "v1_status",
        "GET /v1/models/{model}/metadata": "v1_metadata",
        "POST /v1/models/{model}/versions/{version}:predict": "v1_predict_version",
        "GET /v1/models/{model}/versions/{version}": "v1_status_version",
        "GET /v1/models/{model}/versions/{version}/metadata": "v1_metadata_version",
        "POST /v1/models/{model}/labels/{label}:predict": "v1_predict_label",
        "GET /v1/models/{model}/labels/{label}": "v1_status_label",
        "GET /v1/models/{model}/labels/{label}/metadata": "v1_metadata_label",
        "GET /v2": "v2_server",
        "GET /v2/health/live": "v2_live",
        "GET /v2/health/ready": "v2_ready",
        "GET /v2/models": "v2_models",
        "GET /v2/models/stats": "v2_all_statistics",
        "POST /v2/models/mnist/infer": "v2_infer",
        "POST /v2/models/mnist-files/infer": "v2_infer_files",
        "POST /v2/models/{model}/versions/{version}/infer": "v2_infer_version",
        "GET /v2/models/{model}": "v2_model",
        "GET /v2/models/{model}/ready": "v2_model_ready",
        "GET /v2/models/{model}/config": "v2_config",
        "GET /v2/models/{model}/stats": "v2_statistics",
        "GET /v2/models/{model}/versions/{version}": "v2_model_version",
        "GET /v2/models/{model}/versions/{version}/ready": "v2_model_ready_version",
        "GET /v2/models/{model}/versions/{version}/config": "v2_config_version",
        "GET /v2/models/{model}/versions/{version}/stats": "v2_statistics_version",
        "POST /v2/repository/index": "v2_index",
        "POST /v2/repository/models/{model}/load": "v2_load",
        "GET /v2/systemsharedmemory/status": "v2_system_memory_status",
        "GET /v2/systemsharedmemory/region/{region}/status": "v2_system_memory_status_region",
        "POST /v2/systemsharedmemory/unregister": "v2_system_memory_unregister",
        "POST /v2/systemsharedmemory/region/{region}/unregister": "v2_system_memory_unregister_region",
        "GET /v2/cudasharedmemory/status": "v2_cuda_memory_status",
        "GET /v2/cudasharedmemory/region/{region}/status": "v2_cuda_memory_status_region",
        "POST /v2/cudasharedmemory/unregister": "v2_cuda_memory_unregister",
        "POST /v2/cudasharedmemory/region/{region}/unregister": "v2_cuda_memory_unregister_region",
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in (node["$ref"] for node in objects(document) if isinstance(node.get("$ref"), str)):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_operation_says_what_it_does_under_a_declared_tag(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["summary"] != operation["operationId"].replace("_", " ").title(), name
        assert set(operation["tags"]) <= tags, name
        assert operation["tags"], name


def test_every_property_parameter_and_header_has_a_description(document: dict[str, Any]) -> None:
    def undescribed(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict) and "type" in node:
                yield from (f"{path}.{name}" for name, field in properties.items() if not field.get("description"))
            if "in" in node and "schema" in node and not node.get("description"):
                yield f"{path}: {node['name']}"
            for key, value in node.items():
                yield from undescribed(value, f"{path}.{key}")
        elif isinstance(node, list):
            for number, value in enumerate(node):
                yield from undescribed(value, f"{path}[{number}]")

    assert list(undescribed(document, "")) == []
    assert all(header["description"] for header in document["components"]["headers"].values())


def test_document_is_valid(document: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_document_names_its_version_license_contact_and_server(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["license"]["identifier"] == "MIT"
    assert document["info"]["contact"]["url"]
    # relative: right under any name, and below a prefix of a proxy
    assert [server["url"] for server in document["servers"]] == ["."]


def test_arrays_say_what_their_items_are(document: dict[str, Any]) -> None:
    for schema in objects(document):
        if schema.get("type") == "array":
            assert "items" in schema, schema


def test_bounds_have_the_names_of_json_schema(document: dict[str, Any]) -> None:
    accuracy = document["components"]["schemas"]["Evaluation"]["properties"]["accuracy"]
    assert (accuracy["minimum"], accuracy["maximum"]) == (0, 1)
    assert [schema for schema in objects(document) if schema.keys() & {"ge", "gt", "le", "lt"}] == []


def test_fields_that_an_answer_may_lack_are_not_null_when_they_are_there(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema, field in (
        ("Prediction", "normalized"),
        ("Prediction", "warnings"),
        ("Normalized", "image"),
        ("Problem", "errors"),
    ):
        assert field not in schemas[schema]["required"]
        assert "anyOf" not in schemas[schema]["properties"][field]


def test_answers_that_are_always_whole_require_every_field(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("RunDetail", "RunSummary", "VersionDetail", "PromotionDetail", "ServedMetrics", "Ready", "Live"):
        assert schemas[name]["required"] == list(schemas[name]["properties"]), name


def test_answers_name_their_headers(document: dict[str, Any]) -> None:
    headers = {
        "201": {"Location"},
        "202": {"Location"},
        "401": {"WWW-Authenticate"},
        "429": {"Retry-After"},
        "503": {"Retry-After"},
    }
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            expected = {"X-Request-ID", *headers.get(status, ())}
            assert expected <= response["headers"].keys(), (name, status)


OF_EVERY_CALL = (MalformedRequestError, RequestTimeoutError, HeadersTooLargeError)
"""Errors of the connection, before there is a call."""


def test_every_error_is_documented_with_an_example_of_its_shape(document: dict[str, Any]) -> None:
    documented = set()
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            if is_protocol_path(name.split()[1]):
                assert response["content"].keys() == {"application/json"}, (name, status)
                assert response["content"]["application/json"]["schema"]["$ref"].endswith("/ProtocolError")
                continue
            assert response["content"].keys() == {PROBLEM}, (name, status)
            content = response["content"][PROBLEM]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["examples"], (name, status)
            for example in content["examples"].values():
                value = example["value"]
                assert (value["status"], value["title"]) in TABLE.values()
                documented.add((value["status"], value["title"]))
                assert value["detail"]
                assert value["instance"].startswith("/")
    assert documented == set(TABLE.values()) - {TABLE[kind] for kind in OF_EVERY_CALL}


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        ("POST /predict", {400, 413, 415, 422, 503}),
        ("POST /explain", {400, 413, 415, 422, 503}),
        ("POST /read", {400, 413, 415, 422, 503}),
        ("POST /labels", {400, 413, 415, 422, 503}),
        ("POST /train", {400, 401, 403, 413, 415, 422, 429, 503}),
        ("GET /train/{run_id}", {404, 422}),
        ("DELETE /train/{run_id}", {401, 403, 404, 409, 422}),
        ("GET /train/{run_id}/events", {404, 422}),
        ("POST /searches", {400, 401, 403, 409, 413, 415, 422, 429, 503}),
        ("DELETE /searches/{search_id}", {401, 403, 404, 409, 422}),
        ("POST /versions", {401, 403, 413, 422}),
        ("GET /versions/current", {503}),
        ("PUT /versions/current", {400, 401, 403, 404, 412, 413, 415, 422}),
        ("GET /versions/{version}", {404, 422}),
        ("GET /versions/{version}/checkpoint", {404, 422}),
        ("GET /versions/{version}/export", {404, 422, 501}),
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
    assert secured == {
        "POST /train",
        "DELETE /train/{run_id}",
        "POST /searches",
        "DELETE /searches/{search_id}",
        "POST /versions",
        "PUT /versions/current",
        "DELETE /versions/{version}",
        "GET /errors",
        "GET /feedback",
        "DELETE /feedback",
        "GET /feedback/{correction}",
        "DELETE /feedback/{correction}",
        "POST /v2/repository/models/{model}/load",
    }
    bearer, header = document["components"]["securitySchemes"].values()
    assert (bearer["type"], bearer["scheme"]) == ("http", "bearer")
    assert (header["type"], header["in"], header["name"]) == ("apiKey", "header", "X-API-Key")
    assert [list(way) for way in document["paths"]["/train"]["post"]["security"]] == [["HTTPBearer"], ["APIKeyHeader"]]


def test_titles_of_statuses_are_http(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["description"] == HTTPStatus(int(status)).phrase


@pytest.mark.anyio
async def test_document_is_served_and_the_same_each_time(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    first = (await client.get("/openapi.json")).json()
    assert first == (await client.get("/openapi.json")).json()
    assert first == document
    assert first["openapi"].startswith("3.")


@pytest.mark.anyio
async def test_document_is_not_sent_again_to_who_has_it(client: httpx.AsyncClient) -> None:
    tag = (await client.get("/openapi.json")).headers["ETag"]
    again = await client.get("/openapi.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag


def test_document_is_whole_in_whatever_thread_it_is_asked_for(app: FastAPI) -> None:
    with ThreadPoolExecutor(8) as threads:
        documents = list(threads.map(lambda _: app.openapi(), range(8)))
    assert all(document["components"]["headers"] for document in documents)
    assert all(document is documents[0] for document in documents)


def fuzz(settings: Settings, *, events_only: bool) -> set[tuple[str, int]]:
    """Send generated requests, to the event streams or to all else; return the calls and statuses that came.

    Raises:
        AssertionError: an answer was undocumented, or the server's mistake.
    """
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {KEY}", "X-API-Key": KEY},
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
    open_settings = {"api_key": SecretStr(KEY), "feedback": "on", "max_feedback_per_minute": 100_000}
    app = create_app(settings.model_copy(update=open_settings))
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
                    is_refused = check.name == "ignored_auth" and exchange.response.status_code == 429
                    if check.failure_info is not None and not is_refused:  # 429: too many wrong keys before
                        sent = exchange.request
                        failures.add(
                            f"{sent.method} {sent.uri} {(sent.body or b'')[:300]!r}: "
                            f"{exchange.response.status_code}, {check.failure_info.failure.message}"
                        )
    assert not failures, "\n".join(sorted(failures))
    return answers


@pytest.mark.filterwarnings("default")  # schemathesis's own affairs
def test_generated_requests_meet_no_mistake_and_no_undocumented_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.admission.key_guesses.WRONG_KEYS", 100_000)  # or the right one would be refused after them
    answers = fuzz(settings, events_only=False)
    assert {
        ("POST /predict", 200),
        ("POST /explain", 200),
        ("POST /read", 200),
        ("POST /labels", 200),
        ("POST /train", 202),
        ("PUT /versions/current", 200),
    } <= answers
    assert {("POST /versions", 422), ("GET /versions/current", 200)} <= answers
    assert {("POST /feedback", 201), ("POST /feedback", 404), ("GET /feedback", 200)} <= answers


@pytest.mark.filterwarnings("default")
def test_generated_requests_for_events_meet_no_mistake(settings: Settings, registry: Registry) -> None:
    # given: runs that have ended, so that their streams end
    for _ in range(3):
        registry.runs.cancel(registry.runs.queue(TUTORIAL, "never", max_queued=1)[0].id)
    # then
    assert {(f"GET {EVENTS}", status) for status in (200, 404, 422)} <= fuzz(settings, events_only=True)
