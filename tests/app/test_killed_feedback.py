"""Corrections while servers are killed: none that was answered is lost, and none that was deleted comes back."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from inkling.digit import NUM_PIXELS
from inkling.registry.records import Correction
from inkling.registry.registry import Registry
from inkling.settings import StoreSettings
from tests.support.bodies import RAW
from tests.support.processes import wait_until
from tests.support.servers import Server, start_server

pytestmark = pytest.mark.unmeasured

CLIENTS = 3
KILLS = 3
ARGUMENTS = ("--trainer", "external", "--decoders", "1", "--feedback", "on", "--max-feedback-per-minute", "100000")


@dataclass
class Person:
    """Stores and deletes corrections, and knows what was answered. Each has a source, and each image is another one."""

    source: str
    kept: dict[str, int] = field(default_factory=dict)
    """Image in hex -> id, of the corrections that are answered and were not asked to be deleted."""
    deleted: set[str] = field(default_factory=set)
    """Images whose deletion is answered."""
    asked: set[str] = field(default_factory=set)
    """Images whose last request has no answer: they may be kept or not."""
    answers: int = 0

    def work(self, client: httpx.Client, is_over: threading.Event, chance: random.Random) -> None:
        """Send requests until one has no answer."""
        while not is_over.is_set():
            try:
                self._delete(client, chance) if chance.random() < 0.4 and self.kept else self._store(client, chance)
            except httpx.TransportError:
                return
            self.answers += 1

    def _store(self, client: httpx.Client, chance: random.Random) -> None:
        image = chance.randbytes(NUM_PIXELS)
        params = {"label": str(image[0] % 10), "source": self.source}
        self.asked.add(image.hex())
        if chance.random() < 0.5:
            answer = client.post("/feedback", params=params, content=image, headers={"Content-Type": RAW})
        else:
            predicted = client.post("/predict?remember=true", content=image, headers={"Content-Type": RAW})
            params["prediction_id"] = predicted.json()["predictions"][0]["prediction_id"]
            answer = client.post("/feedback", params=params)
        assert answer.status_code == 201, answer.text
        self.kept[image.hex()] = answer.json()["items"][0]["id"]
        self.asked.remove(image.hex())

    def _delete(self, client: httpx.Client, chance: random.Random) -> None:
        image = chance.choice(list(self.kept))
        self.asked.add(image)
        answer = client.delete(f"/feedback/{self.kept.pop(image)}")
        assert answer.status_code == 204, answer.text
        self.deleted.add(image)
        self.asked.remove(image)

    def check(self, corrections: list[Correction]) -> None:
        found = {correction.image.hex(): correction for correction in corrections if correction.source == self.source}
        assert {image: found[image].id for image in self.kept} == self.kept
        assert not found.keys() & self.deleted
        assert found.keys() <= self.kept.keys() | self.asked
        assert all(correction.label == correction.image[0] % 10 for correction in found.values())


def kill_amid(server: Server, people: list[Person], chance: random.Random) -> None:
    """Let people send requests, and kill the server when a random number of them are answered."""
    is_over = threading.Event()
    enough = sum(person.answers for person in people) + chance.randint(10, 60)
    with server.client() as client, ThreadPoolExecutor(CLIENTS) as threads:
        works = [
            threads.submit(person.work, client, is_over, random.Random(chance.random()))  # noqa: S311  repeatable
            for person in people
        ]
        try:
            wait_until(lambda: sum(person.answers for person in people) >= enough, f"{enough} answers came")
        finally:
            server.process.kill()
            is_over.set()
        for work in works:
            work.result()


def test_killed_servers_lose_no_correction_and_resurrect_none(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311  repeatable, not secret
    people = [Person(f"person-{number}") for number in range(CLIENTS)]
    for _ in range(KILLS):
        with start_server(tmp_path / "data", *ARGUMENTS) as server:
            kill_amid(server, people, chance)
            server.process.wait(30)
        registry = Registry(StoreSettings(data_dir=tmp_path / "data").registry_url)
        corrections = registry.corrections.all()
        problems = registry.verify()
        registry.close()
        for person in people:
            person.check(corrections)
        assert problems == []
    assert any(person.kept for person in people)
    assert any(person.deleted for person in people)
