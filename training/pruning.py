"""The pruning of a trial: it ends early if its best score so far is worse than that of most trials before it."""

from collections.abc import Mapping

from inkling.errors import InklingError
from inkling.network.recipe import Recipe
from inkling.registry.records import Progress


class PrunedError(InklingError):
    """The trial is not worth its other steps; the message says why."""


class Pruning:
    """Owns the best held-out cross-entropy of a trial so far.

    Args:
        recipe: of the trial.
        prune_above: the limits, by step.
    """

    def __init__(self, recipe: Recipe, prune_above: Mapping[int, float]) -> None:
        self._last_step = recipe.training_steps - recipe.training_steps % recipe.display_step
        self._prune_above = prune_above
        self._best: float | None = None

    def check(self, progress: Progress) -> None:
        """Check that the trial may go on after a line of progress.

        Raises:
            PrunedError: it may not.
        """
        if progress.validation_loss is None:
            return
        best = self._best = min(progress.validation_loss, self._best or progress.validation_loss)
        limit = self._prune_above.get(progress.step)
        if limit is not None and best > limit and progress.step < self._last_step:
            raise PrunedError(
                f"pruned at step {progress.step}: held-out cross-entropy {best:.4f}, "
                f"and the median of the trials before it is {limit:.4f}"
            )
