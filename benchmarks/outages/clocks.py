"""Three trainers on one registry whose clocks differ by two minutes.

libfaketime breaks the waits of psycopg and TensorFlow, so the only clock that the registry and the trainers read, that
of `inkling.registry.rows`, is shifted at the start of each trainer.
"""

import re
from contextlib import closing
from pathlib import Path

from benchmarks.outages import service
from benchmarks.verdicts import log_to_stderr
from inkling.registry.registry import Registry
from tests.support.postgres import start_postgres

OFFSETS_S = (-60, 0, 60)
RUNS = 6


def clocks_differ(folder: Path, mnist_dir: Path, steps: int) -> list[str]:
    """Return the row of three trainers with different clocks, on PostgreSQL: those of a SQLite file share one machine.

    Raises:
        RuntimeError: a run was taken over, or failed.
    """
    with start_postgres() as postgres, closing(Registry(postgres.url())) as registry:
        runs = [service.queue(registry, steps) for _ in range(RUNS)]
        at_once = str(len(OFFSETS_S))
        with service.trainers(folder, postgres.url(), mnist_dir, clocks_s=OFFSETS_S, INKLING_RUNS_AT_ONCE=at_once):
            ended = [service.wait_for_end(registry, run) for run in runs]
        problems = registry.verify()
        digests = {registry.versions.get(run.version).digest for run in ended if run.version}
    attempts = [run.attempt for run in ended]
    states = [run.state for run in ended]
    logs = [file.read_text() for file in sorted(folder.glob("trainer-*.log"))]
    shares = [len(re.findall("succeeded, version", log)) for log in logs]
    log_to_stderr(f"{states}, attempts {attempts}, runs of each trainer {shares}, {problems or 'consistent'}")
    if states != ["succeeded"] * RUNS or attempts != [1] * RUNS or len(digests) != 1 or problems or 0 in shares:
        raise RuntimeError(f"{states}, attempts {attempts}, {len(digests)} digests, shares {shares}, {problems}")
    offsets = ", ".join(f"{offset_s:+d}" if offset_s else "0" for offset_s in OFFSETS_S)
    return [
        f"three trainers on PostgreSQL with clocks at {offsets} s train {RUNS} runs",
        "",
        "none taken over, none failed, all with the same SHA-256",
    ]
