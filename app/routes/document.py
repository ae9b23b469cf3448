"""GET /openapi.json: the OpenAPI document, encoded once."""

import hashlib
from dataclasses import dataclass

import orjson
from fastapi import APIRouter, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.entity_tags import is_known

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Document:
    content: bytes
    etag: str


@router.get("/openapi.json")
async def openapi_document(request: Request) -> Response:
    document: Document | None = getattr(request.app.state, "document", None)
    if document is None:  # making it takes some 70 ms, too long for the event loop
        document = await run_in_threadpool(make_document, request.app)
    headers = {"Cache-Control": "no-cache", "ETag": document.etag}
    if is_known(request, document.etag):
        return Response(status_code=304, headers=headers)
    return Response(document.content, media_type="application/json", headers=headers)


def make_document(app: FastAPI) -> Document:
    """Make the document and keep it, so that answers share its bytes."""
    content = orjson.dumps(app.openapi())
    document = app.state.document = Document(content, f'"{hashlib.sha256(content).hexdigest()[:16]}"')
    return document
