"""GET /: the page. Its modules and styles are served from memory under their digest, so that none goes stale."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import PurePosixPath

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.admission.answer_headers import NOTHING_RUNS
from app.entity_tags import is_known
from app.public_paths import public_prefix

router = APIRouter(include_in_schema=False)

MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data: blob:",  # the image that the network read is a data URI
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text ever becomes markup
        "trusted-types 'none'",
    )
)


@dataclass(frozen=True)
class Page:
    """The files of app/page. All of them share one digest: modules of two releases never meet in a browser."""

    digest: str
    index: bytes
    files: Mapping[str, bytes]
    """By name; every one but the index."""


@cache
def load_page() -> Page:
    folder = resources.files("app").joinpath("page")
    files = {file.name: file.read_bytes() for file in sorted(folder.iterdir(), key=lambda file: file.name)}
    digest = hashlib.sha256(b"".join(name.encode() + content for name, content in files.items())).hexdigest()[:16]
    index = files.pop("index.html")
    return Page(digest, index.replace(b'"page/', f'"page/{digest}/'.encode()), files)


def index_below(page: Page, prefix: str) -> bytes:
    """Return the index for a path such as `/inkling`: a browser resolves all of its addresses below that."""
    base = f'<base href="{prefix}/">\n    '.encode() if prefix else b""
    return page.index.replace(b"<link", base + b"<link", 1)


@router.get("/")
async def home(request: Request) -> Response:
    page, prefix = load_page(), public_prefix(request.scope)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "ETag": f'"{page.digest}{prefix}"'}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(index_below(page, prefix), media_type="text/html", headers=headers)


@router.get("/page/{digest}/{name}")
async def page_file(digest: str, name: str) -> Response:
    page = load_page()
    if digest != page.digest or name not in page.files:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": NOTHING_RUNS}
    return Response(page.files[name], media_type=MEDIA_TYPES[PurePosixPath(name).suffix], headers=headers)
