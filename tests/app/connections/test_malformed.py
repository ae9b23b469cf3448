"""Malformed and oversized requests: always a problem."""

import pytest

from tests.support.servers import Server
from tests.support.sockets import LIVEZ, PREDICT, check_refusal, connect, read_answer, read_answers

HEAD = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"

MALFORMED = {
    "nonsense": (b"nonsense\r\n\r\n", "/", "this is not an HTTP/1.1 request"),
    "TLS": (bytes.fromhex("16030100c8010000c40303") + bytes(190), "/", "this is TLS; use http://"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None, "this is HTTP/2"),
    "a header without a colon": (b"GET /livez HTTP/1.1\r\nHost\r\n\r\n", "/livez", "this is not an HTTP/1.1 request"),
    "two lengths": (PREDICT + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "/predict", "Content-Length"),
    "a length and chunks": (
        PREDICT + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "/predict",
        "HTTP/1.1",
    ),
    "a path beyond ASCII": ("GET /é HTTP/1.1\r\n\r\n".encode(), None, ""),
    "CONNECT": (b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", None, "CONNECT is for proxies"),
    "a chunk that is none": (PREDICT + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "/predict", "chunk"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_request_is_a_problem(plain_server: Server, name: str) -> None:
    request, instance, expected = MALFORMED[name]
    with connect(plain_server) as connection:
        connection.sendall(request)
        (answer,) = read_answers(connection)
    detail = check_refusal(answer, 400, instance or answer.json()["instance"])
    assert expected in detail


TOO_LARGE = {
    "one endless line": HEAD + b"X: " + b"x" * 40_000,
    "many lines": HEAD + b"".join(b"X-%d: %b\r\n" % (number, b"x" * 900) for number in range(40)),
    "a long path": b"GET /" + b"x" * 40_000,
    "many fields": HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(101)) + b"\r\n",
    "a long name": HEAD + b"x" * 40_000,
}


@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("is_second", [False, True])
def test_head_beyond_its_limits_is_431(plain_server: Server, name: str, is_second: bool) -> None:
    with connect(plain_server) as connection:
        if is_second:
            connection.sendall(LIVEZ)
            assert read_answer(connection).status == 200
        connection.sendall(TOO_LARGE[name])
        (answer,) = read_answers(connection)
    detail = check_refusal(answer, 431, answer.json()["instance"])
    assert "the limit" in detail


def test_head_of_many_fields_and_bytes_within_the_limits_is_answered(plain_server: Server) -> None:
    fields = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 100) for number in range(98))
    with connect(plain_server) as connection:
        connection.sendall(HEAD + fields + b"\r\n")
        assert read_answer(connection).status == 200


FRAMINGS = {
    "a chunk extension": b"1;" + b"x" * 40_000,
    "trailers": b"1\r\nx\r\n0\r\n" + b"X: " + b"x" * 40_000,
    "chunks of one byte": b"1\r\nx\r\n" * 30_000,
}


@pytest.mark.parametrize("name", FRAMINGS)
def test_framing_longer_than_its_body_is_refused(plain_server: Server, name: str) -> None:
    with connect(plain_server) as connection:
        connection.sendall(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n" + FRAMINGS[name])
        (answer,) = read_answers(connection)
    assert answer.status in (400, 431)
    detail = check_refusal(answer, answer.status, "/predict")
    assert "chunk" in detail or "limit" in detail


def test_few_bytes_in_many_chunks_are_read(plain_server: Server) -> None:
    with connect(plain_server) as connection:
        connection.sendall(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n\0\r\n" * 784 + b"0\r\n\r\n")
        assert read_answer(connection).status == 200
        connection.sendall(PREDICT + b"Content-Length: 784\r\n\r\n" + bytes(784))
        assert read_answer(connection).status == 200


def test_malformed_request_behind_good_ones_is_answered_after_them(plain_server: Server) -> None:
    with connect(plain_server) as connection:
        connection.sendall(LIVEZ + PREDICT + b"Content-Length: 784\r\n\r\n" + bytes(784) + b"nonsense\r\n\r\n")
        answers = read_answers(connection)
    assert [answer.status for answer in answers] == [200, 200, 400]
    with connect(plain_server) as connection:
        connection.sendall(LIVEZ + PREDICT + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
        answers = read_answers(connection)
    assert [answer.status for answer in answers] == [200, 400]


def test_refusal_is_read_by_a_client_that_goes_on_sending(plain_server: Server) -> None:
    with connect(plain_server) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        for _ in range(20):
            connection.sendall(bytes(50_000))
        (answer,) = read_answers(connection)
    check_refusal(answer, 400)


def test_refusals_are_counted(plain_server: Server) -> None:
    with connect(plain_server) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        read_answers(connection)
    with plain_server.client() as client:
        exposition = client.get("/metrics", headers={"Accept": "text/plain"}).text
    assert 'inkling_requests_total{method="other",route="unmatched",status="400",protocol="inkling"}' in exposition
