"""The health check of the server's image: exit code 0 if /readyz answers with 200, as the server listens."""

import http.client
import os
import re
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path

COMMAND_LINE = Path("/proc/1/cmdline")
VARIABLES = ("INKLING_PORT", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT")
DEFAULT = "8000"
TIMEOUT_S = 2


def find_port(command_line: str, environment: Mapping[str, str]) -> int:
    """Return the port of `inkling serve --port PORT`, else that of the first variable that is a number."""
    flag = re.search(r"--port[=\s](\d+)", command_line)
    values = (environment.get(name, "").strip("'\"") for name in VARIABLES)
    return int(flag[1] if flag else next(filter(str.isdigit, values), DEFAULT))


def has_tls(command_line: str, environment: Mapping[str, str]) -> bool:
    """Return whether the server has a certificate."""
    return "--tls-certificate" in command_line or bool(environment.get("INKLING_TLS_CERTIFICATE"))


def connect(port: int, *, has_tls: bool) -> http.client.HTTPConnection:
    if not has_tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is for the name that clients know
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=context)


def is_ready(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    words = COMMAND_LINE.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    server = connect(find_port(words, os.environ), has_tls=has_tls(words, os.environ))
    sys.exit(0 if is_ready(server) else 1)
