"""Whether a newly trained version is served."""

import numpy as np

from training.checkpoint import Checkpoint, load
from training.dataset import Split
from training.loop import predict
from training.records import Decision, PromotePolicy
from training.registry import Decide


def judge(policy: PromotePolicy, candidate: Checkpoint, validation: Split) -> Decide:
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
        ours, theirs = _correct(candidate, validation), _correct(load(served), validation)
        better = "better" if ours > theirs else "not better"
        return Decision(
            ours > theirs,
            f"{better}: {ours} of {len(validation)} held-out images right, the served version {theirs}",
        )

    return decide


def _correct(checkpoint: Checkpoint, split: Split) -> int:
    return int(np.sum(predict(split.images, checkpoint.parameters).argmax(axis=1) == split.labels))
