"""`make audit`: compare every locked package with the known advisories, through pip-audit.

Exit codes: 0, all packages were compared and none has an advisory; 1, some have; 2, not all could be compared,
because no source of advisories can be reached. pip-audit itself calls the last case a success.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT

PYTHON = ROOT / ".venv-audit" / "bin" / "python"
SOURCES = ("pypi", "osv")
TIMEOUT_S = 15
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2


@dataclass(frozen=True)
class Audit:
    compared: int
    skipped: tuple[str, ...]
    advisories: tuple[str, ...]
    """Package, version, advisory and the versions that fix it."""

    @property
    def exit_code(self) -> int:
        if self.advisories:
            return VULNERABLE
        return UNKNOWN if self.skipped or not self.compared else CLEAN

    def __str__(self) -> str:
        if self.advisories:
            return f"{len(self.advisories)} advisories: {'; '.join(self.advisories)}"
        if self.exit_code == UNKNOWN:
            return (
                f"{self.compared} packages compared, {len(self.skipped)} not: no source of advisories can be reached "
                f"({' or '.join(SOURCES)}); run it where one can"
            )
        return f"{self.compared} packages, no advisories"


def main() -> int:
    if not PYTHON.exists():
        print("pip-audit is not installed: make audit", file=sys.stderr)
        return UNKNOWN
    found = audit(sorted(ROOT.glob("requirements*.lock")))
    print(found, file=sys.stderr if found.exit_code else sys.stdout)
    return found.exit_code


def audit(locks: list[Path]) -> Audit:
    """Compare the locks with the first source of advisories that can be reached."""
    found = [Audit(0, (), ())]
    for source in SOURCES:
        found.append(merge([parse(_pip_audit(source, lock)) for lock in locks]))
        if found[-1].exit_code != UNKNOWN:
            return found[-1]
    return max(found, key=lambda each: (each.compared, len(each.skipped)))


def parse(report: str) -> Audit:
    """Return the result in pip-audit's JSON; nothing compared if it is none."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return Audit(0, (), ())
    skipped = tuple(sorted({each["name"] for each in packages if "skip_reason" in each}))
    compared = {each["name"] for each in packages if "skip_reason" not in each}
    advisories = {
        f"{each['name']} {each['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'no version'}"
        for each in packages
        for known in each.get("vulns", ())
    }
    return Audit(len(compared), skipped, tuple(sorted(advisories)))


def merge(audits: list[Audit]) -> Audit:
    """Return one audit of several locks, most of whose packages are the same."""
    return Audit(
        max(each.compared for each in audits),
        tuple(sorted({name for each in audits for name in each.skipped})),
        tuple(sorted({line for each in audits for line in each.advisories})),
    )


def _pip_audit(source: str, lock: Path) -> str:
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    command = [str(PYTHON), "-m", "pip_audit", *options, "--vulnerability-service", source]
    return subprocess.run(
        [*command, "--timeout", str(TIMEOUT_S), "--requirement", str(lock)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
