"""`make bench`: contestants take turns in one run on one machine, and the report compares them by ratios.

Writes benchmarks/RESULTS.md and docs/performance.png. `python -m benchmarks serving bulk` runs only these parts, and
prints the report instead; `--only "Ray Serve" --only "Ray Serve, HAProxy"` compares Inkling with these servers alone.
"""

import argparse
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks import beside_others, beside_training, bulk, chart, load, protocols, serving, start, workers
from benchmarks.processes import ROOT
from benchmarks.verdicts import Verdict, log_to_stderr
from inkling.model_card.markdown import paragraph, table

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
CHART = ROOT / "docs" / "performance.png"
Part = Callable[[], tuple[str, list[Verdict]]]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)}")
    contestants = [contestant.name for contestant in serving.CONTESTANTS]
    parser.add_argument(
        "--only", action="append", choices=contestants, help="a server of the part `serving`; repeatable"
    )
    options = parser.parse_args(arguments)
    names: list[str] = options.parts or (["serving"] if options.only else [])
    parts = {name: part for name, part in PARTS.items() if not names or name in names}
    if options.only:
        parts["serving"] = partial(_serving, frozenset([serving.OURS.name, *options.only]))
    load.require_wrk()
    sections: list[str] = []
    verdicts: list[Verdict] = []
    for part in parts.values():
        section, found = part()
        sections.append(section)
        verdicts += found
    report = "\n\n".join([_head(), _requirements(verdicts), *sections]) + "\n"
    if names:
        print(report)
    else:
        RESULTS.write_text(report)
        log_to_stderr(f"written: {RESULTS.relative_to(ROOT)}, {CHART.relative_to(ROOT)}")
    return 0


def _serving(only: frozenset[str] | None = None) -> tuple[str, list[Verdict]]:
    race = serving.run(log_to_stderr, only=only)
    if only is None:
        chart.write_chart(race, CHART)
    return serving.section(race), serving.verdicts(race)


def _bulk() -> tuple[str, list[Verdict]]:
    measured = bulk.run(log_to_stderr)
    return bulk.section(measured), bulk.verdicts(measured)


def _workers() -> tuple[str, list[Verdict]]:
    measured = workers.run(log_to_stderr)
    return workers.section(measured), workers.verdicts(measured)


def _protocols() -> tuple[str, list[Verdict]]:
    measured = protocols.run(log_to_stderr)
    return protocols.section(measured), protocols.verdicts(measured)


def _start() -> tuple[str, list[Verdict]]:
    measured = start.run(log_to_stderr)
    return start.section(measured), start.verdicts(measured)


def _arithmetic() -> tuple[str, list[Verdict]]:
    from benchmarks import arithmetic  # noqa: PLC0415  imports TensorFlow

    return arithmetic.section(log_to_stderr), []


def _training() -> tuple[str, list[Verdict]]:
    from benchmarks import steps, training  # noqa: PLC0415  imports TensorFlow

    race, measured = training.run(log_to_stderr), steps.run(log_to_stderr)
    return (
        f"{training.section(race)}\n\n{steps.section(measured)}",
        training.verdicts(race) + steps.verdicts(measured),
    )


def _beside() -> tuple[str, list[Verdict]]:
    measured = beside_training.run(log_to_stderr)
    return beside_training.section(measured), beside_training.verdicts(measured)


def _others() -> tuple[str, list[Verdict]]:
    measured = beside_others.run(log_to_stderr)
    return beside_others.section(measured), beside_others.verdicts(measured)


PARTS: dict[str, Part] = {
    "serving": _serving,
    "bulk": _bulk,
    "workers": _workers,
    "protocols": _protocols,
    "start": _start,
    "beside": _beside,
    "others": _others,
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
        f"{', '.join(serving.versions()) or 'no peers'}. Absolute values depend on this machine; compare the ratios."
    )
    return "\n\n".join(["# Benchmark results", paragraph(text)])


def _requirements(verdicts: list[Verdict]) -> str:
    rows = [[*verdict[:3], "met" if verdict.is_met else "**not met**"] for verdict in verdicts]
    header = ("subject", "required", "measured: median (minimum to maximum)", "")
    return "\n\n".join(["## Requirements", table(header, rows)])


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
