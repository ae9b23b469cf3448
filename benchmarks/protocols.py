"""The cost of each protocol over HTTP: CPU time of the server and bytes on the wire, for one image per request.

`python -m benchmarks.protocols` starts a server, and prints a table in Markdown. The requests of all protocols take
turns; of several rounds the fastest counts.
"""

import argparse
import json
import os
import socket
import tempfile
from pathlib import Path

import httpx
import numpy as np

from tests.support.bodies import image_file
from tests.support.digits import make_digits
from tests.support.servers import start_server

WARM_UP = 100
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
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
        "/predict, raw": _request("/predict", IMAGE.tobytes(), {"Content-Type": "application/octet-stream"}),
        "/predict, JSON": _json_request("/predict", {"images": [IMAGE.tolist()]}),
        "v2, pixels alone": _request(v2, IMAGE.tobytes(), {"Inference-Header-Content-Length": "0"}),
        "v2, binary UINT8": _v2_binary("UINT8", IMAGE.tobytes()),
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
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(count: int, rounds: int) -> dict[str, tuple[float, int, int]]:
    """Return for each kind of request the server's CPU time in microseconds, and the bytes sent and received."""
    found = {name: (np.inf, len(request), 0) for name, request in requests().items()}
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder), "--trainer", "external") as server:
        url = httpx.URL(server.url)
        with socket.create_connection((url.host, url.port or 80)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(rounds):
                for name, request in requests().items():
                    for _ in range(WARM_UP):
                        received = _exchange(connection, request)
                    started_s = _cpu_s(server.process.pid)
                    for _ in range(count):
                        _exchange(connection, request)
                    cpu_us = (_cpu_s(server.process.pid) - started_s) / count * 1e6
                    found[name] = (min(found[name][0], cpu_us), len(request), received)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    measured = measure(arguments.count, arguments.rounds)
    base_us = measured["/predict, raw"][0]
    print("| request of one image | CPU us | of /predict, raw | bytes sent | bytes received |\n|---|---|---|---|---|")
    for name, (cpu_us, sent, received) in measured.items():
        print(f"| {name} | {cpu_us:.0f} | {cpu_us / base_us:.2f} | {sent} | {received} |")
