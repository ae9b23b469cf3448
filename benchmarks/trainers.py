"""`python -m benchmarks.trainers`: 40 runs of 100 steps by one trainer and by several, on SQLite and PostgreSQL.

The trainers are warm: each has trained before the clock starts. Each has one thread, so that more trainers use more
cores, and an ordinary priority, so that they get these cores beside other work. Then the same with trainers that are
killed (SIGKILL) and started again: every run must still end exactly once. And before both, how long one trainer with a
thread per core takes from the claim of a run to its version, if it trained the same recipe before (`--only warm`).
`--update` writes the table of docs/scale.md.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from benchmarks import processes
from benchmarks.digits import mnist_dir
from benchmarks.document_sections import write_rows
from benchmarks.processes import ROOT
from benchmarks.unit_costs import ORDINARY_PRIORITY
from benchmarks.verdicts import Verdict, log_to_stderr, spread
from inkling.cpus import count_cpus
from inkling.model_card.markdown import table
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import TUTORIAL, Recipe
from inkling.registry.records import Version
from inkling.registry.registry import Registry
from tests.support.postgres import start_postgres

RECIPE = TUTORIAL.with_overrides({"training_steps": 100, "display_step": 100})
WITHIN_S = 1800.0
KILLS = 3
KILLED_RUNS = 12
"""Runs of the measurement with kills: each kill costs a lease of 30 s."""
WARM_RUNS, WARM_S = 10, 0.3
"""Runs of a trainer that has trained the same recipe before; the seconds that one may take."""


class Trainers:
    """Trainers of one registry, each a process with a data directory of its own, as on machines of their own."""

    def __init__(self, folder: Path, url: str, count: int, mnist: Path, threads: int) -> None:
        self.registry = Registry(url)
        self.registry.versions.add_first(load_pretrained())
        self._environment = {
            **os.environ,
            "INKLING_DATABASE_URL": url,
            "INKLING_MNIST_DIR": str(mnist),
            "INKLING_RUNS_AT_ONCE": str(count),
            "INKLING_TRAINER_THREADS": str(threads),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ORDINARY_PRIORITY}",
        }
        self._folder = folder
        self._logs = [folder / f"trainer-{number}.log" for number in range(count)]
        self._processes = [self._start(number) for number in range(count)]
        self._seed = 0

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        data_dir = self._folder / f"trainer-{number}"
        with self._logs[number].open("ab") as log:
            command = [sys.executable, "-m", "training", "worker", "--data-dir", str(data_dir)]
            return subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)

    def queue(self, count: int) -> list[int]:
        """Queue runs, and return their numbers. No two are the same."""
        self._seed += count
        return self._queue([RECIPE.with_overrides({"seed": self._seed + i}) for i in range(count)])

    def queue_same(self, count: int) -> list[int]:
        """Queue runs of the same recipe and seed, and return their numbers."""
        return self._queue([RECIPE] * count)

    def _queue(self, recipes: Sequence[Recipe]) -> list[int]:
        return [self.registry.runs.queue(recipe, "if_better", max_queued=10_000)[0].id for recipe in recipes]

    def finish(self, runs: list[int], meanwhile: Callable[[], None] = lambda: None) -> float:
        """Wait until runs have ended; return the seconds from the first one's start to the last one's end."""
        deadline = time.monotonic() + WITHIN_S
        while not all(self.registry.runs.get(run).finished_at for run in (runs[-1], *runs)):
            if time.monotonic() > deadline:
                raise SystemExit(f"the runs did not end within {WITHIN_S:.0f} s; logs: {self._folder}")
            meanwhile()
            time.sleep(0.1)
        times = self._times(runs)
        return (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()

    def durations_s(self, runs: list[int]) -> list[float]:
        """Return the seconds from the claim of each run to its version."""
        return [(end - start).total_seconds() for start, end in self._times(runs)]

    def _times(self, runs: list[int]) -> list[tuple[datetime, datetime]]:
        ended = [self.registry.runs.get(run) for run in runs]
        return [(run.started_at, run.finished_at) for run in ended if run.started_at and run.finished_at]

    def warm_up(self) -> None:
        """Let every trainer train at least one run."""
        while not all("succeeded" in log.read_text(errors="replace") for log in self._logs):
            self.finish(self.queue(len(self._processes)))

    def kill_one(self, chance: random.Random) -> None:
        """Kill a trainer with SIGKILL, and start another one in its place."""
        number = chance.randrange(len(self._processes))
        self._processes[number].kill()
        self._processes[number].wait()
        self._processes[number] = self._start(number)

    def cpu_s(self) -> float:
        """Return the CPU time of the trainers so far."""
        return sum(processes.cpu_s(process.pid) for process in self._processes)

    def problems(self, runs: list[int]) -> list[str]:
        """Return which runs did not make exactly one version, and what `inkling verify` finds."""
        states = {run: self.registry.runs.get(run).state for run in runs}
        failed = [f"run {run} {state}" for run, state in states.items() if state != "succeeded"]
        makers = [version.run_id for version in self._versions()]
        doubles = [f"run {run} made {makers.count(run)} versions" for run in runs if makers.count(run) > 1]
        return [*failed, *doubles, *self.registry.verify()]

    def _versions(self) -> Iterator[Version]:
        before = None
        while page := self.registry.versions.newest(100, before):
            yield from page
            before = page[-1].version

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        self.registry.close()


@contextmanager
def started(url: str, count: int, mnist: Path, threads: int = 1) -> Iterator[Trainers]:
    with tempfile.TemporaryDirectory() as folder:
        trainers = Trainers(Path(folder), url or f"sqlite:///{folder}/inkling.db", count, mnist, threads)
        try:
            yield trainers
        finally:
            trainers.stop()


def measure_warm(new_url: Callable[[], str], mnist: Path) -> Verdict:
    """Measure the runs of one trainer with all cores, which has drawn the pictures of their seed before."""
    with started(new_url(), 1, mnist, threads=count_cpus()) as trainers:
        trainers.finish(trainers.queue_same(1))
        runs = trainers.queue_same(WARM_RUNS)
        trainers.finish(runs)
        durations_s, problems = trainers.durations_s(runs), trainers.problems(runs)
    is_met = statistics.median(durations_s) <= WARM_S and not problems
    measured = "; ".join([spread(durations_s, " s"), *problems])
    log_to_stderr(f"a warm run: {measured}")
    return Verdict("a run of a warm trainer", f"{WARM_S:g} s at most", f"{measured}, {WARM_RUNS} runs", is_met)


def measure(new_url: Callable[[], str], counts: tuple[int, int], runs: int, rounds: int, mnist: Path) -> Verdict:
    """Compare the times of one trainer and of several, in rounds that alternate."""
    few, many = counts
    took: dict[int, list[float]] = {few: [], many: []}
    cpu_s: dict[int, list[float]] = {few: [], many: []}
    """Of each run."""
    problems: list[str] = []
    with started(new_url(), few, mnist) as one, started(new_url(), many, mnist) as several:
        groups = {few: one, many: several}  # only one trains at a time; the other one waits, which costs nearly nothing
        for group in groups.values():
            group.warm_up()
        for number in range(rounds):
            for count in counts if number % 2 == 0 else counts[::-1]:
                before_s = groups[count].cpu_s()
                queued = groups[count].queue(runs)
                took[count].append(groups[count].finish(queued))
                cpu_s[count].append((groups[count].cpu_s() - before_s) / runs)
                problems += groups[count].problems(queued)
                log_to_stderr(f"{count} trainers: {runs} runs in {took[count][-1]:.1f} s")
    ratios = [slow / fast for slow, fast in zip(took[few], took[many], strict=True)]
    seconds = " and ".join(f"{statistics.median(times):.1f} s" for times in took.values())
    cpu = " and ".join(f"{statistics.median(times):.2f} s" for times in cpu_s.values())
    required = 0.9 * many if many <= 2 else 0.875 * many
    is_met = statistics.median(ratios) >= required and not problems
    measured = "; ".join([f"{spread(ratios)}, {runs} runs in {seconds}; a run takes {cpu} of CPU", *problems])
    return Verdict(f"{many} trainers", f"{required:g} times as fast as by {few}", measured, is_met)


def measure_kills(new_url: Callable[[], str], count: int, mnist: Path) -> Verdict:
    """Kill trainers while they train, and check that every run ends exactly once."""
    chance, kills = random.Random(1), 0  # noqa: S311  not for secrets
    with started(new_url(), count, mnist) as trainers:
        trainers.warm_up()
        queued = trainers.queue(KILLED_RUNS)

        def kill_now_and_then() -> None:
            nonlocal kills
            ended = sum(trainers.registry.runs.get(run).finished_at is not None for run in queued)
            running = trainers.registry.runs.running()
            if any(run.attempt > 1 for run in running):
                return  # a run that is killed twice fails, as it should
            if kills < KILLS and ended >= (kills + 1) * KILLED_RUNS // (KILLS + 2) and running:
                kills += 1
                trainers.kill_one(chance)

        took_s = trainers.finish(queued, kill_now_and_then)
        problems = trainers.problems(queued)
    log_to_stderr(f"{kills} kills: {KILLED_RUNS} runs in {took_s:.1f} s")
    return Verdict(
        f"{count} trainers, killed",
        "every run ends exactly once",
        "; ".join(problems) or f"{KILLED_RUNS} runs, {kills} kills: it does, in {took_s:.0f} s",
        not problems,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainers", type=int, default=max(2, count_cpus()))
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sqlite-only", action="store_true")
    parser.add_argument("--only", choices=("warm", "speed", "kills"), help="one of the three measurements")
    parser.add_argument("--update", action="store_true", help="write the table of docs/scale.md")
    size = parser.parse_args()
    verdicts: list[Verdict] = []
    with mnist_dir() as (mnist, _), ExitStack() as stack:
        databases: dict[str, Callable[[], str]] = {"SQLite": lambda: ""}
        if not size.sqlite_only:
            databases["PostgreSQL"] = stack.enter_context(start_postgres()).new_database
        for name, new_url in databases.items():
            measurements: dict[str, Callable[[], Verdict]] = {
                "warm": partial(measure_warm, new_url, mnist),
                "speed": partial(measure, new_url, (1, size.trainers), size.runs, size.rounds, mnist),
                "kills": partial(measure_kills, new_url, size.trainers, mnist),
            }
            for measurement in [size.only] if size.only else measurements:
                verdict = measurements[measurement]()
                verdicts.append(verdict._replace(subject=f"{name}: {verdict.subject}"))
    rows = [[*verdict[:3], "yes" if verdict.is_met else "NO"] for verdict in verdicts]
    print(table(["", "required", "measured", "met"], rows))
    if size.update:
        write_rows(ROOT / "docs" / "scale.md", "Trainers beside each other", rows)
    return 0 if all(verdict.is_met for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
