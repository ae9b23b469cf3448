import pytest

from inkling.errors import DatabaseUrlError
from inkling.registry.database_url import parse_database_url, visible_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h:6432/d?sslmode=require", "postgresql+psycopg://u:p@h:6432/d?sslmode=require"),
        (" PostgreSQL+psycopg://u@h/d\n", "postgresql+psycopg://u@h/d"),
        ("postgresql://u:a%2Fb%40c@h/d", "postgresql+psycopg://u:a%2Fb%40c@h/d"),
        ("postgresql://u:a@b:c@h/d", "postgresql+psycopg://u:a%40b%3Ac@h/d"),
        ("postgresql://u@[::1]:6432/d", "postgresql+psycopg://u@[::1]:6432/d"),
        ("postgresql:///d?host=/run/postgresql", "postgresql+psycopg:///d?host=%2Frun%2Fpostgresql"),
        (
            "postgresql://u:p@a,b:6432/d",
            "postgresql+psycopg://u:p@/d?host=a%3A5432&host=b%3A6432&target_session_attrs=read-write",
        ),
        (
            "postgresql://u:p@a,b/d?target_session_attrs=any",
            "postgresql+psycopg://u:p@/d?host=a%3A5432&host=b%3A5432&target_session_attrs=any",
        ),
        ("sqlite:///var/inkling.db", "sqlite:///var/inkling.db"),
        ("sqlite:////var/inkling.db", "sqlite:////var/inkling.db"),
    ],
)
def test_urls_as_people_have_them_are_read(text: str, expected: str) -> None:
    assert parse_database_url(text).render_as_string(hide_password=False) == expected


WRONG = [
    ("var/s3cret.db", "is not a URL; expected sqlite:///FILE or postgresql://"),
    ("mysql://u:s3cret@h/d", "begins with mysql://, which is not read; expected"),
    ("postgresql+psycopg2://u:s3cret@h/d", r"begins with postgresql\+psycopg2://"),
    ("s3 cret://u@h/d", "begins with something else://"),
    ("sqlite://s3cret/inkling.db", "names a host, and SQLite has none: write three slashes"),
    ("postgresql://u:s3/cret@h/d", r"has a second / or @; write / \? # @ : and % in a user's name"),
    ("postgresql://u:s3cret@h/a/b", "has a second / or @"),
    ("postgresql://u:s3#cret@h/d", "holds a #; write"),
    ("postgresql://u:s3?cret@h/d", "a port that is no number from 1 to 65535"),
    ("postgresql://u:s3cret%@h/d", "a % without two hexadecimal digits"),
    ("postgresql://u:s3cret@h:port/d", "a port that is no number from 1 to 65535"),
    ("postgresql://u:s3cret@h:0/d", "a port that is no number from 1 to 65535"),
    ("postgresql://u:s3cret@::1/d", r"write an IPv6 address in \[ \]"),
    ("postgresql://u:s3cret@[::1],b/d", "several hosts, one of them an IPv6 address"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_wrong_url_says_what_is_wrong_without_its_password(text: str, words: str) -> None:
    with pytest.raises(DatabaseUrlError, match=words) as raised:
        parse_database_url(text)
    assert "INKLING_DATABASE_URL" in str(raised.value)
    assert "s3" not in str(raised.value).replace("s3 cret://", "")
    assert visible_url(text) == "INKLING_DATABASE_URL"


@pytest.mark.parametrize("text", ["postgres://u:s3cret@h/d", "postgresql://u@a,b/d?password=s3cret&sslpassword=s3cret"])
def test_url_is_shown_without_its_password(text: str) -> None:
    assert "s3cret" not in visible_url(text)
    assert visible_url(text).startswith("postgresql+psycopg://u")
