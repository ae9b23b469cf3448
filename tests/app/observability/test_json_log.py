"""The log of a real server as JSON: one object per record, whatever a client sends, and every problem in it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.bodies import JSON
from tests.support.ports import free_port
from tests.support.servers import Server, start_server
from tests.support.services import eventually
from tests.support.sockets import connect, read_answers

grpc = pytest.importorskip("grpc", reason="needs the extra grpc")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
FORGED = "/x%0d%0a%7b%22level%22%3a%22INFO%22%7d%1b[2J%c2%85%e2%80%a8%7f"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "INKLING_LOG_FORMAT": "JSON",
        "INKLING_GRPC_PORT": str(port),
        "INKLING_TRUSTED_PROXIES": "127.0.0.1",
        "INKLING_ACCESS_LOG": "true",
        "INKLING_TRAINER": "external",
    }
    with start_server(tmp_path_factory.mktemp("data"), **environment) as running:
        yield running
    for line in running.log:  # those of uvicorn and of the end, too
        assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
        assert re.fullmatch(r"[ -~]+", line)


def records(server: Server, request_id: str, logger: str = "app.problems") -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]]:
        entries = map(json.loads, list(server.log))
        return [each for each in entries if each.get("request_id") == request_id and each["logger"] == logger]

    return eventually(found, f"a record of {request_id} by {logger}")


PROBLEMS: dict[str, tuple[str, str, dict[str, Any], str, str]] = {
    "an image that is none": ("POST", "/predict", {"content": b"?"}, "/predict", "unsupported-media-type"),
    "an unknown parameter": ("POST", "/predict?fti=mnist", {}, "/predict", "invalid-field"),
    "a body that is not JSON": ("POST", "/train", {"content": b"{"}, "/train", "malformed-body"),
    "an unknown run": ("GET", "/train/77", {}, "/train/{run_id}", "no-such-run"),
    "an unknown path": ("GET", FORGED, {}, "unmatched", "not-found"),
    "Open Inference": ("GET", "/v2/models/resnet", {}, "/v2/models/{model}", "not-found"),
    "TensorFlow Serving": ("POST", "/v1/models/mnist:predict", {"content": b"{"}, "", "bad-request"),
    "SageMaker": ("POST", "/invocations", {"content": b"{}"}, "/invocations", "bad-request"),
    "an unknown call of a protocol": ("GET", "/v2/nowhere", {}, "unmatched", "not-found"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_is_a_record_with_the_request_and_its_route(server: Server, name: str) -> None:
    method, path, body, route, problem = PROBLEMS[name]
    headers = {"Content-Type": JSON} if body and path != "/predict" else {}
    with server.client() as client:
        answer = client.request(method, path, headers=headers, **body)
    request_id = answer.headers["x-request-id"]
    (record,) = records(server, request_id)
    (access,) = records(server, request_id, "app.access")
    assert record["problem"] == access["problem"] == problem
    assert record["route"] == (route or record["route"])
    assert (record["status"], record["method"], record["client"]) == (answer.status_code, method, "127.0.0.1")
    assert record["duration_ms"] > 0
    assert "trace_id" not in record
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028]", record["message"])


def test_trace_and_the_client_behind_a_trusted_proxy_are_in_the_record_and_the_answer(server: Server) -> None:
    headers = {"traceparent": TRACEPARENT, "X-Forwarded-For": "203.0.113.7", "X-Request-ID": "the-forger"}
    answer = httpx.get(f"{server.url}/train/77", headers=headers)
    assert answer.json()["trace_id"] == TRACE
    (record,) = records(server, "the-forger")
    assert (record["trace_id"], record["client"]) == (TRACE, "203.0.113.7")


def test_success_is_a_record_of_the_access_log(server: Server) -> None:
    answer = httpx.get(f"{server.url}/livez", headers={"traceparent": "00-nonsense"})
    (record,) = records(server, answer.headers["x-request-id"], "app.access")
    assert (record["status"], record["route"], record["level"]) == (200, "/livez", "INFO")
    assert not {"problem", "trace_id"} & record.keys()


def test_refusal_before_the_application_is_a_record(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET /train/7 HTTP/1.1\r\nno colon\r\n\r\n")
        (answer,) = read_answers(connection)
    (record,) = records(server, answer.json()["request_id"])
    assert (record["status"], record["problem"], record["client"]) == (400, "malformed-request", "127.0.0.1")


def test_grpc_call_that_fails_is_a_record_under_the_id_of_its_answer(server: Server, port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as failure:
            infer(b"\xff", timeout=30, metadata=(("x-request-id", "of-the-call"), ("traceparent", TRACEPARENT)))
    assert dict(failure.value.trailing_metadata())["x-request-id"] == "of-the-call"
    (record,) = records(server, "of-the-call")
    assert (record["status"], record["problem"], record["client"]) == (400, "bad-request", "127.0.0.1")
    assert (record["route"], record["trace_id"]) == ("/inference.GRPCInferenceService/ModelInfer", TRACE)
