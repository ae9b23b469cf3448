"""The checkpoint of a trained network: its temperature, its evaluation, its card."""

from importlib.metadata import version

from inkling.mnist import Dataset
from inkling.network.checkpoint import Card, Checkpoint, LearnedFeedback, save, verify
from inkling.network.evaluation import evaluate
from inkling.network.recipe import Recipe
from training.calibration import fit_temperature, fit_views
from training.digit_probe import fit_digit_probe, fit_effort
from training.predictions import predict, predict_logits, predict_mean_logits, predict_served
from training.snapshot import Parameters


def build_checkpoint(
    parameters: Parameters, recipe: Recipe, dataset: Dataset, feedback: LearnedFeedback | None = None
) -> Checkpoint:
    """Calibrate a trained network on the held-out images, evaluate it on the test images, and return its checkpoint.

    Whether it reads unsure images in views is decided on the held-out images, too, and its digit probe fitted.

    Raises:
        CheckpointError: a parameter is not finite.
    """
    verify(parameters)  # before the evaluation, which cannot score NaN
    learned, validation = dataset.hold_out(recipe.validation_size)
    temperature, views = 1.0, None
    if len(validation):
        logits = predict_logits(validation.images, parameters)
        temperature = fit_temperature(logits, validation.labels)
        mean_logits = predict_mean_logits(validation.images, parameters)
        views = fit_views(logits, mean_logits, validation.labels, temperature)
    test = dataset.test
    single_view = predict(test.images, parameters, temperature)
    digit_probe = None
    effort = 1.0 if recipe.base else fit_effort(recipe.training_steps)  # a base had a long training
    if dataset.shows_digits:
        parameters, digit_probe = fit_digit_probe(parameters, learned.images, validation.images, recipe.seed, effort)
    card = Card(
        recipe=recipe,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        classes=None if dataset.shows_digits else dataset.classes,
        fit=dataset.fit,
        evaluation=evaluate(
            predict_served(test.images, parameters, temperature, views),
            test.labels,
            uncalibrated=predict(test.images, parameters),
            single_view=single_view if views else None,
        ),
        temperature=temperature,
        views=views,
        digit_probe=digit_probe,
        feedback=feedback,
        libraries={name: version(name) for name in ("tensorflow", "keras", "numpy")},
    )
    return save(parameters, card)
