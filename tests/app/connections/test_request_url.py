import httptools
import pytest

from app.connections.request_url import split_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"/predict", ("/predict", b"/predict", b"")),
        (b"/predict?fit=mnist", ("/predict", b"/predict", b"fit=mnist")),
        (b"/predict?", ("/predict", b"/predict", b"")),
        (b"/a%20b%2Fc", ("/a b/c", b"/a%20b%2Fc", b"")),
        (b"http://example.org/livez?a=%20", ("/livez", b"/livez", b"a=%20")),
    ],
)
def test_splits_a_url_as_asgi_names_its_parts(url: bytes, expected: tuple[str, bytes, bytes]) -> None:
    assert split_url(url, "") == expected
    path, raw_path, query = expected
    assert split_url(url, "/api") == ("/api" + path, b"/api" + raw_path, query)


def test_a_url_that_is_none_is_an_error() -> None:
    with pytest.raises(httptools.HttpParserInvalidURLError):
        split_url(b"http://[x/", "")
