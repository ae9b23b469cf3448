"""Predictions without HTTP: the classifier against plain TensorFlow."""

import statistics

from benchmarks.contestants import REPEATS, Contestant, prediction_contestants
from benchmarks.verdicts import Log, seconds, spread
from inkling.model_card.markdown import counted, table

ROUNDS = 5


def section(log: Log) -> str:
    parts = ["## Without HTTP"]
    for count in (1, 1000):
        title = f"{REPEATS} predictions of {counted(count, 'image')}"
        log(title)
        parts.append(table((title, "ms", "time / the first's"), rows(prediction_contestants(count))))
    return "\n\n".join(parts)


def rows(contestants: list[Contestant]) -> list[list[str]]:
    """Return each contestant's median time, and its ratio to the first one's with its spread over the rounds."""
    for contestant in contestants:
        contestant.run()  # warm-up and compilation
    rounds = [[seconds(contestant.run) for contestant in contestants] for _ in range(ROUNDS)]
    return [
        [
            contestant.name,
            f"{statistics.median(times[i] for times in rounds) * 1e3:.1f}",
            spread([times[i] / times[0] for times in rounds]),
        ]
        for i, contestant in enumerate(contestants)
    ]
