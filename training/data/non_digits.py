"""Pictures that show no digit, 28x28 and placed as MNIST's digits are: the counterexamples of the digit probe.

Letters, invented glyphs, scribbles, shapes, patterns, broken digits and several digits at once. Letters and shapes that
many people write like a digit (O, I, l, S, Z, B, b, g, q, a ring, a single stroke) are left out, and so are the kinds
of pictures with which the model card measures the probe.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inkling.digit import SIDE, Gray, Images
from training.data.figures import broken_digits, glyphs, letters, shapes, signs, textures
from training.data.figures.hand import Random

KINDS: dict[str, Callable[[Random, Images], Gray]] = {
    "letters": letters.letter,
    "letters of other scripts": signs.letter_of_another_script,
    "signs": signs.sign,
    "things": signs.thing,
    "invented glyphs": glyphs.glyph,
    "composed glyphs": glyphs.composed_glyph,
    "mirrored glyphs": glyphs.mirrored_glyph,
    "dotted glyphs": glyphs.dotted_glyph,
    "curls": glyphs.curl,
    "ideograms": glyphs.ideogram,
    "scribbles": glyphs.scribble,
    "zigzags and spirals": glyphs.zigzag,
    "shapes": shapes.shape,
    "graphs": shapes.graph,
    "outlines": shapes.outline,
    "filled outlines": shapes.filled_outline,
    "lattices": shapes.lattice,
    "arcs": shapes.arcs,
    "symmetric strokes": shapes.symmetric,
    "blots": textures.blot,
    "patterns": textures.pattern,
    "flat": textures.flat,
    "several digits": broken_digits.several_digits,
    "joined halves": broken_digits.joined_halves,
    "exchanged quarters": broken_digits.exchanged_quarters,
    "crossed-out digits": broken_digits.crossed_out,
}
"""Every kind by its name in a checkpoint's card."""


def draw_non_digits(count: int, digits: Images, seed: int) -> tuple[Images, NDArray[np.str_]]:
    """Return images (count, 28, 28) without a digit, of each kind in turn, and their kinds (count,).

    Args:
        count: number of images.
        digits: images of digits (n, 28, 28), n at least 1, for those that show several or parts of some.
        seed: the same seed draws the same images.
    """
    kinds = list(KINDS)
    random = np.random.default_rng([seed, 5])
    names = np.resize(kinds, count)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for i, name in enumerate(names):
        images[i] = KINDS[name](random, digits)
    return images, names
