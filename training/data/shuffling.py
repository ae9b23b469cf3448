"""The order in which a training takes its images: the tutorial's pipeline, over the images' numbers."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inkling.network.recipe import Recipe


def shuffled_batches(recipe: Recipe, size: int, skip: int = 0) -> Iterator[NDArray[np.int32]]:
    """Yield (steps, batch): which of `size` images each step of the next display step learns from, after `skip` steps.

    What `tf.data`'s `repeat().shuffle(shuffle_buffer).batch(batch_size)` does, by the same rule: the images come round
    and round into a buffer, and each draw takes one of it at random and puts the next one there. All draws of a display
    step at once, because `tf.data` took a tenth of a step to do so number by number. The order follows from the seed
    alone, so that a resumed training takes it up where it was.
    """
    random = np.random.default_rng(recipe.seed)
    buffer = np.arange(recipe.shuffle_buffer) % size
    for first in range(0, recipe.training_steps, recipe.display_step):
        steps = min(recipe.display_step, recipe.training_steps - first)
        drawn = first * recipe.batch_size
        incoming = (len(buffer) + drawn + np.arange(steps * recipe.batch_size)) % size
        numbers = _draw(buffer, incoming, random)
        if first >= skip:
            yield numbers.astype(np.int32).reshape(steps, recipe.batch_size)


def _draw(buffer: NDArray[np.int64], incoming: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Draw a number (n,) from the buffer for each that comes in (n,), and leave the buffer as it is then."""
    slots = random.integers(len(buffer), size=len(incoming)).astype(np.uint16)  # which sort quickest
    drawn = buffer[slots]
    by_slot = np.argsort(slots, kind="stable")
    is_again = slots[by_slot[1:]] == slots[by_slot[:-1]]  # a slot that an earlier one of these draws has filled
    drawn[by_slot[1:][is_again]] = incoming[by_slot[:-1][is_again]]
    buffer[slots] = incoming  # where a slot comes up again, its last number stays
    return drawn
