"""Text answers are compressed for those who ask, and nothing else is."""

import httpx
import pytest
from starlette.datastructures import Headers

from app.observability.compression import accepts_gzip
from app.settings import Settings
from tests.support.services import connect

pytestmark = pytest.mark.anyio

TEXTS = ["/openapi.json", "/problems", "/docs/assets/swagger-ui-bundle.js", "/metrics?format=prometheus"]


@pytest.mark.parametrize(
    ("accept", "is_accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("br", False),
        ("", False),
    ],
)
async def test_gzip_is_accepted_with_a_weight(accept: str, is_accepted: bool) -> None:
    assert accepts_gzip(Headers({"Accept-Encoding": accept})) is is_accepted


async def test_texts_are_compressed_for_those_who_ask(client: httpx.AsyncClient) -> None:
    for path in TEXTS:
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
        small = await client.get(path, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in small.headers["vary"]
        assert small.headers["vary"] == plain.headers["vary"]
        assert int(small.headers["content-length"]) < 0.6 * int(plain.headers["content-length"])
        if "metrics" not in path:
            assert small.content == plain.content
        head = await client.head(path, headers={"Accept-Encoding": "gzip"})
        assert (head.headers["content-encoding"], head.content) == ("gzip", b"")


async def test_compressed_answer_has_a_weak_tag_that_is_known_again(client: httpx.AsyncClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    first = await client.get("/openapi.json", headers=headers)
    assert first.headers["etag"].startswith('W/"')
    again = await client.get("/openapi.json", headers={**headers, "If-None-Match": f'"1", {first.headers["etag"]}'})
    assert again.status_code == 304
    assert (again.headers["etag"], again.headers["vary"]) == (first.headers["etag"], first.headers["vary"])
    strong = first.headers["etag"].removeprefix("W/")  # of an answer that was not compressed
    assert (await client.get("/openapi.json", headers={"If-None-Match": strong})).headers["etag"] == strong
    current = await client.get("/versions/current", headers={**headers, "If-None-Match": 'W/"1"'})  # by a proxy
    assert (current.status_code, current.headers["etag"]) == (304, '"1"')


async def test_files_and_short_answers_are_sent_as_they_are(client: httpx.AsyncClient) -> None:
    for path in ("/versions/1/checkpoint", "/livez", "/docs/assets/favicon-32x32.png"):
        response = await client.get(path, headers={"Accept-Encoding": "gzip"})
        assert response.is_success
        assert "content-encoding" not in response.headers


async def test_pages_of_listed_origins_may_read_and_predict_but_change_nothing(settings: Settings) -> None:
    listed = {"cors_origins": "https://a.example, https://b.example:8443"}
    async with connect(settings.model_copy(update=listed)) as client:
        headers = {"Origin": "https://b.example:8443"}
        answer = await client.get("/versions", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://b.example:8443"
        assert "origin" in answer.headers["vary"].lower()
        ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        assert (await client.options("/predict", headers={**headers, **ask})).is_success
        predicted = await client.post(
            "/predict", content=bytes(784), headers={**headers, "Content-Type": "application/octet-stream"}
        )
        assert predicted.headers["access-control-allow-origin"] == "https://b.example:8443"
        assert "X-Model-Version" in predicted.headers["access-control-expose-headers"]
        for refused in ({"Access-Control-Request-Headers": "x-api-key"}, {"Access-Control-Request-Method": "PUT"}):
            assert (await client.options("/train", headers={**headers, **ask, **refused})).status_code == 400
        assert (await client.post("/train", headers=headers)).status_code == 403
        other = await client.get("/versions", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("wrong", ["*", "a.example", "https://a.example/", "https://*.example"])
async def test_origins_are_listed_exactly(wrong: str) -> None:
    with pytest.raises(ValueError, match="cors_origins"):
        Settings(cors_origins=wrong)
