"""The digit probe of a trained network, fitted on digits that it has learned and on pictures without a digit."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkling.digit import Floats, Images
from inkling.network.checkpoint import PROBE_UNITS, DigitProbeFit
from inkling.network.digit_probe import BIAS, UNIT_BIASES, UNIT_WEIGHTS, WEIGHTS, probe_features
from inkling.network.forward import sigmoid
from training.data.distorted_digits import distort_digits
from training.data.non_digits import draw_non_digits
from training.data.synthetic_digits import LABEL_CYCLE, draw_digit
from training.snapshot import Parameters

MIN_HELD_OUT = 200
"""Held-out images; of fewer nobody can say which 1 % of them looks the least like digits."""
LEARNED, DISTORTED, SYNTHETIC, NON_DIGITS = 8.0, 4.0, 1.2, 8.0
"""Pictures that the probe is fitted on, as shares of the number of held-out images."""
SHARES = (0.2, 0.2, 0.1)
"""Shares of the three kinds of digits in each batch. The other half has no digit."""
LOST = 0.01
"""Share of real digits that score below 0.5."""
UNSEEN = 5
"""One in so many pictures without a digit is not fitted on, and says what the probe finds."""
LONG_TRAINING, MIN_EFFORT = 48_000, 1 / 16
"""Steps from which a training gets the whole fit; the smallest share of it. A short one would wait longer for its probe
than it took."""
STEPS, BATCH_SIZE = 8000, 256
GUIDES = 1 << 16
"""Parts of the numbers from 0 to 1; a power of 2, so that the part of a number is exact."""
LEARNING_RATE, BETA_1, BETA_2 = 0.003, 0.9, 0.999
"""Adam's largest step size, and the decay of its moments."""
DECAYS = (0.3, 0.0, 0.3, 0.0)
"""The share of each parameter of a probe, times the step size, that is subtracted at each step."""


class _Probe(NamedTuple):
    """The parameters during the fit: of tanh units, on standardized features (n, 385)."""

    hidden: Floats  # (385, units)
    hidden_biases: Floats  # (units,)
    output: Floats  # (units + 1,), the largest logit last
    bias: Floats  # (1,)


def fit_effort(training_steps: int) -> float:
    """Return the share of the pictures and steps of a whole fit that a training's probe gets."""
    return min(1.0, max(MIN_EFFORT, training_steps / LONG_TRAINING))


class ProbePictures(NamedTuple):
    """What probes are fitted on: the same for every network with the same dataset, seed and effort."""

    digits: Sequence[Images]
    """Of the three kinds of SHARES."""
    non_digits: Images
    kinds: NDArray[np.str_]
    """Of each picture without a digit."""
    held_out: Images
    """(n, 28, 28), not trained on."""
    distorted: Images
    """Some of the held-out images, distorted."""


def draw_probe_pictures(learned: Images, held_out: Images, seed: int, effort: float = 1) -> ProbePictures | None:
    """Return the pictures that a probe is fitted on; None for too few held-out images.

    Args:
        learned: images (n, 28, 28) that the network was trained on.
        held_out: images that it was not trained on.
        seed: of the pictures that are drawn.
        effort: the share of the pictures of a whole fit, above 0.
    """
    if len(held_out) < MIN_HELD_OUT:
        return None
    count = effort * len(held_out)
    digits = [
        learned[: round(LEARNED * count)],
        distort_digits(learned[-round(DISTORTED * count) :], seed),
        _synthetic_digits(round(SYNTHETIC * count), seed),
    ]
    non_digits, kinds = draw_non_digits(round(NON_DIGITS * count), learned, seed)
    return ProbePictures(digits, non_digits, kinds, held_out, distort_digits(held_out[: round(2 * count)], seed + 1))


def fit_digit_probe(
    parameters: Parameters, pictures: ProbePictures | None, seed: int, effort: float = 1
) -> tuple[Parameters, DigitProbeFit | None]:
    """Return the parameters of a network with a digit probe, and how it was fitted; without one for no pictures.

    The held-out images, as they are and distorted, say where the probe's score is 0.5.

    Args:
        parameters: those of the trained network, by the names of SHAPES.
        pictures: that the probe is fitted on.
        seed: of the probe's first weights and of its batches.
        effort: the share of the steps of a whole fit, above 0.
    """
    if pictures is None:
        return parameters, None
    digits, non_digits, kinds, held_out, held_out_distorted = pictures
    features = [probe_features(images, parameters) for images in digits]
    others = {str(kind): probe_features(non_digits[kinds == kind], parameters) for kind in np.unique(kinds)}
    fitted_on = [np.delete(group, np.s_[::UNSEEN], axis=0) for group in others.values()]
    shares = [*SHARES, *[(1 - sum(SHARES)) / len(others)] * len(others)]
    steps = round(STEPS * effort)
    probe = _fit([*features, *fitted_on], np.arange(len(shares)) < len(digits), shares, steps, seed)
    plain = _log_odds(probe, probe_features(held_out, parameters))
    distorted = _log_odds(probe, probe_features(held_out_distorted, parameters))
    weights = np.repeat([1 / len(plain), 1 / len(distorted)], [len(plain), len(distorted)])
    shift = np.quantile(np.concatenate([plain, distorted]), LOST, weights=weights, method="inverted_cdf")
    fit = DigitProbeFit(
        digits=sum(map(len, digits)),
        non_digits=sum(map(len, fitted_on)),
        lost=float((plain < shift).mean()),
        found={kind: float((_log_odds(probe, group[::UNSEEN]) < shift).mean()) for kind, group in others.items()},
    )
    probe[BIAS] -= np.float32(shift)
    return {**parameters, **probe}, fit


def _synthetic_digits(count: int, seed: int) -> Images:
    random = np.random.default_rng([seed, 3])
    return np.stack([draw_digit(LABEL_CYCLE[i % len(LABEL_CYCLE)], random) for i in range(count)])


def _log_odds(probe: Parameters, features: Floats) -> Floats:
    """Return the log odds of a digit (n,) for features (n, 385)."""
    units = sigmoid(features @ probe[UNIT_WEIGHTS] + probe[UNIT_BIASES])  # (n, units)
    log_odds: Floats = units @ probe[WEIGHTS][:-1] + features[:, -1] * probe[WEIGHTS][-1] + probe[BIAS]
    return log_odds


def _fit(
    groups: Sequence[Floats], are_digits: NDArray[np.bool_], shares: Sequence[float], steps: int, seed: int
) -> Parameters:
    """Return the probe that separates groups of features (n, 385), each with its share of every batch."""
    sizes = np.array([len(group) for group in groups])
    weights = np.repeat(np.array(shares) / sizes, sizes)
    x, y = np.concatenate(groups), np.repeat(are_digits, sizes).astype(np.float32)
    mean = (weights @ x).astype(np.float32)
    x -= mean  # in place: a copy would take as much memory again
    deviation = np.sqrt(weights @ x**2).astype(np.float32) + np.float32(1e-4)
    x /= deviation
    probe = _minimize(x, y, np.cumsum(weights) / weights.sum(), steps, seed)
    units, largest_logit = probe.output[:-1], probe.output[-1:] / deviation[-1]
    return {  # of the features as they are; tanh(x) is 2 sigmoid(2 x) - 1
        UNIT_WEIGHTS: 2 * probe.hidden / deviation[:, np.newaxis],
        UNIT_BIASES: 2 * (probe.hidden_biases - (mean / deviation) @ probe.hidden),
        WEIGHTS: np.concatenate([2 * units, largest_logit]),
        BIAS: probe.bias - units.sum() - largest_logit * mean[-1],
    }


def _minimize(x: Floats, y: Floats, up_to: NDArray[np.float64], steps: int, seed: int) -> _Probe:
    """Return the probe of the least cross-entropy, by Adam on random batches.

    With decoupled weight decay (Loshchilov and Hutter 2019, "Decoupled weight decay regularization") and a step size
    that falls to 0 as a cosine.

    Args:
        x: standardized features (n, 385).
        y: 1 for digits, 0 for others (n,).
        up_to: the cumulative probability (n,) of each row in a batch.
        steps: number of batches.
        seed: of the first weights and of the batches.
    """
    random = np.random.default_rng([seed, 6])
    hidden = random.normal(0, x.shape[1] ** -0.5, (x.shape[1], PROBE_UNITS)).astype(np.float32)
    sizes = (hidden.size, PROBE_UNITS, PROBE_UNITS + 1, 1)
    values = np.concatenate([hidden.ravel(), np.zeros(sum(sizes[1:]), np.float32)])  # all parameters
    decays = np.repeat(np.array(DECAYS, np.float32), sizes)
    probe = _Probe(values[: hidden.size].reshape(hidden.shape), *np.split(values, np.cumsum(sizes)[:-1])[1:])
    first, second = np.zeros_like(values), np.zeros_like(values)
    find_rows = _row_finder(up_to)
    for step in range(1, steps + 1):
        rows = find_rows(random.random(BATCH_SIZE))
        rate = LEARNING_RATE * (1 + np.cos(np.pi * step / steps)) / 2
        gradient = np.concatenate([array.ravel() for array in _gradients(probe, x[rows], y[rows])])
        first += (1 - BETA_1) * (gradient - first)
        second += (1 - BETA_2) * (gradient**2 - second)
        scaled = first / (1 - BETA_1**step) / (np.sqrt(second / (1 - BETA_2**step)) + 1e-8)
        values -= rate * (scaled + decays * values)
    return probe


def _row_finder(up_to: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.intp]]:
    """Return `np.searchsorted(up_to, ...)` for numbers from 0 to below 1, in less than half its time.

    A table says where the search for a number begins: at the first row of its part of GUIDES. Few searches go on from
    there (the method of guide tables; Chen and Asau 1974, "On generating random variates from an empirical
    distribution").
    """
    first = np.searchsorted(up_to, np.arange(GUIDES) / GUIDES)

    def find(numbers: NDArray[np.float64]) -> NDArray[np.intp]:
        rows = first[(numbers * GUIDES).astype(np.intp)]
        while (is_before := up_to[rows] < numbers).any():
            rows += is_before
        return rows

    return find


def _gradients(probe: _Probe, x: Floats, y: Floats) -> _Probe:
    """Return the gradients of the mean cross-entropy of a batch, features (n, 385) and answers (n,)."""
    units = np.tanh(x @ probe.hidden + probe.hidden_biases)  # (n, units)
    inputs = np.concatenate([units, x[:, -1:]], axis=1)  # (n, units + 1)
    errors: Floats = (sigmoid(inputs @ probe.output + probe.bias) - y) / np.float32(len(y))  # (n,)
    back = np.outer(errors, probe.output[:-1]) * (1 - units**2)  # (n, units)
    return _Probe(x.T @ back, back.sum(axis=0), inputs.T @ errors, np.add.reduce(errors, keepdims=True))
