"""`python -m benchmarks.searches`: a search of 40 short trials, undisturbed and with kills.

Its recipe is the tutorial's with a learning rate that is far too small. The search must find a better one. With its
client and a trainer killed (SIGKILL) it must go on when the same command is started again, and end with the ranking of
an undisturbed one of the same seed. `--update` writes the results into the table "Kills" of docs/searches.md.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.document_sections import write_rows
from benchmarks.verdicts import Verdict, log_to_stderr
from inkling.model_card.markdown import table
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.registry import Registry

WITHIN_S = 3600.0
OVERRIDES = {"learning_rate": 0.00001, "training_steps": 100, "display_step": 20}
SPACE = "learning_rate=log:0.00001..0.1"


class SearchOfFolder:
    """A search in a data directory of its own, and the trainers that work on it."""

    def __init__(self, folder: Path, trials: int, seed: int, runs_at_once: int) -> None:
        folder.mkdir()
        self.data_dir = folder / "data"
        self._log = (folder / "log").open("ab")
        overrides = [word for name, value in OVERRIDES.items() for word in ("--set", f"{name}={value}")]
        size = ["--trials", str(trials), "--seed", str(seed), "--runs-at-once", str(runs_at_once)]
        arguments = ["search", *overrides, "--space", SPACE, *size, "--json", "--data-dir", str(self.data_dir)]
        self._command = [sys.executable, "-m", "app.cli", *arguments]

    def start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._log)

    def finish(self) -> list[dict[str, Any]]:
        """Start the command, wait for its end, and return the ranking that it prints."""
        with self.start() as client:
            output, _ = client.communicate(timeout=WITHIN_S)
        if client.returncode:
            raise SystemExit(f"the search ended with exit code {client.returncode}; its log is {self._log.name!r}")
        return [json.loads(line) for line in output.splitlines()]

    def registry(self) -> Registry:
        return Registry(f"sqlite:///{self.data_dir / 'inkling.db'}")

    def await_trial(self, number: int, client: "subprocess.Popen[bytes]") -> None:
        """Wait until a trial is being trained."""
        _wait((self.data_dir / "inkling.db").exists, client)
        registry = self.registry()
        _wait(lambda: any((run.trial or 0) >= number and run.step for run in registry.runs.running()), client)
        registry.close()

    def kill_trainers(self) -> int:
        pids = processes.trainers_of(self.data_dir)
        for pid in pids:
            os.killpg(pid, signal.SIGKILL)
        return len(pids)


def _wait(condition: Callable[[], bool], client: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline or client.poll() is not None:
            raise SystemExit("the search ended, or hung, before it could be killed: give it more --trials")
        time.sleep(0.01)


def with_kills(search: SearchOfFolder, trials: int) -> tuple[list[dict[str, Any]], int]:
    """Kill a trainer, and later the client; return the ranking in the end, and the number of kills."""
    client = search.start()
    search.await_trial(trials // 4, client)
    kills = search.kill_trainers()
    log_to_stderr(f"killed {kills} trainers in trial {trials // 4} or later")
    search.await_trial(trials // 2, client)
    client.kill()
    client.wait()
    log_to_stderr(f"killed the client in trial {trials // 2} or later")
    kills += search.kill_trainers()
    return search.finish(), kills + 1


def measure_default(search: SearchOfFolder, recipe: Recipe) -> float:
    """Return the held-out cross-entropy of the recipe as it is, trained once in the same registry."""
    registry = search.registry()
    run, _ = registry.runs.queue(recipe, "never", max_queued=100)
    command = [sys.executable, "-m", "training", "worker", "--idle-exit", "3", "--data-dir", str(search.data_dir)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    last = registry.runs.progress(run.id)[-1]
    registry.close()
    return last.validation_loss or 0.0


def ranking(trials: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(trial[name] for name in ("trial", "state", "values", "validation_loss")) for trial in trials]


def first_difference(expected: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> str | None:
    pairs = zip_longest(expected, found)
    return next((f"{other} instead of {one}" for one, other in pairs if one != other), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs-at-once", type=int, default=1)
    parser.add_argument("--update", action="store_true", help="write the results into docs/searches.md")
    size = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        calm, disturbed = (
            SearchOfFolder(Path(folder) / name, size.trials, size.seed, size.runs_at_once)
            for name in ("calm", "disturbed")
        )
        after_kills, kills = with_kills(disturbed, size.trials)
        started = time.perf_counter()
        undisturbed = calm.finish()
        seconds = time.perf_counter() - started
        default = measure_default(calm, TUTORIAL.with_overrides(OVERRIDES))
        problems = [problem for search in (calm, disturbed) for problem in search.registry().verify()]
    best = undisturbed[0]
    verdicts = [
        Verdict(
            "the best held-out cross-entropy",
            f"below {default:.4f}, of the recipe as it is",
            f"{best['validation_loss']:.4f}, of {best['values']}, accuracy {best['validation_accuracy']:.4f}",
            best["validation_loss"] < default,
        ),
        Verdict(
            "the ranking after kills",
            "that of the undisturbed search, to the last bit",
            f"{first_difference(ranking(undisturbed), ranking(after_kills)) or 'the same'}, after {kills} kills",
            ranking(after_kills) == ranking(undisturbed),
        ),
        Verdict("`inkling verify`", "consistent", "; ".join(problems) or "consistent", not problems),
    ]
    pruned = sum(trial["state"] == "pruned" for trial in undisturbed)
    rows = [
        ["the undisturbed search", "", f"{size.trials} trials, {pruned} of them pruned, in {seconds:.0f} s", ""],
        *([*verdict[:3], "yes" if verdict.is_met else "NO"] for verdict in verdicts),
    ]
    print(table(["", "required", "measured", "met"], rows))
    if size.update:
        write_rows(processes.ROOT / "docs" / "searches.md", "Kills", rows)
    return 0 if all(verdict.is_met for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
