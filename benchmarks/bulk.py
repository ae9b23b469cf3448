"""Many images per request: every body type, against the forward pass without a server."""

import http.client
import io
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import processes
from benchmarks.digits import make_digits
from benchmarks.serving import BOUNDARY, PART_HEAD
from benchmarks.verdicts import Log, Verdict, seconds, spread
from inkling.digit import Floats, Images
from inkling.model_card.markdown import paragraph, table
from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from inkling.vision.image_files import png_bytes

ROUNDS = 7
MOST, MANY = 10_000, 1_000
"""Images per request: as raw bytes, and in the formats that need more bytes or more time per image."""
LEAST = 0.4
"""The least share of the forward pass's images per second, for raw bytes answered as .npy."""
PAUSE_S = 0.1
"""After the forward pass in this process: its BLAS threads wait for more work actively, for some 30 ms."""
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
    """Images per second, round by round, by the name of the body; "" is the forward pass in this process."""

    rates: dict[str, list[float]]
    bodies: tuple[Body, ...]

    def ratios(self, name: str) -> list[float]:
        return [ours / limit for ours, limit in zip(self.rates[name], self.rates[""], strict=True)]


def run(log: Log) -> Bulk:
    images = np.tile(make_digits(MANY, seed=5)[0], (MOST // MANY, 1, 1))
    all_bodies = bodies(images)
    classifier = Classifier(load_pretrained(), 1)
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, processes.running_inkling(Path(folder)) as process:
        connection = http.client.HTTPConnection("127.0.0.1", process.port)
        expected = classifier.probabilities(images)
        for body in all_bodies:
            check(body, _ask(connection, body), expected[: body.images])
        for number in range(1, ROUNDS + 1):
            rates.setdefault("", []).append(MOST / seconds(lambda: classifier.probabilities(images)))
            time.sleep(PAUSE_S)
            for body in all_bodies:
                rates.setdefault(body.name, []).append(
                    body.images / seconds(lambda body=body: _ask(connection, body))  # type: ignore[misc]
                )
            log(f"many images, round {number} of {ROUNDS}")
        connection.close()
    return Bulk(rates, all_bodies)


def bodies(images: Images) -> tuple[Body, ...]:
    """Return the bodies of images (10,000, 28, 28), or of the first 1,000 of them."""
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


def form(images: Images) -> bytes:
    """Return a multipart/form-data body of PNG files."""
    return (
        b"".join(PART_HEAD.encode() + png_bytes(image) + b"\r\n" for image in images) + f"--{BOUNDARY}--\r\n".encode()
    )


def check(body: Body, answer: bytes, expected: Floats) -> None:
    """Compare an answer with the classifier's probabilities.

    Raises:
        RuntimeError: they differ by more than the last bits, which depend on the BLAS kernel for the batch.
    """
    if body.accept == NPY:
        found = np.load(io.BytesIO(answer), allow_pickle=False)
    else:
        found = np.array([prediction["probabilities"] for prediction in json.loads(answer)["predictions"]])
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=1e-5, atol=1e-6):
        raise RuntimeError(f"{body.name}: the answer differs from the classifier's")


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
        f"One request at a time on one connection, {ROUNDS} rounds; timed from the first byte sent to the last byte "
        "received. The ratio compares with the forward pass over the same array (`Classifier.probabilities`) in the "
        "same round."
    )
    header = ("body", "images per request", "images/s", "of the forward pass")
    return "\n\n".join(["## Many images per request", paragraph(text), table(header, rows)])


def verdicts(bulk: Bulk) -> list[Verdict]:
    ratios = bulk.ratios(bulk.bodies[0].name)
    return [
        Verdict(
            f"{MOST:,} images, raw bytes to .npy: rate / forward pass",
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
