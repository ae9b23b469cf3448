import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_problem_is_explained_under_its_type(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/versions/7")).json()
    assert problem["type"] == "/problems/no-such-version"
    kind = (await client.get(problem["type"])).json()
    assert (kind["title"], kind["status"]) == (problem["title"], 404)
    assert kind in (await client.get("/problems")).json()


async def test_unknown_problem_is_404(client: httpx.AsyncClient) -> None:
    response = await client.get("/problems/no-such-problem")
    assert (response.status_code, response.json()["type"]) == (404, "about:blank")
