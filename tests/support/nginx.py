"""A real nginx for tests, before servers."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.services import eventually

CONFIG = """
{user}
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ }}
    default_type text/plain;
    upstream inkling {{
        {servers}
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        {site}
    }}
}}
"""

BELOW_A_PATH = """
    gzip on;
    gzip_types *;
    gzip_min_length 20;
    gzip_proxied any;
    location /inkling/ {
        proxy_pass http://inkling/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Prefix /inkling;
        proxy_set_header Accept-Encoding "";
        proxy_buffering off;
    }
"""
"""A site with the service at /inkling/, compressed, on kept connections, as docs/operations.md has it."""


@contextmanager
def start_nginx(folder: Path, upstreams: list[str], site: str) -> Iterator[str]:
    """Start nginx before servers and yield its URL. Without it, skip the test, but not in CI.

    Args:
        folder: for its files.
        upstreams: host:port of each server in the upstream `inkling`.
        site: the lines of its `server` block.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed: apt-get install nginx")
        pytest.skip("needs nginx: apt-get install nginx")
    port = free_port()
    servers = " ".join(f"server {each};" for each in upstreams)
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not write into the folder
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(user=user, folder=folder, servers=servers, port=port, site=site))
    process = subprocess.Popen(
        [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)], stderr=subprocess.PIPE
    )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(process, url), "nginx answers")
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"nginx ended: {process.communicate()[1].decode()}")
    try:
        return httpx.get(f"{url}/nowhere").status_code < 500
    except httpx.TransportError:
        return False
