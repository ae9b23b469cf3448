"""Whether a newly trained version is served."""

import math

import numpy as np
from numpy.typing import NDArray

from inkling.digit import NUM_CLASSES
from inkling.mnist import Split
from inkling.network.checkpoint import Checkpoint, load
from inkling.registry.records import Comparison, Decision, PromotePolicy
from inkling.registry.versions import DecisionRule
from training.loop import predict

SIGNIFICANCE = 0.05
MAX_RECALL_LOSS = 0.03
"""Of 500 held-out images of a digit, 15: twice what chance alone moves between two equal networks."""


def promotion_decision(policy: PromotePolicy, candidate: Checkpoint, validation: Split) -> DecisionRule:
    """Return the decision on `candidate` under a policy.

    `if_better` compares the candidate with the served version on the same held-out images, never the test images:
    those are for reporting, and a choice made on them would make the reported accuracy too good.
    """

    def decide(served: bytes | None) -> Decision:
        if policy != "if_better":
            return Decision(policy == "always", f"the promote policy is {policy}")
        if served is None:
            return Decision(True, "nothing was served")
        if not len(validation):
            return Decision(False, "if_better compares on held-out images, and validation_size is 0")
        return decide_on(
            compare(_is_right(candidate, validation), _is_right(load(served), validation), validation.labels)
        )

    return decide


def compare(candidate: NDArray[np.bool_], served: NDArray[np.bool_], labels: NDArray[np.uint8]) -> Comparison:
    """Compare which images (n,) two versions read right.

    McNemar's test, exact and one-sided (Dietterich 1998, section 3.1): of the images that only one of the two reads
    right, the candidate's share is binomial(1/2) if both are equally good.
    """
    candidate_only_correct, served_only_correct = int((candidate & ~served).sum()), int((served & ~candidate).sum())
    split = candidate_only_correct + served_only_correct
    tail = sum(math.comb(split, k) for k in range(candidate_only_correct, split + 1))
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
        p_value=tail / 2**split,
        worst_digit=worst,
        worst_digit_change=changes[worst],
    )


def decide_on(comparison: Comparison) -> Decision:
    """Promote what is significantly better over all, and much worse on no digit."""
    c = comparison
    scores = f"{c.candidate_correct} of {c.images} held-out images right, the served version {c.served_correct}"
    if c.p_value >= SIGNIFICANCE:
        reason = f"not better: {scores} (McNemar's p is {c.p_value:.3g}, needed is less than {SIGNIFICANCE})"
        return Decision(False, reason, c)
    if c.worst_digit_change < -MAX_RECALL_LOSS:
        reason = (
            f"better over all, but not on the digit {c.worst_digit}: {scores}, and its recall falls by "
            f"{-c.worst_digit_change:.3f}, allowed is {MAX_RECALL_LOSS}"
        )
        return Decision(False, reason, c)
    return Decision(True, f"better: {scores} (McNemar's p is {c.p_value:.3g})", c)


def _is_right(checkpoint: Checkpoint, split: Split) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = predict(split.images, checkpoint.parameters).argmax(axis=1) == split.labels
    return right
