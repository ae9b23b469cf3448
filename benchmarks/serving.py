"""The race: one upload at a time, our server against the limit, plain servers and the peers, taking turns."""

import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import load, processes
from benchmarks.load import Load, Post
from benchmarks.processes import PEERS_PYTHON, Process
from benchmarks.verdicts import Tell, Verdict, spread
from inkling.model_card.markdown import paragraph, table

ROUNDS = 5
SECONDS = {1: 1.0, 16: 2.0, 64: 1.0}
"""How long a turn takes, by its connections."""
JUDGED = 16
WARM_UP = 50
BOUNDARY = "------------------------d74496d66958873e"
PART_HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="digit.png"\r\n'
    "Content-Type: image/png\r\n\r\n"
)


@dataclass(frozen=True)
class Contestant:
    name: str
    paths: dict[str, str]
    """Where it takes which upload: "multipart", "raw"."""
    module: str | None = None
    """Of `benchmarks.servers`; None is ours."""
    package: str | None = None
    """The peer that it needs."""
    reads: bool = True
    """Whether it answers what is on the image."""

    def command(self, port: int, data_dir: Path) -> list[str]:
        if self.module is None:
            return processes.ours(port, data_dir)
        python = str(PEERS_PYTHON) if self.package else sys.executable
        return [python, "-m", f"benchmarks.servers.{self.module}", str(port)]


BOTH = {"multipart": "/multipart", "raw": "/raw"}
OURS = Contestant("Inkling", {"multipart": "/predict", "raw": "/predict"})
NO_OP = Contestant("no-op FastAPI", BOTH, "limit_fastapi", reads=False)
CONTESTANTS = (
    OURS,
    NO_OP,
    Contestant("no-op bare ASGI", BOTH, "limit_asgi", reads=False),
    Contestant("plain FastAPI + NumPy", BOTH, "plain_numpy"),
    Contestant("plain FastAPI + TensorFlow", BOTH, "plain_tensorflow"),
    Contestant("mosec", {"raw": "/inference"}, "mosec_server", "mosec"),
    Contestant("LitServe", {"multipart": "/predict"}, "litserve_server", "litserve"),
    Contestant("BentoML", {"multipart": "/multipart"}, "bentoml_server", "bentoml"),
    Contestant("Ray Serve", {"multipart": "/"}, "ray_server", "ray"),
)
THRESHOLDS = {
    ("multipart", "no-op FastAPI"): 0.85,
    ("raw", "no-op FastAPI"): 0.70,
    ("raw", "mosec"): 1.3,
    ("multipart", "LitServe"): 3.5,
    ("multipart", "plain FastAPI + TensorFlow"): 3.5,
    ("multipart", "BentoML"): 9.0,
    ("multipart", "Ray Serve"): 20.0,
}
"""What a round's requests a second must be at least, as a ratio to the contestant's, with JUDGED connections."""


@dataclass
class Race:
    """What was measured, by upload, contestant and connections: a load a round."""

    loads: dict[tuple[str, str, int], list[Load]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Who did not take part, and why."""

    def ratios(self, upload: str, name: str, connections: int = JUDGED) -> list[float]:
        """Return our requests a second by the contestant's, round by round."""
        pairs = zip(self.loads[upload, OURS.name, connections], self.loads[upload, name, connections], strict=True)
        return [ours.requests_per_s / theirs.requests_per_s for ours, theirs in pairs]

    def names(self, upload: str) -> list[str]:
        return [c.name for c in CONTESTANTS if (upload, c.name, JUDGED) in self.loads]


def run(tell: Tell, rounds: int = ROUNDS, only: frozenset[str] | None = None) -> Race:
    """Race the contestants, or only some of them; one that fails is left out, with its reason."""
    load.require_wrk()
    race = Race()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        posts, expected = uploads(Path(folder))
        running: list[tuple[Contestant, Process]] = []
        for contestant in CONTESTANTS:
            if only is not None and contestant.name not in only:
                continue
            if contestant.package and not is_installed(contestant.package):
                race.absent[contestant.name] = "not installed: make bench-peers"
                continue
            tell(f"starting {contestant.name}")
            try:
                process = stack.enter_context(_checked(contestant, Path(folder), posts, expected))
            except RuntimeError as error:
                race.absent[contestant.name] = str(error)
                tell(f"{contestant.name} is left out: {error}")
            else:
                running.append((contestant, process))
        for number in range(1, rounds + 1):
            for upload, post in posts.items():
                for connections, seconds in SECONDS.items():
                    for contestant, process in running:
                        if upload not in contestant.paths or contestant.name in race.absent:
                            continue
                        url = process.url + contestant.paths[upload]
                        try:
                            measured = load.send(post, url, connections, seconds)
                        except RuntimeError as error:
                            race.absent[contestant.name] = f"failed under load: {error}"
                            continue
                        race.loads.setdefault((upload, contestant.name, connections), []).append(measured)
                        tell(
                            f"round {number} of {rounds}, {upload}, {connections:2} connections, "
                            f"{contestant.name}: {measured.requests_per_s:,.0f}/s"
                        )
    for name in race.absent:
        race.loads = {key: loads for key, loads in race.loads.items() if key[1] != name}
    return race


def uploads(folder: Path) -> tuple[dict[str, Post], dict[str, object]]:
    """Return the uploads of one test digit by name, written into `folder`, and what is to be answered to them."""
    from benchmarks.servers.network import CHECKPOINT  # noqa: PLC0415
    from inkling.network import checkpoint  # noqa: PLC0415
    from inkling.network.classifier import Classifier  # noqa: PLC0415
    from tests.support.digits import make_digits  # noqa: PLC0415

    image = make_digits(8, seed=4)[0][7]
    png = folder / "digit.png"
    Image.fromarray(image).save(png)
    form = folder / "digit.form"
    form.write_bytes(PART_HEAD.encode() + png.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode())
    (probabilities,) = Classifier(checkpoint.load(CHECKPOINT.read_bytes()), 1).probabilities(image[np.newaxis])
    posts = {"multipart": Post(f"multipart/form-data; boundary={BOUNDARY}", form), "raw": Post("image/png", png)}
    return posts, {"digit": int(probabilities.argmax()), "probabilities": probabilities.tolist()}


def is_installed(package: str) -> bool:
    if not PEERS_PYTHON.exists():
        return False
    return subprocess.run([PEERS_PYTHON, "-c", f"import {package}"], capture_output=True, check=False).returncode == 0


@contextmanager
def _checked(
    contestant: Contestant, folder: Path, posts: dict[str, Post], expected: dict[str, object]
) -> Iterator[Process]:
    """Start a contestant, and warm it up by requests whose answers are compared with the classifier's."""
    port = processes.free_port()
    data_dir = folder / f"data-{port}"
    with processes.started(contestant.command(port, data_dir), port) as process:
        process.wait_for(lambda: _is_answered(process, contestant, posts))
        for upload, path in contestant.paths.items():
            post = posts[upload]
            for _ in range(WARM_UP):
                check_answer(_post(process.url + path, post), expected if contestant.reads else None)
        yield process


def _is_answered(process: Process, contestant: Contestant, posts: dict[str, Post]) -> bool:
    upload, path = next(iter(contestant.paths.items()))
    try:
        return bool(_post(process.url + path, posts[upload]))
    except RuntimeError:
        return False


def _post(url: str, post: Post) -> bytes:
    request = urllib.request.Request(url, post.body.read_bytes(), {"Content-Type": post.content_type}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            content: bytes = response.read()
            return content
    except OSError as error:
        raise RuntimeError(f"{url}: {error}") from error


def check_answer(content: bytes, expected: dict[str, object] | None) -> None:
    """Check an answer's content; None expects the shape alone.

    Raises:
        RuntimeError: it is not the classifier's, to 1e-4.
    """
    (prediction,) = json.loads(content)["predictions"]
    if expected is None:
        return
    is_close = np.allclose(prediction["probabilities"], expected["probabilities"], atol=1e-4)  # type: ignore[arg-type]
    if prediction["digit"] != expected["digit"] or not is_close:
        raise RuntimeError(f"answers {prediction}, expected {expected}")


def section(race: Race) -> str:
    """Return what was measured as Markdown."""
    parts = ["## One image a request"]
    parts.append(
        paragraph(
            f"{ROUNDS} rounds; in each, every contestant is loaded in turn by wrk, one thread, over 1, 16 and 64 "
            "keep-alive connections. All contestants are kept running; those that are not loaded wait. Nothing is "
            "pinned to a core: some contestants are several processes by design. Medians; ratios are those of a round, "
            "with their smallest and largest."
        )
    )
    for upload in ("multipart", "raw"):
        parts.append(f"### {'A form (multipart/form-data)' if upload == 'multipart' else 'The PNG itself (image/png)'}")
        parts.append(table(_HEADER, [_row(race, upload, name) for name in race.names(upload)]))
    for name, reason in race.absent.items():
        parts.append(paragraph(f"Left out: {name}, {reason}."))
    return "\n\n".join(parts)


_HEADER = (
    "contestant",
    "requests/s: 1",
    "16",
    "64",
    "p50 ms: 1",
    "16",
    "64",
    "p99 ms: 1",
    "16",
    "64",
    "Inkling is, at 16",
)


def _row(race: Race, upload: str, name: str) -> list[str]:
    loads = [race.loads[upload, name, connections] for connections in SECONDS]
    rates = [f"{statistics.median(one.requests_per_s for one in many):,.0f}" for many in loads]
    halves = [f"{statistics.median(one.p50_ms for one in many):.2f}" for many in loads]
    tails = [f"{statistics.median(one.p99_ms for one in many):.2f}" for many in loads]
    return [name, *rates, *halves, *tails, spread(race.ratios(upload, name)) if name != OURS.name else ""]


def verdicts(race: Race) -> list[Verdict]:
    """Return for each threshold what is asked, what it is to be, what it is, and whether it is met."""
    found = []
    for (upload, name), least in THRESHOLDS.items():
        if (upload, name, JUDGED) in race.loads:
            ratios = race.ratios(upload, name)
            is_met = statistics.median(ratios) >= least
            found.append((f"{upload} by {name}", f"at least {least}x", spread(ratios), is_met))
    for upload in ("multipart", "raw"):
        tails = {
            name: statistics.median(one.p99_ms for one in race.loads[upload, name, JUDGED])
            for name in race.names(upload)
            if name == OURS.name or next(c for c in CONTESTANTS if c.name == name).reads
        }
        others = {name: tail for name, tail in tails.items() if name != OURS.name}
        if others:
            best = min(others, key=others.__getitem__)
            is_met = tails[OURS.name] < others[best]
            ours = f"{tails[OURS.name]:.2f} ms"
            found.append((f"p99, {upload}", f"below {others[best]:.2f} ms ({best})", ours, is_met))
    return found


def versions() -> list[str]:
    """Return the peers' versions, as their environment has them."""
    if not PEERS_PYTHON.exists():
        return []
    site = next(PEERS_PYTHON.parents[1].glob("lib/python*/site-packages"))
    found = {d.metadata["Name"].lower(): d.version for d in importlib.metadata.distributions(path=[str(site)])}
    return [f"{name} {found[name]}" for name in ("mosec", "litserve", "bentoml", "ray") if name in found]
