"""The checkpoint of a trained network: its temperature, its evaluation, its card."""

from concurrent.futures import Future
from functools import lru_cache
from importlib.metadata import version
from threading import Thread

from inkling.mnist import Dataset
from inkling.network.checkpoint import Card, Checkpoint, DigitProbeFit, LearnedFeedback, save, verify
from inkling.network.evaluation import evaluate
from inkling.network.recipe import Recipe
from training.calibration import fit_temperature, fit_views
from training.digit_probe import ProbePictures, draw_probe_pictures, fit_digit_probe, fit_effort
from training.predictions import predict_logits, predict_mean_logits, probabilities_of, reread_unsure, split_logits
from training.snapshot import Parameters
from training.tensorflow_environment import computing_threads

ProbeFitting = Future[tuple[Parameters, DigitProbeFit | None]]


def build_checkpoint(
    parameters: Parameters, recipe: Recipe, dataset: Dataset, feedback: LearnedFeedback | None = None
) -> Checkpoint:
    """Calibrate a trained network on the held-out images, evaluate it on the test images, and return its checkpoint.

    Whether it reads unsure images in views is decided on the held-out images, too, and its digit probe fitted.

    Raises:
        CheckpointError: a parameter is not finite.
    """
    verify(parameters)  # before the evaluation, which cannot score NaN
    fitting = _begin_fit_of_probe(parameters, recipe, dataset)
    _, validation = dataset.hold_out(recipe.validation_size)
    temperature, views = 1.0, None
    if len(validation):
        logits = split_logits(validation, parameters)
        temperature = fit_temperature(logits, validation.labels)
        mean_logits = predict_mean_logits(validation.images, parameters, logits)
        views = fit_views(logits, mean_logits, validation.labels, temperature)
    test = dataset.test
    test_logits = predict_logits(test.images, parameters)
    single_view = probabilities_of(test_logits, temperature)
    served = reread_unsure(single_view, test.images, parameters, views)
    with_probe, digit_probe = fitting.result()
    card = Card(
        recipe=recipe,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        classes=None if dataset.shows_digits else dataset.classes,
        fit=dataset.fit,
        evaluation=evaluate(
            served,
            test.labels,
            uncalibrated=probabilities_of(test_logits),
            single_view=single_view if views else None,
        ),
        temperature=temperature,
        views=views,
        digit_probe=digit_probe,
        feedback=feedback,
        libraries={name: version(name) for name in ("tensorflow", "keras", "numpy")},
    )
    return save(with_probe, card)


def _begin_fit_of_probe(parameters: Parameters, recipe: Recipe, dataset: Dataset) -> ProbeFitting:
    """Fit the digit probe beside TensorFlow, or at once where that computes with one thread."""
    fitting: ProbeFitting = Future()
    thread = Thread(target=_fit_probe, args=(fitting, parameters, recipe, dataset), daemon=True)  # Ctrl-C does not wait
    thread.start()
    if computing_threads() == 1:
        thread.join()
    return fitting


def _fit_probe(fitting: ProbeFitting, parameters: Parameters, recipe: Recipe, dataset: Dataset) -> None:
    """Find the parameters with those of a digit probe, and how it was fitted; without one for other classes."""
    try:
        pictures, effort = None, 1.0 if recipe.base else fit_effort(recipe.training_steps)  # a base had a long training
        if dataset.shows_digits:
            pictures = _probe_pictures(dataset, recipe.validation_size, recipe.seed, effort)
        fitting.set_result(fit_digit_probe(parameters, pictures, recipe.seed, effort))
    except BaseException as error:  # it is raised where the result is asked for
        fitting.set_exception(error)


@lru_cache(maxsize=1)
def _probe_pictures(dataset: Dataset, validation_size: int, seed: int, effort: float) -> ProbePictures | None:
    """Return what a probe is fitted on, kept for the next run of this process: drawing takes longer than the fit."""
    learned, validation = dataset.hold_out(validation_size)
    return draw_probe_pictures(learned.images, validation.images, seed, effort)
