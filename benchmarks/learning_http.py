"""`python -m benchmarks.learning http`: a person's corrections over HTTP alone, from the answers to the rollback.

A real server with a trainer of its own. A person sends 50 corrections of wrong answers, asks for fine-tuning, and
reads other digits before and after; then the same with half of the labels wrong.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from benchmarks.people import Person
from benchmarks.processes import running_inkling
from benchmarks.verdicts import Log
from inkling.digit import NUM_CLASSES, Images
from inkling.mnist import Split
from inkling.network.recipe import Recipe

CORRECTIONS = 50
DRAWN = 2000
UNSEEN = 1000
WITHIN_S = 60
MIN_GAIN = 1 / 3
"""Of what was wrong, on unseen digits."""
MAX_FALL = 0.0005
RAW = {"Content-Type": "application/octet-stream"}
FINISHED = ("succeeded", "failed", "cancelled")


def measure_http(person: Person, recipe: Recipe, mnist: Path, held_out: Split, log: Log) -> list[str]:
    """Return what was not reached, one sentence each.

    Args:
        person: who corrects.
        recipe: of the fine-tuning, with base 1.
        mnist: the folder of the dataset.
        held_out: its held-out images.
        log: called with each figure.
    """
    overrides = {name: value for name, value in recipe.model_dump().items() if name != "name"}
    unseen = person.write([i % NUM_CLASSES for i in range(UNSEEN)], seed=1)
    options = ("--feedback", "on", "--max-feedback-per-minute", "10000")
    missed = []
    with (
        TemporaryDirectory() as folder,
        running_inkling(Path(folder), *options, trainer="process", INKLING_MNIST_DIR=str(mnist)) as server,
        server.client(120) as client,
    ):
        before = [accuracy(client, split) for split in (unseen, held_out)]
        send_corrections(client, person, wrong=0)
        run, seconds = train(client, overrides)
        after = [accuracy(client, split) for split in (unseen, held_out)]
        gain = (after[0] - before[0]) / (1 - before[0])
        log(f"{run['state']} and served after {seconds:.0f} s: {run['decision'] or run['error']}")
        log(f"unseen digits {before[0]:.4f} -> {after[0]:.4f}; MNIST held out {before[1]:.4f} -> {after[1]:.4f}")
        missed += [] if client.get("/versions/current").json()["version"] == run["version"] else ["not promoted"]
        missed += [] if seconds <= WITHIN_S else [f"served after {seconds:.0f} s, the limit is {WITHIN_S}"]
        missed += [] if gain >= MIN_GAIN else [f"{gain:.0%} of what was wrong is mended, at least a third is wanted"]
        missed += [] if before[1] - after[1] <= MAX_FALL + 1e-9 else ["MNIST's held-out accuracy falls by more"]
        client.put("/versions/current", json={"version": 1}).raise_for_status()
        missed += [] if accuracy(client, unseen) == before[0] else ["the rollback does not read as before"]
        client.delete("/feedback").raise_for_status()
        send_corrections(client, person, wrong=CORRECTIONS // 2)
        run, _ = train(client, overrides)
        log(f"half poisoned: {run['state']}: {run['decision'] or run['error']}")
        missed += [] if client.get("/versions/current").json()["version"] == 1 else ["half poisoned is promoted"]
    return missed


def accuracy(client: httpx.Client, split: Split) -> float:
    return float((read(client, split.images) == split.labels).mean())


def read(client: httpx.Client, images: Images) -> Any:
    """Return the digits (n,) that the server reads in images (n, 28, 28)."""
    digits: list[int] = []
    for start in range(0, len(images), 100):
        answer = client.post("/predict", content=images[start : start + 100].tobytes(), headers=RAW).raise_for_status()
        digits += [prediction["digit"] for prediction in answer.json()["predictions"]]
    return np.array(digits)


def send_corrections(client: httpx.Client, person: Person, wrong: int) -> None:
    """Correct wrong answers of the server, the first `wrong` of them with the next digit instead of the true one."""
    drawn = person.write([i % NUM_CLASSES for i in range(DRAWN)], seed=2)
    misread = np.flatnonzero(read(client, drawn.images) != drawn.labels)
    chosen = np.random.default_rng(0).permutation(misread)[:CORRECTIONS]
    for number, i in enumerate(chosen):
        label = (int(drawn.labels[i]) + (number < wrong)) % NUM_CLASSES
        params = {"label": str(label), "source": "anna"}
        client.post("/feedback", params=params, content=drawn.images[i].tobytes(), headers=RAW).raise_for_status()


def train(client: httpx.Client, overrides: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Ask for a run; return it as it ended, and the seconds until its version was served, or the run over."""
    started = time.perf_counter()
    body = {"recipe": "accurate", "promote": "if_better", "overrides": overrides}
    answer = client.post("/train", json=body)
    run: dict[str, Any] = answer.raise_for_status().json()
    while run["state"] not in FINISHED:
        time.sleep(0.2)
        run = client.get(f"/train/{run['id']}").raise_for_status().json()
    image = bytes(784)
    is_promoted = client.get("/promotions").json()["items"][0]
    while is_promoted["version"] == run["version"] and is_promoted["is_promoted"]:
        served = client.post("/predict", content=image, headers=RAW).headers["X-Model-Version"]
        if served == str(run["version"]):
            break
        time.sleep(0.05)
    return run, time.perf_counter() - started
