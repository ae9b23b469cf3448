"""`python -m benchmarks.learning`: how well the network reads a person after corrections, and how false ones fare.

People are simulated (`benchmarks.people`). Each sends corrections of answers that were wrong, as long as there are
some, then confirms right ones. Prints the tables of docs/learning.md and writes its plot. `http` does it with a server;
`limits` measures by which limits sources are set aside.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from matplotlib.figure import Figure

from benchmarks.corrections import correction, poison, write_digits, wrong_first
from benchmarks.digits import mnist_dir
from benchmarks.learning_http import measure_http
from benchmarks.learning_limits import describe_distances, describe_readings, gate_table, limits_table, measure_limits
from benchmarks.people import Person
from benchmarks.processes import ROOT
from benchmarks.verdicts import Log, log_to_stderr
from inkling.errors import DatasetError
from inkling.mnist import Dataset, Split, join, read_folder
from inkling.model_card.charts import BLUE, GRAY, chart_png
from inkling.model_card.markdown import table
from inkling.network.checkpoint import SHAPES, Checkpoint, save
from inkling.network.classifier import Classifier
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import ACCURATE, Recipe
from inkling.registry.records import Correction, Decision
from training.lessons import Feedback, Lessons, split_feedback

CHART = ROOT / "docs" / "learning.png"
COUNTS = (10, 50, 200)
"""Corrections by one person."""
UNSEEN = 1000
"""Digits of each person on which accuracy is measured."""
DRAWN = 4000
"""Digits that a person draws at most to find wrong answers."""
FINE_TUNING = ACCURATE.with_overrides(
    {
        "base": 1, "feedback": 0.02, "optimizer": "adam", "learning_rate": 0.0003, "warmup_steps": 100,
        "weight_decay": 0, "anneal_fraction": 0.5, "synthetic": 0, "training_steps": 4000, "display_step": 100,
    }
)  # fmt: skip
"""The recipe of docs/learning.md."""
WHOLE = ACCURATE.with_overrides({"feedback": 0.02, "training_steps": 4000, "display_step": 500, "synthetic": 0})
"""A short training from random weights."""
FINE_TUNED, WHOLLY = "fine-tuned", "wholly trained"
NO_DECISION = Decision(is_promoted=False, reason="it learned no correction")
POISONED = (0.1, 0.3, 0.5)
"""Shares of a person's corrections that have a wrong label."""
VICTIM_COUNT = 50
"""Corrections of the person whose corrections are poisoned, or who is there beside a flood."""
FLOOD = 1000
"""Corrections of one source, all with wrong labels."""


@dataclass(frozen=True)
class Outcome:
    """A version that learned corrections: its accuracies, 0 to 1, and the gate's decision."""

    person: float
    """On unseen digits of the person."""
    others: float
    """On unseen digits of the other people."""
    held_out: float
    """On MNIST's held-out images."""
    decision: Decision

    def __str__(self) -> str:
        scores = f"{self.person:.4f}, others {self.others:.4f}, held out {self.held_out:.4f}"
        return f"{scores}; {self.decision.reason}"


class Laboratory:
    """Owns the dataset, the shipped version and the people."""

    def __init__(self, data: Dataset, people: int) -> None:
        self.data = data
        self.shipped = load_pretrained()
        self.people = [Person(seed) for seed in range(people)]
        self.unseen = [write_digits(person, UNSEEN, seed=1) for person in self.people]
        _, self.validation = data.hold_out(FINE_TUNING.validation_size)

    def corrections(self, person: int, count: int, seed: int = 0) -> list[Correction]:
        """Return a person's corrections: of wrong answers of the shipped version, then of right ones."""
        drawn = write_digits(self.people[person], DRAWN, seed=2 + seed)
        return wrong_first(drawn, Classifier(self.shipped, 1), f"person-{person}")[:count]

    def written(self, person: int, count: int, seed: int = 0) -> list[Correction]:
        """Return digits that a person writes, whatever the shipped version reads, each labeled rightly."""
        drawn = write_digits(self.people[person], count, seed=2 + seed)
        return [
            correction(image.tobytes(), label=int(label), digit=int(label), source=f"person-{person}")
            for image, label in zip(drawn.images, drawn.labels, strict=True)
        ]

    def learn(self, corrections: Sequence[Correction], person: int, recipe: Recipe) -> Outcome:
        """Train with a person's corrections, and ask the gate."""
        from training.promotion import promotion_decision  # noqa: PLC0415  TensorFlow

        try:
            feedback = split_feedback(list(corrections), self.shipped)
        except DatasetError as error:  # the run fails, and the shipped version stays
            return self.measure(self.shipped, person, Decision(is_promoted=False, reason=str(error)))
        candidate = self.train(feedback, recipe)
        decide = promotion_decision("if_better", candidate, self.validation, feedback)
        return self.measure(candidate, person, decide(self.shipped.content))

    def train(self, feedback: Feedback | None, recipe: Recipe) -> Checkpoint:
        """Return a new version, with the calibration, the views and the digit probe of the shipped one."""
        from training.loop import train  # noqa: PLC0415  TensorFlow

        base = {name: self.shipped.parameters[name] for name in SHAPES}
        lessons = Lessons(feedback, base if recipe.base else None)
        parameters = train(recipe, self.data, lambda *_: None, lessons=lessons)
        return save({**self.shipped.parameters, **parameters}, self.shipped.card)

    def measure(self, checkpoint: Checkpoint, person: int, decision: Decision) -> Outcome:
        others = [split for i, split in enumerate(self.unseen) if i != person]
        together = others[0]
        for split in others[1:]:
            together = join(together, split)
        return Outcome(
            person=accuracy(checkpoint, self.unseen[person]),
            others=accuracy(checkpoint, together),
            held_out=accuracy(checkpoint, self.validation),
            decision=decision,
        )


def accuracy(checkpoint: Checkpoint, split: Split) -> float:
    read = Classifier(checkpoint, 0).probabilities(split.images).argmax(axis=1)
    return float((read == split.labels).mean())


def measure_learning(laboratory: Laboratory, log: Log) -> dict[tuple[str, int], list[Outcome]]:
    """Return the outcomes of each person by the way of training and the number of corrections."""
    everyone = range(len(laboratory.people))
    whole = laboratory.train(None, WHOLE.with_overrides({"feedback": 0}))
    outcomes = {
        (way, 0): [laboratory.measure(version, person, NO_DECISION) for person in everyone]
        for way, version in ((FINE_TUNED, laboratory.shipped), (WHOLLY, whole))
    }
    ways = [*((FINE_TUNED, count, FINE_TUNING) for count in COUNTS), (WHOLLY, COUNTS[-1], WHOLE)]
    for way, count, recipe in ways:
        outcomes[way, count] = []
        for person in everyone:
            outcome = laboratory.learn(laboratory.corrections(person, count), person, recipe)
            outcomes[way, count].append(outcome)
            log(f"person {person} from {outcomes[way, 0][person].person:.4f}, {way}, {count} corrections: {outcome}")
    return outcomes


def measure_poison(laboratory: Laboratory, seeds: int, log: Log) -> dict[str, list[Outcome]]:
    """Return the outcomes for each kind of poison, one for each seed, each of the person of that number."""
    outcomes: dict[str, list[Outcome]] = {}
    for seed in range(seeds):
        person = seed % len(laboratory.people)
        recipe = FINE_TUNING.with_overrides({"seed": seed})
        honest = laboratory.corrections(person, VICTIM_COUNT, seed + 1)
        kinds = {f"{share:.0%} of {VICTIM_COUNT} wrong": poison(honest, share, seed) for share in POISONED}
        flood = poison(laboratory.written((person + 1) % len(laboratory.people), FLOOD, seed + 1), 1, seed)
        kinds[f"{FLOOD:,} wrong of one source"] = flood
        kinds[f"{VICTIM_COUNT} right, {FLOOD:,} wrong of another source"] = [*honest, *flood]
        rival = [replace(found, source="a rival") for found in poison(honest, 1, seed)]
        kinds[f"{VICTIM_COUNT} right, the same pictures wrong of another source"] = [*honest, *rival]
        for kind, corrections in kinds.items():
            outcomes.setdefault(kind, []).append(laboratory.learn(corrections, person, recipe))
            log(f"seed {seed}: {kind}: {outcomes[kind][-1]}")
    return outcomes


def learning_table(outcomes: dict[tuple[str, int], list[Outcome]]) -> str:
    rows = [
        [way, str(count), *_means(found), f"{sum(one.decision.is_promoted for one in found)} of {len(found)}"]
        for (way, count), found in sorted(outcomes.items(), key=lambda item: item[0])
    ]
    return table(("", "corrections", "the person", "other people", "MNIST, held out", "promoted"), rows)


def poison_table(outcomes: dict[str, list[Outcome]]) -> str:
    rows = [
        [kind, f"{sum(one.decision.is_promoted for one in found)} of {len(found)}", *_means(found)]
        for kind, found in outcomes.items()
    ]
    return table(("corrections", "promoted", "the person", "other people", "MNIST, held out"), rows)


def write_chart(outcomes: dict[tuple[str, int], list[Outcome]], path: Path) -> None:
    path.write_bytes(chart_png(partial(_draw, outcomes=outcomes), 6.5, 3.4))


def _draw(figure: Figure, outcomes: dict[tuple[str, int], list[Outcome]]) -> None:
    """Draw each person's accuracy over the number of corrections, fine-tuned, and the mean of the others'."""
    axes = figure.subplots()
    counts = [count for way, count in sorted(outcomes) if way == FINE_TUNED]
    places = range(len(counts))
    for person in range(len(outcomes[FINE_TUNED, 0])):
        scores = [outcomes[FINE_TUNED, count][person].person for count in counts]
        axes.plot(places, scores, color=BLUE, marker="o", label="a person who corrects" if not person else None)
    axes.plot(
        places,
        [np.mean([one.others for one in outcomes[FINE_TUNED, count]]) for count in counts],
        color=GRAY,
        linestyle="--",
        label="other people, mean",
    )
    axes.set_xticks(list(places), [str(count) for count in counts])
    axes.set_xlabel("corrections")
    axes.set_ylabel("accuracy on unseen digits")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _means(found: Sequence[Outcome]) -> list[str]:
    return [f"{np.mean([getattr(one, name) for one in found]):.4f}" for name in ("person", "others", "held_out")]


def print_limits(laboratory: Laboratory, people: int) -> None:
    print(
        f"{describe_readings(laboratory.shipped, laboratory.validation)}\n{describe_distances(laboratory.data.train)}\n"
    )
    print(f"{limits_table(measure_limits(laboratory.shipped, people, log_to_stderr))}\n\n{gate_table()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=["learning", "poison", "http", "limits"], default=["learning", "poison"]
    )
    parser.add_argument("--people", type=int, default=3, choices=range(2, 17), metavar="2..16")
    parser.add_argument("--seeds", type=int, default=3, help="of each kind of poison")
    parser.add_argument("--others", type=int, default=100, help="people from whom the limits are measured")
    arguments = parser.parse_args()
    started = time.monotonic()
    with mnist_dir() as (folder, name):
        laboratory = Laboratory(read_folder(folder), arguments.people)
        if "learning" in arguments.parts:
            learned = measure_learning(laboratory, log_to_stderr)
            write_chart(learned, CHART)
            print(f"On {name}, {arguments.people} people:\n\n{learning_table(learned)}\n", flush=True)
        if "poison" in arguments.parts:
            print(poison_table(measure_poison(laboratory, arguments.seeds, log_to_stderr)))
        if "http" in arguments.parts:
            missed = measure_http(laboratory.people[1], FINE_TUNING, folder, laboratory.validation, log_to_stderr)
            print(f"Over HTTP: {'; '.join(missed) or 'all is reached'}")
        if "limits" in arguments.parts:
            print_limits(laboratory, arguments.others)
    log_to_stderr(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
