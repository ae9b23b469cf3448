import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.accept_headers import BROWSER, PROMETHEUS_1, PROMETHEUS_2, PROMETHEUS_3
from tests.support.bodies import RAW


def families(response: httpx.Response) -> dict[str, Metric]:
    is_openmetrics = response.headers["content-type"].startswith("application/openmetrics-text")
    return {family.name: family for family in (parse_openmetrics if is_openmetrics else parse_text)(response.text)}


def value(response: httpx.Response, sample: str, **labels: str) -> float:
    """Return the value of the one sample of that name and those labels, 0 if there is none."""
    found = [
        s.value
        for family in families(response).values()
        for s in family.samples
        if s.name == sample and labels.items() <= s.labels.items()
    ]
    assert len(found) <= 1
    return found[0] if found else 0.0


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0"),
        (PROMETHEUS_1, "text/plain; version=0.0.4"),
        ("text/plain", "text/plain; version=0.0.4"),
    ],
)
async def test_scraper_gets_the_exposition_it_asks_for(client: httpx.AsyncClient, accept: str, media_type: str) -> None:
    response = await client.get("/metrics", headers={"Accept": accept})
    assert response.headers["content-type"].startswith(media_type)
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert families(response).keys() >= {"inkling_test_accuracy", "inkling_requests", "inkling_images"}


@pytest.mark.anyio
@pytest.mark.parametrize("accept", ["*/*", BROWSER, "application/json, text/plain, */*"])
async def test_other_clients_get_json(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get("/metrics", headers={"Accept": accept})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert 0 <= response.json()["accuracy"] <= 1


@pytest.mark.anyio
async def test_format_comes_before_accept(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics?format=prometheus", headers={"Accept": "application/json"})
    assert response.headers["content-type"].startswith("text/plain")
    assert value(response, "inkling_test_accuracy") > 0
    response = await client.get("/metrics?format=json", headers={"Accept": PROMETHEUS_3})
    assert response.headers["content-type"] == "application/json"
    assert (await client.get("/metrics?format=xml")).status_code == 422


@pytest.mark.anyio
async def test_gauges_equal_the_json(client: httpx.AsyncClient) -> None:
    report = (await client.get("/metrics")).json()
    for accept in (PROMETHEUS_3, PROMETHEUS_1):
        exposition = await client.get("/metrics", headers={"Accept": accept})
        assert value(exposition, "inkling_test_accuracy") == report["accuracy"]
        assert value(exposition, "inkling_test_images") == report["total"]
        assert value(exposition, "inkling_served_version") == report["version"]


@pytest.mark.anyio
async def test_requests_and_images_are_counted_by_route_and_status(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": RAW}
    for count in (1, 3):
        await client.post("/predict", content=bytes(784 * count), headers=headers)
    await client.post("/predict", content=b"x", headers=headers)
    await client.get("/train/7")
    await client.get("/train/8")
    exposition = await client.get("/metrics?format=prometheus")
    assert value(exposition, "inkling_images_total") == 4
    assert value(exposition, "inkling_requests_total", method="POST", route="/predict", status="200") == 2
    assert value(exposition, "inkling_requests_total", method="POST", route="/predict", status="422") == 1
    assert value(exposition, "inkling_requests_total", method="GET", route="/train/{run_id}", status="404") == 2
    assert value(exposition, "inkling_request_seconds_count", route="/predict") == 3
    assert value(exposition, "inkling_request_seconds_sum", route="/predict") > 0
    assert value(exposition, "process_resident_memory_bytes") > 0


@pytest.mark.anyio
async def test_invented_paths_and_methods_make_no_series_of_their_own(client: httpx.AsyncClient) -> None:
    for i in range(20):
        await client.get(f"/nowhere/{i}")
        await client.request(f"METHOD{i}", "/predict")
    samples = families(await client.get("/metrics?format=prometheus"))["inkling_requests"].samples
    counted = {tuple(s.labels.values()): s.value for s in samples if s.name == "inkling_requests_total"}
    assert sum(counted.values()) == 40
    assert len(counted) == 2


@pytest.mark.anyio
async def test_two_applications_in_a_process_count_for_themselves(client: httpx.AsyncClient) -> None:
    await client.get("/livez")
    exposition = await client.get("/metrics?format=prometheus")
    assert value(exposition, "inkling_requests_total", route="/livez") == 1
