"""Many images a request: by each body type, and against the forward pass in the process itself."""

import http.client
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import processes
from benchmarks.servers.network import CHECKPOINT
from benchmarks.serving import BOUNDARY, PART_HEAD
from benchmarks.verdicts import Tell, Verdict, spread
from inkling.model_card.markdown import paragraph, table
from inkling.network import checkpoint
from inkling.network.classifier import Classifier
from tests.support.digits import make_digits

ROUNDS = 7
MOST, MANY = 10_000, 1_000
"""Images of a request: of raw bytes, and of the types that take more bytes or more time an image."""
LEAST = 0.4
"""Of the forward pass's images a second, to be reached by raw bytes answered as .npy."""
NPY, JSON, RAW = "application/x-npy", "application/json", "application/octet-stream"


@dataclass(frozen=True)
class Body:
    name: str
    images: int
    content_type: str
    accept: str
    content: bytes


@dataclass(frozen=True)
class Bulk:
    """Images a second, round by round, by the name of the body; "" is the forward pass in this process."""

    rates: dict[str, list[float]]
    bodies: tuple[Body, ...]

    def ratios(self, name: str) -> list[float]:
        return [ours / limit for ours, limit in zip(self.rates[name], self.rates[""], strict=True)]


def run(tell: Tell) -> Bulk:
    images = np.tile(make_digits(MANY, seed=5)[0], (MOST // MANY, 1, 1))
    all_bodies = bodies(images)
    classifier = Classifier(checkpoint.load(CHECKPOINT.read_bytes()), 1)
    rates: dict[str, list[float]] = {}
    port = processes.free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        processes.started(processes.ours(port, Path(folder)), port) as process,
    ):
        process.wait_for(process.is_ready)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        expected = classifier.probabilities(images)
        for body in all_bodies:
            check(body, _ask(connection, body), expected[: body.images])
        for number in range(1, ROUNDS + 1):
            rates.setdefault("", []).append(MOST / _seconds(lambda: classifier.probabilities(images)))
            for body in all_bodies:
                rates.setdefault(body.name, []).append(
                    body.images / _seconds(lambda body=body: _ask(connection, body))  # type: ignore[misc]
                )
            tell(f"many images, round {number} of {ROUNDS}")
        connection.close()
    return Bulk(rates, all_bodies)


def bodies(images: NDArray[np.uint8]) -> tuple[Body, ...]:
    """Return the bodies that carry images (10,000, 28, 28), or the first 1,000 of them."""
    many = images[:MANY]
    npy = io.BytesIO()
    np.save(npy, images)
    return (
        Body("raw bytes, answered as .npy", MOST, RAW, NPY, images.tobytes()),
        Body(".npy, answered as .npy", MOST, NPY, NPY, npy.getvalue()),
        Body("raw bytes, answered as JSON", MOST, RAW, JSON, images.tobytes()),
        Body("JSON, answered as JSON", MANY, JSON, JSON, json.dumps({"images": many.tolist()}).encode()),
        Body("form of PNGs, answered as JSON", MANY, f"multipart/form-data; boundary={BOUNDARY}", JSON, form(many)),
    )


def form(images: NDArray[np.uint8]) -> bytes:
    """Return a multipart/form-data body of PNG files."""
    return b"".join(PART_HEAD.encode() + _png(image) + b"\r\n" for image in images) + f"--{BOUNDARY}--\r\n".encode()


def check(body: Body, answer: bytes, expected: NDArray[np.float32]) -> None:
    """Check what was answered.

    Raises:
        RuntimeError: it is not the classifier's, to the last bits that BLAS kernels for other batches may differ in.
    """
    if body.accept == NPY:
        found = np.load(io.BytesIO(answer), allow_pickle=False)
    else:
        found = np.array([prediction["probabilities"] for prediction in json.loads(answer)["predictions"]])
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=1e-5, atol=1e-6):
        raise RuntimeError(f"{body.name}: another answer than the classifier's")


def section(bulk: Bulk) -> str:
    rows = [
        [
            body.name,
            f"{body.images:,}",
            f"{statistics.median(bulk.rates[body.name]):,.0f}",
            spread(bulk.ratios(body.name)),
        ]
        for body in bulk.bodies
    ]
    rows.append(
        [
            "the forward pass alone, without a server",
            f"{MOST:,}",
            f"{statistics.median(bulk.rates['']):,.0f}",
            "",
        ]
    )
    text = (
        f"One request after another on one connection, {ROUNDS} rounds; from before the request is sent until its "
        "answer has come. The ratio is to the forward pass over the same array (`Classifier.probabilities`), in the "
        "same round."
    )
    header = ("body", "images a request", "images/s", "of the forward pass")
    return "\n\n".join(["## Many images a request", paragraph(text), table(header, rows)])


def verdicts(bulk: Bulk) -> list[Verdict]:
    ratios = bulk.ratios(bulk.bodies[0].name)
    return [
        (
            f"{MOST:,} images, raw bytes to .npy, by the forward pass",
            f"at least {LEAST}x",
            spread(ratios),
            statistics.median(ratios) >= LEAST,
        )
    ]


def _ask(connection: http.client.HTTPConnection, body: Body) -> bytes:
    connection.request("POST", "/predict", body.content, {"Content-Type": body.content_type, "Accept": body.accept})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{body.name}: {response.status} {content[:300]!r}")
    return content


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
