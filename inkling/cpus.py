"""The number of CPU cores that this process may use, by its affinity and the limits of its control groups."""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def count_cpus(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Return how many CPU cores this process can use, at least 1.

    It is the smaller of two numbers: the cores in the process's affinity, and the quota of `cgroup_quota`, rounded up
    (`docker run --cpus 1.5` gives 2).
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota(cgroups, membership)
    return cores if quota is None else min(cores, math.ceil(quota))


def cgroup_quota(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """Return the smallest CPU quota of this process's control groups and their parents, in cores; None if none is set.

    Reads `cpu.max` (version 2) or `cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1):
    https://docs.kernel.org/admin-guide/cgroup-v2.html, "CPU Interface Files", and
    https://docs.kernel.org/scheduler/sched-bwc.html, "Management".

    Args:
        cgroups: where the control groups are mounted.
        membership: the file that lists this process's groups, one per line, as `hierarchy:controllers:path`.
    """
    quotas = [quota for folder in _folders(cgroups, membership) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _folders(cgroups: Path, membership: Path) -> list[Path]:
    """Return the folders of the process's groups and of all their parents, in both versions."""
    folders = [cgroups]  # a container often sees its own group as the root
    for line in _read(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":  # version 2
            root = cgroups
        elif "cpu" in controllers.split(","):
            root = cgroups / "cpu"
        else:
            continue
        group = root / path.lstrip("/")
        folders += [group, *(parent for parent in group.parents if parent.is_relative_to(root))]
    return folders


def _quota(folder: Path) -> float | None:
    words = _read(folder / "cpu.max").split() or [
        _read(folder / "cpu.cfs_quota_us").strip(),
        _read(folder / "cpu.cfs_period_us").strip(),
    ]
    try:
        quota_us, period_us = (int(word) for word in words)
    except ValueError:  # `max`, or no such files
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None


def _read(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes())
    except OSError:
        return ""
