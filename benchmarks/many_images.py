"""`python -m benchmarks.many_images`: `inkling predict --out` on 1,000,000 images and on 20,000 files, beside scripts.

The scripts are what one would write in an hour: one process, batches, the same network. The job of the images is killed
in its middle once, and continued; the outputs are compared byte for byte.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.digits import make_digits
from benchmarks.processes import ROOT
from benchmarks.verdicts import log_to_stderr, spread
from inkling.model_card.markdown import table
from inkling.vision.image_files import png_bytes

IMAGES, FILES, ROUNDS = 1_000_000, 20_000, 3
ROW_GROUP, DISTINCT = 20_000, 5_000
POLL_S = 0.1
JOB, SCRIPT = "`inkling predict`", "a plain script"
RAY_JOB = "`inkling predict --engine ray`"
Command = Callable[[Path], list[object]]
"""Makes the command line, without the output, of the input."""

PARQUET_SCRIPT = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from inkling.predictor import Predictor
classifier, writer = Predictor.load().classifier, None
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(10_000):
    pixels = np.frombuffer(b"".join(batch.column("image").to_pylist()), np.uint8)
    rows = classifier.probabilities(pixels.reshape(-1, 28, 28))
    columns = {"digit": rows.argmax(axis=1), "confidence": rows.max(axis=1)}
    columns["probabilities"] = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 10)
    answer = pa.table(columns)
    writer = writer or pq.ParquetWriter(sys.argv[2], answer.schema)
    writer.write_table(answer)
writer.close()
"""
FILES_SCRIPT = """
import csv, sys
from pathlib import Path
import numpy as np
from PIL import Image
from inkling.predictor import Predictor
classifier, files = Predictor.load().classifier, sorted(Path(sys.argv[1]).iterdir())
with open(sys.argv[2], "w", newline="") as out:
    writer = csv.writer(out)
    for first in range(0, len(files), 1000):
        names = files[first : first + 1000]
        rows = classifier.probabilities(np.stack([np.asarray(Image.open(name).convert("L")) for name in names]))
        writer.writerows([name, row.argmax(), row.max(), *row] for name, row in zip(names, rows))
"""


class Measured(NamedTuple):
    seconds: float
    peak_mib: float
    """Of all its processes, shared memory counted once."""


class Contest(NamedTuple):
    """Jobs and a script on the same images, in turns."""

    name: str
    images: int
    results: dict[str, list[Measured]]
    """By what did it; the last is the script."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_images", description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--ray", action="store_true", help="also with --engine ray, in the environment of `make ray`")
    chosen = parser.parse_args(arguments)
    jobs = {JOB: job, **({RAY_JOB: ray_job} if chosen.ray else {})}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        log_to_stderr(f"writing {chosen.images:,} images and {chosen.files:,} files")
        images, files = write_parquet(folder / "images.parquet", chosen.images), write_files(folder, chosen.files)
        contests = [
            contest(
                "Parquet to Parquet",
                chosen.images,
                images,
                jobs,
                suffix="parquet",
                script=PARQUET_SCRIPT,
                rounds=chosen.rounds,
            ),
            contest(
                "PNG files to CSV", chosen.files, files, jobs, suffix="csv", script=FILES_SCRIPT, rounds=chosen.rounds
            ),
        ]
        is_same = killed_and_continued(images, folder, chosen.images)
    print(section(contests))
    print(f"\nKilled in its middle and continued, the job writes {'the same bytes' if is_same else 'OTHER BYTES'}.")
    return 0 if is_same else 1


def write_parquet(file: Path, count: int) -> Path:
    """Write a column `image` of 784 raw bytes per row."""
    pixels = [image.tobytes() for image in make_digits(DISTINCT, seed=11)[0]]
    schema = pa.schema([("image", pa.binary())])
    with pq.ParquetWriter(file, schema) as writer:
        for first in range(0, count, ROW_GROUP):
            rows = [pixels[i % DISTINCT] for i in range(first, min(first + ROW_GROUP, count))]
            writer.write_table(pa.table({"image": rows}, schema))
    return file


def write_files(folder: Path, count: int) -> Path:
    (folder / "files").mkdir()
    files = [png_bytes(image) for image in make_digits(DISTINCT, seed=12)[0]]
    for i in range(count):
        (folder / "files" / f"{i:06}.png").write_bytes(files[i % DISTINCT])
    return folder / "files"


def contest(
    name: str, count: int, source: Path, jobs: Mapping[str, Command], *, suffix: str, script: str, rounds: int
) -> Contest:
    commands = {subject: make(source) for subject, make in jobs.items()}
    commands[SCRIPT] = [sys.executable, "-c", script, source]
    measured = Contest(name, count, {subject: [] for subject in commands})
    for number in range(rounds):
        log_to_stderr(f"{name}, round {number + 1} of {rounds}")
        for subject, command in commands.items():
            out = source.parent / f"out.{suffix}"
            with running([*command, out]) as process:
                measured.results[subject].append(watch(process))
            out.unlink()
    return measured


def job(source: Path) -> list[object]:
    return [sys.executable, "-m", "app.cli", "predict", source, "--out"]


def ray_job(source: Path) -> list[object]:
    return [sys.executable, "-m", "app.cli", "predict", source, "--engine", "ray", "--out"]


@contextlib.contextmanager
def running(command: Sequence[object]) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(list(map(str, command)), env=environment, start_new_session=True) as process:
        yield process
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{command[-1]} was not written: exit code {process.returncode}")


def watch(process: "subprocess.Popen[bytes]") -> Measured:
    started, peak_mib = time.perf_counter(), 0.0
    while process.poll() is None:
        peak_mib = max(peak_mib, session_mib(process.pid))
        time.sleep(POLL_S)
    return Measured(time.perf_counter() - started, peak_mib)


def session_mib(leader: int) -> float:
    """Return the proportional set size of the processes of a session, in MiB."""
    kib = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if os.getsid(int(entry.name)) == leader:
                lines = (entry / "smaps_rollup").read_text().splitlines()
                kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def killed_and_continued(source: Path, folder: Path, count: int) -> bool:
    """Return whether a job that is killed in its middle writes the same bytes as one that is not."""
    digests = []
    for name, is_killed in (("whole.parquet", False), ("continued.parquet", True)):
        out = folder / name
        if is_killed:
            log_to_stderr("a job is killed in its middle")
            state = folder / f"{name}.partial.json"
            with running([*job(source), out]) as process:
                while not (state.exists() and json.loads(state.read_text())["images"] >= count / 2):
                    if process.poll() is not None:
                        raise RuntimeError("the job ended before its middle")
                    time.sleep(POLL_S)
                os.killpg(process.pid, signal.SIGKILL)
        with running([*job(source), out]):
            pass
        digests.append(hashlib.sha256(out.read_bytes()).hexdigest())
    return digests[0] == digests[1]


def section(contests: list[Contest]) -> str:
    rows = []
    for name, images, results in contests:
        for subject, measured in results.items():
            pairs = zip(measured, results[SCRIPT], strict=True)
            ratio = "" if subject == SCRIPT else spread([script.seconds / ours.seconds for ours, script in pairs])
            seconds = statistics.median(one.seconds for one in measured)
            peak_mib = max(one.peak_mib for one in measured)
            rows.append(
                [name, subject, f"{images:,}", f"{seconds:.1f}", f"{images / seconds:,.0f}", f"{peak_mib:,.0f}", ratio]
            )
    return table(["from and to", "by", "images", "s", "images/s", "peak MiB", "times the script"], rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
