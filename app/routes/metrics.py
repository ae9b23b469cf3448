"""GET /metrics: the test accuracy of the version being served, for people and for Prometheus."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response

from app.bodies.accept import prefers_over_json
from app.dependencies import MetricsDep, PredictorDep
from app.errors import FieldError, UnavailableError
from app.openapi import problems
from app.schemas import ServedMetrics

router = APIRouter(tags=["metrics"])

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
def get_metrics(
    predictor: PredictorDep,
    metrics: MetricsDep,
    response: Response,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    format: Annotated[  # noqa: A002  the query parameter's name
        Literal["json", "prometheus"] | None, Query(description="instead of Accept")
    ] = None,
) -> Any:
    """Report the test accuracy of the version being served, or the Prometheus metrics.

    These come with `format=prometheus`, and where Accept prefers `text/plain` or `application/openmetrics-text`.
    """
    classifier = predictor.classifier
    if format == "prometheus" or (format is None and prefers_over_json(accept, *EXPOSITIONS)):
        content, media_type = metrics.exposition(accept, classifier)
        return Response(content, headers={"Vary": "Accept", "Content-Type": media_type})
    response.headers["Vary"] = "Accept"
    card = classifier.checkpoint.card
    return ServedMetrics(
        **card.evaluation.model_dump(),
        version=classifier.version,
        digest=classifier.checkpoint.digest,
        dataset=card.dataset,
    )
