"""Shuffled batches: the tutorial's input pipeline, applied to the indices of the images instead of the images."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inkling.network.recipe import Recipe


def shuffled_batches(recipe: Recipe, size: int, skip: int = 0) -> Iterator[NDArray[np.int32]]:
    """Yield the indices (steps, batch) of the images that the steps up to the next display step learn from.

    The rule is that of `tf.data`'s `repeat().shuffle(shuffle_buffer).batch(batch_size)`: the images pass through a
    buffer in endless repetition; a random one is taken from the buffer, and the next image goes into its slot. All
    indices of a display step are taken at once, because `tf.data`, index by index, took a tenth of a step's time.
    The order depends only on the seed, so that a resumed training continues it.

    Args:
        recipe: batch size, steps, shuffle buffer and seed.
        size: number of images.
        skip: number of steps to leave out at the start, a multiple of the display step.
    """
    random = np.random.default_rng(recipe.seed)
    buffer = np.arange(recipe.shuffle_buffer) % size
    for first in range(0, recipe.training_steps, recipe.display_step):
        steps = min(recipe.display_step, recipe.training_steps - first)
        start = len(buffer) + first * recipe.batch_size
        incoming = (start + np.arange(steps * recipe.batch_size)) % size
        indices = _take(buffer, incoming, random)
        if first >= skip:
            yield indices.astype(np.int32).reshape(steps, recipe.batch_size)


def _take(buffer: NDArray[np.int64], incoming: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Replace a random index of the buffer, in place, with each incoming one (n,), and return those replaced (n,)."""
    slots = random.integers(len(buffer), size=len(incoming)).astype(np.uint16)  # uint16 sorts fastest
    taken = buffer[slots]
    by_slot = np.argsort(slots, kind="stable")
    is_repeated = slots[by_slot[1:]] == slots[by_slot[:-1]]  # the slot was filled earlier in this call
    taken[by_slot[1:][is_repeated]] = incoming[by_slot[:-1][is_repeated]]
    buffer[slots] = incoming  # where a slot is repeated, NumPy keeps the last index
    return taken
