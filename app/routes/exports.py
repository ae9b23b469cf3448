"""GET /versions/{version}/export: a version as a file that runs without Inkling."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.status import HTTP_304_NOT_MODIFIED

from app.api_route import ApiRoute
from app.bodies.content_digest import format_content_digest
from app.dependencies import ExportsDep, VersionNumber
from app.entity_tags import AS_IT_IS, is_known
from app.errors import FieldError
from app.openapi import BINARY, headers, problems
from inkling.errors import CheckpointError, ExportError, MissingPackageError, UnknownVersionError
from inkling.exports.formats import Format
from inkling.exports.network import Weights

router = APIRouter(route_class=ApiRoute, prefix="/versions", tags=["versions"])


@router.get(
    "/{version}/export",
    response_class=Response,
    responses={
        200: {
            "description": "The file; a README is inside",
            "content": {"application/octet-stream": {"schema": BINARY}},
            "headers": headers("ETag", "Content-Digest"),
        },
        **problems(
            UnknownVersionError,
            CheckpointError,
            ExportError,
            FieldError,
            MissingPackageError,
            instance="/versions/7/export",
        ),
    },
)
async def export_version(
    request: Request,
    version: VersionNumber,
    exports: ExportsDep,
    *,
    format_name: Annotated[
        Format,
        Query(
            alias="format",
            description="`onnx`: for any runtime of ONNX; `c`: one header for C and C++; `js`: an ES module; "
            "`npz`: NumPy arrays; `safetensors`. SavedModel and LiteRT need TensorFlow: `inkling export V --format "
            "savedmodel` or `litert` writes them",
            examples=["onnx"],
        ),
    ],
    weights: Annotated[Weights, Query(description="the floats that store the weights; `f16` halves the file")] = "f32",
) -> Response:
    """Download a version as a file that runs without Inkling: images in, probabilities out."""
    export = await exports.get(version, format_name, weights)
    etag = f'"{export.digest}"'
    if is_known(request, etag):
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers={"ETag": etag, **AS_IT_IS})
    return Response(
        export.content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{export.name}"',
            "ETag": etag,
            **AS_IT_IS,
            "Content-Digest": format_content_digest(export.content),
        },
    )
