"""Predictions while other processes want the same CPU cores, and within a quota of CPU time.

Each condition has a server of its own, and the conditions take turns. Busy loops run in the server's session, with its
priority: Linux weighs sessions against each other (autogroup), so loops in another session would compete less.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import beside_training, bulk, load, processes
from benchmarks.digits import make_digits, mnist_dir
from benchmarks.load import Post
from benchmarks.processes import Process
from benchmarks.serving import BOUNDARY, PNG
from benchmarks.verdicts import Log, Verdict, spread
from inkling.cpus import count_cpus
from inkling.model_card.markdown import paragraph, table

ROUNDS = 3
SECONDS = 1.0
CONNECTIONS = 4
TAIL_S = 5.0
"""Seconds of single images at a constant rate, of which the p99 is taken: a loop that sends as fast as it can would
only measure the quota's own pauses. In 5 s, 15 of 1,500 requests take longer: of fewer, a single wait decides."""
LEAST, MOST = 0.5, 3.0
"""The least rate per free core, and the largest p99 of single images, both of those of the quiet server."""
PERIOD_US = 100_000
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
QUIET, TRAINING = "quiet", "a training run"
RAW = "application/octet-stream"


@dataclass(frozen=True)
class Condition:
    name: str
    loops: int = 0
    quota: float | None = None

    def free_cores(self, cores: int) -> float:
        """Return the fair share of a server that computes in one thread; a training run yields to it."""
        return min(1.0, cores / (self.loops + 1), self.quota or 1.0)


CONDITIONS = (
    Condition(QUIET),
    Condition("1 busy loop", loops=1),
    Condition("2 busy loops", loops=2),
    Condition("a quota of 1 core", quota=1.0),
    Condition("a quota of 0.5 cores", quota=0.5),
    Condition(TRAINING),
)


@dataclass
class BesideOthers:
    rates: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """Images per second, round by round, by condition and request."""
    p99_ms: dict[str, list[float]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    """Conditions that cannot be made here, with the reason."""

    def ratios(self, condition: Condition, request: str) -> list[float]:
        """Return the rates per free core, as shares of those of the quiet server in the same round."""
        pairs = zip(self.rates[condition.name, request], self.rates[QUIET, request], strict=True)
        return [busy / quiet / condition.free_cores(count_cpus()) for busy, quiet in pairs]

    def tail_ratios(self, condition: Condition) -> list[float]:
        return [busy / quiet for busy, quiet in zip(self.p99_ms[condition.name], self.p99_ms[QUIET], strict=True)]

    def measured(self) -> list[Condition]:
        return [condition for condition in CONDITIONS if condition.name in self.p99_ms]


def run(log: Log, rounds: int = ROUNDS) -> BesideOthers:
    load.require_wrk()
    found = BesideOthers()
    with mnist_dir() as (mnist, _), tempfile.TemporaryDirectory() as folder:
        posts = requests(Path(folder))
        for number in range(1, rounds + 1):
            for condition in CONDITIONS:
                if condition.quota and not _can_limit():
                    if number == 1:
                        found.absent.append(f"{condition.name}: no control group of CPU time can be made here")
                    continue
                log(f"beside others, round {number} of {rounds}: {condition.name}")
                with _server(
                    condition, Path(folder) / f"{number} {condition.name}", mnist, posts["1 PNG"][2]
                ) as server:
                    _measure(found, condition, server, posts)
    return found


def requests(folder: Path) -> dict[str, tuple[str, int, Post]]:
    """Return the requests by their names: the path, the number of images, and the body, a file in `folder`."""
    images = make_digits(100, seed=8)[0]
    form = f"multipart/form-data; boundary={BOUNDARY}"
    made = {
        "1 image, raw bytes": ("/predict", 1, RAW, images[:1].tobytes()),
        "50 images, raw bytes": ("/predict", 50, RAW, images[:50].tobytes()),
        "100 images, raw bytes": ("/predict", 100, RAW, images.tobytes()),
        "1 PNG": ("/predict", 1, "image/png", PNG.read_bytes()),
        "50 PNGs, a form": ("/predict", 50, form, bulk.form(images[:50])),
        "100 PNGs, a form": ("/predict", 100, form, bulk.form(images)),
        "/explain, 1 PNG": ("/explain", 1, "image/png", PNG.read_bytes()),
    }
    found = {}
    for number, (name, (path, count, content_type, body)) in enumerate(made.items()):
        file = folder / f"{number}.body"
        file.write_bytes(body)
        found[name] = (path, count, Post(content_type, file))
    return found


def _measure(
    found: BesideOthers, condition: Condition, server: Process, posts: dict[str, tuple[str, int, Post]]
) -> None:
    for name, (path, count, post) in posts.items():
        measured = load.send(post, f"{server.url}{path}", CONNECTIONS, SECONDS)
        found.rates.setdefault((condition.name, name), []).append(measured.requests_per_s * count)
    with server.client() as client:
        expected = client.post("/predict", content=PNG.read_bytes(), headers=beside_training.HEADERS).content
    latencies_s, failed = beside_training.send(server, expected, TAIL_S)
    if failed:
        raise RuntimeError(f"{condition.name}: {failed[0]}")
    found.p99_ms.setdefault(condition.name, []).append(float(np.percentile(latencies_s, 99)) * 1e3)


@contextmanager
def _server(condition: Condition, data_dir: Path, mnist: Path, warm_up: Post) -> Iterator[Process]:
    """Yield a server under a condition, with its decoders started."""
    trainer = "process" if condition.name == TRAINING else "external"
    port = processes.free_port()
    command = _beside_loops(condition.loops, processes.serve_command(port, data_dir, trainer=trainer))
    with ExitStack() as stack:
        if condition.quota:
            joining = f'echo $$ > "{stack.enter_context(_cpu_group(condition.quota))}/cgroup.procs" && exec "$@"'
            command = ["sh", "-c", joining, "sh", *command]
        server = stack.enter_context(processes.running(command, port, INKLING_MNIST_DIR=str(mnist)))
        server.wait_for(server.is_ready)
        load.send(warm_up, f"{server.url}/predict", CONNECTIONS, SECONDS)
        if condition.name == TRAINING:
            with server.client() as client:
                body = {"recipe": "accurate", "overrides": beside_training.OVERRIDES, "promote": "never"}
                path = client.post("/train", json=body).raise_for_status().headers["location"]
                beside_training.wait_until(lambda: beside_training.step_of(client, path), "the run to train")
        yield server


def _beside_loops(count: int, command: list[str]) -> list[str]:
    """Return a command line that starts busy loops and then becomes `command`, their parent, in the same session."""
    if not count:
        return command
    return ["sh", "-c", 'sh -c "while :; do :; done" & ' * count + 'exec "$@"', "sh", *command]


def _can_limit() -> bool:
    try:
        with _cpu_group(1.0):
            return True
    except OSError:
        return False


@contextmanager
def _cpu_group(quota: float) -> Iterator[Path]:
    """Create a control group, version 1 or 2, with a quota in cores, and remove it at the end.

    Raises:
        OSError: this is not allowed or not possible.
    """
    is_v1 = (V1 / "cpu.cfs_quota_us").exists()
    folder = (V1 if is_v1 else V2) / f"inkling-benchmark-{os.getpid()}"
    folder.mkdir()
    try:
        if is_v1:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(int(quota * PERIOD_US)))
        else:
            (folder / "cpu.max").write_text(f"{int(quota * PERIOD_US)} {PERIOD_US}")
        yield folder
    finally:
        processes.wait_for_removal(folder)


def section(found: BesideOthers) -> str:
    cores = count_cpus()
    conditions = found.measured()
    free = ", ".join(f"{one.name} {one.free_cores(cores):.2f}" for one in conditions)
    text = (
        f"One worker, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS:.0f} s, in which the conditions take "
        "turns. Busy loops have the server's own priority. Ratios are to the quiet server in the same round, per "
        f"free core, which of {cores} are: {free}. The p99 is of single PNGs at {beside_training.RATE} per second; it "
        "counts from the moment when a request is due. The threads that send them have real-time priority, where that "
        "is allowed, so that they are on time."
    )
    header = ("images/s", *(condition.name for condition in conditions))
    names = dict.fromkeys(request for _, request in found.rates)
    rows = [[name, *(_cell(found, condition, name) for condition in conditions)] for name in names]
    tails = [
        f"{statistics.median(found.p99_ms[one.name]):.2f} ms"
        + (f", {statistics.median(found.tail_ratios(one)):.2f}x" if one.name != QUIET else "")
        for one in conditions
    ]
    parts = ["## Beside others", paragraph(text), table(header, [*rows, ["p99 of a single PNG", *tails]])]
    return "\n\n".join([*parts, *(paragraph(f"Left out: {line}.") for line in found.absent)])


def _cell(found: BesideOthers, condition: Condition, request: str) -> str:
    rate = f"{statistics.median(found.rates[condition.name, request]):,.0f}"
    if condition.name == QUIET:
        return rate
    return f"{rate}, {statistics.median(found.ratios(condition, request)):.2f}x"


def verdicts(found: BesideOthers) -> list[Verdict]:
    """Return the worst row of each condition, and its p99."""
    results = []
    for condition in found.measured()[1:]:
        ratios = {name: found.ratios(condition, name) for one, name in found.rates if one == condition.name}
        worst = min(ratios, key=lambda name: statistics.median(ratios[name]))
        met = statistics.median(ratios[worst]) >= LEAST
        results.append(
            Verdict(
                f"beside {condition.name}: the worst row per free core / quiet ({worst})",
                f"at least {LEAST}x",
                spread(ratios[worst]),
                met,
            )
        )
        tails = found.tail_ratios(condition)
        subject = f"beside {condition.name}: p99 of a single PNG / quiet"
        results.append(Verdict(subject, f"at most {MOST}x", spread(tails), statistics.median(tails) <= MOST))
    return results
