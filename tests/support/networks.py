"""Real checkpoints for tests: networks of seeded random numbers, networks that read one digit in every image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkling.network.checkpoint import FORMAT_VERSION, LINEAR_PROBE_SHAPES, PROBE_SHAPES, SHAPES, Card, Checkpoint, save
from inkling.network.evaluation import Evaluation, evaluate
from inkling.network.recipe import TUTORIAL
from inkling.network.views import Views

Parameters = dict[str, NDArray[np.float32]]

MAX_SUM_ERROR = 1e-4
"""Nats by which the contributions may miss their sum, where the foreground changes a logit by 8."""


def random_parameters(seed: int = 0) -> Parameters:
    """Return the parameters of a network that has learned nothing, as the checkpoint file names them."""
    random = np.random.default_rng(seed)
    return {name: random.normal(0, 0.05, shape).astype(np.float32) for name, shape in SHAPES.items()}


def parameters_that_read(digit: int) -> Parameters:
    """Return the parameters of a network that reads `digit` in every image."""
    parameters = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    parameters["biases/out"][digit] = 1.0
    return parameters


def make_evaluation(correct: int = 7, total: int = 10) -> Evaluation:
    """Return the evaluation of a reader that is sure, and right `correct` times of `total`."""
    labels = (np.arange(total) % 10).astype(np.uint8)
    read = np.where(np.arange(total) < correct, labels, (labels + 1) % 10)
    return evaluate(np.eye(10, dtype=np.float32)[read], labels)


def make_card() -> Card:
    return Card(
        recipe=TUTORIAL,
        dataset="custom",
        dataset_digest="0" * 64,
        evaluation=make_evaluation(),
        libraries={"numpy": np.__version__},
    )


def make_checkpoint(parameters: Parameters | None = None) -> Checkpoint:
    return save(random_parameters() if parameters is None else parameters, make_card())


def make_checkpoint_of(classes: tuple[str, ...], dataset: str = "animals", **fields: Any) -> Checkpoint:
    """Return the checkpoint of a network that learned own data, and reads the class 3 in every image."""
    card = make_card().model_copy(update={"dataset": dataset, "classes": classes, "fit": "plain", **fields})
    return save(parameters_that_read(3), card)


def with_random_parameters(checkpoint: Checkpoint, scale: float) -> Checkpoint:
    """Return a checkpoint with normally distributed parameters of a standard deviation, on the same card."""
    random = np.random.default_rng(0)
    parameters = {name: random.normal(0, scale, shape).astype(np.float32) for name, shape in SHAPES.items()}
    return save(parameters, checkpoint.card)


def with_digit_probe(
    checkpoint: Checkpoint, bias: float = 0.0, largest_logit: float = 0.5, has_units: bool = False
) -> Checkpoint:
    """Return the checkpoint with a digit probe of random weights; a bias of 1e3 or -1e3 decides for all images.

    It has hidden units, or is linear, as those of format version 2.
    """
    random = np.random.default_rng(0)
    shapes = PROBE_SHAPES if has_units else LINEAR_PROBE_SHAPES
    probe = {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    probe["weights/is_digit"][-1] = largest_logit
    probe["biases/is_digit"][:] = bias
    kept = {name: checkpoint.parameters[name] for name in SHAPES}
    version = FORMAT_VERSION if has_units else 2
    return save({**kept, **probe}, checkpoint.card.model_copy(update={"format_version": version}))


def with_temperature(checkpoint: Checkpoint, temperature: float) -> Checkpoint:
    """Return the checkpoint with another temperature on its card, and without views."""
    card = checkpoint.card.model_copy(update={"temperature": temperature, "views": None})
    return save(checkpoint.parameters, card)


def with_views(checkpoint: Checkpoint, temperature: float = 1.0, below: float = 0.97) -> Checkpoint:
    """Return the checkpoint of a version that reads images in views whose first confidence is below a bound."""
    views = Views(below=below, temperature=temperature)
    return save(checkpoint.parameters, checkpoint.card.model_copy(update={"views": views}))
