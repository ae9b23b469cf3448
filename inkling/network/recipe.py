"""The recipe: every hyperparameter with its bounds and unit, for the command line, the API and the docs."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from inkling.json_numbers import Integer, Number

MAX_PROGRESS_RECORDS = 2000
MAX_SEED = 2**31 - 1
FORMER_FIELDS = {
    "average_decay": "ema_decay",
    "fade": "anneal_fraction",
    "damaged": "corrupted",
    "drawn": "synthetic",
}
"""The names of some fields in 0.1, by which its checkpoints and registries are read."""

IS_NEW = {"is_new": True}
"""The context in which a recipe is validated that is about to be trained."""


class Recipe(BaseModel):
    """The hyperparameters of a training. The architecture, 784-128-256-10, is fixed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        json_schema_serialization_defaults_required=True,
    )

    name: str = Field("tutorial", description="preset that this recipe is based on")
    optimizer: Literal["sgd", "adam", "muon"] = Field(
        "sgd", description="sgd on the summed loss; adam; or muon in the hidden layers with adam elsewhere"
    )
    learning_rate: Number = Field(0.001, gt=0, le=1, description="step size; its maximum if it changes over time")
    warmup_steps: Integer = Field(0, ge=0, le=100_000, description="steps during which the step size rises from 0")
    decay: Literal["none", "cosine"] = Field("none", description="cosine: the step size falls to 0 at the end")
    weight_decay: Number = Field(
        0, ge=0, le=1, description="share of each weight, times the step size, subtracted at each step"
    )
    batch_size: Integer = Field(256, ge=1, le=8192, description="images per step")
    training_steps: Integer = Field(3000, ge=1, le=1_000_000, description="number of steps")
    display_step: Integer = Field(100, ge=1, le=1000, description="steps between two progress records")
    shuffle_buffer: Integer = Field(5000, ge=1, le=60_000, description="size of the shuffle buffer, in images")
    validation_size: Integer = Field(
        5000,
        ge=0,
        le=30_000,
        description="training images held out to compare versions, taken from the end; 0: train on all. Of own data "
        "at most one in six",
    )
    ema_decay: Number = Field(
        0,
        ge=0,
        lt=1,
        description="decay of the moving average (EMA) of the weights, which is the result; 0: the last weights",
    )
    rotation: Number = Field(0, ge=0, le=45, description="maximum random rotation, in degrees")
    scale: Number = Field(0, ge=0, le=0.5, description="maximum random scaling per axis, as a natural logarithm")
    shear: Number = Field(0, ge=0, le=0.5, description="maximum random shear, in pixels per pixel")
    shift: Number = Field(0, ge=0, le=8, description="maximum random shift per axis, in pixels")
    elastic: Number = Field(0, ge=0, le=2, description="standard deviation of the elastic distortion, in pixels")
    thickness: Number = Field(
        0, ge=0, le=1, description="maximum erosion or dilation of the strokes, in pixels per side"
    )
    anneal_fraction: Number = Field(
        0, ge=0, le=1, description="share of the steps, at the end, in which the distortions are reduced to half"
    )
    corrupted: Number = Field(
        0, ge=0, le=1, description="share of each batch that is corrupted, for example by lines or noise"
    )
    synthetic: Number = Field(
        0, ge=0, le=1, description="synthetic digits to add, drawn as strokes, as a share of the training images"
    )
    feedback: Number = Field(
        0, ge=0, le=0.9, description="share of each batch that people have corrected or confirmed; 0: none"
    )
    base: Integer = Field(
        0, ge=0, le=MAX_SEED, description="version whose parameters the training starts from; 0: random ones"
    )
    seed: Integer = Field(
        0, ge=0, le=MAX_SEED, description="seed of the initial weights, the shuffle and the distortions"
    )

    @model_validator(mode="before")
    @classmethod
    def _rename_former_fields(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {FORMER_FIELDS.get(name, name): value for name, value in values.items()}

    @model_validator(mode="after")
    def _bound_progress(self) -> Self:
        if (records := self.training_steps // self.display_step) > MAX_PROGRESS_RECORDS:
            raise ValueError(
                f"training_steps / display_step is {records} progress records, the limit is {MAX_PROGRESS_RECORDS}; "
                "raise display_step"
            )
        return self

    @model_validator(mode="after")
    def _bound_warmup(self, info: ValidationInfo) -> Self:
        """Refuse a warm-up that never ends, in a new recipe; runs of earlier releases that have one are still read."""
        if info.context == IS_NEW and self.warmup_steps > self.training_steps:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps}, the limit is training_steps, {self.training_steps}: the step "
                "size would never reach learning_rate; lower warmup_steps"
            )
        return self

    @property
    def needs_registry(self) -> bool:
        """Whether it trains with what a registry holds: corrections, or a version."""
        return bool(self.feedback or self.base)

    @property
    def is_augmented(self) -> bool:
        changes = (self.rotation, self.scale, self.shear, self.shift, self.elastic, self.thickness, self.corrupted)
        return any(changes)

    def with_overrides(self, overrides: dict[str, Any]) -> "Recipe":
        """Return this recipe with some fields replaced.

        Raises:
            pydantic.ValidationError: a field is unknown or out of bounds.
        """
        return Recipe.model_validate({**self.model_dump(), **overrides}, context=IS_NEW)


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
    ema_decay=0.9995,
    rotation=15,
    scale=0.25,
    shear=0.25,
    shift=1,
    elastic=1,
    thickness=0.5,
    anneal_fraction=0.2,
    corrupted=0.2,
    synthetic=0.4,
)
"""The recipe of the shipped network, chosen on held-out images only (docs/trials.md)."""

GENERAL = Recipe(
    name="general",
    optimizer="muon",
    learning_rate=0.003,
    weight_decay=0.01,
    warmup_steps=500,
    decay="cosine",
    batch_size=128,
    training_steps=30_000,
    display_step=100,
    shuffle_buffer=60_000,
    ema_decay=0.999,
    rotation=5,
    scale=0.1,
    shear=0.05,
    shift=1,
    anneal_fraction=0.2,
)
"""The recipe for own data: changes after which clothes, letters and drawings are recognizable."""

RecipeName = Literal["tutorial", "accurate", "general"]
RECIPES: dict[RecipeName, Recipe] = {"tutorial": TUTORIAL, "accurate": ACCURATE, "general": GENERAL}
OVERRIDABLE = tuple(name for name in Recipe.model_fields if name != "name")
