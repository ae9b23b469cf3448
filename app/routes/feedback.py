"""/feedback: the corrections of answers."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from app.admission.client_limits import client_of
from app.api_route import ApiRoute
from app.dependencies import FeedbackDep, FitMode, PageCursor, PageSize, RegistryDep
from app.errors import (
    AuthorizationError,
    BodyError,
    CountError,
    FeedbackOffError,
    FieldError,
    MediaTypeError,
    OriginError,
    RateLimitedError,
    UnavailableError,
)
from app.openapi import IMAGE_BODIES, headers, problems
from app.public_paths import public_path
from app.schemas import CorrectionDetail, CorrectionList, CorrectionsAdded, CorrectionsDeleted
from app.security import require_access, require_key, require_own_page
from app.serving.png_data_uri import png_data_uri
from inkling.digit import SIDE
from inkling.errors import (
    FeedbackQuotaError,
    ImageError,
    NoDigitError,
    TooLargeError,
    UnknownCorrectionError,
    UnknownPredictionError,
)
from inkling.registry.records import MAX_ID, MAX_SOURCE, SOURCE, Correction

LABELS = r"^([0-9]|none)(,([0-9]|none))*$"

Source = Annotated[
    str | None,
    Query(
        pattern=SOURCE,
        max_length=MAX_SOURCE,
        description="who drew it, as they wish to be called: letters, digits, `_`, `.` and `-`",
    ),
]
CorrectionId = Annotated[int, Path(ge=1, le=MAX_ID, description="the number of the correction", examples=[1])]


def require_feedback(feedback: FeedbackDep) -> None:
    feedback.require_on()


router = APIRouter(
    route_class=ApiRoute, prefix="/feedback", tags=["feedback"], dependencies=[Depends(require_feedback)]
)


@router.post(
    "",
    status_code=HTTP_201_CREATED,
    openapi_extra={"requestBody": {"required": False, "content": IMAGE_BODIES}},
    responses={
        HTTP_201_CREATED: {
            "description": "The corrections, in the order of the images",
            "headers": headers("Location"),
        },
        **problems(
            BodyError,
            AuthorizationError,
            FeedbackOffError,
            OriginError,
            UnknownPredictionError,
            TooLargeError,
            MediaTypeError,
            ImageError,
            NoDigitError,
            CountError,
            FieldError,
            RateLimitedError,
            FeedbackQuotaError,
            UnavailableError,
            instance="/feedback",
        ),
    },
)
async def correct(
    *,
    request: Request,
    response: Response,
    feedback: FeedbackDep,
    label: Annotated[
        str,
        Query(
            pattern=LABELS,
            description="the true digit, `0` to `9`, or `none` if it shows no digit; of several images one for each, "
            "separated by commas",
            examples=["7"],
        ),
    ],
    prediction_id: Annotated[
        str | None,
        Query(
            pattern="^[A-Za-z0-9_-]{1,32}$",
            description="of an answer that was given with remember=true; the body is empty then",
        ),
    ] = None,
    source: Source = None,
    fit: FitMode = "strict",
) -> CorrectionsAdded:
    """Correct an answer, or confirm it: a picture, or the id of a prediction, with the digit that it really shows.

    The picture comes in any body that /predict accepts. The server reads it, and keeps the image of 28x28 pixels with
    its answer, the true digit, the time and the source. A second label for the same `prediction_id` replaces the first.
    It is off unless the setting INKLING_FEEDBACK allows it. No address of the client is kept.
    """
    if feedback.settings.feedback == "key":
        require_access(request)
    elif feedback.settings.api_key is None:
        require_own_page(request)
    labels = [None if word == "none" else int(word) for word in label.split(",")]
    feedback.require_rate(client_of(request.scope), len(labels))
    body = await request.body()
    if prediction_id is None:
        content_type = request.headers.get("content-type", "")
        added = await feedback.add(body, content_type, fit=fit, labels=labels, source=source)
    elif body or len(labels) > 1:
        raise FieldError("prediction_id takes one label and no body: the picture is remembered")
    else:
        added = [await feedback.correct(prediction_id, labels[0], source)]
    response.headers["Location"] = public_path(request.scope, f"/feedback/{added[0].id}")
    return CorrectionsAdded(items=[_detail(correction) for correction in added])


@router.get(
    "",
    dependencies=[Depends(require_key)],
    responses=problems(FieldError, AuthorizationError, OriginError, FeedbackOffError, instance="/feedback"),
)
def list_corrections(
    *,
    registry: RegistryDep,
    page_size: PageSize = 20,
    cursor: PageCursor = None,
    version: Annotated[int | None, Query(ge=0, le=MAX_ID, description="only answers of this version")] = None,
    label: Annotated[
        str | None, Query(pattern="^([0-9]|none)$", description="only images of this digit, or of `none`")
    ] = None,
    answer: Annotated[
        Literal["right", "wrong"] | None, Query(description="only answers that were right, or wrong")
    ] = None,
    source: Source = None,
) -> CorrectionList:
    """List the corrections, newest first."""
    equal: dict[str, int | bool | str | None] = {}
    equal |= {} if version is None else {"version": version}
    equal |= {} if label is None else {"label": None if label == "none" else int(label)}
    equal |= {} if answer is None else {"is_correct": answer == "right"}
    equal |= {} if source is None else {"source": source}
    found = registry.corrections.newest(page_size, cursor, **equal)
    return CorrectionList(
        items=[_detail(correction) for correction in found], next=found[-1].id if len(found) == page_size else None
    )


@router.delete(
    "",
    dependencies=[Depends(require_key)],
    responses=problems(FieldError, AuthorizationError, OriginError, FeedbackOffError, instance="/feedback"),
)
def delete_corrections(registry: RegistryDep, source: Source = None) -> CorrectionsDeleted:
    """Delete all corrections, or those of one source. No run that begins from now on learns them."""
    return CorrectionsDeleted(deleted=registry.corrections.delete_all(source))


@router.get(
    "/{correction}",
    dependencies=[Depends(require_key)],
    responses=problems(
        AuthorizationError, OriginError, FeedbackOffError, UnknownCorrectionError, FieldError, instance="/feedback/7"
    ),
)
def get_correction(correction: CorrectionId, registry: RegistryDep) -> CorrectionDetail:
    """Show a correction with its image."""
    return _detail(registry.corrections.get(correction))


@router.delete(
    "/{correction}",
    status_code=HTTP_204_NO_CONTENT,
    dependencies=[Depends(require_key)],
    responses=problems(
        AuthorizationError, OriginError, FeedbackOffError, UnknownCorrectionError, FieldError, instance="/feedback/7"
    ),
)
def delete_correction(correction: CorrectionId, registry: RegistryDep) -> None:
    """Delete a correction. No run that begins from now on learns it."""
    registry.corrections.delete(correction)


def _detail(correction: Correction) -> CorrectionDetail:
    image = np.frombuffer(correction.image, np.uint8).reshape(SIDE, SIDE)
    return CorrectionDetail(
        id=correction.id,
        label="none" if correction.label is None else str(correction.label),
        version=correction.version,
        digit=correction.digit,
        confidence=correction.confidence,
        is_correct=correction.is_correct,
        source=correction.source,
        created_at=correction.created_at,
        image=png_data_uri(image),
    )
