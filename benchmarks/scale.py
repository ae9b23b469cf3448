"""From unit costs to sizes: machines, database, network and money for a load. `benchmarks.unit_costs` measures them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inkling.model_card.markdown import table

UTILIZATION = 0.7
"""Of the cores that a load keeps busy: that of the autoscaler in deploy/kubernetes. The rest is for peaks."""
MACHINE_CORES = 16
CORE_HOUR_DOLLARS = 0.04
"""An assumption: a core with 4 GB in a large cloud, on demand, as of 2026. Half of it is usual with a commitment."""
GB_OUT_DOLLARS = 0.08
"""An assumption: a gigabyte from a large cloud to the internet. Within one zone it costs nothing."""
IMAGES_PER_S = (10_000, 100_000, 1_000_000)
RUNS_PER_DAY = (1_000, 100_000)
HOURS_PER_MONTH, DAY_S = 730, 86_400
MAX_RUNS_AT_ONCE = 64
LINE_GBIT = 10
"""A usual network card."""
START, END = "<!-- written by python -m benchmarks.unit_costs --update -->", "<!-- end -->"


@dataclass(frozen=True)
class RequestCost:
    name: str
    images: int
    cpu_us: float
    """Of the server and its decoder processes, per request."""
    sent: int
    received: int
    """Bytes of the bodies of a request and its answer."""
    statements_per_s: float
    """Of the server during all requests: those that it sends when idle, too."""

    @property
    def cores(self) -> float:
        """Busy cores at one image per second."""
        return self.cpu_us / 1e6 / self.images


@dataclass(frozen=True)
class RunCost:
    name: str
    cpu_s: float
    elapsed_s: float
    statements: float
    size: float
    """Bytes by which the database grew."""


@dataclass(frozen=True)
class VersionCost:
    size: int
    evaluation_cpu_s: float
    evaluated_images: int


@dataclass(frozen=True)
class Idle:
    name: str
    statements_per_s: float
    statements_per_s_of_two: float
    cpu: float
    """Busy cores."""
    mib: float
    """Resident memory of it and its children."""
    connections: int


@dataclass(frozen=True)
class Database:
    """PostgreSQL under the polls of servers, which come without a pause."""

    polls_per_s: dict[int, float]
    """By the number of threads that poll."""
    cpu_us: float
    """Of PostgreSQL, per poll."""

    def cores(self, statements_per_s: float) -> float:
        """Return the cores that statements need, each of which is taken to cost as much as a poll."""
        return statements_per_s * self.cpu_us / 1e6 / UTILIZATION


@dataclass(frozen=True)
class Costs:
    requests: Sequence[RequestCost]
    runs: Sequence[RunCost]
    version: VersionCost
    idle: Sequence[Idle]
    database: Database
    data: str


def tables(costs: Costs) -> str:
    """Return all tables in Markdown."""
    parts = [
        "### Per request",
        _requests(costs.requests),
        "### Per run and version",
        _runs(costs),
        "### Idle",
        _idle(costs.idle),
        "### The database",
        _database(costs.database),
        "### Sizes: images per second",
        _sizes(costs),
        "### Sizes: runs per day",
        _days(costs),
    ]
    return "\n\n".join(parts)


def update(document: Path, written: str) -> None:
    """Replace what lies between the two marks."""
    before, _, rest = document.read_text().partition(START)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{START}\n\n{written}\n\n{END}{after}")


def _requests(requests: Sequence[RequestCost]) -> str:
    rows = [
        [one.name, f"{one.cpu_us:,.0f}", f"{one.cpu_us / one.images:,.1f}", f"{one.sent:,}", f"{one.received:,}"]
        for one in requests
    ]
    header = ("request", "CPU us", "per image", "bytes sent", "bytes received")
    rate = requests[0].statements_per_s
    note = (
        f"Statements during these requests: {rate:.1f} per second, as of an idle server (below): a request sends none."
    )
    return f"{table(header, rows)}\n\n{note}"


def _runs(costs: Costs) -> str:
    rows = [
        [one.name, f"{one.cpu_s:,.2f}", f"{one.elapsed_s:,.1f}", f"{one.statements:,.0f}", f"{one.size / 1e6:.2f}"]
        for one in costs.runs
    ]
    header = ("run", "CPU s", "s", "statements", "MB in the database")
    version = costs.version
    note = (
        f"A version is a file of {version.size / 1e6:.2f} MB. To evaluate one on {version.evaluated_images:,} images "
        f"takes {version.evaluation_cpu_s:.2f} s of CPU. Trained on {costs.data}."
    )
    return f"{table(header, rows)}\n\n{note}"


def _idle(idle: Sequence[Idle]) -> str:
    rows = [
        [
            f"an idle {one.name}",
            f"{one.statements_per_s:.1f}",
            f"{one.statements_per_s_of_two:.1f}",
            f"{one.cpu * 100:.1f} %",
            f"{one.mib:.0f}",
            str(one.connections),
        ]
        for one in idle
    ]
    return table(("", "statements/s", "of two together", "of a core", "MiB", "connections"), rows)


def _database(database: Database) -> str:
    header = ("threads that poll", "polls/s")
    rows = [[str(threads), f"{rate:,.0f}"] for threads, rate in database.polls_per_s.items()]
    note = (
        f"PostgreSQL spends {database.cpu_us:,.0f} us of CPU per poll, which is one statement: "
        f"{1e6 / database.cpu_us:,.0f} statements per second and core. Clients and database shared the cores with all "
        "else that ran, so the rates are below that."
    )
    return f"{table(header, rows)}\n\n{note}"


def _sizes(costs: Costs) -> str:
    server = costs.idle[0]
    rows = []
    for request in costs.requests:
        for images_per_s in IMAGES_PER_S:
            cores = math.ceil(images_per_s * request.cores / UTILIZATION)
            answers = images_per_s / request.images
            machines = math.ceil(cores / MACHINE_CORES)
            in_gbit, out_gbit = (answers * size * 8 / 1e9 for size in (request.sent, request.received))
            compute = cores * CORE_HOUR_DOLLARS * HOURS_PER_MONTH
            traffic = answers * request.received * DAY_S * 30 / 1e9 * GB_OUT_DOLLARS
            statements = cores * server.statements_per_s
            rows.append(
                [
                    request.name,
                    f"{images_per_s:,}",
                    f"{cores:,}",
                    f"{machines:,}",
                    f"{cores * server.mib / 1024:,.1f}",
                    f"{in_gbit:.2f} / {out_gbit:.2f}",
                    f"{statements:,.0f} / {costs.database.cores(statements):.1f}",
                    f"{compute:,.0f}",
                    f"{traffic:,.0f}",
                    _first_limit(statements, max(in_gbit, out_gbit), costs.database),
                ]
            )
    header = (
        "request",
        "images/s",
        "servers of 1 core",
        f"machines of {MACHINE_CORES}",
        "GiB",
        "Gbit/s in / out",
        "statements/s / database cores",
        "$/month",
        "$/month, answers to the internet",
        "first thing that breaks",
    )
    return table(header, rows)


def _first_limit(statements_per_s: float, gbit: float, database: Database) -> str:
    if database.cores(statements_per_s) > MACHINE_CORES:
        return "the database, by the servers' polls: a longer INKLING_REGISTRY_POLL_S"
    if gbit > LINE_GBIT * UTILIZATION:
        return f"a network card of {LINE_GBIT} Gbit/s before the servers: several balancers"
    return "the CPU of one balancer"


def _days(costs: Costs) -> str:
    runs = [run for run in costs.runs if "next ones" in run.name or "extrapolated" in run.name]
    rows = []
    for run in runs:
        for per_day in RUNS_PER_DAY:
            cores = max(1, math.ceil(per_day * run.cpu_s / DAY_S / UTILIZATION))
            size, statements = costs.version.size * per_day, per_day * run.statements / DAY_S
            rows.append(
                [
                    run.name.removesuffix(", the next ones").removesuffix(", extrapolated"),
                    f"{per_day:,}",
                    f"{cores:,}",
                    f"{math.ceil(cores / MACHINE_CORES):,}",
                    f"{statements:,.0f} / {costs.database.cores(statements):.1f}",
                    f"{size / 1e9:,.1f}",
                    f"{cores * CORE_HOUR_DOLLARS * HOURS_PER_MONTH:,.0f}",
                    "INKLING_RUNS_AT_ONCE, at most 64"
                    if cores > MAX_RUNS_AT_ONCE
                    else "INKLING_MAX_VERSIONS, then the disk",
                ]
            )
    header = (
        "run",
        "per day",
        "trainers of 1 core",
        f"machines of {MACHINE_CORES}",
        "statements/s / database cores",
        "GB of versions per day",
        "$/month",
        "first thing that breaks",
    )
    return table(header, rows)
