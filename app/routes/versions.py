"""/versions: the trained versions, their files, and which one is served."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.status import HTTP_201_CREATED

from app.dependencies import Before, Injected, Limit, Services
from app.errors import AuthorizationError, BodyError, FieldError, MediaTypeError, OriginError, UnavailableError
from app.openapi import BINARY, problems
from app.schemas import PromoteRequest, PromotionDetail, VersionDetail, VersionList
from app.security import require_key
from inkling import mnist
from inkling.errors import CheckpointError, DatasetError, PromotionMovedError, TooLargeError, UnknownVersionError
from inkling.network import checkpoint
from inkling.network.classifier import Classifier
from inkling.network.evaluation import evaluate
from inkling.registry.records import Version

router = APIRouter(prefix="/versions", tags=["versions"])

VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", responses=problems(FieldError, instance="/versions"))
def list_versions(services: Injected, limit: Limit = 20, before: Before = None) -> VersionList:
    """List the versions with their test scores, newest first."""
    versions = services.registry.versions.newest(limit, before)
    return VersionList(
        items=[VersionDetail.model_validate(version) for version in versions],
        next=versions[-1].version if len(versions) == limit else None,
    )


@router.post(
    "",
    status_code=HTTP_201_CREATED,
    dependencies=[Depends(require_key)],
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}},
    responses=problems(
        AuthorizationError, OriginError, TooLargeError, CheckpointError, DatasetError, instance="/versions"
    ),
)
async def upload_version(request: Request, response: Response, services: Injected) -> VersionDetail:
    """Add a checkpoint file, which is verified, and evaluated when MNIST's test images are at hand.

    It is never served by itself: promote it. The same file again answers with the version that it made.
    """
    version = await run_in_threadpool(_add, await request.body(), services)
    response.headers["Location"] = f"/versions/{version.version}"
    return VersionDetail.model_validate(version)


@router.get("/current", responses=problems(UnavailableError, instance="/versions/current"))
def get_current_version(services: Injected, response: Response) -> VersionDetail:
    """Show the version being served. The ETag names its promotion, for If-Match."""
    served = services.registry.versions.served()
    if served is None:
        raise UnavailableError("no version was promoted yet")
    response.headers["ETag"] = f'"{served.id}"'
    return VersionDetail.model_validate(services.registry.versions.get(served.version))


@router.put(
    "/current",
    dependencies=[Depends(require_key)],
    responses=problems(
        BodyError,
        AuthorizationError,
        OriginError,
        UnknownVersionError,
        PromotionMovedError,
        TooLargeError,
        MediaTypeError,
        FieldError,
        instance="/versions/current",
    ),
)
def promote_version(
    body: PromoteRequest,
    services: Injected,
    response: Response,
    if_match: Annotated[
        str | None, Header(description="the ETag of GET /versions/current: promote only if it is still that one")
    ] = None,
) -> PromotionDetail:
    """Serve a version from now on: promote a new one, or roll back to an old one."""
    promotion = services.registry.versions.promote(
        body.version, reason="asked for by PUT /versions/current", if_promotion=_promotion_of(if_match)
    )
    services.serving.refresh()  # this process need not wait for its next look
    response.headers["ETag"] = f'"{promotion.id}"'
    return PromotionDetail.model_validate(promotion)


@router.get("/{version}", responses=problems(UnknownVersionError, FieldError, instance="/versions/7"))
def get_version(version: VersionNumber, services: Injected) -> VersionDetail:
    return VersionDetail.model_validate(services.registry.versions.get(version))


@router.get(
    "/{version}/checkpoint",
    response_class=Response,
    responses={
        200: {
            "description": "The checkpoint file, safetensors",
            "content": {"application/octet-stream": {"schema": BINARY}},
        },
        **problems(UnknownVersionError, FieldError, instance="/versions/7/checkpoint"),
    },
)
def download_checkpoint(version: VersionNumber, services: Injected) -> Response:
    """Download a version's checkpoint file."""
    return Response(
        services.registry.versions.checkpoint(version),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="inkling-{version}.safetensors"',
            "ETag": f'"{services.registry.versions.get(version).digest}"',
        },
    )


def _add(content: bytes, services: Services) -> Version:
    uploaded = checkpoint.load(content)
    classifier = Classifier(uploaded, version=0)
    classifier.self_check()
    test = mnist.load_test(services.settings.mnist_dir, services.settings.data_dir)
    evaluation = evaluate(classifier.probabilities(test.images), test.labels) if test else None
    return services.registry.versions.add_upload(uploaded, evaluation)


def _promotion_of(if_match: str | None) -> int | None:
    """Return the promotion that an If-Match names; 0, which there never is, for what is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = if_match.strip().removeprefix('"').removesuffix('"')
    return int(tag) if tag.isdecimal() and len(tag) < 10 else 0
