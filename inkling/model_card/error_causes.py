"""Causes of errors on drawn digits: the width of the brush, the handwriting, both, or the stroke template itself."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from inkling.digit import Mask
from inkling.model_card.drawings import Drawing, draw_digit
from inkling.model_card.predictions import normalize_or_refuse, predict_normalized
from inkling.network.classifier import Classifier

STANDARD_BRUSH = 0.1
"""As a share of the digit's height: the width of MNIST's own strokes."""

ERROR_CAUSES = {
    (True, False): f"the brush: correct with a brush of {STANDARD_BRUSH} and the same handwriting",
    (False, True): "the handwriting: correct with the same brush and the template as it is",
    (True, True): "both together: correct after either change",
    (False, False): "the template: wrong after each change",
}
"""By whether a standard brush, and whether standard handwriting, makes the prediction correct."""


def count_error_causes(classifier: Classifier, misread: list[Drawing]) -> Counter[str]:
    """Return how many misread drawings each of ERROR_CAUSES explains."""
    labels = np.array([drawing.label for drawing in misread])

    def is_correct(drawings: Iterable[Drawing]) -> Mask:
        normalized = normalize_or_refuse(drawing.picture for drawing in drawings)
        return np.asarray(predict_normalized(classifier, normalized).digits == labels)

    if not misread:
        return Counter()
    with_brush = is_correct(draw_digit(d.label, STANDARD_BRUSH, d.seed) for d in misread)
    with_template = is_correct(draw_digit(d.label, d.brush, d.seed, is_varied=False) for d in misread)
    return Counter(
        ERROR_CAUSES[bool(brush), bool(template)] for brush, template in zip(with_brush, with_template, strict=True)
    )
