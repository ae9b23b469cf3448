import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from inkling.errors import CheckpointError
from inkling.mnist import Split
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Comparison, Decision, PromotePolicy
from inkling.registry.registry import Registry
from tests.support.networks import make_checkpoint, parameters_that_read
from training.lessons import Feedback

if TYPE_CHECKING:
    from training.promotion import PeopleComparison

pytestmark = pytest.mark.train

THREES, FOURS = 3, 4


LABELS: NDArray[np.uint8] = (np.arange(200) % 10).astype(np.uint8)


def evenly(correct: int) -> NDArray[np.bool_]:
    """Return whether each of LABELS is read correctly: so many of them, evenly over the digits."""
    is_correct: NDArray[np.bool_] = np.arange(200) < correct
    return is_correct


def decide_between(candidate: NDArray[np.bool_], served: NDArray[np.bool_]) -> Decision:
    """Return the decision between two versions that read LABELS."""
    from training.promotion import compare, decide_on

    return decide_on(compare(candidate, served, LABELS))


@pytest.fixture
def validation() -> Split:
    """Ten held-out images: seven 3s and three 4s."""
    labels: NDArray[np.uint8] = np.array([THREES] * 7 + [FOURS] * 3, np.uint8)
    return Split(np.zeros((10, 28, 28), np.uint8), labels)


def decide(policy: PromotePolicy, reads: int, served_reads: int | None, validation: Split) -> Decision:
    """Return the decision on a network that reads one digit in every image; the served one reads `served_reads`."""
    from training.promotion import promotion_decision

    served = None if served_reads is None else make_checkpoint(parameters_that_read(served_reads)).content
    return promotion_decision(policy, make_checkpoint(parameters_that_read(reads)), validation)(served)


def test_better_version_is_promoted() -> None:
    # given: of 200 held-out images the candidate reads 110 correctly, the served version 60, and no digit is read worse
    decision = decide_between(evenly(110), evenly(60))
    # then
    assert decision.is_promoted
    assert decision.reason.startswith(
        "significantly better: 110 of 200 held-out images correct, 60 by the served version (McNemar's p "
    )


def test_worse_version_is_not_promoted(validation: Split) -> None:
    decision = decide("if_better", FOURS, THREES, validation)
    assert not decision.is_promoted
    assert decision.reason == (
        "not significantly better: 3 of 10 held-out images correct, 7 by the served version "
        "(McNemar's p 0.945, must be below 0.05)"
    )


def test_version_that_is_better_by_chance_only_is_not_promoted(validation: Split) -> None:
    decision = decide("if_better", THREES, FOURS, validation)
    assert not decision.is_promoted
    assert "(McNemar's p 0.172, must be below 0.05)" in decision.reason


def test_version_that_misreads_a_digit_is_not_promoted_however_much_better_it_is_overall() -> None:
    # given: the candidate reads every digit but 7, the served version only 7
    candidate, served = LABELS != 7, LABELS == 7
    decision = decide_between(candidate, served)
    # then
    assert not decision.is_promoted
    assert decision.reason == (
        "better overall, but worse on digit 7: 180 of 200 held-out images correct, 20 by the served version, "
        "but recall of 7 falls by 1.000, the limit is 0.03"
    )
    assert decision.comparison is not None
    assert (decision.comparison.worst_digit, decision.comparison.worst_digit_change) == (7, -1.0)


@pytest.mark.parametrize(("lost", "is_promoted"), [(3, True), (4, False)])
def test_recall_of_a_digit_may_fall_by_three_in_a_hundred_at_most(lost: int, is_promoted: bool) -> None:
    # given: 100 images of each digit; the served version reads only the 7s, and the candidate misreads some of them
    labels = (np.arange(1000) % 10).astype(np.uint8)
    candidate = np.ones(1000, np.bool_)
    candidate[np.flatnonzero(labels == 7)[:lost]] = False
    from training.promotion import compare, decide_on

    assert decide_on(compare(candidate, labels == 7, labels)).is_promoted == is_promoted


@pytest.mark.parametrize(
    ("candidate_only_correct", "served_only_correct", "p_value"),
    [  # of the binomial distribution with p = 1/2, by hand: the sum of the row of Pascal's triangle, over 2^n
        (0, 0, 1.0),
        (1, 0, 1 / 2),
        (0, 1, 1.0),
        (4, 0, 1 / 16),
        (5, 0, 1 / 32),
        (3, 7, 968 / 1024),
        (7, 3, 176 / 1024),
        (8, 1, 10 / 512),
        (10, 2, 79 / 4096),
    ],
)
def test_p_value_is_mcnemars_exact_one(candidate_only_correct: int, served_only_correct: int, p_value: float) -> None:
    from training.promotion import compare

    both, neither = 11, 6
    counts = [both, neither, candidate_only_correct, served_only_correct]
    candidate = np.repeat([True, False, True, False], counts)
    served = np.repeat([True, False, False, True], counts)
    compared = compare(candidate, served, np.zeros(sum(counts), np.uint8))
    assert compared.p_value == pytest.approx(p_value, rel=1e-12)
    assert (compared.candidate_only_correct, compared.served_only_correct) == (
        candidate_only_correct,
        served_only_correct,
    )
    assert (compared.candidate_correct, compared.served_correct) == (
        both + candidate_only_correct,
        both + served_only_correct,
    )
    assert compared.images == sum(counts)


@pytest.mark.parametrize(("candidate_only_correct", "is_promoted"), [(4, False), (5, True)])
def test_p_value_of_one_in_twenty_is_the_limit(candidate_only_correct: int, is_promoted: bool) -> None:
    from training.promotion import compare, decide_on

    candidate = np.ones(20, np.bool_)
    served = np.arange(20) >= candidate_only_correct
    assert decide_on(compare(candidate, served, np.zeros(20, np.uint8))).is_promoted == is_promoted


def test_p_value_of_thousands_of_images_is_a_number() -> None:
    # given: 2,000 discordant images, 1,060 of them read correctly by the candidate
    from training.promotion import compare

    candidate = np.arange(2000) < 1060
    compared = compare(candidate, ~candidate, (np.arange(2000) % 10).astype(np.uint8))
    deviations = (1060 - 0.5 - 1000) / math.sqrt(500)  # the normal approximation, with its correction
    assert compared.p_value == pytest.approx(math.erfc(deviations / math.sqrt(2)) / 2, rel=0.01)


def test_digit_without_held_out_images_does_not_count() -> None:
    from training.promotion import compare

    compared = compare(np.ones(4, np.bool_), np.zeros(4, np.bool_), np.array([1, 1, 2, 2], np.uint8))
    assert compared.worst_digit_change == 0.0


@pytest.mark.parametrize(
    ("candidate_reads", "policy", "is_promoted"),
    [(THREES, "if_better", True), (FOURS, "if_better", False), (FOURS, "never", False), (FOURS, "always", True)],
)
def test_history_of_promotions_records_refusals_too(
    registry: Registry, candidate_reads: int, policy: PromotePolicy, is_promoted: bool
) -> None:
    # given: a served version that reads no held-out image correctly, and a run
    from training.promotion import promotion_decision

    registry.versions.add_first(make_checkpoint(parameters_that_read(0)))
    registry.runs.queue(TUTORIAL, policy, max_queued=1)
    claim = registry.runs.claim(600, "tests")
    assert claim is not None
    threes = Split(np.zeros((10, 28, 28), np.uint8), np.full(10, THREES, np.uint8))
    # when
    candidate = make_checkpoint(parameters_that_read(candidate_reads))
    registry.publish(claim, candidate, promotion_decision(policy, candidate, threes))
    # then
    entry, first = registry.versions.promotions(10)
    assert (first.policy, first.compared_with, first.comparison, first.is_promoted) == ("shipped", None, None, True)
    assert (entry.version, entry.policy, entry.is_promoted, entry.compared_with) == (2, policy, is_promoted, 1)
    assert entry.reason == registry.runs.get(1).decision
    if policy == "if_better":
        correct = 10 if candidate_reads == THREES else 0
        assert entry.comparison == Comparison(10, correct, 0, correct, 0, 2.0**-correct, 0, 0.0)
    else:
        assert entry.comparison is None
    served = registry.versions.served()
    assert served is not None
    assert served.version == (2 if is_promoted else 1)


def test_equally_good_version_is_not_promoted(validation: Split) -> None:
    assert not decide("if_better", THREES, THREES, validation).is_promoted


def test_first_version_is_promoted(validation: Split) -> None:
    assert decide("if_better", FOURS, None, validation) == Decision(is_promoted=True, reason="no version was served")


def test_without_held_out_images_no_version_counts_as_better(validation: Split) -> None:
    decision = decide("if_better", THREES, FOURS, validation[:0])
    assert decision == Decision(
        is_promoted=False, reason="cannot compare: the recipe holds out no images (validation_size is 0)"
    )
    assert decide("if_better", THREES, None, validation[:0]).is_promoted


@pytest.mark.parametrize("served", [None, THREES])
def test_policy_always_promotes_a_worse_version(validation: Split, served: int | None) -> None:
    assert decide("always", FOURS, served, validation) == Decision(
        is_promoted=True, reason="the promote policy is always"
    )


@pytest.mark.parametrize("served", [None, FOURS])
def test_policy_never_does_not_promote_a_better_version(validation: Split, served: int | None) -> None:
    assert decide("never", THREES, served, validation) == Decision(
        is_promoted=False, reason="the promote policy is never"
    )


def test_served_version_that_cannot_be_read_is_reported(validation: Split) -> None:
    from training.promotion import promotion_decision

    with pytest.raises(CheckpointError):
        promotion_decision("if_better", make_checkpoint(), validation)(b"damaged")


@pytest.mark.parametrize(
    ("candidate", "served", "people", "people_served", "reason"),
    [
        (100, 100, 190, 30, "significantly better on people's pictures: 100 of 200 held-out images correct, 100 by"),
        (99, 100, 190, 30, "worse on the dataset: 99 of 200 held-out images correct, 100 by the served version; of"),
        (100, 100, 140, 140, "not significantly better on people's pictures: "),
        (180, 60, 140, 144, "people's labels are not learned: "),
    ],
)
def test_version_that_learned_from_people_has_two_floors(
    candidate: int, served: int, people: int, people_served: int, reason: str
) -> None:
    from training.promotion import compare, decide_on_both

    decision = decide_on_both(
        compare(evenly(candidate), evenly(served), LABELS), people_of({"anna": (200, people, people_served)})
    )
    assert decision.reason.startswith(reason)
    assert (
        f"of people's {min(people, 50)} of 50 held-out images correct, {min(people_served, 50)} by" in decision.reason
    )
    assert decision.is_promoted == reason.startswith("significantly")
    assert decision.comparison
    assert decision.comparison.people
    assert (decision.comparison.candidate_correct, decision.comparison.people.candidate_correct) == (
        candidate,
        min(people, 50),
    )


def people_of(sources: dict[str, tuple[int, int, int]]) -> "PeopleComparison":
    """Return the comparison on people's pictures, given how many each source has and how many the two versions read."""
    from training.promotion import compare_people

    candidate, served = (
        np.concatenate([np.arange(counts[0]) < counts[which] for counts in sources.values()]) for which in (1, 2)
    )
    names = np.repeat(list(sources), [counts[0] for counts in sources.values()])
    return compare_people(candidate, served, (np.arange(len(names)) % 10).astype(np.uint8), names)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        # a source that lies is not outvoted, and outvotes nobody
        ({"anna": (12, 12, 0), "flood": (250, 100, 0)}, "flood: 100 of 250 held-out pictures read as labeled"),
        ({"anna": (12, 5, 0), "flood": (250, 250, 0)}, "anna: 5 of 12 held-out pictures read as labeled"),
        # no source may be read worse
        ({"anna": (12, 12, 0), "bo": (10, 8, 9)}, "bo: 8 of 10 held-out pictures read as labeled, 9 by the served"),
        # half of the labels are wrong
        ({"anna": (12, 6, 0)}, "below 60% the labels seem to contradict each other"),
        # many sources with few pictures each
        ({f"s{i}": (4, 2, 0) for i in range(20)}, "all sources: 40 of 80 held-out pictures read as labeled"),
        ({"anna": (4, 4, 0)}, "not significantly better on people's pictures"),
        ({"anna": (40, 38, 20), "s1": (2, 0, 2), "s2": (2, 1, 2)}, "all sources: their mean accuracy does not rise"),
    ],
)
def test_each_source_has_a_say(sources: dict[str, tuple[int, int, int]], words: str) -> None:
    from training.promotion import compare, decide_on_both

    decision = decide_on_both(compare(evenly(100), evenly(100), LABELS), people_of(sources))
    assert not decision.is_promoted
    assert words in decision.reason


def test_gain_on_people_does_not_make_up_for_a_digit() -> None:
    from training.promotion import compare, decide_on_both

    dataset = compare(LABELS != 7, (LABELS == 7) | (LABELS < 5), LABELS)
    decision = decide_on_both(dataset, people_of({"anna": (12, 12, 0)}))
    assert not decision.is_promoted
    assert decision.reason.startswith("worse on digit 7 of the dataset: ")
    assert "recall of 7 falls by 1.000" in decision.reason


def test_held_out_corrections_decide_when_there_are_some(validation: Split) -> None:
    from training.promotion import promotion_decision

    people = Split(np.zeros((9, 28, 28), np.uint8), np.full(9, FOURS, np.uint8))
    feedback = Feedback(
        people, np.zeros(9, np.int64), people, "ab" * 32, np.full(9, "source anna"), ("source bo: why",)
    )
    served = make_checkpoint(parameters_that_read(THREES)).content
    candidate = make_checkpoint(parameters_that_read(FOURS))
    # when
    decision = promotion_decision("if_better", candidate, validation, feedback)(served)
    better = promotion_decision("if_better", candidate, validation[7:], feedback)(served)
    # then
    assert decision.reason == (
        "worse on the dataset: 3 of 10 held-out images correct, 7 by the served version; of people's 9 of 9 held-out "
        "images correct, 0 by the served version (the accuracy may fall by 0.0005); not learned: source bo: why"
    )
    assert better.is_promoted
