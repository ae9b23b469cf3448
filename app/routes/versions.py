"""/versions: the trained versions, their files, and the served one."""

import re
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT, HTTP_304_NOT_MODIFIED

from app.api_route import ApiRoute
from app.bodies.content_digest import check_content_digest, format_content_digest
from app.dependencies import (
    CurrentVersionDep,
    PageCursor,
    PageSize,
    RegistryDep,
    SettingsDep,
    UploadingDep,
    VersionNumber,
)
from app.entity_tags import ANY, AS_IT_IS, is_known, strong_tags
from app.errors import (
    AuthorizationError,
    BodyError,
    DigestError,
    FieldError,
    MediaTypeError,
    OriginError,
    UnavailableError,
)
from app.openapi import BINARY, headers, problems
from app.public_paths import public_path
from app.schemas import PromoteRequest, PromotionDetail, ServedVersionDetail, VersionDetail, VersionList
from app.security import require_key
from inkling.errors import (
    CheckpointError,
    DatasetError,
    OtherDatasetError,
    PromotionMovedError,
    ServedVersionError,
    TooLargeError,
    UnknownVersionError,
    VersionQuotaError,
)
from inkling.registry.quota import VersionQuota
from inkling.registry.uploads import add_upload_verified

router = APIRouter(route_class=ApiRoute, prefix="/versions", tags=["versions"])


@router.get("", responses=problems(FieldError, instance="/versions"))
def list_versions(registry: RegistryDep, page_size: PageSize = 20, cursor: PageCursor = None) -> VersionList:
    """List the versions with their test scores, newest first."""
    versions = registry.versions.newest(page_size, cursor)
    return VersionList(
        items=[VersionDetail.model_validate(version) for version in versions],
        next=versions[-1].version if len(versions) == page_size else None,
    )


@router.post(
    "",
    status_code=HTTP_201_CREATED,
    dependencies=[Depends(require_key)],
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}},
    responses={
        HTTP_201_CREATED: {"description": "The version", "headers": headers("Location")},
        **problems(
            DigestError,
            AuthorizationError,
            OriginError,
            TooLargeError,
            CheckpointError,
            VersionQuotaError,
            DatasetError,
            instance="/versions",
        ),
    },
)
async def upload_version(
    *,
    request: Request,
    response: Response,
    registry: RegistryDep,
    settings: SettingsDep,
    uploading: UploadingDep,
    content_digest: Annotated[
        str | None, Header(description="digest of the body that is checked: `sha-256=:BASE64:` (RFC 9530)")
    ] = None,
) -> VersionDetail:
    """Add a checkpoint file: it is verified, and evaluated if MNIST's test images are available.

    It is not served until it is promoted. Uploading the same file again returns the version that it made.
    """
    content = await request.body()
    check_content_digest(content, content_digest, request.headers.get("content-encoding"))
    quota = VersionQuota(settings.max_versions, settings.max_versions_bytes)
    version = await to_thread.run_sync(
        add_upload_verified, registry, content, settings.mnist_dir, settings.data_dir, quota, limiter=uploading
    )
    response.headers["Location"] = public_path(request.scope, f"/versions/{version.version}")
    return VersionDetail.model_validate(version)


@router.get(
    "/current",
    response_model=ServedVersionDetail,
    responses={
        200: {"description": "The version", "headers": headers("ETag")},
        **problems(UnavailableError, instance="/versions/current"),
    },
)
def get_current_version(request: Request, registry: RegistryDep, response: Response) -> ServedVersionDetail | Response:
    """Show the version being served, and its promotion: for `if_promotion`, and as ETag for If-Match."""
    served = registry.versions.served()
    if served is None:
        raise UnavailableError("no version was promoted yet")
    response.headers.update({"ETag": (etag := f'"{served.id}"'), **AS_IT_IS})
    if is_known(request, etag):
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers=response.headers)
    version = VersionDetail.model_validate(registry.versions.get(served.version))
    return ServedVersionDetail(**version.model_dump(), promotion=served.id)


@router.put(
    "/current",
    dependencies=[Depends(require_key)],
    responses={
        200: {"description": "The decision", "headers": headers("ETag")},
        **problems(
            BodyError,
            AuthorizationError,
            OriginError,
            UnknownVersionError,
            PromotionMovedError,
            OtherDatasetError,
            TooLargeError,
            MediaTypeError,
            FieldError,
            instance="/versions/current",
        ),
    },
)
def promote_version(
    body: PromoteRequest,
    registry: RegistryDep,
    current_version: CurrentVersionDep,
    response: Response,
    if_match: Annotated[
        str | None, Header(description="the ETag of GET /versions/current: promote only if nothing was promoted since")
    ] = None,
) -> PromotionDetail:
    """Promote a version: serve it from now on. Promoting an old one rolls back to it.

    A version that learned another dataset than the served one is refused unless `across_datasets` is true.
    """
    promotion = registry.versions.promote(
        body.version,
        reason="asked for by PUT /versions/current",
        across_datasets=body.across_datasets,
        if_promotion=_expected_promotion(body.if_promotion, if_match),
    )
    current_version.poll()  # this process need not wait for its next poll
    response.headers.update({"ETag": f'"{promotion.id}"', **AS_IT_IS})
    return PromotionDetail.model_validate(promotion)


@router.get("/{version}", responses=problems(UnknownVersionError, FieldError, instance="/versions/7"))
def get_version(version: VersionNumber, registry: RegistryDep) -> VersionDetail:
    """Show a version: where it comes from, and its test scores."""
    return VersionDetail.model_validate(registry.versions.get(version))


@router.delete(
    "/{version}",
    status_code=HTTP_204_NO_CONTENT,
    dependencies=[Depends(require_key)],
    responses=problems(
        AuthorizationError, OriginError, UnknownVersionError, ServedVersionError, FieldError, instance="/versions/7"
    ),
)
def delete_version(version: VersionNumber, registry: RegistryDep, current_version: CurrentVersionDep) -> None:
    """Delete a version and its file. Its promotions, and the run that made it, stay in the history."""
    if current_version.served.version.version == version:  # it may stand in for a damaged one
        raise ServedVersionError(f"version {version} is served: promote another one first")
    registry.versions.delete(version)


@router.get(
    "/{version}/checkpoint",
    response_class=Response,
    responses={
        200: {
            "description": "The checkpoint file, safetensors",
            "content": {"application/octet-stream": {"schema": BINARY}},
            "headers": headers("ETag", "Content-Digest"),
        },
        **problems(UnknownVersionError, FieldError, instance="/versions/7/checkpoint"),
    },
)
def download_checkpoint(request: Request, version: VersionNumber, registry: RegistryDep) -> Response:
    """Download a version's checkpoint file."""
    etag = f'"{registry.versions.get(version).digest}"'
    if is_known(request, etag):
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers={"ETag": etag, **AS_IT_IS})
    content = registry.versions.checkpoint(version)
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="inkling-{version}.safetensors"',
            "ETag": etag,
            **AS_IT_IS,
            "Content-Digest": format_content_digest(content),
        },
    )


def _expected_promotion(named: int | None, if_match: str | None) -> int | None:
    """Return the promotion that a request takes for the newest; None: any.

    Args:
        named: in its body.
        if_match: its header. Of several tags the highest counts, which alone can be the newest; without one of ours it
            is 0, which no promotion has.
    """
    if if_match is None or if_match.strip() == ANY:
        return named
    tag = max((int(tag) for tag in strong_tags(if_match) if re.fullmatch("[0-9]{1,9}", tag)), default=0)
    return tag if named in (None, tag) else 0
