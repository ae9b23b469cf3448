"""The schemas of requests and answers."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, Strict, create_model
from pydantic.json_schema import SkipJsonSchema

from inkling.network.evaluation import DigitScore, Evaluation, SingleView
from inkling.network.recipe import OVERRIDABLE, RECIPES, Recipe, RecipeName
from inkling.registry.records import MAX_ID, MeasuredBy, PromotePolicy, RunState, StageName

MEASURED_BY = (
    "who measured the evaluation: `release`, the makers of this release; `trainer`, the run that made it; `server`, "
    "the server or `inkling import` that took the file; null if nobody did, because a file's own claims do not count"
)


class _Answer(BaseModel):
    """An answer that pydantic encodes: every field is there, also one that is null."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class _FromRecord(_Answer):
    model_config = ConfigDict(from_attributes=True)


def _absent(description: str) -> Any:
    """Return a field that an answer encoded by hand may lack, and that is never null."""
    return Field(None, description=description, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class Normalized(BaseModel):
    is_untouched: bool = Field(description="whether it looked like MNIST already and was left unchanged")
    inverted: bool = Field(description="whether its foreground was darker than its background")
    box: tuple[int, int, int, int] | None = Field(
        description="left, top, right and bottom of the digit, in the picture's pixels; null if it is untouched"
    )
    background_removed: bool = Field(description="whether an uneven or gray background was removed")
    warnings: list[str] = Field(description="possible problems, in words")
    image: str | SkipJsonSchema[None] = _absent(
        "the image that the network read: 28x28, a PNG data URI; only with return_image=true"
    )


class Prediction(BaseModel):
    digit: int = Field(description="the most probable digit, 0 to 9")
    confidence: float = Field(description="its probability, 0 to 1")
    probabilities: list[float] = Field(description="of the digits 0 to 9; their sum is 1")
    label: str | SkipJsonSchema[None] = _absent(
        "the name of the class that `digit` is the number of; only of a version that learned other classes than digits"
    )
    is_digit: bool | SkipJsonSchema[None] = _absent(
        "whether the image shows a digit at all: whether digit_score is at least the server's threshold; "
        "missing if an earlier release trained the version"
    )
    digit_score: float | SkipJsonSchema[None] = _absent(
        "how much the image looks like a digit, 0 to 1; 1 % of real digits score below 0.5; only with is_digit"
    )
    prediction_id: str | SkipJsonSchema[None] = _absent(
        "by which POST /feedback corrects this prediction, within an hour; only with remember=true"
    )
    warnings: list[str] | SkipJsonSchema[None] = _absent(
        "in what the image is unlike MNIST's, so that the digit is probably wrong, one sentence each; "
        "only with fit=strict, and only if there is something"
    )
    normalized: Normalized | SkipJsonSchema[None] = _absent("how the picture was normalized; only with fit=mnist")


class Predictions(BaseModel):
    version: int = Field(description="the version of the network that answered")
    predictions: list[Prediction] = Field(description="in the order of the images")


class Label(BaseModel):
    label: str = Field(description="a digit, `0` to `9`; or the name of another class that the version learned")
    score: float = Field(description="its probability, 0 to 1")


class Labels(RootModel[list[Label]]):
    pass


class NumberDigit(BaseModel):
    digit: int = Field(description="the most probable digit, 0 to 9")
    confidence: float = Field(description="its probability, 0 to 1")
    probabilities: list[float] = Field(description="of the digits 0 to 9; their sum is 1")
    box: tuple[int, int, int, int] = Field(description="left, top, right and bottom, in the picture's pixels")
    is_digit: bool | SkipJsonSchema[None] = _absent(
        "whether it is a digit at all: whether digit_score is at least the server's threshold; absent if the version "
        "has no digit probe"
    )
    digit_score: float | SkipJsonSchema[None] = _absent("how much it looks like a digit, 0 to 1; only with is_digit")
    warnings: list[str] | SkipJsonSchema[None] = _absent(
        "possible problems, such as digits that touch, one sentence each; only if there is something"
    )
    image: str | SkipJsonSchema[None] = _absent(
        "the image that the network read: 28x28, a PNG data URI; only with return_image=true"
    )


class NumberMark(BaseModel):
    mark: Literal[".", "-"] = Field(description="a decimal point or a minus sign")
    box: tuple[int, int, int, int] = Field(description="left, top, right and bottom, in the picture's pixels")


class NumberLine(BaseModel):
    picture: int = Field(description="the number of its picture in the request, from 1")
    text: str = Field(
        description="digits and marks from left to right, with a space where a wide gap lies between them"
    )
    box: tuple[int, int, int, int] = Field(description="left, top, right and bottom, in the picture's pixels")
    digits: list[NumberDigit] = Field(description="from left to right")
    marks: list[NumberMark] = Field(description="decimal points and minus signs, from left to right")


class Numbers(BaseModel):
    version: int = Field(description="the version of the network that answered")
    text: str = Field(description="the text of all lines, one line of text for each")
    lines: list[NumberLine] = Field(description="of each picture from top to bottom, in the order of the pictures")
    warnings: list[str] = Field(description="possible problems, in words; of several pictures they name which")


class Explanation(BaseModel):
    version: int = Field(description="the version of the network that answered")
    digit: int = Field(description="the digit explained, 0 to 9")
    prediction: Prediction = Field(description="what the network reads")
    logit: float = Field(description="of the digit, in nats: the softmax's input minus the mean of the ten")
    baseline_logit: float = Field(description="of the digit on the blank image")
    contributions: list[list[float]] = Field(
        description="of the pixels, 28 rows of 28; positive: supports the digit; their sum is logit - baseline_logit"
    )


def _optional(name: str) -> Any:
    field = Recipe.model_fields[name]
    exact = (Strict(),) if field.annotation is int else ()  # in a request, 1.0 is no count of anything
    bounded: Any = Annotated[field.annotation, *exact, *field.metadata] if field.metadata else field.annotation
    return (bounded | None, Field(None, description=field.description))


if TYPE_CHECKING:
    Overrides = BaseModel
else:
    Overrides = create_model(
        "Overrides",
        __config__=ConfigDict(extra="forbid", allow_inf_nan=False),
        **{name: _optional(name) for name in OVERRIDABLE},
    )


class TrainRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"recipe": "tutorial", "overrides": {"seed": 1}, "promote": "if_better"}]},
    )

    recipe: RecipeName = Field(
        "tutorial",
        description="the preset to start from; `x-presets` are their fields",
        json_schema_extra={
            "x-presets": {name: recipe.model_dump(include={*OVERRIDABLE}) for name, recipe in RECIPES.items()}
        },
    )
    overrides: Overrides = Field(default_factory=Overrides, description="fields of the recipe to change")
    promote: PromotePolicy = Field(
        "if_better",
        description="when to serve the new version: if it is significantly better on held-out images, always, never",
    )


class RunProgress(_FromRecord):
    step: int = Field(description="steps taken")
    loss: float = Field(
        description="of the step's images, without augmentation, after its update: nats, summed over the batch"
    )
    accuracy: float = Field(description="on the same images, 0 to 1")
    validation_accuracy: float | None = Field(description="on the held-out images; null if there are none")
    elapsed_s: float = Field(description="seconds since the first step")
    validation_loss: float | None = Field(
        None,
        description="mean cross-entropy on the held-out images, in nats per image; null if there are none, or if an "
        "earlier release recorded it",
    )


class RunStage(_FromRecord):
    name: StageName = Field(description="what the trainer does")
    started_at: datetime = Field(description="when it began; it lasts until the next one, or until the run ends")


class RunStages(_FromRecord):
    stages: list[RunStage] = Field(
        description="what its trainer did so far, without what it kept from the run before; empty while it is queued"
    )


class RunSummary(RunStages):
    id: int = Field(description="the number of the run, by which the other calls name it")
    state: RunState = Field(description="where it stands; the last three are final")
    recipe: Recipe = Field(description="every hyperparameter, after the overrides")
    promote: PromotePolicy = Field(description="when its version is served, as it was asked for")
    requested_at: datetime = Field(description="the time of the request")
    started_at: datetime | None = Field(description="when a trainer took it; null while it is queued")
    finished_at: datetime | None = Field(description="when it ended; null until then")
    step: int = Field(description="steps taken")
    total_steps: int = Field(description="steps of the whole run")
    attempt: int = Field(description="1 at first; 2 after its trainer died once")
    error_type: str | None = Field(description="the kind of failure, in one word")
    error: str | None = Field(description="the failure, in words")
    decision: str | None = Field(
        description="the reason why its version was promoted or not, or why it ended early, as a trial of a search"
    )
    version: int | None = Field(description="the version it made")
    trouble: str | None = Field(description="what last went wrong with its trainer, in words; null while it trains")
    preparing: str | None = Field(
        description="what its trainer does before the first step, in words; null once it trains"
    )

    dataset: str | None = Field(description="the folder of own data that it trains on, by its name; null: MNIST")
    search: int | None = Field(None, description="the search that it is a trial of; null if it is none")
    trial: int | None = Field(None, description="its number among the trials of that search, from 1")


class RunDetail(RunSummary):
    waits_for: str | None = Field(None, description="what a queued run waits for, in words")
    progress: list[RunProgress] = Field(default_factory=list, description="one record per display step")


class RunList(_Answer):
    items: list[RunSummary] = Field(description="newest first")
    next: int | None = Field(description="ask again with ?before= this for older ones; null at the end")


class VersionDetail(_FromRecord):
    version: int = Field(description="its number")
    run_id: int | None = Field(description="the run that made it; null for shipped and uploaded versions")
    digest: str = Field(description="SHA-256 of the checkpoint file")
    size_bytes: int = Field(description="of the checkpoint file")
    created_at: datetime = Field(description="when it was added to the registry")
    origin: Literal["shipped", "run", "upload"] = Field(description="what made it")
    evaluation: Evaluation | None = Field(description="on the test images; null if nobody has measured it")
    measured_by: MeasuredBy | None = Field(description=MEASURED_BY)
    dataset: str | None = Field(
        description='the images that it learned: "mnist"; "custom", other digits instead; or the name of own data; '
        "null: digits, from an earlier release"
    )
    classes: list[str] = Field(description="the names of its ten classes, in the order of the probabilities")


class MisreadImage(_Answer):
    index: int = Field(description="its place among the test images, from 0")
    image: str = Field(description="the 28x28 pixels, as a PNG file in a data: URI")
    confidence: float = Field(description="of the digit that was read, 0 to 1")
    contributions: list[list[float]] = Field(
        description="of each pixel to the logit of the digit that was read minus that of the true one, 28 rows of 28, "
        "in nats"
    )


class MisreadImages(_Answer):
    images: int = Field(description="test images of the true digit")
    count: int = Field(description="those of them that were read so")
    items: list[MisreadImage] = Field(description="the surest of these, at most 20")


class ActivatingImage(_Answer):
    index: int = Field(description="its place among the training images, from 0")
    image: str = Field(description="the 28x28 pixels, as a PNG file in a data: URI")
    label: int = Field(description="the digit that it shows")
    activation: float = Field(description="of the unit, 0 to 1")


class ActivatingImages(_Answer):
    images: int = Field(description="training images that were looked at")
    items: list[ActivatingImage] = Field(description="those that excite the unit most, at most 8")


class ServedVersionDetail(VersionDetail):
    promotion: int = Field(description="the number of the decision to serve it, for `if_promotion` and If-Match")


class VersionList(_Answer):
    items: list[VersionDetail] = Field(description="newest first")
    next: int | None = Field(description="ask again with ?before= this for older ones; null at the end")


class HeldOutScores(_FromRecord):
    """Of two versions on the same held-out images."""

    images: int = Field(description="held-out images that both read")
    candidate_correct: int = Field(description="images that the candidate reads correctly")
    served_correct: int = Field(description="images that the served version reads correctly")
    candidate_only_correct: int = Field(description="images that only the candidate reads correctly")
    served_only_correct: int = Field(description="images that only the served version reads correctly")
    p_value: float = Field(description="of McNemar's exact test, one-sided")
    worst_digit: int = Field(description="the digit whose recall changed for the worst")
    worst_digit_change: float = Field(description="its recall, candidate minus served")


class Comparison(HeldOutScores):
    """On the held-out images of the dataset, and on those of people."""

    people: HeldOutScores | None = Field(
        description="on the held-out corrections; null if the candidate has learned none"
    )


class PromotionDetail(_FromRecord):
    id: int = Field(description="the number of the decision, which ETag, If-Match and `if_promotion` carry")
    version: int = Field(description="the version that was decided on")
    promoted_at: datetime = Field(description="the time of the decision")
    policy: str = Field(description="shipped, if_better, always, never or manual")
    reason: str = Field(description="why, in words")
    is_promoted: bool = Field(description="whether the version was served from then on")
    compared_with: int | None = Field(description="the version that was served at that time")
    comparison: Comparison | None = Field(
        description="the scores behind the decision; null if it did not depend on scores"
    )


class PromotionList(_Answer):
    items: list[PromotionDetail] = Field(
        description="newest first; the first with is_promoted names the version being served"
    )
    next: int | None = Field(description="ask again with ?before= this for older ones; null at the end")


class PromoteRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 1}]})

    version: int = Field(strict=True, ge=1, le=MAX_ID, description="the version to serve")
    across_datasets: bool = Field(
        default=False,
        strict=True,
        description="serve it even if it learned another dataset than the served version, so that answers change their "
        "meaning",
    )
    if_promotion: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=MAX_ID,
        description="the `promotion` of GET /versions/current: promote only if nothing was promoted since; unlike "
        "If-Match it survives proxies that compress answers",
    )


class CorrectionDetail(_Answer):
    id: int = Field(description="the number of the correction")
    label: str = Field(description="the digit that a person says it shows, `0` to `9`; or `none`")
    version: int | None = Field(description="the version that answered; null if the image was imported")
    digit: int | None = Field(description="its answer; null if the image was imported")
    confidence: float | None = Field(description="the probability of its answer, 0 to 1")
    is_correct: bool | None = Field(
        description="whether the answer was right; null if the image was imported, or if the label is `none` and the "
        "version cannot say what is a digit"
    )
    source: str | None = Field(description="who drew it, as the client called them")
    created_at: datetime = Field(description="when it was sent")
    image: str = Field(description="the image that the network read: 28x28, a PNG data URI")


class CorrectionsAdded(_Answer):
    items: list[CorrectionDetail] = Field(description="in the order of the images")


class CorrectionList(_Answer):
    items: list[CorrectionDetail] = Field(description="newest first")
    next: int | None = Field(description="ask again with ?before= this for older ones; null at the end")


class CorrectionsDeleted(_Answer):
    deleted: int = Field(description="the number of corrections that were deleted")


class FeedbackScore(_Answer):
    version: int = Field(description="the version that answered")
    accuracy: float = Field(description="correct / total, 0 to 1")
    correct: int = Field(description="corrected or confirmed images that it had read correctly")
    total: int = Field(description="corrected or confirmed images that it had read")
    interval_95: tuple[float, float] = Field(description="95 % Wilson score interval of the accuracy")


class RecentError(_Answer):
    at: datetime = Field(description="the time of the answer")
    request_id: str = Field(description="the X-Request-ID of the answer, under which the log has it")
    method: str = Field(description="of the request")
    route: str = Field(description="the template of its path")
    status: int = Field(description="of the answer")
    problem: str = Field(description="the kind of error, as in GET /problems/{name}")


class RecentErrors(_Answer):
    items: list[RecentError] = Field(description="newest first")


class ServedMetrics(_Answer):
    """The fields of an evaluation, each null if nobody has measured the version."""

    accuracy: float | None = Field(None, description="correct / total, 0 to 1")
    correct: int | None = Field(None, description="test images read correctly")
    total: int | None = Field(None, description="test images")
    interval_95: tuple[float, float] | None = Field(None, description="95 % Wilson score interval of the accuracy")
    loss: float | None = Field(None, description="mean cross-entropy, in nats per image")
    calibration_error: float | None = Field(None, description="expected calibration error over 15 bins of confidence")
    uncalibrated_error: float | None = Field(
        None, description="calibration error before the temperature was fitted; null if it was not measured"
    )
    single_view: SingleView | None = Field(
        None, description="the scores without the views of unsure images; null if the version has no views"
    )
    digits: list[DigitScore] | None = Field(None, description="the scores of each digit, 0 to 9")
    confusion_matrix: list[list[int]] | None = Field(None, description="[true digit][digit read] -> images")
    version: int = Field(description="the version being served")
    digest: str = Field(description="SHA-256 of its checkpoint file")
    dataset: str = Field(
        description='the images of its training: "mnist"; "custom", other digits in its place; or the name of own data'
    )
    classes: list[str] = Field(description="the names of its ten classes, in the order of the probabilities")
    fit: Literal["mnist", "plain"] = Field(
        description="how its pictures became 28x28: `mnist`, as by fit=mnist; `plain`, scaled as a whole"
    )
    measured_by: MeasuredBy | None = Field(description=MEASURED_BY)
    refused: str | None = Field(description="the reason why the newest promotion is not served; null if it is")
    feedback: list[FeedbackScore] | None = Field(
        None,
        description="accuracy on the images that people corrected or confirmed, by version, newest first: people send "
        "mistakes more often than right answers, so it is no test accuracy; null if INKLING_FEEDBACK is off, or the "
        "registry does not answer",
    )


class Live(_Answer):
    status: Literal["alive"] = Field("alive", description="always the same: the process answers")


class Ready(_Answer):
    status: Literal["ready"] = Field("ready", description="always the same: a version is loaded")
    version: int = Field(description="the version being served")
    refused: str | None = Field(description="the reason why the newest promotion is not served; null if it is")
    registry_age_s: float = Field(description="seconds since the registry last said which version is promoted")
    stale: str | None = Field(
        description="a warning that this is longer than INKLING_MAX_REGISTRY_AGE_S, and what it means; null if not"
    )


class FieldProblem(BaseModel):
    field: str = Field(description="its place and name, such as body.overrides.seed")
    message: str = Field(description="what is wrong with it")
    value: Any = Field(description="what was sent, cut to 100 characters")


class Problem(BaseModel):
    """RFC 9457."""

    type: str = Field(description="the path that explains this kind of problem, or about:blank")
    title: str = Field(description="the kind of problem, in words; the same for all problems of its type")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="the problem, with the value and the limit, and what to do")
    instance: str = Field(description="the path of the request")
    request_id: str = Field(description="also in the header X-Request-ID, and in the server's log")
    trace_id: str | SkipJsonSchema[None] = _absent("of the trace that the request's header `traceparent` names")
    errors: list[FieldProblem] | SkipJsonSchema[None] = _absent("the invalid fields; only if there are some")


class ProtocolError(BaseModel):
    """The error of a call of another server's protocol, in the shape that its clients read."""

    error: str = Field(description="the problem, with the value and the limit, and what to do")


class ProblemKind(_Answer):
    title: str = Field(description="as in a problem's title")
    status: int = Field(description="the HTTP status of these problems")
    meaning: str = Field(description="when it happens")
