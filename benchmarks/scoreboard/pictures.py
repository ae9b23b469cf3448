"""Attacks by pictures: extreme sides, many scans, compressed texts, many pixels."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.scoreboard import image_bombs, inputs
from benchmarks.scoreboard.arena import Arena, Server
from benchmarks.scoreboard.inputs import FIT, STRICT, Input
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import Answer, connect, post, request

CPU_S = 3.0
BYSTANDER_CPU_S = 0.0005
"""CPU time of the server for one probe or one ordinary prediction, about."""
BLOCKED_MS = 20.0
SLOW_CLIENTS = 150
REFUSALS = range(400, 500)


def send(server: Server, sent: Input, timeout_s: float = 60.0) -> Answer:
    return post(server, sent.path, sent.body, sent.content_type, timeout_s)


def statuses(answers: list[Answer]) -> str:
    counts = Counter(str(answer.status or "closed") for answer in answers)
    return ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))


def are_orderly(answers: list[Answer]) -> bool:
    """Return whether each is a prediction, a refusal, or "overloaded, try later"."""
    return all(answer.status in (200, 503, *REFUSALS) for answer in answers)


def _one_by_one(arena: Arena, sent: list[Input]) -> Measured:
    """Send each input to one server, and judge its memory and its answers."""
    with arena.server() as server:
        before_s = server.cpu_s()
        answers = [send(server, each) for each in sent]
        cpu_s = server.cpu_s() - before_s
        return Measured(
            f"{len(sent)} files of at most {max(len(each.body) for each in sent):,} bytes, one after another",
            f"{server.memory()}; {cpu_s:.1f} s of CPU; answers: {statuses(answers)}",
            server.fits() and are_orderly(answers),
        )


def _extreme_sides(arena: Arena) -> Measured:
    return _one_by_one(arena, inputs.tall_pictures())


def _many_pixels(arena: Arena) -> Measured:
    return _one_by_one(arena, inputs.large_pictures())


def _many_pixels_at_once(arena: Arena) -> Measured:
    picture = image_bombs.png(4000, 3000, color=image_bombs.RGBA)
    answers: list[Answer] = []
    clients = arena.count(16, 4)

    def client(server: Server) -> None:
        answers.append(post(server, FIT, picture, "image/png", 60))

    with arena.server() as server:
        threads = [threading.Thread(target=client, args=(server,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Measured(
            f"{clients} RGBA pictures of 12 megapixels at once",
            f"{server.memory()}; answers: {statuses(answers)}",
            server.fits() and are_orderly(answers) and len(answers) == clients,
        )


def _many_scans(arena: Arena) -> Measured:
    sent = [each for each in inputs.slow_pictures() if "JPEG" in each.name]
    with arena.server() as server, server.watch() as watch:
        spent_s = []
        answers = []
        for each in sent:
            before_s = server.cpu_s()
            answers.append(send(server, each, 120))
            spent_s.append(server.cpu_s() - before_s)
        lives = server.lives()
    return Measured(
        f"{len(sent)} progressive JPEGs of 2,000 to 9,000 scans, at most {max(len(e.body) for e in sent):,} bytes",
        f"at most {max(spent_s):.1f} s of CPU each; {watch.blocked()}; answers: {statuses(answers)}",
        lives and max(spent_s) <= CPU_S + 0.2 and max(watch.blocked_ms) < BLOCKED_MS and are_orderly(answers),
    )


def _client_leaves(arena: Arena) -> Measured:
    """Send slow pictures and hang up: the work of those who have left is not done."""
    picture = image_bombs.progressive_jpeg(6000, 1500)
    clients = arena.count(20, 10)
    with arena.server() as server:
        before_s = server.cpu_s()
        for _ in range(clients):
            with connect(server) as connection:
                connection.sendall(request("POST", FIT, picture, Content_Type="image/jpeg"))
                time.sleep(0.1)
        idle_s = _until_idle(server)
        spent_s = server.cpu_s() - before_s
        lives = server.lives()
    return Measured(
        f"{clients} clients send a JPEG of 1,500 scans and hang up after 0.1 s",
        f"{spent_s:.1f} s of CPU in all, idle {idle_s:.1f} s after the last one left",
        lives and spent_s < 2 * CPU_S and idle_s < 2 * CPU_S,
    )


def _until_idle(server: Server, longest_s: float = 60.0) -> float:
    """Wait until the server uses less than a fifth of one CPU; return the seconds until then."""
    started = time.monotonic()
    before_s = server.cpu_s()
    while time.monotonic() - started < longest_s:
        time.sleep(0.5)
        now_s = server.cpu_s()
        if now_s - before_s < 0.1:
            break
        before_s = now_s
    return time.monotonic() - started


def _compressed_texts(arena: Arena) -> Measured:
    sent = [Input("", path, "image/png", image_bombs.png_with_text(60)) for path in (STRICT, FIT)]
    sent.append(Input("", STRICT, "image/png", image_bombs.png_with_profile()))
    with arena.server() as server, server.watch() as watch:
        for _ in range(arena.count(20, 5)):
            answers = [send(server, each) for each in sent]
        fits, memory = server.fits(), server.memory()
    return Measured(
        "PNGs of 28x28 pixels and 63 to 204 KB with 60 MB of compressed text, or 200 MB of color profile",
        f"{watch.blocked()}; {memory}; answers: {statuses(answers)}",
        fits and max(watch.blocked_ms) < BLOCKED_MS and are_orderly(answers),
    )


def _overload(arena: Arena) -> Measured:
    """Send many slow pictures; a client who comes later with a small one is served or turned away at once."""
    slow, small = image_bombs.progressive_jpeg(2900, 50), image_bombs.png(280, 280)  # within every limit: 0.2 s of CPU
    answers: list[Answer] = []

    def attack(server: Server) -> None:
        answers.append(post(server, FIT, slow, "image/jpeg", 120))

    with arena.server() as server, server.watch() as watch:
        threads = [threading.Thread(target=attack, args=(server,)) for _ in range(SLOW_CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        later = [post(server, FIT, small, "image/png", 120) for _ in range(5)]
        for thread in threads:
            thread.join()
        lives = server.lives()
    refused = [answer for answer in answers + later if answer.status in (429, 503)]
    waited_s = max(answer.seconds for answer in later)
    return Measured(
        f"{SLOW_CLIENTS} slow pictures at once, then 5 small ones",
        f"a small one is answered within {waited_s:.1f} s; {len(refused)} of {len(answers + later)} refused; "
        f"{watch.probes()}, {watch.blocked()}; answers: {statuses(answers + later)}",
        lives
        and waited_s < CPU_S
        and watch.probes_hold()
        and are_orderly(answers + later)
        and bool(refused)  # else this was no overload
        and all(int(answer.headers.get("retry-after", 0)) > 0 for answer in refused),
    )


@dataclass
class _Costs:
    """What each input cost, by its name."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    blocked_ms: dict[str, float] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    killers: list[str] = field(default_factory=list)
    late_ms: float = 0.0
    peak_mib: float = 0.0

    def measure(self, server: Server, sent: Input) -> bool:
        """Send one input; return whether the server still lives within its memory."""
        before_s = server.cpu_s()
        with server.watch() as watch:
            self.answers.append(send(server, sent, 120))
        beside_s = BYSTANDER_CPU_S * (len(watch.probes_ms) + len(watch.predictions_ms))
        self.cpu_s[sent.name] = max(0.0, server.cpu_s() - before_s - beside_s)
        self.blocked_ms[sent.name] = max(watch.blocked_ms, default=0.0)
        self.late_ms = max([self.late_ms, *watch.probes_ms])
        self.peak_mib = max(self.peak_mib, server.peak_mib())
        if not server.fits():
            self.killers.append(sent.name)
        return not self.killers or self.killers[-1] != sent.name


def _worst_inputs(arena: Arena) -> Measured:
    """Send every input that is known to be costly, one by one; a new server replaces one that was killed."""
    left = list(inputs.all_inputs())[:: arena.count(1, 6)]
    count, costs = len(left), _Costs()
    while left:
        with arena.server() as server:
            while left and costs.measure(server, left.pop(0)):
                pass
    slowest = max(costs.cpu_s, key=costs.cpu_s.__getitem__)
    longest = max(costs.blocked_ms, key=costs.blocked_ms.__getitem__)
    over = [name for name in costs.cpu_s if costs.cpu_s[name] > CPU_S or costs.blocked_ms[name] > BLOCKED_MS]
    return Measured(
        f"{count} bodies of at most 16 MB, one by one: pictures, arrays, JSON, forms, checkpoints",
        f"at most {costs.cpu_s[slowest]:.1f} s of CPU ({slowest}); event loop blocked at most "
        f"{costs.blocked_ms[longest]:.0f} ms ({longest}); over a limit: {len(over)}{_listed(over)}; "
        f"killed the server: {len(costs.killers)}{_listed(costs.killers)}; peak {costs.peak_mib:.0f} MiB; "
        f"latest probe {costs.late_ms:.0f} ms; answers: {statuses(costs.answers)}",
        not costs.killers and not over and are_orderly(costs.answers),
    )


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


MEMORY = "the server lives within compose's memory; each answer is 200, 4xx or 503"
ATTACKS = (
    Attack("extreme-sides", "Pictures of few bytes with one extreme side", MEMORY, _extreme_sides),
    Attack("many-pixels", "Pictures of few bytes and many pixels", MEMORY, _many_pixels),
    Attack("many-pixels-at-once", "The same, from many clients at once", MEMORY, _many_pixels_at_once),
    Attack("many-scans", "Progressive JPEGs with thousands of scans", "3 s of CPU; blocked < 20 ms", _many_scans),
    Attack("client-leaves", "Clients that hang up while their picture is read", "6 s of CPU in all", _client_leaves),
    Attack("compressed-texts", "PNGs with compressed texts", f"blocked < 20 ms; {MEMORY}", _compressed_texts),
    Attack(
        "overload",
        "More slow pictures than the server can read",
        "a small picture is answered within 3 s; refusals name Retry-After; probes p99 < 50 ms",
        _overload,
    ),
    Attack(
        "worst-inputs",
        "Every input of at most 16 MB that is known to be bad",
        "3 s of CPU each; event loop blocked < 20 ms; 200, 4xx or 503",
        _worst_inputs,
        limit_s=600,
    ),
)
