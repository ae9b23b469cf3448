"""The service behind a real nginx: below a path, compressed, on kept connections and over HTTP/1.0."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support.nginx import BELOW_A_PATH, start_nginx
from tests.support.servers import start_server

SITE = f"""
    {BELOW_A_PATH}
    location /old/ {{  # HTTP/1.0, and a new connection for each request
        proxy_pass http://inkling/;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Prefix /old;
    }}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx before a server, which it trusts."""
    folder = tmp_path_factory.mktemp("nginx")
    with (
        start_server(
            folder / "data", "--trainer", "external", "--access-log", INKLING_TRUSTED_PROXIES="127.0.0.1"
        ) as server,
        start_nginx(folder, [server.url.removeprefix("http://")], SITE) as url,
    ):
        yield url


@pytest.mark.parametrize("prefix", ["/inkling", "/old"])
def test_paths_of_answers_lead_back_through_the_proxy(site: str, prefix: str) -> None:
    with httpx.Client(base_url=f"{site}{prefix}/") as client:
        queued = client.post("train", json={})
        assert queued.status_code == 202
        assert client.get(f"{site}{queued.headers['location']}").json()["id"] == queued.json()["id"]
        problem = client.get("train/7000").json()
        assert problem["instance"] == f"{prefix}/train/7000"
        assert client.get(f"{site}{problem['type']}").json()["status"] == 404
        document = client.get("openapi.json")
        assert str(document.url.join(document.json()["servers"][0]["url"])) == f"{site}{prefix}/"
        assert client.head("openapi.json").status_code == 200


def test_page_of_the_site_may_change_the_server(site: str) -> None:
    assert httpx.post(f"{site}/inkling/train", headers={"Origin": site}).status_code == 202
    assert httpx.post(f"{site}/inkling/train", headers={"Origin": "http://evil.example"}).status_code == 403


def test_promotion_goes_through_although_the_proxy_weakens_the_tags(site: str) -> None:
    with httpx.Client(base_url=f"{site}/inkling/") as client:
        served = client.get("versions/current")
        etag = served.headers["etag"]
        assert (served.headers["content-encoding"], etag[:2]) == ("gzip", "W/")
        weak = client.put("versions/current", json={"version": 1}, headers={"If-Match": etag})
        assert (weak.status_code, "if_promotion" in weak.json()["detail"]) == (412, True)
        promotion = served.json()["promotion"]
        assert client.put("versions/current", json={"version": 1, "if_promotion": promotion}).status_code == 200
        page = client.get("")
        assert client.get("", headers={"If-None-Match": page.headers["etag"]}).status_code == 304


def test_events_flow_through_the_proxy(site: str) -> None:
    with httpx.Client(base_url=f"{site}/inkling/", timeout=10) as client:
        run = client.post("train", json={}).json()["id"]
        with client.stream("GET", f"train/{run}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert client.delete(f"train/{run}").status_code == 200  # the stream is open, and its next event arrives
            data = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert data[-1]["state"] == "cancelled"


def test_large_body_arrives_whole_over_http_1_0_and_1_1(site: str) -> None:
    for prefix in ("inkling", "old"):
        answer = httpx.post(
            f"{site}/{prefix}/predict", content=bytes(784 * 1000), headers={"Content-Type": "application/octet-stream"}
        )
        assert len(answer.json()["predictions"]) == 1000


def test_every_request_of_kept_connections_is_answered(site: str) -> None:
    with httpx.Client(base_url=f"{site}/inkling/") as client:
        headers = {"Content-Type": "application/octet-stream"}
        answers = [client.post("predict", content=bytes(784), headers=headers) for _ in range(300)]
    assert {answer.status_code for answer in answers} == {200}
