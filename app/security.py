"""Access to unsafe calls: the API key, and the check of the Origin header."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from app.admission.client_limits import client_of
from app.admission.forwarded import FORWARDED_HOST
from app.errors import AuthorizationError, OriginError
from app.settings import UNSENDABLE, Settings, is_sendable

KEY_FILE = "api_key"
ACCESS = "inkling_access"
"""In the scope of a request that has passed `require_access`."""
WHERE = "it is INKLING_API_KEY, or in the file `api_key` in the server's data directory"

_bearer = HTTPBearer(
    auto_error=False, description="INKLING_API_KEY, or the key in the file `api_key` in the data directory"
)
_key_header = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    description="the same key, where Authorization holds the password that a proxy asks for",
)


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
    if not is_sendable(key):
        raise OSError(f"{path} holds a key that {UNSENDABLE}: delete it, and the server generates a new key")
    return key


def require_access(request: Request) -> None:
    """Allow an unsafe call, or refuse it. Nothing of the body is read.

    Raises:
        AuthorizationError: a key is needed, and is missing or wrong.
        RateLimitedError: this client has sent too many wrong keys.
        OriginError: no key is needed, and the call comes from a page of another site.
    """
    state, scope = request.app.state, request.scope
    if state.api_key is None:
        require_own_page(request)
    else:
        given = _given_key(request)
        if not given:
            raise AuthorizationError(f"send the header `Authorization: Bearer KEY`, or `X-API-Key: KEY`; {WHERE}")
        client = client_of(scope)
        state.key_guesses.require_patience(client)
        if not secrets.compare_digest(given.encode(), state.api_key.encode()):
            state.key_guesses.count_wrong(client, scope.get("request_id", ""))
            raise AuthorizationError(f"the API key is wrong; {WHERE}")
    scope[ACCESS] = True


def require_key(
    request: Request,
    _credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
    _key: Annotated[str | None, Depends(_key_header)] = None,
) -> None:
    """Mark a route as an unsafe call, for its documentation, and for `ApiRoute`, which requires access first of all."""
    if ACCESS not in request.scope:
        require_access(request)


def _given_key(request: Request) -> str:
    """Return the key of X-API-Key, else that of Authorization; empty if there is none."""
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    return request.headers.get("x-api-key") or (token if scheme.lower() == "bearer" else "")


def require_own_page(request: Request) -> None:
    """Without a key, allow programs, and pages of this server: browsers name the page in `Origin`.

    The name in Host is one of this server's: the admission has checked it. Behind a trusted proxy, X-Forwarded-Host may
    name the server, too: a page of another site cannot send it.

    Raises:
        OriginError: the call comes from a page of another site.
    """
    origin = request.headers.get("origin")
    own = [request.headers.get("host", ""), request.scope.get(FORWARDED_HOST, "")]
    if origin is not None and _split(origin).netloc not in [_split(f"//{name}").netloc for name in own if name]:
        raise OriginError(
            f"the page of {origin[:100]} may not change this server; set INKLING_API_KEY and send the key"
        )


def _split(url: str) -> SplitResult:
    """Return the parts of a URL; empty ones if it is malformed, such as `//[`."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
