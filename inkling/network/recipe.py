"""Every hyperparameter, its bounds and its unit: the one place that the command line, the API and the docs read."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_PROGRESS_LINES = 2000


class Recipe(BaseModel):
    """How a network is trained. The architecture, 784-128-256-10, is not a choice: it is the project."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    name: str = Field("tutorial", description="the preset that this recipe started from")
    optimizer: Literal["sgd", "adam", "muon"] = Field(
        "sgd", description="sgd on the summed loss, adam, or muon in the hidden layers and adam elsewhere"
    )
    learning_rate: float = Field(0.001, gt=0, le=1, description="step size, the largest one if it changes")
    warmup_steps: int = Field(0, ge=0, le=100_000, description="steps in which the step size rises from 0")
    decay: Literal["none", "cosine"] = Field("none", description="cosine: the step size falls to 0 at the end")
    weight_decay: float = Field(
        0, ge=0, le=1, description="share of each weight, times the step size, that a step takes off it"
    )
    batch_size: int = Field(256, ge=1, le=8192, description="images a step")
    training_steps: int = Field(3000, ge=1, le=1_000_000, description="steps in all")
    display_step: int = Field(100, ge=1, le=1000, description="steps between two recorded lines of progress")
    shuffle_buffer: int = Field(5000, ge=1, le=60_000, description="images that the shuffle chooses the next one from")
    validation_size: int = Field(
        5000,
        ge=0,
        le=30_000,
        description="training images held out, the last ones, to compare versions on; 0 trains on all",
    )
    average_decay: float = Field(
        0, ge=0, lt=1, description="of the moving average of the weights that the result is; 0: the last weights"
    )
    rotation: float = Field(0, ge=0, le=45, description="most that an image is turned at random, degrees")
    scale: float = Field(0, ge=0, le=0.5, description="most that it is stretched, each axis, as a logarithm")
    shear: float = Field(0, ge=0, le=0.5, description="most that it is slanted, pixels a pixel")
    shift: float = Field(0, ge=0, le=8, description="most that it is moved, each axis, pixels")
    elastic: float = Field(0, ge=0, le=2, description="standard deviation of its elastic distortion, pixels")
    thickness: float = Field(0, ge=0, le=1, description="most that its strokes grow or shrink, pixels a side")
    fade: float = Field(
        0, ge=0, le=1, description="share of the steps, the last ones, in which these changes shrink to half"
    )
    damaged: float = Field(0, ge=0, le=1, description="share of each batch that is damaged, as by lines or noise")
    drawn: float = Field(
        0, ge=0, le=1, description="digits drawn as strokes that are learnt, too, as a share of the training images"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the initial weights, the shuffle and the distortions")

    @model_validator(mode="after")
    def _bound_progress(self) -> Self:
        if (lines := self.training_steps // self.display_step) > MAX_PROGRESS_LINES:
            raise ValueError(
                f"training_steps / display_step is {lines} lines of progress, at most {MAX_PROGRESS_LINES}; "
                "raise display_step"
            )
        return self

    @property
    def is_augmented(self) -> bool:
        changes = (self.rotation, self.scale, self.shear, self.shift, self.elastic, self.thickness, self.damaged)
        return any(changes)

    def with_overrides(self, overrides: dict[str, Any]) -> "Recipe":
        """Return this recipe with some fields replaced.

        Raises:
            pydantic.ValidationError: a field is unknown or out of bounds.
        """
        return Recipe.model_validate({**self.model_dump(), **overrides})


TUTORIAL = Recipe()
"""The published tutorial's values (TensorFlow-Examples, neural_network_raw.ipynb)."""

ACCURATE = Recipe(
    name="accurate",
    optimizer="muon",
    learning_rate=0.003,
    weight_decay=0.01,
    warmup_steps=1000,
    decay="cosine",
    batch_size=128,
    training_steps=500_000,
    display_step=500,
    shuffle_buffer=60_000,
    average_decay=0.9995,
    rotation=15,
    scale=0.25,
    shear=0.25,
    shift=1,
    elastic=1,
    thickness=0.5,
    fade=0.2,
    damaged=0.2,
    drawn=0.4,
)
"""The network that ships: chosen on the held-out images alone (docs/trials.md)."""

RecipeName = Literal["tutorial", "accurate"]
RECIPES: dict[RecipeName, Recipe] = {"tutorial": TUTORIAL, "accurate": ACCURATE}
OVERRIDABLE = tuple(name for name in Recipe.model_fields if name != "name")
