"""GET /: the page. Its files come from memory, compressed once, under their digest, so that none goes stale."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.admission.answer_headers import NOTHING_RUNS
from app.entity_tags import is_known
from app.observability.compression import accepts_gzip
from app.page_bundle import join_modules
from app.public_paths import public_prefix

router = APIRouter(include_in_schema=False)

MEDIA_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
}
SCRIPT, STYLES, INDEX = "main.js", "style.css", "index.html"
WORKER, MANIFEST = "service-worker.js", "app.webmanifest"
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "font-src 'self'",
        "img-src 'self' data: blob:",  # the image that the network read is a data URI
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text ever becomes markup
        "trusted-types inkling-worker",  # which gives the address of the one worker
    )
)
WORKER_POLICY: Final = "default-src 'none'; connect-src 'self'"
_STYLES_LINK: Final = re.compile(rb'\s*<link rel="stylesheet" href="page/\w+/([\w-]+\.css)">')


@dataclass(frozen=True)
class File:
    media_type: str
    content: bytes
    compressed: bytes
    """With gzip."""


@dataclass(frozen=True)
class Page:
    """The files of app/page. All of them share one digest: files of two releases never meet in a browser."""

    digest: str
    index: bytes
    files: Mapping[str, File]
    """By name; every one but the index. `main.js` is all its modules, and `style.css` all style sheets of the index."""


@cache
def load_page() -> Page:
    folder = resources.files("app").joinpath("page")
    contents = {file.name: file.read_bytes() for file in sorted(folder.iterdir(), key=lambda file: file.name)}
    digest = hashlib.sha256(b"".join(name.encode() + content for name, content in contents.items())).hexdigest()[:16]
    for name in (INDEX, WORKER, MANIFEST):
        contents[name] = contents[name].replace(b'"page/', f'"page/{digest}/'.encode())
    index = contents.pop(INDEX)
    modules = {name: content.decode() for name, content in contents.items() if name.endswith(".js") and name != WORKER}
    contents[SCRIPT] = join_modules(modules, SCRIPT).encode()
    sheets = [contents.pop(name.decode()) for name in _STYLES_LINK.findall(index)]
    contents[STYLES] = b"\n".join(sheets)
    return Page(digest, _link_one_sheet(index), {name: _as_file(name, content) for name, content in contents.items()})


def _link_one_sheet(index: bytes) -> bytes:
    """Return the index with the first of its links to style sheets; the joined one has its name."""
    for link in list(_STYLES_LINK.finditer(index))[:0:-1]:
        index = index[: link.start()] + index[link.end() :]
    return index


def _as_file(name: str, content: bytes) -> File:
    return File(MEDIA_TYPES[PurePosixPath(name).suffix], content, gzip.compress(content, mtime=0))


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


@router.get(f"/{WORKER}")
async def service_worker(request: Request) -> Response:
    return _at_one_address(request, WORKER, WORKER_POLICY)


@router.get(f"/{MANIFEST}")
async def manifest(request: Request) -> Response:
    return _at_one_address(request, MANIFEST, NOTHING_RUNS)


def _at_one_address(request: Request, name: str, policy: str) -> Response:
    """Return a file that browsers know by its address, and ask for again."""
    page = load_page()
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache", "ETag": f'"{page.digest}"'}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return _compressed(request, page.files[name], headers)


@router.get("/page/{digest}/{name}")
async def page_file(request: Request, digest: str, name: str) -> Response:
    page = load_page()
    if digest != page.digest or name not in page.files:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": NOTHING_RUNS}
    return _compressed(request, page.files[name], headers)


def _compressed(request: Request, file: File, headers: dict[str, str]) -> Response:
    headers = {**headers, "Vary": "Accept-Encoding"}
    content = file.content
    if accepts_gzip(request.headers):
        headers["Content-Encoding"] = "gzip"
        content = file.compressed
    return Response(content, media_type=file.media_type, headers=headers)
