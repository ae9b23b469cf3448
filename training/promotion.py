"""The promotion decision: a statistical comparison of a new version with the served one."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_CLASSES
from inkling.mnist import Split
from inkling.network.checkpoint import Card, Checkpoint, load
from inkling.registry.records import Comparison, Decision, PromotePolicy
from inkling.registry.versions import DecisionRule
from training.lessons import Feedback
from training.predictions import predict_served

SIGNIFICANCE = 0.05
MAX_RECALL_LOSS = 0.03
"""Largest allowed loss of recall on a digit: 15 of 500 held-out images, twice the random variation between two equal
networks."""


MAX_FALL = 0.0005
"""Largest allowed fall of the accuracy on held-out images of a version that reads people's pictures better: 2 of
5,000."""
ENOUGH = 8
"""Held-out pictures by which a source is judged on its own."""
MIN_READ = 0.6
"""Share of people's held-out pictures that a version must read as they are labeled. One that reads all of 50 rightly
passes with a probability of 0.10 if half of the labels are wrong, of 8 with 0.36; so `training.set_aside` comes first
(`python -m benchmarks.learning limits`)."""
MAX_PER_SOURCE = 50
"""Held-out pictures of a source that count in the test, so that no source outweighs all others."""


def promotion_decision(
    policy: PromotePolicy, candidate: Checkpoint, validation: Split, feedback: Feedback | None = None
) -> DecisionRule:
    """Return the rule that decides under a policy whether `candidate` replaces the served checkpoint.

    `if_better` compares the candidate with the served version on the same held-out images, never on the test images:
    these are for reporting, and choosing by them would bias the reported accuracy. A candidate that has learned from
    people must read their held-out pictures better, and these images no worse.
    """

    def decide(served: bytes | None) -> Decision:
        decision = _decide(policy, candidate, load(served) if served else None, validation, feedback)
        if feedback is None or not feedback.remarks:
            return decision
        return replace(decision, reason=f"{decision.reason}; not learned: {'; '.join(feedback.remarks)}")

    return decide


def _decide(
    policy: PromotePolicy,
    candidate: Checkpoint,
    former: Checkpoint | None,
    validation: Split,
    feedback: Feedback | None,
) -> Decision:
    if former and policy != "never" and not candidate.card.learned.is_same(former.card.learned):
        return Decision(is_promoted=False, reason=_of_another_dataset(candidate.card, former.card))
    if policy != "if_better":
        return Decision(is_promoted=policy == "always", reason=f"the promote policy is {policy}")
    if former is None:
        return Decision(is_promoted=True, reason="no version was served")
    if not len(validation):
        return Decision(
            is_promoted=False, reason="cannot compare: the recipe holds out no images (validation_size is 0)"
        )
    comparison = _compare_on(validation, candidate, former)
    if feedback is None:
        return decide_on(comparison)
    people = feedback.held_out
    reads, served_reads = (_is_correct(version, people) for version in (candidate, former))
    return decide_on_both(comparison, compare_people(reads, served_reads, people.labels, feedback.held_out_sources))


def _of_another_dataset(card: Card, served: Card) -> str:
    return (
        f"it learned {card.learned}, the served version {served.learned}: their scores cannot be compared, and clients "
        "would get other answers; if you want that, promote it by its number with --across-datasets"
    )


def _compare_on(split: Split, candidate: Checkpoint, served: Checkpoint) -> Comparison:
    return compare(_is_correct(candidate, split), _is_correct(served, split), split.labels)


def compare(candidate: NDArray[np.bool_], served: NDArray[np.bool_], labels: NDArray[np.uint8]) -> Comparison:
    """Compare two versions on the same images with McNemar's test, exact and one-sided (Dietterich 1998, section 3.1).

    The test counts discordant pairs: images that only one of the two reads correctly. If both versions are equally
    good, the candidate's number of them is binomial with probability 1/2.

    Args:
        candidate: whether the candidate reads each image correctly, (n,).
        served: the same for the served version.
        labels: the digits, (n,).
    """
    candidate_only_correct, served_only_correct = int((candidate & ~served).sum()), int((served & ~candidate).sum())
    discordant = candidate_only_correct + served_only_correct
    tail = term = math.comb(discordant, candidate_only_correct)
    for k in range(candidate_only_correct, discordant):  # each coefficient from the one before, in exact integers
        term = term * (discordant - k) // (k + 1)
        tail += term
    change = candidate.astype(np.int64) - served
    changes = [
        float(change[labels == digit].mean()) if (labels == digit).any() else 0.0 for digit in range(NUM_CLASSES)
    ]
    worst = int(np.argmin(changes))
    return Comparison(
        images=len(labels),
        candidate_correct=int(candidate.sum()),
        served_correct=int(served.sum()),
        candidate_only_correct=candidate_only_correct,
        served_only_correct=served_only_correct,
        p_value=tail / 2**discordant,
        worst_digit=worst,
        worst_digit_change=changes[worst],
    )


def decide_on(comparison: Comparison) -> Decision:
    """Promote a candidate that is significantly better overall and not much worse on any digit."""
    c, scores = comparison, _scores(comparison)
    if c.p_value >= SIGNIFICANCE:
        reason = f"not significantly better: {scores} (McNemar's p {c.p_value:.3g}, must be below {SIGNIFICANCE})"
        return Decision(is_promoted=False, reason=reason, comparison=c)
    if loss := _recall_loss(c):
        reason = f"better overall, but worse on digit {c.worst_digit}: {scores}, but {loss}"
        return Decision(is_promoted=False, reason=reason, comparison=c)
    return Decision(
        is_promoted=True, reason=f"significantly better: {scores} (McNemar's p {c.p_value:.3g})", comparison=c
    )


@dataclass(frozen=True)
class PeopleComparison:
    """The scores of a candidate and of the served version on people's held-out pictures."""

    total: Comparison
    """Of every source at most `MAX_PER_SOURCE`."""
    mean_change: float
    """The mean over the sources of the change of their accuracy: each counts equally."""
    objection: str | None
    """A source, of those with enough pictures, that is read worse, or not as it labels them; None: there is none."""


def compare_people(
    candidate: NDArray[np.bool_], served: NDArray[np.bool_], labels: NDArray[np.uint8], sources: NDArray[np.str_]
) -> PeopleComparison:
    """Compare two versions on people's pictures, source by source.

    Args:
        candidate: whether the candidate reads each picture as it is labeled, (n,).
        served: the same for the served version.
        labels: the digits, (n,).
        sources: whom each comes from, (n,).
    """
    changes, objections, counted = [], [], np.zeros(len(labels), np.bool_)
    for source in np.unique(sources):
        rows = np.flatnonzero(sources == source)
        counted[rows[:MAX_PER_SOURCE]] = True
        reads, served_reads = int(candidate[rows].sum()), int(served[rows].sum())
        changes.append((reads - served_reads) / len(rows))
        if len(rows) >= ENOUGH and (fault := _fault(reads, served_reads, len(rows))):
            objections.append(f"{source}: {fault}")
    total = compare(candidate[counted], served[counted], labels[counted])
    if total.images >= ENOUGH and (fault := _fault(total.candidate_correct, total.served_correct, total.images)):
        objections.append(f"all sources: {fault}")
    return PeopleComparison(total, float(np.mean(changes)) if changes else 0.0, "; ".join(objections) or None)


def _fault(reads: int, served_reads: int, total: int) -> str | None:
    """Return what is wrong with how the candidate reads pictures of a source; None if nothing is."""
    scores = f"{reads} of {total} held-out pictures read as labeled, {served_reads} by the served version"
    if reads < served_reads:
        return f"{scores}, which is worse"
    if reads < MIN_READ * total:
        return f"{scores}; below {MIN_READ:.0%} the labels seem to contradict each other"
    return None


def decide_on_both(comparison: Comparison, people: PeopleComparison) -> Decision:
    """Promote a candidate that reads people's pictures significantly better, and the dataset's images no worse.

    Args:
        comparison: on the dataset's held-out images.
        people: on the held-out corrections.
    """
    total = people.total
    fall = comparison.served_correct - comparison.candidate_correct
    scores = f"{_scores(comparison)}; of people's {_scores(total)}"
    is_promoted = False
    if fall > MAX_FALL * comparison.images:
        reason = f"worse on the dataset: {scores} (the accuracy may fall by {MAX_FALL})"
    elif loss := _recall_loss(comparison):
        reason = f"worse on digit {comparison.worst_digit} of the dataset: {scores}, but {loss}"
    elif people.objection:
        reason = f"people's labels are not learned: {scores}; {people.objection}"
    elif total.p_value >= SIGNIFICANCE:
        reason = (
            f"not significantly better on people's pictures: {scores} "
            f"(McNemar's p {total.p_value:.3g}, must be below {SIGNIFICANCE})"
        )
    elif people.mean_change <= 0:
        reason = (
            f"not significantly better on people's pictures: {scores}; all sources: their mean accuracy does not rise"
        )
    else:
        is_promoted = True
        reason = f"significantly better on people's pictures: {scores} (McNemar's p {total.p_value:.3g})"
    return Decision(is_promoted, reason, replace(comparison, people=total))


def _scores(c: Comparison) -> str:
    return f"{c.candidate_correct} of {c.images} held-out images correct, {c.served_correct} by the served version"


def _recall_loss(c: Comparison) -> str | None:
    """Return what is wrong with the recall of the worst digit, None if nothing is."""
    if c.worst_digit_change >= -MAX_RECALL_LOSS:
        return None
    return f"recall of {c.worst_digit} falls by {-c.worst_digit_change:.3f}, the limit is {MAX_RECALL_LOSS}"


def _is_correct(checkpoint: Checkpoint, split: Split) -> NDArray[np.bool_]:
    card = checkpoint.card
    probabilities = predict_served(split, checkpoint.parameters, card.temperature, card.views)
    correct: NDArray[np.bool_] = probabilities.argmax(axis=1) == split.labels
    return correct
