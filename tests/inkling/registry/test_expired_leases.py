from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from inkling.errors import LeaseLostError
from inkling.network.checkpoint import Checkpoint
from inkling.registry import rows
from inkling.registry.records import Lease
from inkling.registry.registry import Registry
from tests.support.leases import LONG_S, OWNER, lease, progress_at, promoted, queue


def test_dead_trainers_run_is_queued_once_and_then_fails(registry: Registry) -> None:
    # given: a trainer that dies
    queue(registry)
    registry.runs.record_progress(lease(registry, lease_s=0), progress_at(100))
    # when: another takes the run and dies too
    second = lease(registry, lease_s=0)
    assert (second.run.id, second.run.attempt, second.run.step, registry.runs.progress(1)) == (1, 2, 0, [])
    # then
    assert registry.runs.claim(LONG_S, OWNER) is None
    run = registry.runs.get(1)
    assert (run.state, run.attempt, run.error_type, run.lease_expires_at) == ("failed", 2, "trainer_died", None)
    assert run.finished_at is not None
    assert "2 times" in (run.error or "")


def test_dead_trainers_run_is_taken_before_younger_ones(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    lease(registry, lease_s=0)
    assert lease(registry).run.id == 1


def test_run_that_failed_lets_the_next_one_start(registry: Registry) -> None:
    queue(registry)
    queue(registry)
    for _ in range(2):
        assert lease(registry, lease_s=0).run.id == 1
    assert lease(registry).run.id == 2
    assert registry.runs.get(1).state == "failed"


def test_slow_trainer_keeps_its_run_if_no_other_claimed_it(registry: Registry) -> None:
    queue(registry)
    leased = lease(registry, lease_s=0)
    registry.runs.record_progress(leased, progress_at(100))
    registry.runs.renew_lease(leased, LONG_S)
    assert registry.runs.claim(LONG_S, OWNER) is None
    assert registry.runs.get(1).state == "running"


def test_slow_trainer_loses_its_run_if_another_claimed_it(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    slow = lease(registry, lease_s=0)
    quick = lease(registry)
    with pytest.raises(LeaseLostError):
        registry.publish(slow, checkpoint, promoted)
    registry.publish(quick, checkpoint, promoted)
    assert [version.run_id for version in registry.versions.newest(10)] == [1]


def test_stop_after_a_death_does_not_count_as_an_attempt(registry: Registry) -> None:
    queue(registry)
    lease(registry, lease_s=0)
    registry.runs.release(lease(registry))
    assert registry.runs.get(1).attempt == 1
    assert lease(registry).run.attempt == 2


def test_there_is_work_only_when_a_trainer_could_claim_a_run(registry: Registry) -> None:
    assert not registry.runs.workload().claimable()
    queue(registry)
    assert registry.runs.workload().claimable()
    leased = lease(registry)
    assert not registry.runs.workload().claimable()
    queue(registry)
    assert not registry.runs.workload().claimable()
    registry.runs.release(leased)
    assert registry.runs.workload().claimable()
    registry.runs.cancel(1)
    registry.runs.cancel(2)
    assert not registry.runs.workload().claimable()


def test_there_is_work_for_as_many_trainers_as_may_train(registry: Registry) -> None:
    for _ in range(3):
        queue(registry)
    assert [registry.runs.workload().claimable(at_once) for at_once in (1, 2, 4)] == [1, 2, 3]
    lease_of = {"live": lease_for(registry, "live"), "dead": registry.runs.claim(0, "dead", at_once=2)}
    assert None not in lease_of.values()
    workload = registry.runs.workload()
    assert [workload.lease_state(owner) for owner in ("live", "dead", "nobody")] == ["valid", "expired", None]
    assert [workload.claimable(at_once) for at_once in (1, 2, 4)] == [0, 1, 3]


def test_dead_trainers_run_is_work(registry: Registry) -> None:
    queue(registry)
    lease(registry, lease_s=0)
    assert registry.runs.workload().claimable()


def test_lease_that_a_clock_made_too_long_is_shortened(registry: Registry) -> None:
    # given: a lease of 30 s, and then a clock that is set back by an hour
    queue(registry)
    leased = lease(registry, lease_s=3630)
    # when: another trainer looks
    assert registry.runs.claim(30, OWNER) is None
    # then: it ends within a minute, unless its trainer is alive and renews it
    ends = registry.runs.get(1).lease_expires_at
    assert ends is not None
    assert ends < datetime.now(UTC) + timedelta(seconds=61)
    registry.runs.renew_lease(leased, 30)


def test_trouble_is_told_until_the_next_progress(registry: Registry) -> None:
    queue(registry)
    leased = lease_for(registry, "dead")
    registry.runs.report_trouble(leased, "paused", 30)
    assert registry.runs.get(leased.run.id).trouble == "paused"
    assert registry.runs.workload().lease_state("dead") == "valid"
    registry.runs.expire_leases("dead", "killed by SIGKILL")
    assert registry.runs.workload().lease_state("dead") == "expired"
    assert registry.runs.get(leased.run.id).trouble == "killed by SIGKILL"
    assert registry.runs.workload().lease_state("nobody") is None
    again = lease(registry)
    registry.runs.record_progress(again, progress_at(100))
    assert registry.runs.get(again.run.id).trouble is None


def test_preparation_is_told_until_the_next_progress_or_the_end_of_the_lease(registry: Registry) -> None:
    queue(registry)
    leased = lease_for(registry, "dead")
    registry.runs.report_preparation(leased, "drawing")
    assert registry.runs.get(leased.run.id).preparing == "drawing"
    registry.runs.record_progress(leased, progress_at(100))
    assert registry.runs.get(leased.run.id).preparing is None
    registry.runs.report_preparation(leased, "drawing")
    registry.runs.enter_stage(leased, "drawing digits")
    registry.runs.release(leased)
    assert registry.runs.get(leased.run.id).preparing is None
    assert registry.runs.get(leased.run.id).stages == ()
    with pytest.raises(LeaseLostError):
        registry.runs.report_preparation(leased, "drawing")


# owners that are known to be dead


def lease_for(registry: Registry, owner: str) -> Lease:
    queue(registry)
    leased = registry.runs.claim(LONG_S, owner)
    assert leased is not None
    return leased


def test_leases_of_a_dead_owner_expire_at_once(registry: Registry) -> None:
    leased = lease_for(registry, "dead")
    assert not registry.runs.workload().claimable()
    registry.runs.expire_leases("dead")
    assert registry.runs.workload().claimable()
    again = registry.runs.claim(LONG_S, "next")
    assert again is not None
    assert (again.run.id, again.run.attempt) == (leased.run.id, 2)


@pytest.mark.parametrize("owner", ["dea", "d%", "____", "", "dead-x", "another"])
def test_leases_of_other_owners_do_not_expire(registry: Registry, owner: str) -> None:
    leased = lease_for(registry, "dead")
    registry.runs.expire_leases(owner)
    assert not registry.runs.workload().claimable()
    assert registry.runs.get(leased.run.id) == leased.run


def test_owner_without_leases_is_no_error(registry: Registry) -> None:
    registry.runs.expire_leases("nobody")
    queued = queue(registry)
    registry.runs.expire_leases("nobody")
    assert registry.runs.get(queued.id) == queued


# outages


def test_expired_lease_is_left_to_a_trainer_that_may_be_alive(registry: Registry) -> None:
    queue(registry)
    leased = lease(registry, lease_s=0)
    assert registry.runs.claim(LONG_S, OWNER, takes_over=False) is None
    registry.runs.record_progress(leased, progress_at(100), progress_at(200))
    assert [line.step for line in registry.runs.progress(1)] == [100, 200]
    assert registry.runs.claim(LONG_S, OWNER) is not None


def test_run_of_an_owner_that_is_known_to_be_dead_is_taken_over_at_once(registry: Registry) -> None:
    lease_for(registry, "dead")
    registry.runs.expire_leases("dead")
    assert registry.runs.claim(LONG_S, OWNER, takes_over=False) is not None


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_leases_are_of_the_databases_clock(postgres_url: str, monkeypatch: pytest.MonkeyPatch, ahead_s: int) -> None:
    # given: a run of another trainer
    with closing(Registry(postgres_url)) as registry:
        queue(registry)
        lease(registry, lease_s=30)
        # when: the clock of this one is wrong
        monkeypatch.setattr(rows, "now", lambda: datetime.now(UTC) + timedelta(seconds=ahead_s))
        # then
        assert registry.runs.claim(30, OWNER) is None
        assert registry.runs.workload().lease_state(OWNER) == "valid"
        assert registry.statistics.read().has_live_lease
        run = registry.runs.get(1)
        for moment in (run.requested_at, run.started_at):
            assert moment is not None
            assert abs((moment - datetime.now(UTC)).total_seconds()) < 60
