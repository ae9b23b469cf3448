"""/docs: Swagger UI with its assets from this server, so that it works with no other network."""

import base64
import hashlib
import re
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from app.admission.answer_headers import NOTHING_RUNS

router = APIRouter(include_in_schema=False)

ASSETS = "/docs/assets"


def _policy(page: bytes) -> str:
    """Return the Content-Security-Policy of Swagger UI: its inline script by its digest, nothing from elsewhere.

    Its styles are inline, and it draws icons and shows answers as data and blob URLs.
    """
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    digests = [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts]
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(digests)}",
            "style-src 'self' 'unsafe-inline'",
            "connect-src 'self'",
            "img-src 'self' data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _page() -> HTMLResponse:
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Inkling",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon-32x32.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "displayRequestDuration": True, "validatorUrl": None},
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body))
    return page


@router.get("/docs")
async def docs() -> HTMLResponse:
    return _page()


class _Assets(StaticFiles):
    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Content-Security-Policy"] = NOTHING_RUNS
        return response


def mount_assets(app: FastAPI) -> None:
    app.mount(ASSETS, _Assets(packages=[("fastapi_swagger", "resources")]), name="docs-assets")
