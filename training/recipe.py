"""Every hyperparameter, its bounds and its unit: the one place that the command line, the API and the docs read."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_PROGRESS_LINES = 2000


class Recipe(BaseModel):
    """How a network is trained. The architecture, 784-128-256-10, is not a choice: it is the project."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field("tutorial", description="the preset that this recipe started from")
    learning_rate: float = Field(0.001, gt=0, le=1, description="step size of SGD on the loss summed over the batch")
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
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the initial weights and of the shuffle")

    @model_validator(mode="after")
    def _bound_progress(self) -> Self:
        if (lines := self.training_steps // self.display_step) > MAX_PROGRESS_LINES:
            raise ValueError(
                f"training_steps / display_step is {lines} lines of progress, at most {MAX_PROGRESS_LINES}; "
                "raise display_step"
            )
        return self

    def with_overrides(self, overrides: dict[str, Any]) -> "Recipe":
        """Return this recipe with some fields replaced.

        Raises:
            pydantic.ValidationError: a field is unknown or out of bounds.
        """
        return Recipe.model_validate({**self.model_dump(), **overrides})


TUTORIAL = Recipe()
"""The published tutorial's values (TensorFlow-Examples, neural_network_raw.ipynb)."""

RecipeName = Literal["tutorial"]
RECIPES: dict[RecipeName, Recipe] = {"tutorial": TUTORIAL}
OVERRIDABLE = tuple(name for name in Recipe.model_fields if name != "name")
