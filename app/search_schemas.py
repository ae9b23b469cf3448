"""The schemas of searches: what is asked for, and what is answered."""

import dataclasses
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.schemas import Overrides
from inkling.network.recipe import MAX_SEED, Recipe, RecipeName
from inkling.registry.search_records import (
    MAX_GENERATION,
    MAX_NAME,
    MAX_TRIALS,
    NAME,
    Search,
    SearchPlan,
    SearchState,
    Trial,
    TrialState,
    ranked,
)
from inkling.search_space import MAX_FIELDS


def _fields(record: Search | SearchPlan | Trial) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


class SearchRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"recipe": "accurate", "space": {"learning_rate": "log:0.001..0.01"}, "trials": 40}]
        },
    )

    recipe: RecipeName = Field("tutorial", description="the preset to start from, as in POST /train")
    overrides: Overrides = Field(default_factory=Overrides, description="fields of the recipe to set for all trials")
    space: dict[str, str] = Field(
        min_length=1,
        max_length=MAX_FIELDS,
        description="the fields to vary: `FROM..TO`; `log:FROM..TO`, evenly in the logarithm; `int:FROM..TO`, whole "
        "numbers; or `{A,B,C}`, one of these",
    )
    trials: int = Field(20, strict=True, ge=1, le=MAX_TRIALS, description="how many trials, each of which is a run")
    generation: int = Field(
        4,
        strict=True,
        ge=1,
        le=MAX_GENERATION,
        description="how many are chosen together, from the scores of all before them; as many trainers can work on "
        "them at the same time",
    )
    seed: int = Field(0, strict=True, ge=0, le=MAX_SEED, description="of the choice of the trials")
    name: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME,
        description="a request with the name of an earlier one starts no second search",
    )


class TrialDetail(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    trial: int = Field(description="its number, from 1, in the order in which they were chosen")
    run: int = Field(description="its run: GET /train/{id} has its progress")
    state: TrialState = Field(
        description="that of its run; or `pruned`: ended early, because at the same step most trials before it were "
        "better"
    )
    values: dict[str, int | float | str] = Field(description="of the fields that the search varies")
    step: int = Field(description="steps taken")
    total_steps: int = Field(description="steps of the whole run")
    scored_at: int | None = Field(description="the step after which the scores were taken; null if there are none")
    validation_loss: float | None = Field(
        description="mean cross-entropy on the held-out images, in nats per image, by which the trials are ranked"
    )
    validation_accuracy: float | None = Field(description="on the held-out images, 0 to 1")
    interval_95: tuple[float, float] | None = Field(description="95 % Wilson score interval of this accuracy")
    error: str | None = Field(description="why its run failed, in words")
    version: int | None = Field(description="the version it made, which PUT /versions/current promotes")

    @classmethod
    def of(cls, trial: Trial) -> "TrialDetail":
        return cls(trial=trial.number, run=trial.run_id, interval_95=trial.interval_95, **_fields(trial))


class SearchSummary(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: int = Field(description="the number of the search, by which the other calls name it")
    name: str | None = Field(description="as it was asked for")
    state: SearchState = Field(description="where it stands; all but `running` are final")
    recipe: Recipe = Field(description="of every trial, but for the fields of the space")
    space: dict[str, str] = Field(description="the fields to vary, as they were asked for")
    trials: int = Field(description="how many trials it has in all")
    generation: int = Field(description="how many of them are chosen together")
    seed: int = Field(description="of the choice of the trials")
    dataset: str | None = Field(description="the folder of own data that it trains on, by its name; null: MNIST")
    requested_at: datetime = Field(description="the time of the request")
    finished_at: datetime | None = Field(description="when it ended; null until then")
    error: str | None = Field(description="why it failed, in words")

    @classmethod
    def of(cls, search: Search) -> "SearchSummary":
        return cls(**_fields(search), **_fields(search.plan))


class SearchDetail(SearchSummary):
    ranking: list[TrialDetail] = Field(
        description="the trials so far, best first: by held-out cross-entropy; pruned ones after those that ran to "
        "their end, failed ones last"
    )

    @classmethod
    def ranked(cls, search: Search, trials: list[Trial]) -> "SearchDetail":
        return cls(
            **_fields(search), **_fields(search.plan), ranking=[TrialDetail.of(trial) for trial in ranked(trials)]
        )


class SearchList(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    items: list[SearchSummary] = Field(description="newest first")
    next: int | None = Field(description="ask again with ?before= this for older ones; null at the end")
