"""Three trainers on one registry whose clocks differ by two minutes, by libfaketime."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.outages import service
from benchmarks.scoreboard.training_faults import libfaketime
from benchmarks.verdicts import log_to_stderr
from inkling.registry.registry import Registry
from tests.support.postgres import start_postgres

OFFSETS_S = (-60, 0, 60)
RUNS = 6


def clocks_differ(folder: Path, mnist_dir: Path, backend: str, steps: int) -> list[str]:
    """Return the row of three trainers with different clocks.

    Raises:
        RuntimeError: a run was taken over, or failed.
    """
    with _database(folder, backend) as url, closing(Registry(url)) as registry:
        runs = [service.queue(registry, steps) for _ in range(RUNS)]
        environments = [_clock(offset_s) for offset_s in OFFSETS_S]
        with service.trainers(folder, url, mnist_dir, *environments, INKLING_RUNS_AT_ONCE=str(len(OFFSETS_S))):
            ended = [service.wait_for_end(registry, run) for run in runs]
        problems = registry.verify()
        digests = {registry.versions.get(run.version).digest for run in ended if run.version}
    attempts = [run.attempt for run in ended]
    states = [run.state for run in ended]
    logs = [file.read_text() for file in sorted(folder.glob("trainer-*.log"))]
    shares = [len(re.findall("succeeded, version", log)) for log in logs]
    log_to_stderr(
        f"{backend}: {states}, attempts {attempts}, runs of each trainer {shares}, {problems or 'consistent'}"
    )
    if states != ["succeeded"] * RUNS or attempts != [1] * RUNS or len(digests) != 1 or problems or 0 in shares:
        raise RuntimeError(f"{states}, attempts {attempts}, {len(digests)} digests, shares {shares}, {problems}")
    offsets = ", ".join(f"{offset_s:+d}" if offset_s else "0" for offset_s in OFFSETS_S)
    return [
        f"three trainers on {backend} with clocks at {offsets} s train {RUNS} runs",
        "",
        "none taken over, none failed, all with the same SHA-256",
    ]


@contextmanager
def _database(folder: Path, backend: str) -> Iterator[str]:
    if backend == "SQLite":
        yield f"sqlite:///{folder / 'inkling.db'}"
        return
    with start_postgres() as postgres:
        yield postgres.url()


def _clock(offset_s: int) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(libfaketime()),
        "FAKETIME": f"{offset_s:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
