import httpx
import pytest

from tests.app.test_errors import check_problem

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/predict/", "/predict"),
        ("//predict", "/predict"),
        ("/Predict", "/predict"),
        ("/predcit", "/predict"),
        ("/train/7/", "/train/7"),
        ("/TRAIN//7/Events/", "/train/7/events"),
        ("/docs/", "/docs"),
        ("/metric", "/metrics"),
        ("/versions/current/", "/versions/current"),
    ],
)
async def test_404_names_the_path_that_was_meant(client: httpx.AsyncClient, path: str, nearest: str) -> None:
    for method in ("GET", "POST"):
        request = client.build_request(method, "/", content=b"x" if method == "POST" else None)
        request.url = httpx.URL(f"http://127.0.0.1:8000{path}")
        response = await client.send(request)
        assert check_problem(response, 404)["detail"].endswith(f"did you mean {nearest}?")


@pytest.mark.parametrize(
    "path", ["/nothing", "/a%00b", "/%ff%fe", "/%", "/%zz", "/..%2f..%2fetc", "/a%0d%0ab", "/;", "/%3f"]
)
async def test_odd_paths_are_problems(client: httpx.AsyncClient, path: str) -> None:
    for prefix in ("", "/docs/assets", "/page", "/problems", "/train"):
        response = await client.get(f"{prefix}{path}")
        assert response.status_code in (404, 422), prefix
        assert response.headers["content-type"] == "application/problem+json"


async def test_very_long_path_is_a_problem_of_bounded_size(client: httpx.AsyncClient) -> None:
    for prefix in ("/", "/docs/assets/", "/problems/", "/versions/"):
        response = await client.get(prefix + "a" * 30_000)
        assert response.status_code in (404, 422)
        assert len(response.json()["detail"]) < 400
    assert len((await client.put("/problems/" + "a" * 30_000)).json()["detail"]) < 400


@pytest.mark.parametrize("query", ["", "?%ff=1", "?&&&", "?=", "?a=%zz"])
async def test_malformed_queries_are_no_crash(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/versions{query}")
    assert response.status_code in (200, 422)
