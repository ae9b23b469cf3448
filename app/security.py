"""Access to unsafe calls: the API key, and the check of the Origin header."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.dependencies import ApiKeyDep
from app.errors import AuthorizationError, OriginError
from app.settings import Settings

KEY_FILE = "api_key"

_bearer = HTTPBearer(auto_error=False, description="the key that the server logged at startup, or INKLING_API_KEY")


def resolve_key(settings: Settings) -> tuple[str | None, bool]:
    """Return the API key that unsafe calls need (None: no key is needed), and whether the server generated it.

    Beyond loopback a key is always needed: it is generated once and kept in the data directory.
    """
    if settings.api_key is not None:
        return settings.api_key.get_secret_value(), False
    if settings.is_loopback:
        return None, False
    path = settings.data_dir / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make_key(path)
    return _read_key(path), True


def _make_key(path: Path) -> None:
    """Write the file atomically, readable by its owner only, unless a second server was faster."""
    new = path.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(24))
    with contextlib.suppress(FileExistsError):
        os.link(new, path)
    new.unlink()


def _read_key(path: Path) -> str:
    key = path.read_text().strip()
    if not key:
        raise OSError(f"{path} is empty: delete it, and the server generates a new key")
    return key


def require_key(
    request: Request,
    key: ApiKeyDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """Allow an unsafe call, or refuse it.

    Raises:
        AuthorizationError: a key is needed, and is missing or wrong.
        OriginError: no key is needed, and the call comes from a page of another site.
    """
    if key is None:
        _require_own_page(request)
    elif credentials is None:
        raise AuthorizationError("send the header `Authorization: Bearer KEY`; the server logged its key at startup")
    elif not secrets.compare_digest(credentials.credentials.encode(), key.encode()):
        raise AuthorizationError("the API key is wrong; the server logged its key at startup")


def _require_own_page(request: Request) -> None:
    """Without a key, allow programs, and pages of this server: browsers name the page in `Origin`.

    The name in Host is one of this server's: the admission has checked it.
    """
    host = _split(f"//{request.headers.get('host', '')}")
    origin = request.headers.get("origin")
    if origin is not None and _split(origin).netloc != host.netloc:
        raise OriginError(
            f"the page of {origin[:100]} may not change this server; set INKLING_API_KEY and send the key"
        )


def _split(url: str) -> SplitResult:
    """Return the parts of a URL; empty ones if it is malformed, such as `//[`."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
