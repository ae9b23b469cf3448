import logging
from pathlib import Path

import httpx
import pytest

from app.observability.answered_request import AnsweredRequest
from app.observability.problem_log import BURST, ProblemLog
from tests.support.servers import start_server
from tests.support.services import eventually

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PUT", "/train", 405),
        ("POST", "/predict", 415),
        ("POST", "/predict?fit=x", 422),
        ("GET", "/docs/assets/none.js", 404),
        ("POST", "/docs/assets/swagger-ui.css", 405),
        ("OPTIONS", "/predict", 405),
        ("HEAD", "/predict", 405),
        ("GET", "/train/7", 404),
    ],
)
async def test_every_problem_is_in_the_log_under_its_request_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, method: str, path: str, status: int
) -> None:
    caplog.set_level(logging.INFO)
    response = await client.request(method, path)
    assert response.status_code == status
    found = [r for r in caplog.records if response.headers["x-request-id"] in r.getMessage()]
    assert [(record.levelname, record.name) for record in found] == [("INFO", "app.problems")]
    if method != "HEAD":
        assert response.json()["detail"][:100] in found[0].getMessage()


async def test_refused_hosts_are_warnings(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    response = await client.get("/metrics", headers={"Host": "example.org"})
    (record,) = [r for r in caplog.records if response.headers["x-request-id"] in r.getMessage()]
    assert record.levelname == "WARNING"
    assert "127.0.0.1" in record.getMessage()


async def test_flood_is_cut_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    log = ProblemLog(clock=lambda: now)
    request = AnsweredRequest("id", None, "203.0.113.7", "GET", "/", "/", 404, 0.001, ("Title", "detail"))
    for _ in range(BURST + 50):
        log.write(request)
    assert len(caplog.records) == BURST
    now = 60.0
    log.write(request)
    assert [record.getMessage() for record in caplog.records[BURST:]] == [
        "50 more errors were answered and not logged: more than 20/s",
        "request id from 203.0.113.7: GET /: 404 Title: detail",
    ]


def test_server_writes_one_line_however_the_path_is_made(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--trainer", "external", "--access-log") as server, server.client() as client:
        forged = "/x%0d%0a2026-01-01 00:00:00,000 INFO app: all is well%1b[2J"
        response = client.get(forged, headers={"X-Request-ID": "the-forger"})
        assert response.status_code == 404
        assert response.json()["instance"].startswith("/x\r\n")
        eventually(lambda: [line for line in server.log if line.endswith(" the-forger")], "the line of the access log")
    lines = [line for line in server.log if "all is well" in line]
    assert len(lines) == 2  # of the access, and of the problem
    assert all("the-forger" in line and r"\r\n2026-01-01" in line and r"\x1b" in line for line in lines)
