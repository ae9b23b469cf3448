"""Traces of a real server and its trainer, as a collector of OpenTelemetry receives them."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.bodies import RAW, image_file
from tests.support.collector import Collector, Span, collect
from tests.support.ports import free_port
from tests.support.servers import Server, start_server
from tests.support.services import eventually

pytest.importorskip("opentelemetry.sdk", reason="needs the extra otel")
grpc = pytest.importorskip("grpc", reason="needs the extra grpc")

PARENT = "00f067aa0ba902b7"
SERVER, CONSUMER = 2, 5
"""Kinds of spans."""


def traceparent(number: int, flags: str = "01") -> tuple[str, dict[str, str]]:
    """Return the id of a trace, and the header of a request in it."""
    trace_id = f"4bf92f3577b34da6a3ce929d0e0e47{number:02x}"
    return trace_id, {"traceparent": f"00-{trace_id}-{PARENT}-{flags}"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collect() as collector:
        yield collector


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(
    collector: Collector, port: int, small_mnist_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "INKLING_LOG_FORMAT": "json",
        "INKLING_MNIST_DIR": str(small_mnist_dir),
        "INKLING_GRPC_PORT": str(port),
    }
    with start_server(tmp_path_factory.mktemp("data"), **environment) as server:
        yield server


def children(collector: Collector, parent: Span, *names: str) -> dict[str, Span]:
    """Wait for the children of a span, which are within its time."""

    def found() -> dict[str, Span] | None:
        spans = {each.name: each for each in collector.trace(parent.trace_id) if each.parent_id == parent.span_id}
        return spans if set(names) <= spans.keys() else None

    spans = eventually(found, f"the children {names} of {parent.name}")
    for span in spans.values():
        assert parent.started <= span.started <= span.ended <= parent.ended
    return spans


def test_prediction_is_a_span_of_the_clients_trace_with_its_steps(server: Server, collector: Collector) -> None:
    trace_id, headers = traceparent(1)
    answer = httpx.post(f"{server.url}/predict", content=bytes(784), headers={"Content-Type": RAW, **headers})
    span = collector.named("POST /predict", trace_id)
    assert (span.parent_id, span.kind, span.service) == (PARENT, SERVER, "inkling-server")
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["inkling.request_id"] == answer.headers["x-request-id"]
    steps = children(collector, span, "decode", "model", "encode")
    assert steps["decode"].ended <= steps["model"].ended <= steps["encode"].ended


def test_picture_is_normalized_in_the_span_of_its_decoding(server: Server, collector: Collector) -> None:
    trace_id, headers = traceparent(2)
    picture = np.zeros((280, 280), np.uint8)
    picture[60:220, 130:150] = 255
    files = {"file": image_file(picture)}
    assert httpx.post(f"{server.url}/predict?fit=mnist", files=files, headers=headers).is_success
    steps = children(collector, collector.named("POST /predict", trace_id), "decode", "model", "encode")
    children(collector, steps["decode"], "normalize")


def test_call_of_the_registry_is_a_span_with_its_name(server: Server, collector: Collector) -> None:
    trace_id, headers = traceparent(3)
    assert httpx.get(f"{server.url}/versions", headers=headers).is_success
    children(collector, collector.named("GET /versions", trace_id), "registry Versions.newest")


def test_problem_and_its_record_name_the_trace_that_the_server_began(server: Server, collector: Collector) -> None:
    answer = httpx.get(f"{server.url}/v1/models/resnet", headers={"X-Request-ID": "of-a-protocol"})
    own = httpx.get(f"{server.url}/train/77").json()
    span = collector.named("GET /train/{run_id}", own["trace_id"])
    assert (span.attributes["inkling.problem"], span.attributes["http.response.status_code"]) == ("no-such-run", 404)
    assert (span.parent_id, span.is_failed, answer.status_code) == ("", False, 404)
    records = eventually(lambda: [line for line in map(json.loads, list(server.log)) if "problem" in line][1:], "both")
    assert records[-1]["trace_id"] == own["trace_id"]
    assert collector.named("GET /v1/models/{model}").attributes["inkling.request_id"] == "of-a-protocol"


def test_trace_that_its_client_does_not_record_is_not_recorded(server: Server, collector: Collector) -> None:
    trace_id, headers = traceparent(4, flags="00")
    assert httpx.get(f"{server.url}/train/77", headers=headers).json()["trace_id"] == trace_id
    later_id, headers = traceparent(5)
    assert httpx.head(f"{server.url}/livez", headers=headers).is_success
    collector.named("GET /livez", later_id)
    assert collector.trace(trace_id) == []


def test_call_of_grpc_is_a_span_of_the_clients_trace(server: Server, collector: Collector, port: int) -> None:
    trace_id, headers = traceparent(6)
    path = "/inference.GRPCInferenceService/ModelInfer"
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(path)(b"\xff", timeout=30, metadata=tuple(headers.items()))
    span = collector.named(path, trace_id)
    assert (span.parent_id, span.kind, span.attributes["http.response.status_code"]) == (PARENT, SERVER, 400)


@pytest.mark.train
def test_run_is_a_trace_that_its_trainer_continues(server: Server, collector: Collector) -> None:
    trace_id, headers = traceparent(7)
    recipe = {"training_steps": 40, "display_step": 20, "batch_size": 32, "validation_size": 200}
    answer = httpx.post(f"{server.url}/train", json={"overrides": recipe, "promote": "always"}, headers=headers)
    assert answer.status_code == 202
    queued = collector.named("POST /train", trace_id)
    run = collector.named("run", trace_id)
    assert (run.parent_id, run.kind, run.service) == (queued.span_id, CONSUMER, "inkling-trainer")
    assert (run.attributes["inkling.run"], run.attributes["inkling.state"]) == (answer.json()["id"], "succeeded")
    steps = children(collector, run, "prepare", "train", "publish")
    children(collector, steps["publish"], "registry Registry.publish")
    objects = [json.loads(line) for line in list(server.log) if line.startswith("{")]  # TensorFlow writes text
    entries = [entry for entry in objects if entry["logger"] == "training.worker"]
    assert entries
    assert {(entry["run"], entry["trace_id"]) for entry in entries} == {(answer.json()["id"], trace_id)}


@pytest.mark.parametrize(
    ("variables", "warning"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER=zipkin, expected otlp or none"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "=grpc, expected http/protobuf"),
    ],
)
def test_what_is_wrong_with_the_variables_is_a_warning(
    variables: dict[str, str], warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    from inkling.tracing import Tracing

    tracing = Tracing()
    tracing.start("inkling-server", "0", variables)
    assert not tracing.is_on
    assert warning in caplog.text


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"},
    ],
)
def test_without_an_exporter_there_are_no_traces(variables: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    from inkling.tracing import Tracing

    tracing = Tracing()
    tracing.start("inkling-server", "0", variables)
    assert not tracing.is_on
    assert caplog.text == ""
    with tracing.span("x"), tracing.continued("run", "CONSUMER", None, {}):
        tracing.record("x", 0, 1)
        tracing.describe({})
    assert tracing.traceparent() is None
    tracing.stop()


def test_collector_that_is_away_costs_no_request_and_no_stop(tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_SERVICE_NAME": "digits"}
    with start_server(tmp_path / "data", "--trainer", "external", **environment) as server:
        assert httpx.get(f"{server.url}/train/77").status_code == 404
    assert server.process.returncode == 0
    assert not [line for line in server.log if "Traceback" in line]
