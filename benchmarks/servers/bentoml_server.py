"""BentoML: one worker; the file is a form field, as BentoML's own clients send images."""

import os
import sys
from typing import Any

import bentoml
from PIL.Image import Image

from benchmarks.servers.network import Network, pixels


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Digits:
    def __init__(self) -> None:
        self.network = Network()

    @bentoml.api
    def multipart(self, file: Image) -> dict[str, Any]:
        return self.network.predict(pixels(file))


if __name__ == "__main__":
    words = ["bentoml", "serve", "benchmarks.servers.bentoml_server:Digits", "--host", "127.0.0.1", "--port"]
    os.execv(sys.executable, [sys.executable, "-m", *words, sys.argv[1]])
