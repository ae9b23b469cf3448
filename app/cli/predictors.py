"""The predictor of a command, and the options that choose it."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.failures import UsageError
from app.cli.registry_access import open_registry
from app.settings import Settings
from inkling.network import checkpoint
from inkling.network.classifier import Classifier
from inkling.predictor import Fit, Predictor

FitOption = Annotated[
    Fit,
    typer.Option(
        help="strict: images of 28x28 pixels, a light digit on a dark background; "
        "mnist: any picture of one digit, normalized first."
    ),
]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE", help="Use this checkpoint, not the served version.")
]


def load_predictor(settings: Settings, checkpoint_file: Path | None, fit: Fit = "strict") -> Predictor:
    """Return the predictor of a checkpoint file, else of the served version, else of the network that ships.

    Raises:
        UsageError: `fit` does not suit the version.
        CheckpointError: the file or the version is not a checkpoint of this network.
        OSError: the file cannot be read.
    """
    predictor = _load_predictor(settings, checkpoint_file)
    if fit == "mnist" and (problem := predictor.fit_problem):
        raise UsageError(problem)
    return predictor


def _load_predictor(settings: Settings, checkpoint_file: Path | None) -> Predictor:
    if checkpoint_file is not None or not settings.has_registry:
        return Predictor.load(checkpoint_file)
    with open_registry(settings) as registry:
        served = registry.versions.served()
        if served is None:
            return Predictor.load()
        content = registry.versions.checkpoint(served.version)
    return Predictor(Classifier(checkpoint.load(content), served.version))
