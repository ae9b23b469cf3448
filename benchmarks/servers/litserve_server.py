"""LitServe: one API process and one worker, as in its quick start, without batching."""

import sys
from typing import Any

import litserve as ls
from fastapi import Request

from benchmarks.servers.network import Network


class Digits(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.network = Network()

    def decode_request(self, request: Request) -> bytes:
        content: bytes = request["file"].file.read()
        return content

    def predict(self, content: bytes) -> dict[str, Any]:
        return self.network.read(content)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    server = ls.LitServer(Digits(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
