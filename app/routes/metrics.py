"""GET /metrics: the test accuracy of the version being served, for people and for Prometheus."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response

from app.api_route import ApiRoute
from app.bodies.accept import prefers_over_json
from app.dependencies import CurrentVersionDep, ExpositionDep, FeedbackDep
from app.errors import FieldError, UnavailableError
from app.openapi import problems
from app.schemas import FeedbackScore, ServedMetrics
from inkling.network.evaluation import wilson_interval
from inkling.registry import records

router = APIRouter(route_class=ApiRoute, tags=["metrics"])

EXPOSITIONS = ("text/plain", "application/openmetrics-text")
_EXPOSITION: dict[str, Any] = {"schema": {"type": "string"}, "example": "inkling_test_accuracy 0.9388"}


@router.get(
    "/metrics",
    response_model=ServedMetrics,
    responses={
        200: {"content": dict.fromkeys(EXPOSITIONS, _EXPOSITION)},
        **problems(FieldError, UnavailableError, instance="/metrics"),
    },
)
async def get_metrics(
    *,
    current_version: CurrentVersionDep,
    exposition: ExpositionDep,
    feedback: FeedbackDep,
    response: Response,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    format: Annotated[  # noqa: A002  the query parameter's name
        Literal["json", "prometheus"] | None, Query(description="instead of Accept")
    ] = None,
) -> Any:
    """Report the test accuracy of the version being served, or the Prometheus metrics.

    These come with `format=prometheus`, and where Accept prefers `text/plain` or `application/openmetrics-text`.
    """
    refused, scores = current_version.refused, await feedback.read_scores()
    if format == "prometheus" or (format is None and prefers_over_json(accept, *EXPOSITIONS)):
        content, media_type = await exposition.encode_in_thread(
            accept, current_version.version, scores, is_refused=refused is not None
        )
        return Response(content, headers={"Vary": "Accept", "Content-Type": media_type})
    response.headers["Vary"] = "Accept"
    served = current_version.served
    version, learned = served.version, served.predictor.learned
    return ServedMetrics(
        **(version.evaluation.model_dump() if version.evaluation else {}),
        version=version.version,
        digest=version.digest,
        dataset=learned.name or "",
        classes=list(learned.classes),
        fit="plain" if served.predictor.fit_problem else "mnist",
        measured_by=version.measured_by,
        refused=refused,
        feedback=None if scores is None else [_feedback_score(score) for score in scores],
    )


def _feedback_score(score: records.FeedbackScore) -> FeedbackScore:
    return FeedbackScore(
        version=score.version,
        accuracy=score.correct / score.total,
        correct=score.correct,
        total=score.total,
        interval_95=wilson_interval(score.correct, score.total),
    )
