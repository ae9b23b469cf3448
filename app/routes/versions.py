"""/versions: the trained versions, their files, and which one is served."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from app.auth import require_key
from app.errors import AuthorizationError, BodyError, FieldError, MediaTypeError, OriginError, TooLargeError
from app.openapi import problems
from app.schemas import PromoteRequest, PromotionDetail, VersionDetail, VersionList
from app.services import Before, Injected, Limit
from training.records import UnknownVersionError

router = APIRouter(prefix="/versions", tags=["versions"])

VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", responses=problems(FieldError, instance="/versions"))
def list_versions(services: Injected, limit: Limit = 20, before: Before = None) -> VersionList:
    """List the versions with their test scores, newest first."""
    versions = services.registry.versions(limit, before)
    return VersionList(
        items=[VersionDetail.model_validate(version) for version in versions],
        next=versions[-1].version if len(versions) == limit else None,
    )


@router.put(
    "/current",
    dependencies=[Depends(require_key)],
    responses=problems(
        BodyError,
        AuthorizationError,
        OriginError,
        UnknownVersionError,
        TooLargeError,
        MediaTypeError,
        FieldError,
        instance="/versions/current",
    ),
)
def promote_version(body: PromoteRequest, services: Injected) -> PromotionDetail:
    """Serve a version from now on: promote a new one, or roll back to an old one."""
    promotion = services.registry.promote(body.version, reason="asked for by PUT /versions/current")
    services.serving.refresh()  # this process need not wait for its next look
    return PromotionDetail.model_validate(promotion)


@router.get("/{version}", responses=problems(UnknownVersionError, FieldError, instance="/versions/7"))
def get_version(version: VersionNumber, services: Injected) -> VersionDetail:
    return VersionDetail.model_validate(services.registry.version(version))


@router.get(
    "/{version}/checkpoint",
    response_class=Response,
    responses={
        200: {
            "description": "The checkpoint file, safetensors",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(UnknownVersionError, FieldError, instance="/versions/7/checkpoint"),
    },
)
def download_checkpoint(version: VersionNumber, services: Injected) -> Response:
    """Download a version's checkpoint file."""
    return Response(
        services.registry.checkpoint(version),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="inkling-{version}.safetensors"',
            "ETag": f'"{services.registry.version(version).digest}"',
        },
    )
