"""The cost of each protocol: CPU time of the server and bytes of the messages, for one image per request.

The requests of all protocols take turns on one server, in several rounds.
"""

import ctypes
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import grpc
import httpx

from app.protocols.grpc_messages import MESSAGES
from benchmarks.verdicts import Log, Verdict, spread
from inkling.model_card.markdown import paragraph, table
from tests.support.bodies import image_file
from tests.support.digits import make_digits
from tests.support.ports import free_port
from tests.support.servers import start_server

WARM_UP, COUNT, ROUNDS = 100, 2000, 7
BASE, BINARY = "/predict, raw", "v2, binary UINT8"
LEAST_OF_BASE = 0.75
"""Of the rate of BASE that a core must reach with BINARY."""
IMAGE = make_digits(1, seed=1)[0][0]
JSON = {"Content-Type": "application/json"}


def _request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def _json_request(path: str, document: object) -> bytes:
    return _request(path, json.dumps(document, separators=(",", ":")).encode(), JSON)


def _v2_document(datatype: str, **tensor: object) -> dict[str, object]:
    return {"inputs": [{"name": "images", "shape": [1, 784], "datatype": datatype, **tensor}]}


def _v2_binary(datatype: str, raw: bytes) -> bytes:
    document = _v2_document(datatype, parameters={"binary_data_size": len(raw)})
    head = json.dumps({**document, "parameters": {"binary_data_output": True}}, separators=(",", ":")).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return _request("/v2/models/mnist/infer", head + raw, headers)


def requests() -> dict[str, bytes]:
    """Return a request of each kind, ready to be sent."""
    unit = IMAGE / 255
    v1, v2, pixels = "/v1/models/mnist:predict", "/v2/models/mnist/infer", IMAGE.reshape(-1).tolist()
    return {
        BASE: _request("/predict", IMAGE.tobytes(), {"Content-Type": "application/octet-stream"}),
        "/predict, JSON": _json_request("/predict", {"images": [IMAGE.tolist()]}),
        "v2, pixels alone": _request(v2, IMAGE.tobytes(), {"Inference-Header-Content-Length": "0"}),
        BINARY: _v2_binary("UINT8", IMAGE.tobytes()),
        "v2, binary FP32": _v2_binary("FP32", unit.astype("<f4").tobytes()),
        "v2, JSON UINT8": _json_request(v2, _v2_document("UINT8", data=pixels)),
        "v2, JSON FP32": _json_request(v2, _v2_document("FP32", data=unit.reshape(-1).tolist())),
        "v2, image file": _request(
            "/v2/models/mnist-files/infer", image_file(IMAGE), {"Inference-Header-Content-Length": "0"}
        ),
        "v1, integers": _json_request(v1, {"instances": [pixels]}),
        "v1, floats (28, 28, 1)": _json_request(v1, {"instances": unit.reshape(1, 28, 28, 1).tolist()}),
        "/invocations, image file": _request("/invocations", image_file(IMAGE), {"Content-Type": "image/png"}),
    }


class Cost(NamedTuple):
    cpu_us: list[float]
    """CPU time of the server per request, of each round."""
    sent: int
    received: int
    """Bytes per request; over gRPC those of the messages, without HTTP/2's frames."""


def grpc_requests() -> dict[str, tuple[str, bytes]]:
    """Return a call of each kind: its path and its message."""
    infer = MESSAGES["ModelInferRequest"](model_name="mnist", raw_input_contents=[IMAGE.tobytes()])
    infer.inputs.add(name="images", datatype="UINT8", shape=[1, 784])
    predict = MESSAGES["PredictRequest"](model_spec={"name": "mnist"})
    tensor = predict.inputs.add(key="images").value
    tensor.dtype, tensor.tensor_content = 1, (IMAGE / 255).astype("<f4").tobytes()
    for size in (1, 784):
        tensor.tensor_shape.dim.add(size=size)
    return {
        "gRPC, Open Inference UINT8": ("/inference.GRPCInferenceService/ModelInfer", infer.SerializeToString()),
        "gRPC, TensorFlow Serving FP32": (
            "/tensorflow.serving.PredictionService/Predict",
            predict.SerializeToString(),
        ),
    }


def _exchange(connection: socket.socket, request: bytes) -> int:
    """Send a request, and return the bytes of its answer."""
    connection.sendall(request)
    answer = connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer.decode())
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(missing))
    return len(head) + 4 + length


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process, to the nanosecond; /proc has hundredths of a second, 5 us of each request."""
    clock = ctypes.c_int()
    if error := ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise OSError(error, os.strerror(error))
    return time.clock_gettime(clock.value)


def run(log: Log) -> dict[str, Cost]:
    """Return the cost of each kind of request."""
    port = free_port()
    settings = {"INKLING_TRAINER": "external", "INKLING_GRPC_PORT": str(port), "INKLING_KEEP_ALIVE_S": "600"}
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder), **settings) as server,
        socket.create_connection((httpx.URL(server.url).host, httpx.URL(server.url).port or 80)) as connection,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        calls: dict[str, tuple[int, Callable[[], int]]] = {
            name: (len(request), lambda request=request: _exchange(connection, request))  # type: ignore[misc]
            for name, request in requests().items()
        }
        for name, (path, message) in grpc_requests().items():
            method = channel.unary_unary(path)
            calls[name] = (len(message), lambda method=method, message=message: len(method(message)))  # type: ignore[misc]
        costs = {name: Cost([], sent, call()) for name, (sent, call) in calls.items()}
        for number in range(1, ROUNDS + 1):
            for name, (_, call) in calls.items():
                costs[name].cpu_us.append(_cpu_us(server.process.pid, call))
            log(f"protocols, round {number} of {ROUNDS}")
    return costs


def _cpu_us(pid: int, call: Callable[[], int]) -> float:
    for _ in range(WARM_UP):
        call()
    started_s = _cpu_s(pid)
    for _ in range(COUNT):
        call()
    return (_cpu_s(pid) - started_s) / COUNT * 1e6


def _ratios(costs: dict[str, Cost], name: str) -> list[float]:
    """Return the CPU time of a request, as a multiple of BASE in the same round."""
    return [one / base for one, base in zip(costs[name].cpu_us, costs[BASE].cpu_us, strict=True)]


def section(costs: dict[str, Cost]) -> str:
    text = (
        f"One image per request on one kept connection; CPU time of the server, medians of {ROUNDS} rounds of {COUNT} "
        "requests, in which all take turns. The answers hold the same probabilities."
    )
    rows = [
        [
            name,
            f"{statistics.median(cost.cpu_us):.0f}",
            spread(_ratios(costs, name)),
            f"{cost.sent}",
            f"{cost.received}",
        ]
        for name, cost in costs.items()
    ]
    header = ("request of one image", "CPU us", f"of {BASE}", "bytes sent", "bytes received")
    return "\n\n".join(["## Protocols", paragraph(text), table(header, rows)])


def verdicts(costs: dict[str, Cost]) -> list[Verdict]:
    rates = [1 / ratio for ratio in _ratios(costs, BINARY)]
    return [
        Verdict(
            f"{BINARY}: requests per CPU second, of {BASE}",
            f"at least {LEAST_OF_BASE}",
            spread(rates),
            statistics.median(rates) >= LEAST_OF_BASE,
        )
    ]
