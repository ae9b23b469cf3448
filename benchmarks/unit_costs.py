"""`python -m benchmarks.unit_costs`: what a request, a run, a version, an idle server and an idle trainer cost.

CPU time and statements, on a PostgreSQL of its own, which other work on the machine changes little. `--update` writes
the tables of docs/scale.md, with the sizes that `benchmarks.scale` computes from them.
"""

import argparse
import contextlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from sqlalchemy import create_engine, text

from app.serving.current_version import CurrentVersion
from benchmarks import processes, scale
from benchmarks.digits import make_digits, mnist_dir
from benchmarks.processes import ROOT, Process
from benchmarks.scale import Costs, Database, Idle, RequestCost, RunCost, VersionCost
from benchmarks.verdicts import log_to_stderr, seconds
from inkling.mnist import read_folder
from inkling.network.classifier import Classifier
from inkling.network.evaluation import evaluate
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import ACCURATE, TUTORIAL, Recipe
from inkling.registry.registry import Registry
from inkling.vision.image_files import png_bytes
from tests.support.bodies import image_file
from tests.support.pictures import draw_strokes, photograph, put, to_gray_levels
from tests.support.postgres import Postgres, start_postgres

ROUNDS = 3
IDLE_S, POLL_S = 20.0, 4.0
RUNS, SHORT_STEPS, LONG_STEPS = 5, 500, 1500
ORDINARY_PRIORITY = ROOT / "tests" / "support" / "ordinary_priority"
"""A trainer at the lowest priority would wait for whatever else the machine does."""
PATIENCE_S = 280.0
PNG, JPEG, RAW, JSON = "image/png", "image/jpeg", "application/octet-stream", "application/json"


class Bench:
    """Owns a database in PostgreSQL, and counts the statements that it is sent."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self.folder = folder
        self._postgres = postgres
        url = postgres.new_database()
        self.name = url.rpartition("/")[2]
        self.url = url.replace("+psycopg", "")
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT")
        postgres.execute("ALTER SYSTEM SET log_statement = 'all'")
        postgres.execute("ALTER SYSTEM SET log_line_prefix = '%d '")
        postgres.execute("SELECT pg_reload_conf()")
        self.registry = Registry(url)
        self.registry.versions.add_first(load_pretrained())

    def statements(self) -> int:
        """Return the statements so far, those that begin and end transactions included."""
        words = (f"{self.name} LOG:  statement: ", f"{self.name} LOG:  execute ")
        with (self._postgres.folder / "log").open(errors="replace") as lines:
            return sum(line.startswith(words) for line in lines)

    def connections(self) -> int:
        return int(self._scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")) - 1

    def size(self) -> int:
        return int(self._scalar("SELECT pg_database_size(current_database())"))

    def quiet(self) -> None:
        """Log no statements from now on, which would cost more than they do."""
        self._postgres.execute("ALTER SYSTEM SET log_statement = 'none'")
        self._postgres.execute("SELECT pg_reload_conf()")

    def cpu_s(self) -> dict[int, float]:
        """Return the CPU time of PostgreSQL's processes so far, by their ids."""
        leader = int((self._postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
        return {pid: processes.cpu_s(pid) for pid in (leader, *processes.descendants(leader))}

    def _scalar(self, query: str) -> float:
        with self._engine.connect() as connection:
            return float(connection.scalar(text(query)) or 0)

    @contextlib.contextmanager
    def server(self, number: int = 1) -> Iterator[Process]:
        folder = self.folder / f"server-{number}"
        with processes.running_inkling(folder, INKLING_DATABASE_URL=self.url) as process:
            yield process

    @contextlib.contextmanager
    def trainer(self, mnist: Path, number: int = 1) -> Iterator[Process]:
        # A shell before it: the leader of a session would lower the priority of its session.
        worker = [sys.executable, "-m", "training", "worker", "--data-dir", str(self.folder / f"trainer-{number}")]
        command = ["sh", "-c", '"$@"; exit', "sh", *worker]
        environment = {
            "INKLING_DATABASE_URL": self.url,
            "INKLING_MNIST_DIR": str(mnist),
            "INKLING_TRAINER_THREADS": "1",
            "INKLING_RUNS_AT_ONCE": "2",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ORDINARY_PRIORITY}",
        }
        with processes.running(command, 0, **environment) as process:
            yield process

    def train(self, recipe: Recipe, count: int = 1) -> None:
        """Queue runs, and wait until they have succeeded."""
        runs = [self.registry.runs.queue(recipe, "never", 1000)[0].id for _ in range(count)]
        deadline = time.monotonic() + PATIENCE_S
        while (states := {self.registry.runs.get(run).state for run in runs}) & {"queued", "running"}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the runs did not end within {PATIENCE_S:.0f} s")
            time.sleep(0.2)
        if states != {"succeeded"}:
            raise RuntimeError(f"the runs ended as {states}")


def requests() -> dict[str, tuple[str, str, bytes, int, int]]:
    """Return path, content type, body, images, and repeats of a measurement, by name."""
    digits = make_digits(100, seed=6)[0]
    one = png_bytes(digits[7])
    drawing = to_gray_levels(255 * (1 - put(draw_strokes(7, 180, 16.0), (280, 280), (50, 60))))
    return {
        "one PNG": ("/predict", PNG, one, 1, 1500),
        "one image, JSON": ("/predict", JSON, json.dumps({"images": [digits[7].tolist()]}).encode(), 1, 1500),
        "100 images, raw": ("/predict", RAW, digits.tobytes(), 100, 300),
        "`fit=mnist`, 280x280 PNG": ("/predict?fit=mnist", PNG, png_bytes(drawing), 1, 300),
        "`fit=mnist`, JPEG of 12 megapixels": ("/predict?fit=mnist", JPEG, phone_photo(), 1, 15),
        "`/explain`, one PNG": ("/explain", PNG, one, 1, 500),
    }


def phone_photo() -> bytes:
    """Return a photo in color of a digit, 4000x3000 pixels, as a JPEG file."""
    gray = photograph(put(draw_strokes(7, 1800, 160.0), (3000, 4000), (600, 900)), seed=6, noise=2.0)
    return image_file(Image.fromarray(gray).convert("RGB"), "JPEG", quality=85)


def measure_requests(bench: Bench) -> list[RequestCost]:
    with bench.server() as process:
        connection = http.client.HTTPConnection("127.0.0.1", process.port)
        kinds, cpu_us = requests(), dict[str, list[float]]()
        sizes = {name: ask(connection, *kind[:3]) for name, kind in kinds.items()}
        idle_before, idle_at = bench.statements(), time.monotonic()
        for number in range(ROUNDS):
            for name, (path, content_type, body, _, repeats) in kinds.items():
                started_s = process.cpu_s()
                for _ in range(repeats):
                    ask(connection, path, content_type, body)
                cpu_us.setdefault(name, []).append((process.cpu_s() - started_s) / repeats * 1e6)
            log_to_stderr(f"requests, round {number + 1} of {ROUNDS}")
        rate = (bench.statements() - idle_before) / (time.monotonic() - idle_at)
        connection.close()
    return [
        RequestCost(name, images, statistics.median(cpu_us[name]), *sizes[name], statements_per_s=rate)
        for name, (_, _, _, images, _) in kinds.items()
    ]


def ask(connection: http.client.HTTPConnection, path: str, content_type: str, body: bytes) -> tuple[int, int]:
    """Send a request, and return the bytes of its body and those of the answer's body."""
    connection.request("POST", path, body, {"Content-Type": content_type})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {content[:300]!r}")
    return len(body), len(content)


def measure_idle(bench: Bench, name: str, context: Callable[[int], contextlib.AbstractContextManager[Process]]) -> Idle:
    """Measure one idle process, and the statements of two."""
    with contextlib.ExitStack() as stack:
        measured = []
        for number in (1, 2):
            process = stack.enter_context(context(number))
            time.sleep(3)  # it may still be starting
            before, cpu_s, connections = bench.statements(), process.cpu_s(), bench.connections()
            time.sleep(IDLE_S)
            rate = (bench.statements() - before) / IDLE_S
            measured.append((rate, (process.cpu_s() - cpu_s) / IDLE_S, sum(process.resident_mib()), connections))
        log_to_stderr(f"idle {name}")
    (one, cpu, mib, connections), (two, *_) = measured
    return Idle(name, one, two, cpu, mib, connections)


def measure_runs(bench: Bench, mnist: Path) -> list[RunCost]:
    short = TUTORIAL.with_overrides({"training_steps": 100})
    accurate = [
        ACCURATE.with_overrides({"training_steps": steps, "warmup_steps": SHORT_STEPS})
        for steps in (SHORT_STEPS, LONG_STEPS)
    ]
    with bench.trainer(mnist) as process:

        def cost(name: str, recipe: Recipe, count: int = 1) -> RunCost:
            before = (process.cpu_s(), bench.statements(), bench.size())
            elapsed = seconds(lambda: bench.train(recipe, count))
            after = (process.cpu_s(), bench.statements(), bench.size())
            cpu_s, statements, size = ((now - then) / count for now, then in zip(after, before, strict=True))
            log_to_stderr(f"run: {name}")
            return RunCost(name, cpu_s, elapsed / count, statements, size)

        first = cost("100 steps of `tutorial`, the first of a trainer", short)
        next_ones = cost("100 steps of `tutorial`, the next ones", short, RUNS)
        few, many = (cost(f"{recipe.training_steps:,} steps of `accurate`", recipe) for recipe in accurate)
    return [first, next_ones, few, many, whole_run(few, many, ACCURATE.training_steps)]


def whole_run(few: RunCost, many: RunCost, steps: int) -> RunCost:
    """Extrapolate the cost of all steps from two runs whose number of steps differs, on a core of its own.

    Statements go with time, by the heartbeat and the reports, so their rate is that of the longer run.
    """
    cpu_s = many.cpu_s + (steps - LONG_STEPS) * (many.cpu_s - few.cpu_s) / (LONG_STEPS - SHORT_STEPS)
    rate = (many.statements - few.statements) / (many.elapsed_s - few.elapsed_s)
    return RunCost(f"all {steps:,} steps of `accurate`, extrapolated", cpu_s, cpu_s, rate * cpu_s, many.size)


def measure_version(mnist: Path) -> VersionCost:
    shipped = load_pretrained()
    test = read_folder(mnist).test
    classifier = Classifier(shipped, 1)
    started_s = time.process_time()
    evaluate(classifier.probabilities(test.images), test.labels)
    return VersionCost(len(shipped.content), time.process_time() - started_s, len(test.labels))


def measure_database(bench: Bench) -> Database:
    """Poll as servers do from several threads, without a pause."""
    bench.quiet()
    rates, started_cpu_s, polls = {}, bench.cpu_s(), 0
    for threads in (1, 2, 4):
        versions = [CurrentVersion(bench.registry) for _ in range(threads)]
        stop_at = time.monotonic() + POLL_S

        def poll(version: CurrentVersion, stop_at: float = stop_at) -> int:
            count = 0
            while time.monotonic() < stop_at:
                version.poll()
                count += 1
            return count

        with ThreadPoolExecutor(threads) as pool:
            counts = sum(pool.map(poll, versions))
        rates[threads] = counts / POLL_S
        polls += counts
        log_to_stderr(f"polls from {threads} threads")
    used_s = sum(cpu_s - started_cpu_s.get(pid, 0.0) for pid, cpu_s in bench.cpu_s().items())
    return Database(rates, used_s / polls * 1e6)


def measure() -> Costs:
    with mnist_dir() as (mnist, name), tempfile.TemporaryDirectory() as made, start_postgres() as postgres:
        bench = Bench(postgres, Path(made))
        version = measure_version(mnist)
        requested = measure_requests(bench)
        idle = [
            measure_idle(bench, "server", bench.server),
            measure_idle(bench, "trainer", lambda number: bench.trainer(mnist, number)),
        ]
        runs = measure_runs(bench, mnist)
        database = measure_database(bench)
        bench.registry.close()
    return Costs(requested, runs, version, idle, database, name)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unit_costs", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the tables of docs/scale.md")
    is_update = parser.parse_args(arguments).update
    tables = scale.tables(measure())
    print(tables)
    if is_update:
        scale.update(ROOT / "docs" / "scale.md", tables)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
