"""Ray Serve: one replica behind its HTTP proxy, or behind HAProxy where RAY_SERVE_ENABLE_HA_PROXY is 1."""

import logging
import signal
import sys
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.servers.network import Network


@serve.deployment(num_replicas=1, max_ongoing_requests=100, logging_config={"enable_access_log": False})
class Digits:
    def __init__(self) -> None:
        self.network = Network()

    async def __call__(self, request: Request) -> dict[str, Any]:
        form: Any = await request.form()
        return self.network.read(await form["file"].read())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    ray.init(address="local", num_cpus=2, include_dashboard=False, configure_logging=True, logging_level=logging.ERROR)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Digits.bind())  # type: ignore[attr-defined]  # the decorator adds it
    try:
        signal.pause()
    finally:
        ray.shutdown()
