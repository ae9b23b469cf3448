"""Attacks on the key, the host name and the browser: guesses, a key in the log, rebound names, missing headers."""

import re
import threading
import time
from collections import Counter

import httpx

from benchmarks.scoreboard.arena import Arena, Server, start_server
from benchmarks.scoreboard.row import Attack, Measured
from benchmarks.scoreboard.wire import exchange, request

PAGES = ("/", "/docs")
POLICY = "frame-ancestors"
KEY = "the-right-key-of-the-scoreboard"
GUESSES_PER_S = 50
HEADERS = {
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "",
    "permissions-policy": "",
}
"""Header -> what its value must contain."""


def _guesses(arena: Arena) -> Measured:
    """Guess the key from several connections of one address."""
    seconds = arena.count(10, 4)
    statuses: Counter[int] = Counter()

    def guess(server: Server, ended: float, number: int) -> None:
        transport = httpx.HTTPTransport(local_address="127.0.0.3")
        with httpx.Client(base_url=server.url, transport=transport, timeout=20) as client:
            while time.monotonic() < ended:
                key = f"guess-{number}-{sum(statuses.values())}"
                statuses[client.post("/train", json={}, headers={"Authorization": f"Bearer {key}"}).status_code] += 1

    with arena.server(environment={"INKLING_API_KEY": KEY}) as server:
        ended = time.monotonic() + seconds
        threads = [threading.Thread(target=guess, args=(server, ended, i)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        right = {"Authorization": f"Bearer {KEY}"}
        owner = server.status_of("POST", "/train", json={}, headers=right)
        is_logged = re.search(r"key", server.log.partition("running on")[2], re.IGNORECASE) is not None
    checked = statuses[401] / seconds
    return Measured(
        f"8 connections guess for {seconds} s; then the owner, from another address",
        f"{checked:.0f} guesses checked per second; answers: {dict(statuses)}; the owner: {owner}; "
        f"{'logged' if is_logged else 'not logged'}",
        checked <= GUESSES_PER_S and owner == 202 and is_logged and not set(statuses) - {401, 429, 503},
    )


def _key_in_the_log(arena: Arena) -> Measured:
    """Start twice beyond loopback with a generated key."""
    data_dir = arena.new_folder() / "data"
    shown = []
    for _ in range(2):
        with arena.server("--host", "0.0.0.0", data_dir=data_dir) as server:
            key = (data_dir / "api_key").read_text().strip()
            shown.append(key in server.log)
            allowed = server.status_of("POST", "/train", json={}, headers={"Authorization": f"Bearer {key}"})
    return Measured(
        "two starts beyond loopback without a key of the user's",
        f"the generated key is in the log of {sum(shown)} of 2 starts; with the key: {allowed}",
        not shown[1] and allowed == 202,
    )


def _foreign_letters(arena: Arena) -> Measured:
    """A key that no header can carry is refused at the start, or works."""
    folder = arena.new_folder()
    key = "schl\u00fcssel-\u5bc6\u94a5"
    server = start_server(folder / "data", folder / "log", None, environment={"INKLING_API_KEY": key})
    try:
        server.process.wait_for(server.process.is_ready)
        bearer = b"Bearer " + key.encode()
        raw = request("POST", "/train").replace(b"\r\n\r\n", b"\r\nAuthorization: " + bearer + b"\r\n\r\n")
        found = f"taken, and answers {(status := exchange(server, raw).status)}"
        holds = status == 202
    except RuntimeError:
        found = "refused at the start: " + (server.log.strip().splitlines() or [""])[-1][:150]
        holds = "key" in found.lower() and "Traceback" not in server.log
    finally:
        server.process.stop()
    return Measured("INKLING_API_KEY with letters beyond ASCII", found, holds)


def _rebound(arena: Arena) -> Measured:
    """Ask under a foreign name, as a page does whose name was bound to this address."""
    paths = ("/", "/versions", "/train", "/metrics", "/openapi.json", "/docs", "/promotions", "/versions/1/checkpoint")
    hosts = ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "")
    with arena.server() as server:
        found = Counter(
            exchange(server, request("GET", path).replace(b"Host: localhost", f"Host: {host}".encode())).status
            for path in paths
            for host in hosts
        )
        own = exchange(server, request("GET", "/versions")).status
    return Measured(
        f"a server without a key: {len(paths)} paths under {len(hosts)} foreign names",
        f"answers: {dict(found)}; under localhost: {own}",
        all(400 <= status < 500 for status in found) and own == 200,
    )


def _foreign_pages(arena: Arena) -> Measured:
    """Ask for changes as the page of another site."""
    origins = ("https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1:1")
    calls = (("POST", "/train"), ("PUT", "/versions/current"), ("POST", "/versions"), ("DELETE", "/train/1"))
    with arena.server() as server:
        found = Counter(
            exchange(server, request(method, path, b"{}", Origin=origin, Content_Type="application/json")).status
            for method, path in calls
            for origin in origins
        )
    return Measured(
        f"{len(calls)} calls that change something, from {len(origins)} foreign origins",
        f"answers: {dict(found)}",
        set(found) == {403},
    )


def _browser_headers(arena: Arena) -> Measured:
    paths = (*PAGES, "/openapi.json", "/nothing", "/versions", "/livez")
    missing = []
    with arena.server() as server, server.client() as client:
        for path in paths:
            headers = client.get(path).headers
            missing += [
                f"{path}: {name}" for name, part in HEADERS.items() if part not in headers.get(name, "-missing-")
            ]
            missing += [f"{path}: {name}" for name in HEADERS if name not in headers]
            policy = headers.get("content-security-policy", "")
            missing += [f"{path}: {POLICY}"] if path in PAGES and POLICY not in policy else []
    missing = sorted(set(missing))
    return Measured(
        f"{len(paths)} paths, {len(HEADERS)} headers each; a Content-Security-Policy on pages",
        f"{len(missing)} missing" + (f": {', '.join(missing[:4])}, ..." if missing else ""),
        not missing,
    )


ATTACKS = (
    Attack(
        "key-guesses", "Guessing the key", f"{GUESSES_PER_S} guesses per second, logged; the owner is served", _guesses
    ),
    Attack("key-in-the-log", "The generated key in the log", "not at the second start", _key_in_the_log),
    Attack(
        "key-of-foreign-letters", "A key that no client can send", "refused at the start, or it works", _foreign_letters
    ),
    Attack("rebound-host", "A foreign name bound to this address", "4xx under every foreign name", _rebound),
    Attack("foreign-pages", "Pages of other sites that change something", "403", _foreign_pages),
    Attack(
        "browser-headers",
        "Pages in frames, sniffed types, foreign readers",
        "all headers on all paths",
        _browser_headers,
    ),
)
