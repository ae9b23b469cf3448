"""Handwritten digits: pictures to 28x28, the network in NumPy, checkpoints, and the registry of versions.

The library imports neither the web framework nor TensorFlow: `app` serves it, `training` trains it. Its public names:

    from inkling import Predictor, Registry

    predictor = Predictor.load()  # the network that ships, or a checkpoint file
    answer = predictor.predict_files(["docs/digits/7.png"], fit="mnist")
    answer.digits, answer.probabilities
    explanation = predictor.explain(answer.images[0], digit=7)
    Registry("sqlite:///var/inkling.db").versions.newest(limit=10)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inkling.blas_kernels import choose_blas_kernels

if TYPE_CHECKING:
    from inkling.errors import InklingError
    from inkling.network.attribution import Explanation
    from inkling.network.checkpoint import Checkpoint
    from inkling.network.classifier import Classifier
    from inkling.network.recipe import Recipe
    from inkling.predictor import Predictions, Predictor
    from inkling.registry.registry import Registry
    from inkling.vision.image_files import decode_image, decode_picture
    from inkling.vision.normalize import normalize

choose_blas_kernels()

__version__ = "0.2.0"

_MODULES = {
    "Checkpoint": "inkling.network.checkpoint",
    "Classifier": "inkling.network.classifier",
    "Explanation": "inkling.network.attribution",
    "InklingError": "inkling.errors",
    "Predictions": "inkling.predictor",
    "Predictor": "inkling.predictor",
    "Recipe": "inkling.network.recipe",
    "Registry": "inkling.registry.registry",
    "decode_image": "inkling.vision.image_files",
    "decode_picture": "inkling.vision.image_files",
    "normalize": "inkling.vision.normalize",
}

__all__ = [
    "Checkpoint",
    "Classifier",
    "Explanation",
    "InklingError",
    "Predictions",
    "Predictor",
    "Recipe",
    "Registry",
    "decode_image",
    "decode_picture",
    "normalize",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: the vision needs no SQLAlchemy, the registry no Pillow."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
