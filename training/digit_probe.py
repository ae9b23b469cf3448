"""The digit probe of a trained network, fitted on its held-out images and on pictures without a digit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Images
from inkling.network.checkpoint import DigitProbeFit
from inkling.network.digit_probe import BIAS, WEIGHTS, probe_features
from training.data.distorted_digits import distort_digits
from training.data.non_digits import draw_non_digits
from training.data.synthetic_digits import LABEL_CYCLE, draw_digit
from training.snapshot import Parameters

MIN_HELD_OUT = 200
"""Held-out images; of fewer nobody can say which 1 % of them looks the least like digits."""
DISTORTED, SYNTHETIC, NON_DIGITS = 1.0, 0.3, 2.0
"""Pictures that are made for the fit, as shares of the number of held-out images."""
LOST = 0.01
"""Share of real digits that score below 0.5."""
FOLDS = 3
PENALTY = 3e-4
"""L2 penalty on the standardized weights, relative to the mean log-likelihood; the found shares hardly depend on it."""
NEWTON_STEPS = 9

Array = NDArray[np.float64]


class Probe(NamedTuple):
    """A linear function of features (n, 385)."""

    weights: Array
    bias: float

    def logits(self, features: Array) -> Array:
        logits: Array = features @ self.weights + self.bias
        return logits


def fit_digit_probe(parameters: Parameters, held_out: Images, seed: int) -> tuple[Parameters, DigitProbeFit | None]:
    """Return the parameters of a network with a digit probe, and how it was fitted; without one for too few images.

    The digits are the held-out images, as they are and distorted, and synthetic ones. As many folds as FOLDS are fitted
    on the others' pictures, and the probe is their mean. What a fold scores that it was not fitted on says where the
    probe's score is 0.5, and what it finds.

    Args:
        parameters: those of the trained network, by the names of SHAPES.
        held_out: images (n, 28, 28) that it was not trained on.
        seed: of the pictures that are drawn.
    """
    if len(held_out) < MIN_HELD_OUT:
        return parameters, None
    digits = [held_out, distort_digits(held_out[: round(DISTORTED * len(held_out))], seed)]
    synthetic = _synthetic_digits(round(SYNTHETIC * len(held_out)), seed)
    non_digits, kinds = draw_non_digits(round(NON_DIGITS * len(held_out)), held_out, seed)
    groups = [*digits, synthetic, *(non_digits[kinds == kind] for kind in np.unique(kinds))]
    features = [probe_features(images, parameters) for images in groups]
    are_digits = np.arange(len(groups)) < 3
    probes = [_fit([_without(fold, group) for group in features], are_digits) for fold in range(FOLDS)]
    unseen = [np.concatenate([probes[fold].logits(group[fold::FOLDS]) for fold in range(FOLDS)]) for group in features]
    shift = float(np.quantile(np.concatenate(unseen[:2]), LOST))
    weights = np.mean([probe.weights for probe in probes], axis=0)
    bias = float(np.mean([probe.bias for probe in probes])) - shift
    probe = {WEIGHTS: weights.astype(np.float32), BIAS: np.array([bias], np.float32)}
    fit = DigitProbeFit(
        digits=sum(map(len, groups[:3])),
        non_digits=len(non_digits),
        lost=float((unseen[0] < shift).mean()),
        found={
            str(kind): float((scores < shift).mean()) for kind, scores in zip(np.unique(kinds), unseen[3:], strict=True)
        },
    )
    return {**parameters, **probe}, fit


def _synthetic_digits(count: int, seed: int) -> Images:
    random = np.random.default_rng([seed, 3])
    return np.stack([draw_digit(LABEL_CYCLE[i % len(LABEL_CYCLE)], random) for i in range(count)])


def _without(fold: int, features: Array) -> Array:
    """Return all rows but each third of them, from `fold` on."""
    rest: Array = features[np.arange(len(features)) % FOLDS != fold]
    return rest


def _fit(groups: list[Array], are_digits: NDArray[np.bool_]) -> Probe:
    """Return the logistic regression that separates groups of features (n, 385), by Newton's method.

    Digits and non-digits weigh the same, and so do the groups of each (McCullagh and Nelder 1989, "Generalized linear
    models", section 2.5).
    """
    shares = np.where(are_digits, 0.5 / are_digits.sum(), 0.5 / (~are_digits).sum())
    x = np.concatenate(groups)
    y = np.repeat(are_digits, [len(group) for group in groups]).astype(np.float64)
    weight = np.concatenate(
        [np.full(len(group), share / len(group)) for group, share in zip(groups, shares, strict=True)]
    )
    mean = weight @ x
    deviation = np.sqrt(weight @ (x - mean) ** 2) + 1e-6
    z = np.concatenate([(x - mean) / deviation, np.ones((len(x), 1))], axis=1)  # (n, 386)
    penalty = np.full(z.shape[1], PENALTY)
    penalty[-1] = 0
    beta = np.zeros(z.shape[1])
    for _ in range(NEWTON_STEPS):
        probability = 0.5 + 0.5 * np.tanh(z @ beta / 2)
        gradient = z.T @ (weight * (probability - y)) + penalty * beta
        curvature = (z * (weight * probability * (1 - probability))[:, np.newaxis]).T @ z
        beta -= np.linalg.solve(curvature + np.diag(penalty + 1e-9), gradient)
    weights = beta[:-1] / deviation
    return Probe(weights, float(beta[-1] - mean @ weights))
