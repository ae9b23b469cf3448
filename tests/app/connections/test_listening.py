"""The addresses of a server: IPv4 and IPv6 at once, TLS, and the sockets of systemd."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.support.certificates import make_certificate
from tests.support.command_line import check_error, inkling
from tests.support.servers import start_server
from tests.support.services import eventually

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
KEY = "a-key-for-tests"


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_host_of_all_ipv6_addresses_serves_ipv4_too(tmp_path: Path) -> None:
    arguments = ("--trainer", "external", "--host", "::", "--api-key", KEY)
    with start_server(tmp_path / "data", *arguments, INKLING_TRUSTED_PROXIES="127.0.0.1") as server:
        port = httpx.URL(server.url).port
        for host in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{host}:{port}/livez").status_code == 200
        # a proxy that comes by IPv4 has its IPv4 address
        problem = httpx.get(f"http://127.0.0.1:{port}/train/7", headers={"X-Forwarded-Prefix": "/inkling"}).json()
        assert problem["instance"] == "/inkling/train/7"


def test_answers_over_tls_on_every_connection_until_the_end_and_with_a_new_certificate(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    files = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with start_server(tmp_path / "data", "--trainer", "external", *files) as server:
        context = ssl.create_default_context(cafile=str(certificate))
        assert server.url.startswith("https://")
        address = ("127.0.0.1", httpx.URL(server.url).port or 0)
        for _ in range(20):  # on the copies of the listening socket, too
            assert httpx.get(f"{server.url}/readyz", verify=context).status_code == 200
        with httpx.Client(base_url=server.url, verify=context) as client:
            headers = {"Content-Type": "application/octet-stream"}
            answer = client.post("/predict", content=bytes(784 * 100), headers=headers)
            assert len(answer.json()["predictions"]) == 100
            refused = client.post("/predict", content=bytes(20 << 20), headers=headers)
            assert refused.status_code == 413
            first = certificate.read_text()
            key.write_text("no key")
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: any("certificate in use stays" in line for line in server.log), "the key is refused")
            assert ssl.get_server_certificate(address) == first
            make_certificate(tmp_path)
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: ssl.get_server_certificate(address) == certificate.read_text(), "the new certificate")
            context.load_verify_locations(certificate)
            server.process.send_signal(signal.SIGTERM)
            assert httpx.get(f"{server.url}/livez", verify=context).status_code == 200
        assert server.process.wait(30) == 0
        assert not any("Traceback" in line for line in server.log)


def test_certificate_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    result = inkling("serve", "--tls-certificate", "no.pem", "--tls-key", "no.pem", "--data-dir", "data")
    check_error(result, 1, "INKLING_TLS_CERTIFICATE", "PEM")


def test_certificate_needs_its_key() -> None:
    with pytest.raises(ValidationError, match="set both, or none"):
        Settings(tls_certificate=Path("certificate.pem"))


def test_connections_wait_in_the_socket_of_systemd_while_no_server_runs(tmp_path: Path) -> None:
    start = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    serve = [sys.executable, "-m", "app.cli", "serve", "--trainer", "external", "--data-dir", str(tmp_path / "data")]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        early = socket.create_connection(address, timeout=60)
        early.sendall(LIVEZ)  # nobody serves yet
        process = subprocess.Popen(
            ["bash", "-c", start, str(listener.fileno()), *serve],
            pass_fds=[listener.fileno()],
            env=dict(os.environ),
            stderr=subprocess.PIPE,
        )
        with early:
            assert read_all(early).startswith(b"HTTP/1.1 200")
        process.terminate()
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0
        assert f"running on http://127.0.0.1:{address[1]}".encode() in log
        socket.create_connection(address, timeout=10).close()  # the next server will take it
