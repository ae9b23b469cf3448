"""The checkpoint of a trained network: its temperature, its evaluation, its card."""

from importlib.metadata import version

from inkling.mnist import Dataset
from inkling.network.checkpoint import Card, Checkpoint, save, verify
from inkling.network.evaluation import evaluate
from inkling.network.recipe import Recipe
from training.calibration import fit_temperature
from training.predictions import predict, predict_logits
from training.snapshot import Parameters


def build_checkpoint(parameters: Parameters, recipe: Recipe, dataset: Dataset) -> Checkpoint:
    """Calibrate a trained network on the held-out images, evaluate it on the test images, and return its checkpoint.

    Raises:
        CheckpointError: a parameter is not finite.
    """
    verify(parameters)  # before the evaluation, which cannot score NaN
    _, validation = dataset.hold_out(recipe.validation_size)
    temperature = 1.0
    if len(validation):
        temperature = fit_temperature(predict_logits(validation.images, parameters), validation.labels)
    test = dataset.test
    card = Card(
        recipe=recipe,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        evaluation=evaluate(
            predict(test.images, parameters, temperature), test.labels, uncalibrated=predict(test.images, parameters)
        ),
        temperature=temperature,
        libraries={name: version(name) for name in ("tensorflow", "keras", "numpy")},
    )
    return save(parameters, card)
