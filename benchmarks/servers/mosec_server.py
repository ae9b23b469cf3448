"""mosec: its Rust front end receives the raw body, one Python worker predicts, without batching."""

import json
import sys
from typing import Any

from mosec import Server, Worker

from benchmarks.servers.network import Network


class Digits(Worker):
    def __init__(self) -> None:
        self.network = Network()

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> dict[str, Any]:
        return self.network.read(data)

    def serialize(self, data: dict[str, Any]) -> bytes:
        return json.dumps(data).encode()


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "--address", "127.0.0.1", "--port", sys.argv[1], "--log-level", "warning"]
    server = Server()
    server.append_worker(Digits, num=1)
    server.run()
