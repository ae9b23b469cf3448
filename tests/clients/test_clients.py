import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.clients.conftest import ROOT, Workshop
from tests.support.servers import Server, start_server

pytestmark = pytest.mark.unmeasured

KEY = "key-for-generated-clients"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, small_mnist_dir: Path) -> Iterator[Server]:
    """A server that wants the key, and that starts no trainer."""
    data_dir = tmp_path_factory.mktemp("data")
    environment = {"INKLING_API_KEY": KEY, "INKLING_MNIST_DIR": str(small_mnist_dir), "INKLING_TRAINER": "external"}
    with start_server(data_dir, **environment) as server:
        yield server


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with the README's digits, 0.png to 9.png, and all their pixels in images.json."""
    folder = tmp_path / "pictures"
    shutil.copytree(ROOT / "docs/digits", folder)
    images = [np.asarray(Image.open(folder / f"{digit}.png")).tolist() for digit in range(10)]
    (folder / "images.json").write_text(json.dumps({"images": images}))
    return folder


def check(report: str, server: Server, pictures: Path) -> None:
    """Check what a program printed against what the server answers to a plain HTTP client."""
    with server.client() as client:
        plain = client.post("/predict", content=(pictures / "images.json").read_bytes(), headers=JSON).json()
        accuracy = client.get("/metrics").json()["accuracy"]
    came: dict[str, Any] = json.loads(report)
    assert came == {
        "form": list(range(10)),
        "png": [[7, True]],
        "json": [prediction["probabilities"] for prediction in plain["predictions"]],
        "wrong": "Not an image of a digit",
        "refused": [401, "API key required"],
        "run": ["queued", 5, True],
        "runs": [0],
        "cancelled": "cancelled",
        "accuracy": accuracy,
        "versions": [[1, "shipped"]],
    }


JSON = {"Content-Type": "application/json"}


def test_client_of_openapi_python_client_calls_the_server(workshop: Workshop, guarded: Server, pictures: Path) -> None:
    workshop.run(
        "openapi-python-client",
        "generate",
        "--path=openapi.json",
        "--config=openapi_python_client.yaml",
        "--meta=none",
        "--output-path=inkling_client",
        "--fail-on-warning",
    )
    check(workshop.run("python", "python_program.py", guarded.url, KEY, pictures, PYTHONPATH="."), guarded, pictures)


def test_clients_of_typescript_compile_strictly_and_call_the_server(
    workshop: Workshop, guarded: Server, pictures: Path
) -> None:
    workshop.run("openapi-typescript", "openapi.json", "--default-non-nullable=false", "--output=api.ts")
    workshop.run("orval", "--config=orval.config.mjs")
    workshop.run("tsc")
    for program in ("openapi_fetch_program.js", "orval_program.js"):
        check(workshop.run("node", f"js/{program}", guarded.url, KEY, pictures), guarded, pictures)
