"""Why drawn digits are misread: which of the brush and the hand has to be another for the network to read them."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from inkling.model_card.drawings import Drawing, draw_digit
from inkling.model_card.readings import fit, read_fitted
from inkling.network.classifier import Classifier

USUAL_BRUSH = 0.1
"""Of the height of the digit's ink: as wide as MNIST's own strokes."""

CAUSES = {
    (True, False): f"the brush: read with one of {USUAL_BRUSH}, drawn by the same hand",
    (False, True): "the hand: read with the same brush, drawn as the shape is taught",
    (True, True): "both together: read when either is another",
    (False, False): "the shape: read neither way",
}
"""By whether another brush, and whether another hand, makes a misread digit read right."""


def causes_of(classifier: Classifier, misread: list[Drawing]) -> Counter[str]:
    """Return how many misread drawings each of CAUSES explains."""
    labels = np.array([drawing.label for drawing in misread])

    def is_read(drawings: Iterable[Drawing]) -> NDArray[np.bool_]:
        digits = read_fitted(classifier, fit(drawing.picture for drawing in drawings)).digits
        return np.asarray(digits == labels)

    if not misread:
        return Counter()
    by_brush = is_read(draw_digit(d.label, USUAL_BRUSH, d.seed) for d in misread)
    by_hand = is_read(draw_digit(d.label, d.brush, d.seed, is_varied=False) for d in misread)
    return Counter(CAUSES[bool(brush), bool(hand)] for brush, hand in zip(by_brush, by_hand, strict=True))
