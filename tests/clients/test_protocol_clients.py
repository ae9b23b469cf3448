"""Clients of other model servers, unmodified: each reads 100 digits and gets the probabilities of /predict."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.digit import Gray
from tests.clients.conftest import ROOT, Workshop
from tests.support.bodies import RAW, image_file
from tests.support.digits import make_digits
from tests.support.ports import free_port
from tests.support.servers import Server, start_server

pytestmark = pytest.mark.unmeasured

TOOLS = ROOT / ".venv-protocol-clients"
TO_INSTALL = "needs the clients of other model servers: make clients"
COUNT = 100


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(grpc_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a trainer, and with gRPC."""
    settings = {"INKLING_TRAINER": "external", "INKLING_GRPC_PORT": str(grpc_port)}
    with start_server(tmp_path_factory.mktemp("data"), **settings) as server:
        yield server


@pytest.fixture(scope="module")
def digits() -> Gray:
    return make_digits(COUNT, seed=11)[0]


@pytest.fixture(scope="module")
def folder(digits: Gray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the digits: all in digits.npy, and each in a PNG."""
    folder = tmp_path_factory.mktemp("digits")
    np.save(folder / "digits.npy", digits)
    for number, image in enumerate(digits):
        (folder / f"{number}.png").write_bytes(image_file(image))
    return folder


@pytest.fixture(scope="module")
def expected(server: Server, digits: Gray) -> NDArray[np.float64]:
    """The probabilities of /predict (n, 10)."""
    with server.client() as client:
        answer = client.post("/predict", content=digits.tobytes(), headers={"Content-Type": RAW}).json()
    return np.array([prediction["probabilities"] for prediction in answer["predictions"]])


@pytest.mark.parametrize(
    "program",
    ["hugging_face_program.py", "tf_serving_program.py", "triton_http_program.py", "triton_grpc_program.py"],
)
def test_client_in_python_gets_the_probabilities_of_predict(
    server: Server, grpc_port: int, folder: Path, expected: NDArray[np.float64], program: str
) -> None:
    if not (TOOLS / ".installed").exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(TO_INSTALL)
    done = subprocess.run(
        [TOOLS / "bin/python", Path(__file__).parent / program, server.url, folder, str(grpc_port)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HF_HUB_DISABLE_TELEMETRY": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-6)


def test_hugging_face_client_in_javascript_gets_the_probabilities_of_predict(
    workshop: Workshop, server: Server, folder: Path, expected: NDArray[np.float64]
) -> None:
    found = json.loads(workshop.run("node", "hugging_face_program.mjs", server.url, folder, str(COUNT)))
    assert len(found) == COUNT
    for labels, probabilities in zip(found, expected, strict=True):
        for item in labels:
            assert abs(item["score"] - probabilities[int(item["label"])]) <= 1e-6
