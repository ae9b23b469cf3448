"""A memory cgroup, version 1 or 2, as a container has one: its limit, its peak, and its kills."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import MIB, ROOT, wait_for_removal

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
LIMIT_V1, LIMIT_V2 = "memory.limit_in_bytes", "memory.max"


@dataclass(frozen=True)
class MemoryGroup:
    folder: Path
    is_v1: bool

    def wrap(self, command: list[str]) -> list[str]:
        """Return a command line that joins the group and then becomes `command`."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    def squeeze(self, spare_mib: int) -> None:
        """Lower the limit to what the group uses now, and a little more."""
        used, limit = ("memory.usage_in_bytes", LIMIT_V1) if self.is_v1 else ("memory.current", LIMIT_V2)
        (self.folder / limit).write_text(str(int((self.folder / used).read_text()) + spare_mib * MIB))

    def peak_mib(self) -> float:
        name = "memory.max_usage_in_bytes" if self.is_v1 else "memory.peak"
        return int((self.folder / name).read_text()) / MIB

    def kills(self) -> int:
        """Return how many processes the kernel has killed because the group had no memory left."""
        text = (self.folder / ("memory.oom_control" if self.is_v1 else "memory.events")).read_text()
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0


def compose_limit_mib() -> int:
    """Return the memory limit of the server in docker-compose.yml, in MiB."""
    found = re.search(r"mem_limit: (\d+)m", _compose_server())
    if not found:
        raise ValueError("docker-compose.yml states no memory limit of the server in MiB")
    return int(found[1])


def compose_environment() -> dict[str, str]:
    """Return the settings of the server in docker-compose.yml that have a value there."""
    return dict(re.findall(r'^      ([A-Z_]+): "(\w+)"$', _compose_server(), re.MULTILINE))


def _compose_server() -> str:
    text = (ROOT / "docker-compose.yml").read_text()
    return text.partition("\n  server:\n")[2].partition("\n  trainer:\n")[0]


@contextmanager
def memory_group(limit_mib: int) -> Iterator[MemoryGroup | None]:
    """Create a group, and remove it at the end; None where this is not allowed or not possible."""
    group = _create(limit_mib)
    try:
        yield group
    finally:
        if group:
            wait_for_removal(group.folder)


def _create(limit_mib: int) -> MemoryGroup | None:
    is_v1 = (V1 / "memory.limit_in_bytes").exists()
    parent = V1 if is_v1 else V2
    folder = parent / f"inkling-scoreboard-{os.getpid()}-{time.monotonic_ns()}"
    limit = str(limit_mib * MIB)
    try:
        folder.mkdir()
        if is_v1:
            (folder / LIMIT_V1).write_text(limit)
            (folder / "memory.swappiness").write_text("0")
        else:
            (folder / LIMIT_V2).write_text(limit)
            (folder / "memory.swap.max").write_text("0")
    except OSError:
        if folder.exists():
            wait_for_removal(folder)
        return None
    return MemoryGroup(folder, is_v1)
