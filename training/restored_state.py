"""The state from which an interrupted run resumes: that of its snapshot, unless what it learns has changed."""

import logging

from inkling.errors import CheckpointError
from inkling.mnist import Dataset
from inkling.registry.records import Lease
from inkling.registry.registry import Registry
from training.snapshot import TrainingState

logger = logging.getLogger(__name__)


def restored_state(registry: Registry, lease: Lease, feedback: str, data: Dataset) -> TrainingState | None:
    """Return the state that a run resumes from; None if it starts from the beginning.

    It does if the corrections have changed: a deleted one is not learned.

    Args:
        registry: has the snapshot.
        lease: of the run.
        feedback: the digest of the corrections that the run learns.
        data: the images that it learns.

    Raises:
        DatasetError: the dataset has changed.
    """
    run_id = lease.run.id
    snapshot = registry.runs.snapshot(run_id)
    if snapshot is None:
        return None
    try:
        state = TrainingState.from_snapshot(snapshot)
    except CheckpointError as error:
        logger.warning("run %d: cannot read its snapshot, starting over: %s", run_id, error)
        registry.runs.discard_snapshot(lease)
        return None
    state.require_dataset(data)
    if state.feedback != feedback:
        logger.info("run %d: the corrections have changed, starting over", run_id)
        registry.runs.discard_snapshot(lease)
        return None
    logger.info("run %d: resumes from step %d", run_id, state.step)
    return state
