"""`make bench`: the contestants take turns in one run on one machine, and what is reported are their ratios.

Writes benchmarks/RESULTS.md and docs/performance.png. `python -m benchmarks serving bulk` runs these parts only, and
prints what it measured.
"""

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks import beside_training, bulk, load, picture, serving, start, workers
from benchmarks.processes import ROOT
from benchmarks.verdicts import Verdict
from inkling.model_card.markdown import paragraph, table

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
PICTURE = ROOT / "docs" / "performance.png"
Part = Callable[[], tuple[str, list[Verdict]]]


def main(names: list[str]) -> int:
    parts = {name: part for name, part in PARTS.items() if not names or name in names}
    if len(parts) < len(names):
        print(f"there are the parts {', '.join(PARTS)}", file=sys.stderr)
        return 2
    load.require_wrk()
    sections: list[str] = []
    verdicts: list[Verdict] = []
    for part in parts.values():
        section, found = part()
        sections.append(section)
        verdicts += found
    report = "\n\n".join([_head(), _judged(verdicts), *sections]) + "\n"
    if names:
        print(report)
    else:
        RESULTS.write_text(report)
        tell(f"written: {RESULTS.relative_to(ROOT)}, {PICTURE.relative_to(ROOT)}")
    return 0


def tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _serving() -> tuple[str, list[Verdict]]:
    race = serving.run(tell)
    picture.draw(race, PICTURE)
    return serving.section(race), serving.verdicts(race)


def _bulk() -> tuple[str, list[Verdict]]:
    measured = bulk.run(tell)
    return bulk.section(measured), bulk.verdicts(measured)


def _workers() -> tuple[str, list[Verdict]]:
    measured = workers.run(tell)
    return workers.section(measured), workers.verdicts(measured)


def _start() -> tuple[str, list[Verdict]]:
    measured = start.run(tell)
    return start.section(measured), start.verdicts(measured)


def _arithmetic() -> tuple[str, list[Verdict]]:
    from benchmarks import arithmetic  # noqa: PLC0415  TensorFlow, which the parts before it do without

    return arithmetic.section(tell), []


def _training() -> tuple[str, list[Verdict]]:
    from benchmarks import steps, training  # noqa: PLC0415  TensorFlow, too

    race, measured = training.run(tell), steps.run(tell)
    return (
        f"{training.section(race)}\n\n{steps.section(measured)}",
        training.verdicts(race) + steps.verdicts(measured),
    )


def _beside() -> tuple[str, list[Verdict]]:
    measured = beside_training.run(tell)
    return beside_training.section(measured), beside_training.verdicts(measured)


PARTS: dict[str, Part] = {
    "serving": _serving,
    "bulk": _bulk,
    "workers": _workers,
    "start": _start,
    "beside": _beside,
    "arithmetic": _arithmetic,
    "training": _training,
}


def _head() -> str:
    ours = [
        f"{name} {importlib.metadata.version(name)}" for name in ("uvicorn", "fastapi", "numpy", "pillow", "tensorflow")
    ]
    text = (
        f"Measured by `make bench` on {time.strftime('%Y-%m-%d')}: {_processor()}, {_cores()}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {', '.join(ours)}; "
        f"{', '.join(serving.versions()) or 'no peers'}. Absolute figures belong to this machine; "
        "ratios are what to compare."
    )
    return "\n\n".join(["# What was measured", paragraph(text)])


def _judged(verdicts: list[Verdict]) -> str:
    rows = [[what, asked, found, "met" if is_met else "**not met**"] for what, asked, found, is_met in verdicts]
    return "\n\n".join(["## What is asked", table(("what", "asked", "measured: median (least to most)", ""), rows)])


def _cores() -> str:
    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    return f"{total} cores" if usable == total else f"{usable} of {total} cores"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")),
        platform.machine(),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
