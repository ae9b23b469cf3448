"""Faults that the service held before: kills at random moments, promotions under load, a busy neighbor."""

import subprocess
import sys
import threading
import time

from benchmarks import hot_swap, processes, reliability
from benchmarks.digits import make_digits, write_mnist
from benchmarks.scoreboard.arena import Arena, Server
from benchmarks.scoreboard.inputs import RAW
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import connect, read_answer, request

IMAGES = 50


def _kills(arena: Arena) -> Measured:
    folder = arena.new_folder()
    victim = reliability.Victim(folder, write_mnist(folder / "mnist"))
    try:
        tally = reliability.torture(victim, arena.random("kills"), arena.count(12, 2))
    finally:
        victim.kill_trainers()
        victim.kill_server()
        victim.client.close()
    return Measured(
        f"{sum(tally.kills.values())} kills of server, trainer or both at random moments (more: make reliability)",
        f"{len(tally.accepted)} runs accepted, {len(tally.problems)} lost or wrong{tally.problems[:2] or ''}; starts "
        f"within {max(tally.starts_s):.1f} s",
        not tally.problems and max(tally.starts_s) <= 2 * reliability.SERVES_WITHIN_S,
    )


def _swaps(arena: Arena) -> Measured:
    rounds = arena.count(3, 1)
    answers = wrong = 0
    with processes.running_inkling(arena.new_folder(), "--workers", "2") as server:
        images = make_digits(1, seed=arena.seed)[0]
        with server.client() as client:
            expected = hot_swap.add_second_version(client, images)
        for _ in range(rounds):
            seconds, mistakes = hot_swap.load(server, images, expected, hot_swap.PROMOTIONS)
            answers += len(seconds)
            wrong += mistakes
    return Measured(
        f"{rounds * hot_swap.PROMOTIONS} promotions under load, two workers",
        f"{answers:,} answers, {wrong} not of the version that they name",
        answers > 0 and not wrong,
    )


def _busy_neighbor(arena: Arena) -> Measured:
    """Run a busy loop on one core; the server's arithmetic must not wait for its own threads."""
    seconds = arena.count(5, 2)
    with arena.server() as server:
        alone = _rate(server, seconds)
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            beside = _rate(server, seconds)
        finally:
            busy.kill()
            busy.wait()
    return Measured(
        f"requests of {IMAGES} images beside one busy loop",
        f"{beside:.0f} per second, {alone:.0f} without it ({beside / alone:.0%})",
        beside > 0.4 * alone,
    )


def _rate(server: Server, seconds: float) -> float:
    """Return the requests per second of two connections."""
    data = request("POST", "/predict", bytes(784 * IMAGES), Content_Type=RAW)
    counts = [0, 0]
    ends_at = time.monotonic() + seconds

    def send(number: int) -> None:
        with connect(server) as connection:
            while time.monotonic() < ends_at:
                connection.sendall(data)
                counts[number] += read_answer(connection).status == 200

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


ATTACKS = (
    Attack(
        "kills", "Kills at random moments", "no run lost, registry consistent, starts within 6 s", _kills, limit_s=480
    ),
    Attack("swaps", "Promotions under load", "every answer is of the version that it names", _swaps),
    Attack("busy-neighbor", "A busy program beside the server", "at least 40 % of the rate", _busy_neighbor),
)
