"""The URL of the registry's database: the forms that are read, and what is wrong with others, without the password."""

import re
from urllib.parse import parse_qsl, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from inkling.errors import DatabaseUrlError

SETTING = "INKLING_DATABASE_URL"
FORMS = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""The schemes that are read -> the name of the driver in SQLAlchemy."""
SECRETS = ("password", "sslpassword")
ENCODING = "write / ? # @ : and % in a user's name or password as %2F %3F %23 %40 %3A and %25"
POSTGRES_PORT = 5432


def parse_database_url(text: str) -> URL:
    """Return the URL that SQLAlchemy takes for one that people have.

    Several hosts, `postgresql://USER@HOST1,HOST2/DATABASE`, are tried in order, and of them the one that can be
    written is used, unless the URL says another `target_session_attrs`.

    Raises:
        DatabaseUrlError: it is no such URL. The message says why, and nothing of what may be its password.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        raise DatabaseUrlError(f"{SETTING} is not a URL; expected {FORMS}")
    driver = DRIVERS.get(scheme.lower())
    if driver is None:
        name = scheme if re.fullmatch(r"[A-Za-z0-9+.-]{1,40}", scheme) else "something else"
        raise DatabaseUrlError(f"{SETTING} begins with {name}://, which is not read; expected {FORMS}")
    return _parse_sqlite(driver, rest) if driver == "sqlite" else _parse_postgres(driver, rest)


def visible_url(text: str) -> str:
    """Return a URL without its password; only the name of the setting if it cannot be parsed."""
    try:
        url = parse_database_url(text)
    except DatabaseUrlError:
        return SETTING
    return url.difference_update_query(SECRETS).render_as_string(hide_password=True)


def _parse_sqlite(driver: str, rest: str) -> URL:
    if rest and not rest.startswith("/"):
        raise DatabaseUrlError(
            f"{SETTING} names a host, and SQLite has none: write three slashes before a relative path, "
            "sqlite:///var/inkling.db, and four before an absolute one"
        )
    try:
        return make_url(f"{driver}://{rest}")
    except ArgumentError as error:
        raise DatabaseUrlError(f"{SETTING} cannot be read; expected {FORMS}") from error


def _parse_postgres(driver: str, rest: str) -> URL:
    location, _, query_text = rest.partition("?")
    if "#" in location:
        raise DatabaseUrlError(f"{SETTING} holds a #; {ENCODING}")
    query = dict(parse_qsl(query_text, keep_blank_values=True))
    authority, _, database = location.partition("/")
    user_info, _, hosts = authority.rpartition("@")
    user, has_password, password = user_info.partition(":")
    if "/" in database or "@" in database:
        raise DatabaseUrlError(f"{SETTING} names no database after its host, or has a second / or @; {ENCODING}")
    found = [_parse_host(host) for host in hosts.split(",")]
    host: str | None = None
    port: int | None = None
    extra: dict[str, str | tuple[str, ...]] = dict(query)
    if len(found) == 1:
        host, port = found[0]
    else:
        if any(":" in (name or "") for name, _ in found):
            raise DatabaseUrlError(f"{SETTING} has several hosts, one of them an IPv6 address: write their names")
        extra["host"] = tuple(f"{name or ''}:{number or POSTGRES_PORT}" for name, number in found)
        extra.setdefault("target_session_attrs", "read-write")
    return URL.create(
        driver,
        username=_decoded(user) or None,
        password=_decoded(password) if has_password else None,
        host=host,
        port=port,
        database=_decoded(database) or None,
        query=extra,
    )


def _parse_host(text: str) -> tuple[str | None, int | None]:
    """Return the name of a host and its port; None for what is not there."""
    matched = re.fullmatch(r"(?:\[(?P<address>[0-9A-Fa-f:.%]+)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[^:]*))?", text)
    if matched is None:
        raise DatabaseUrlError(f"{SETTING} has a host that cannot be read: write an IPv6 address in [ ]; {ENCODING}")
    port = matched["port"]
    if port and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise DatabaseUrlError(f"{SETTING} has a port that is no number from 1 to 65535; {ENCODING}")
    return _decoded(matched["address"] or matched["name"]) or None, int(port) if port else None


def _decoded(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise DatabaseUrlError(f"{SETTING} has a % without two hexadecimal digits after it; {ENCODING}")
    return unquote(text)
