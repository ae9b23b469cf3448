"""All attacks at once, from 200 clients, while an ordinary client predicts and a probe asks."""

import json
import subprocess
import sys
from collections import Counter

from benchmarks.processes import ROOT
from benchmarks.scoreboard.arena import Arena, Server
from benchmarks.scoreboard.inputs import JSON
from benchmarks.scoreboard.memory_group import compose_limit_mib
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import exchange, request

CLIENTS = 200
KEY = "the-key-of-the-owner"
HARMLESS = {"closed", "silent", "left", "unread", "not connected", "503", "429"}
READABLE = {"pictures", "slow pictures", "texts", "event streams"}
"""Some of these are within the limits, and may be answered 200."""
MOST_MIB = 384


def _siege(arena: Arena) -> Measured:
    seconds = arena.count(300, 15)
    with arena.server(environment={"INKLING_API_KEY": KEY}) as server:
        exchange(server, request("POST", "/train", b"{}", Authorization=f"Bearer {KEY}", Content_Type=JSON))
        attackers = _start(server, seconds, arena.seed)
        before_s = server.cpu_s()
        with server.watch() as watch:
            output, _ = attackers.communicate(timeout=seconds + 120)
        spent_s = server.cpu_s() - before_s
        lag = _lag(server)
        fits, memory = server.fits(), server.memory()
    counts: dict[str, dict[str, int]] = json.loads(output)
    total = sum((Counter(kind) for kind in counts.values()), Counter[str]())
    wrong = _wrong(counts)
    return Measured(
        f"{CLIENTS} clients for {seconds} s: " + ", ".join(counts),
        f"{memory}; {watch.predictions()}; {watch.probes()}, {watch.blocked()}; event-loop lag {lag}; "
        f"{spent_s:.0f} s of CPU by the server; answers to the attackers: {_counted(total)}; "
        f"not allowed: {wrong or 'none'}",
        fits and compose_limit_mib() <= MOST_MIB and watch.predictions_hold() and watch.probes_hold() and not wrong,
    )


def _start(server: Server, seconds: int, seed: int) -> "subprocess.Popen[str]":
    """Start the attackers; return when they are about to begin."""
    arguments = [str(server.port), str(CLIENTS), str(seconds), str(seed)]
    attackers = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scoreboard.attackers", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert attackers.stdout  # noqa: S101
    attackers.stdout.readline()
    return attackers


def _wrong(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    """Return the answers that no attacker may get: 5xx other than 503, and 200 where nothing is within the limits."""
    found: Counter[str] = Counter()
    for kind, statuses in counts.items():
        for status, count in statuses.items():
            is_allowed = status in HARMLESS or status.startswith("4") or (status == "200" and kind in READABLE)
            if not is_allowed:
                found[f"{kind}: {status}"] += count
    return dict(found)


def _counted(total: Counter[str]) -> str:
    return ", ".join(f"{count:,} x {status}" for status, count in sorted(total.items()))


def _lag(server: Server) -> str:
    """Return the bucket of the server's own histogram in which 99 of 100 measurements lie."""
    answer = exchange(server, request("GET", "/metrics", Accept="text/plain")).body.decode()
    buckets = [
        (line.partition('le="')[2].partition('"')[0], float(line.split()[-1]))
        for line in answer.splitlines()
        if line.startswith("inkling_event_loop_lag_seconds_bucket")
    ]
    if not buckets or not buckets[-1][1]:
        return "not measured"
    bound = next(bound for bound, count in buckets if count >= 0.99 * buckets[-1][1])
    return f"p99 at most {float(bound) * 1e3:.0f} ms"


ATTACKS = (
    Attack(
        "siege",
        "Everything at once",
        f"the server lives in compose's memory (at most {MOST_MIB} MiB); ordinary predictions p99 < 100 ms; probes "
        "< 50 ms; attackers get 4xx, 429, 503 or a closed connection, or what is within the limits",
        _siege,
        limit_s=600,
    ),
)
