"""Attacks and faults of the registry: a flood of versions, a flipped bit, damaged databases, a full disk."""

import base64
import hashlib
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import orjson

from benchmarks.scoreboard.arena import Arena, Server, run_command, start_server
from benchmarks.scoreboard.inputs import JSON, RAW
from benchmarks.scoreboard.row import Attack, Measured, NotRunError
from benchmarks.scoreboard.wire import exchange, post, request
from inkling.network import checkpoint
from inkling.network.pretrained import load_pretrained

FLOOD = 1_100
DISK_MIB = 12


def variant(number: int) -> bytes:
    """Return the network that ships, changed a little: a file of its own for each number."""
    first = load_pretrained()
    factor = np.float32(1 - (number + 1) * 1e-4)
    return checkpoint.save({name: array * factor for name, array in first.parameters.items()}, first.card).content


def _flood(arena: Arena) -> Measured:
    """Upload versions until they are refused, then delete one."""
    most = arena.count(FLOOD, 150)
    quota = {"INKLING_MAX_VERSIONS": "100"} if arena.is_short else {}
    statuses: Counter[int] = Counter()
    with arena.server(environment=quota) as server:
        twice = [post(server, "/versions", variant(0), RAW) for _ in range(2)]
        numbers = {orjson.loads(each.body).get("version") for each in twice}
        for i in range(most):
            found = post(server, "/versions", variant(i), RAW)
            statuses[found.status] += 1
            if found.status not in (200, 201):
                break
        size_mb = sum(file.stat().st_size for file in server.data_dir.rglob("*") if file.is_file()) / 1e6
        deleted = exchange(server, request("DELETE", "/versions/2")).status
        served = exchange(server, request("DELETE", "/versions/1")).status
        fits, memory = server.fits(), server.memory()
    is_refused = bool(set(statuses) - {200, 201}) and not any(status in (500, 502) for status in statuses)
    return Measured(
        f"up to {most} different checkpoint files; one of them twice",
        f"answers: {dict(statuses)}; {size_mb:.0f} MB on disk; the same file makes {len(numbers)} version; DELETE of a "
        f"version: {deleted}, of the served one: {served}; {memory}",
        fits and is_refused and len(numbers) == 1 and deleted in (200, 204) and 400 <= served < 500,
    )


def _damaged_uploads(arena: Arena) -> Measured:
    """Upload a checkpoint truncated or with flipped bits, under the digest of the whole file."""
    random = arena.random("checkpoints")
    content = load_pretrained().content
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    count = arena.count(1_000, 60)
    statuses: Counter[int] = Counter()
    with arena.server() as server:
        for i in range(count):
            changed = bytearray(content)
            if i % 3 == 0:
                del changed[random.randrange(len(changed)) :]
            else:
                place = random.randrange(4_000) if i % 3 == 1 else random.randrange(len(changed))
                changed[place] ^= 1 << random.randrange(8)
            headers = {"Content_Digest": f"sha-256=:{digest}:"}
            statuses[post(server, "/versions", bytes(changed), RAW, 30, **headers).status] += 1
        fits = server.fits()
    return Measured(
        f"{count:,} checkpoint files, truncated or with one flipped bit, with the Content-Digest of the whole one",
        f"answers: {dict(statuses)}",
        fits and all(400 <= status < 500 for status in statuses),
    )


def _claimed_accuracy(arena: Arena) -> Measured:
    """Upload a network of zeros whose card claims an accuracy."""
    first = load_pretrained()
    zeros = {name: np.zeros_like(array) for name, array in first.parameters.items()}
    content = checkpoint.save(zeros, first.card).content
    claimed = first.card.evaluation.accuracy
    with arena.server() as server:
        uploaded = post(server, "/versions", content, RAW)
        if uploaded.status == 201:
            version = orjson.loads(uploaded.body)["version"]
            exchange(server, request("PUT", "/versions/current", b'{"version":%d}' % version, Content_Type=JSON))
        metrics = exchange(server, request("GET", "/metrics", Accept="text/plain")).body.decode()
    lines = [line for line in metrics.splitlines() if line.startswith("inkling_test_accuracy ")]
    shown = lines[0].split()[1] if lines else "no accuracy"
    return Measured(
        f"a network of zeros whose card claims {claimed:.4f}, without test images on the server",
        f"upload: {uploaded.status}; /metrics: {shown}",
        uploaded.status < 500 and (uploaded.status != 201 or shown != str(claimed)),
    )


def _flipped_bit(arena: Arena) -> Measured:
    """Flip a bit of the served version in the database, and start again."""
    data_dir = arena.new_folder() / "data"
    with arena.server(data_dir=data_dir) as server:
        number = orjson.loads(post(server, "/versions", variant(1), RAW).body)["version"]
        exchange(server, request("PUT", "/versions/current", b'{"version":%d}' % number, Content_Type=JSON))
    with closing(sqlite3.connect(data_dir / "inkling.db")) as database:
        (content,) = database.execute("SELECT content FROM checkpoints WHERE version = ?", (number,)).fetchone()
        flipped = bytearray(content)
        flipped[-1000] ^= 4
        database.execute("UPDATE checkpoints SET content = ? WHERE version = ?", (bytes(flipped), number))
        database.commit()
    verified = run_command("verify", INKLING_DATA_DIR=str(data_dir))
    with _started(arena, data_dir) as server:
        predicted = _soon(server, "/predict", bytes(784))
        ready = exchange(server, request("GET", "/readyz"))
        is_named = f"version {number}" in server.log
    repaired = run_command("verify", "--repair", INKLING_DATA_DIR=str(data_dir))
    again = run_command("verify", INKLING_DATA_DIR=str(data_dir))
    return Measured(
        "one flipped bit in the served version, then a restart",
        f"/predict: {predicted}, /readyz: {ready.status} {ready.body.decode()[:200]}; verify: {verified.returncode}, "
        f"--repair: {repaired.returncode}, verify: {again.returncode}",
        predicted == 200
        and ready.status == 200
        and str(number) in ready.body.decode()
        and is_named
        and verified.returncode != 0
        and (repaired.returncode, again.returncode) == (0, 0),
    )


@contextmanager
def _started(arena: Arena, data_dir: Path) -> Iterator[Server]:
    """Start a server that may never be ready."""
    server = start_server(data_dir, arena.new_folder() / "log", None)
    try:
        yield server
    finally:
        server.process.stop()


def _soon(server: Server, path: str, body: bytes, seconds: float = 10.0) -> int:
    """Ask until the answer is 200 or the time is over; return the last status."""
    status = 0
    deadline = time.monotonic() + seconds
    while status != 200 and time.monotonic() < deadline and server.process.popen.poll() is None:
        status = post(server, path, body, RAW).status
        time.sleep(0.1)
    return status


def _damaged_databases(arena: Arena) -> Measured:
    """Start on databases that are garbage, of another program, cut, or a folder."""
    found = {}
    for kind in ("garbage", "another program's", "cut", "a folder", "newer"):
        data_dir = arena.new_folder() / "data"
        _damage(arena, data_dir, kind)
        with _started(arena, data_dir) as server:
            with suppress(subprocess.TimeoutExpired):
                server.process.popen.wait(15)
            code, log = server.process.popen.poll(), server.log
        if code in (None, 0) or "Traceback" in log or "inkling.db" not in log:
            found[kind] = f"exit {code}" + (", traceback" if "Traceback" in log else "")
    return Measured(
        "a start on a database that is garbage, another program's, cut, a folder, or of a newer release",
        f"{len(found)} of 5 without an exit that names the file" + (f": {found}" if found else ""),
        not found,
    )


def _damage(arena: Arena, data_dir: Path, kind: str) -> None:
    data_dir.mkdir(parents=True)
    path = data_dir / "inkling.db"
    if kind == "garbage":
        path.write_bytes(arena.random("database").randbytes(50_000))
    elif kind == "a folder":
        path.mkdir()
    elif kind == "another program's":
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE versions (name TEXT)")
            database.commit()
    else:
        with arena.server(data_dir=data_dir):
            pass
        if kind == "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        else:
            with closing(sqlite3.connect(path)) as database:
                database.execute("UPDATE alembic_version SET version_num = 'of-the-future'")
                database.commit()


def _deleted_database(arena: Arena) -> Measured:
    """Delete the database under a running server, and ask for a run."""
    with arena.server() as server:
        for file in server.data_dir.glob("inkling.db*"):
            file.unlink()
        time.sleep(1)
        train = post(server, "/train", b"{}", JSON)
        predicted = post(server, "/predict", bytes(784), RAW).status
    return Measured(
        "the database is deleted while the server runs; then POST /train",
        f"/train: {train.status}, problem+json: {train.is_problem}; /predict: {predicted}",
        train.status >= 400 and train.is_problem and predicted == 200,
    )


def _locked_database(arena: Arena) -> Measured:
    """Hold the database's lock in another program."""
    with arena.server() as server, closing(sqlite3.connect(server.data_dir / "inkling.db")) as database:
        database.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        train = post(server, "/train", b"{}", JSON, 60)
        waited_s = time.monotonic() - started
        predicted = post(server, "/predict", bytes(784), RAW).status
        database.rollback()
        after = post(server, "/train", b"{}", JSON).status
    return Measured(
        "another program holds the database's lock; POST /train",
        f"{train.status} after {waited_s:.0f} s; /predict: {predicted}; when the lock is released: {after}",
        train.status in (429, 503) and waited_s < 30 and predicted == 200 and after == 202,
    )


@contextmanager
def small_disk(folder: Path, mebibytes: int = DISK_MIB) -> Iterator[Path]:
    """Mount a small file system, and yield its folder.

    Raises:
        NotRunError: this user may not mount.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        raise NotRunError("needs the right to mount a small file system (root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """Write a file until the disk is full, and return it."""
    file = folder / "ballast"
    with suppress(OSError), file.open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
    return file


def _full_disk(arena: Arena) -> Measured:
    with small_disk(arena.new_folder() / "disk") as disk, arena.server(data_dir=disk) as server:
        ballast = fill(disk)
        full = [post(server, "/train", b"{}", JSON), post(server, "/versions", variant(3), RAW)]
        predicted = post(server, "/predict", bytes(784), RAW).status
        ready = exchange(server, request("GET", "/livez")).status
        ballast.unlink()
        after = [post(server, "/train", b"{}", JSON).status, post(server, "/versions", variant(3), RAW).status]
    is_named = all(b"disk" in answer.body for answer in full)
    return Measured(
        f"a disk of {DISK_MIB} MiB is filled; POST /train and /versions; then it is freed",
        f"full: {[answer.status for answer in full]}, the cause is named: {is_named}; /predict: {predicted}, /livez: "
        f"{ready}; freed: {after}",
        all(answer.status in (503, 507) for answer in full)
        and is_named
        and (predicted, ready) == (200, 200)
        and after == [202, 201],
    )


ATTACKS = (
    Attack("versions-flood", "A flood of versions", "a quota refuses; DELETE frees, not the served one", _flood),
    Attack("damaged-uploads", "Damaged checkpoint files", "all refused, 4xx", _damaged_uploads),
    Attack("claimed-accuracy", "An accuracy that nobody measured", "not in /metrics", _claimed_accuracy),
    Attack(
        "flipped-bit",
        "A flipped bit in the served version",
        "an older version is served; /readyz and the log name it; verify finds and repairs it",
        _flipped_bit,
    ),
    Attack(
        "damaged-databases", "Databases that are none", "an exit that names the file, no traceback", _damaged_databases
    ),
    Attack("deleted-database", "The database is deleted", "an error, no 202; predictions go on", _deleted_database),
    Attack("locked-database", "The database is locked", "503 within 30 s; predictions go on", _locked_database),
    Attack(
        "full-disk", "The disk is full", "503 or 507 that names it; predictions go on; freed, all works", _full_disk
    ),
)
