import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.cpus import cgroup_quota, count_cpus

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    """An empty mount point of control groups."""
    return tmp_path / "cgroup"


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    return tmp_path / "membership"


def set_quota(folder: Path, quota: str, period: str = "100000") -> None:
    """Limit a group of version 2."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(f"{quota} {period}\n")


def set_quota_of_version_1(folder: Path, quota: str, period: str = "100000") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text(f"{period}\n")


@pytest.fixture
def _one_core() -> Iterator[None]:
    """This process may use one core only."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


# without a limit


def test_machine_without_control_groups_has_no_quota(cgroups: Path, membership: Path) -> None:
    assert cgroup_quota(cgroups, membership) is None
    assert count_cpus(cgroups, membership) == CORES


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
@pytest.mark.usefixtures("_one_core")
def test_affinity_limits_the_count(cgroups: Path, membership: Path) -> None:
    assert count_cpus(cgroups, membership) == 1
    assert count_cpus() == 1


def test_quota_larger_than_the_machine_changes_nothing(cgroups: Path, membership: Path) -> None:
    set_quota(cgroups, str(100_000 * (CORES + 5)))
    assert cgroup_quota(cgroups, membership) == CORES + 5
    assert count_cpus(cgroups, membership) == CORES


# version 2


def test_quota_of_a_container_that_sees_its_group_as_the_root(cgroups: Path, membership: Path) -> None:
    membership.write_text("0::/\n")
    set_quota(cgroups, "150000")
    assert cgroup_quota(cgroups, membership) == 1.5
    assert count_cpus(cgroups, membership) == min(2, CORES)


@pytest.mark.parametrize(("quota", "period", "cores"), [("20000", "100000", 0.2), ("300000", "50000", 6.0)])
def test_quota_is_divided_by_its_period(cgroups: Path, membership: Path, quota: str, period: str, cores: float) -> None:
    set_quota(cgroups, quota, period)
    assert cgroup_quota(cgroups, membership) == pytest.approx(cores)


def test_fraction_of_a_core_counts_as_one(cgroups: Path, membership: Path) -> None:
    set_quota(cgroups, "1000")
    assert count_cpus(cgroups, membership) == 1


@pytest.mark.parametrize(
    "limited", ["system.slice", "system.slice/inkling.service", "system.slice/inkling.service/worker"]
)
def test_quota_of_the_group_and_of_every_group_above_it_counts(cgroups: Path, membership: Path, limited: str) -> None:
    # given: a process three groups down, one of which has a limit
    membership.write_text("0::/system.slice/inkling.service/worker\n")
    set_quota(cgroups / "system.slice" / "inkling.service" / "worker", "max")
    set_quota(cgroups / limited, "100000")
    # then
    assert cgroup_quota(cgroups, membership) == 1.0


def test_smallest_quota_counts(cgroups: Path, membership: Path) -> None:
    membership.write_text("0::/outer/inner\n")
    set_quota(cgroups / "outer", "200000")
    set_quota(cgroups / "outer" / "inner", "400000")
    assert cgroup_quota(cgroups, membership) == 2.0


def test_quota_of_another_group_does_not_count(cgroups: Path, membership: Path) -> None:
    membership.write_text("0::/mine\n")
    set_quota(cgroups / "mine", "max")
    set_quota(cgroups / "other", "100000")
    set_quota(cgroups / "mine" / "child", "100000")
    set_quota(cgroups / "cpu", "100000")  # a group of version 2 may have the name of a controller
    assert cgroup_quota(cgroups, membership) is None


def test_group_may_have_any_name(cgroups: Path, membership: Path) -> None:
    membership.write_text("0::/größe: 1/é\n", "utf-8")
    set_quota(cgroups / "größe: 1" / "é", "100000")
    assert cgroup_quota(cgroups, membership) == 1.0


def test_group_outside_the_namespace_is_skipped(cgroups: Path, membership: Path) -> None:
    membership.write_text("0::/../outside\n")
    set_quota(cgroups, "100000")
    assert cgroup_quota(cgroups, membership) == 1.0


# version 1


def test_quota_of_version_1(cgroups: Path, membership: Path) -> None:
    membership.write_text("5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n")
    set_quota_of_version_1(cgroups / "cpu" / "docker" / "abc", "250000")
    assert cgroup_quota(cgroups, membership) == 2.5


def test_quota_of_version_1_in_a_container_that_sees_its_group_as_the_root(cgroups: Path, membership: Path) -> None:
    membership.write_text("4:cpu,cpuacct:/docker/abc\n")
    set_quota_of_version_1(cgroups / "cpu", "100000")
    assert cgroup_quota(cgroups, membership) == 1.0


def test_quota_of_version_1_of_a_group_above(cgroups: Path, membership: Path) -> None:
    membership.write_text("4:cpu:/kubepods/pod1/container\n")
    set_quota_of_version_1(cgroups / "cpu" / "kubepods" / "pod1", "50000")
    set_quota_of_version_1(cgroups / "cpu" / "kubepods" / "pod1" / "container", "-1")
    assert cgroup_quota(cgroups, membership) == 0.5


def test_cpuset_and_cpuacct_are_not_the_cpu_controller(cgroups: Path, membership: Path) -> None:
    membership.write_text("4:cpuset,cpuacct:/mine\n")
    set_quota_of_version_1(cgroups / "cpu" / "mine", "100000")
    assert cgroup_quota(cgroups, membership) is None


# unusable values


@pytest.mark.parametrize("content", ["", "max 100000", "max", "-1 100000", "0 100000", "100000 0", "a b", "1 2 3"])
def test_value_that_is_no_quota_is_none(cgroups: Path, membership: Path, content: str) -> None:
    cgroups.mkdir()
    (cgroups / "cpu.max").write_text(content)
    assert cgroup_quota(cgroups, membership) is None


@pytest.mark.parametrize("content", ["", "\n", "0", "0:", "nonsense", "::::"])
def test_membership_that_cannot_be_read_is_skipped(cgroups: Path, membership: Path, content: str) -> None:
    membership.write_text(content)
    set_quota(cgroups, "100000")
    assert cgroup_quota(cgroups, membership) == 1.0


def test_this_process_can_use_at_least_one_core() -> None:
    assert 1 <= count_cpus() <= CORES
