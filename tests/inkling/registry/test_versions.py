from datetime import UTC, datetime, timedelta

import pytest

from inkling.network.checkpoint import Checkpoint
from inkling.registry.records import Decision
from inkling.registry.registry import Registry
from tests.support.leases import lease, not_promoted, promoted, queue
from tests.support.networks import make_checkpoint, random_parameters


def test_published_version_ends_its_run(registry: Registry, checkpoint: Checkpoint) -> None:
    # given
    queue(registry)
    # when
    version = registry.publish(lease(registry), checkpoint, promoted)
    # then
    assert (version.version, version.run_id, version.origin, version.digest) == (1, 1, "run", checkpoint.digest)
    assert version.evaluation == checkpoint.card.evaluation
    assert version.created_at.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - version.created_at < timedelta(minutes=1)
    assert registry.versions.get(1) == version
    assert registry.versions.checkpoint(1) == checkpoint.content
    run = registry.runs.get(1)
    assert (run.state, run.step, run.version, run.decision) == ("succeeded", 200, 1, "for the test")
    assert (run.error_type, run.lease_expires_at) == (None, None)
    assert run.finished_at is not None


def test_promoted_version_is_served(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    registry.publish(lease(registry), checkpoint, promoted)
    served = registry.versions.served()
    assert served is not None
    assert (served.version, served.policy, served.reason) == (1, "if_better", "for the test")
    assert served.promoted_at.utcoffset() == timedelta(0)


def test_version_that_is_not_promoted_is_kept_but_not_served(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    queue(registry)
    registry.publish(lease(registry), make_checkpoint(random_parameters(1)), not_promoted)
    served = registry.versions.served()
    assert served is not None
    assert (served.version, len(registry.versions.newest(10))) == (1, 2)
    assert registry.runs.get(1).decision == "not for the test"


def test_decision_is_made_on_the_served_checkpoint(registry: Registry, checkpoint: Checkpoint) -> None:
    # given: an empty registry
    seen: list[bytes | None] = []

    def decide(served: bytes | None) -> Decision:
        seen.append(served)
        return Decision(len(seen) == 1, "for the test")

    # when: one version is promoted, the next is not, and then a third comes
    for seed in range(3):
        queue(registry)
        registry.publish(lease(registry), make_checkpoint(random_parameters(seed)), decide)
    # then
    assert seen == [None, registry.versions.checkpoint(1), registry.versions.checkpoint(1)]


def test_decision_that_raises_publishes_nothing(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    leased = lease(registry)

    def decide(served: bytes | None) -> Decision:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        registry.publish(leased, checkpoint, decide)
    assert (registry.runs.get(1).state, registry.versions.newest(10)) == ("running", [])
    version = registry.publish(leased, checkpoint, promoted)  # PostgreSQL does not use the first's number again
    assert (registry.runs.get(1).version, registry.versions.newest(10)) == (version.version, [version])


def test_shipped_checkpoint_is_the_first_version_of_an_empty_registry_only(
    registry: Registry, checkpoint: Checkpoint
) -> None:
    for _ in range(2):
        registry.versions.add_first(checkpoint)
    versions, served = registry.versions.newest(10), registry.versions.served()
    assert [(version.version, version.origin, version.run_id) for version in versions] == [(1, "shipped", None)]
    assert served is not None
    assert (served.version, served.policy) == (1, "shipped")


def test_versions_and_promotions_are_listed_newest_first_page_by_page(registry: Registry) -> None:
    for seed in range(4):
        queue(registry)
        registry.publish(lease(registry), make_checkpoint(random_parameters(seed)), promoted)
    assert [version.version for version in registry.versions.newest(limit=2)] == [4, 3]
    assert [version.version for version in registry.versions.newest(limit=2, before=3)] == [2, 1]
    assert [promotion.version for promotion in registry.versions.promotions(limit=2)] == [4, 3]
    assert [promotion.version for promotion in registry.versions.promotions(limit=2, before=3)] == [2, 1]


def test_older_version_is_promoted_back(registry: Registry) -> None:
    for seed in range(2):
        queue(registry)
        registry.publish(lease(registry), make_checkpoint(random_parameters(seed)), promoted)
    promotion = registry.versions.promote(1, "the new one misreads sevens")
    assert (promotion.version, promotion.policy) == (1, "manual")
    assert registry.versions.served() == promotion
    assert [entry.version for entry in registry.versions.promotions(10)] == [1, 2, 1]


def test_served_version_promoted_again_changes_nothing(registry: Registry, checkpoint: Checkpoint) -> None:
    registry.versions.add_first(checkpoint)
    assert registry.versions.promote(1, "again") == registry.versions.served()
    assert len(registry.versions.promotions(10)) == 1


def test_first_promotion_by_hand_serves_a_version(registry: Registry, checkpoint: Checkpoint) -> None:
    queue(registry)
    registry.publish(lease(registry), checkpoint, not_promoted)
    assert registry.versions.served() is None
    registry.versions.promote(1, "by hand")
    served = registry.versions.served()
    assert served is not None
    assert served.version == 1
