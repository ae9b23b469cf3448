"""`inkling serve`: uvicorn around the application, in one process or several."""

import logging.config
import os
import resource
import signal
import socket
import ssl
import sys
from importlib import import_module
from types import FrameType

import typer
import uvicorn

from app.cli.commands import Command
from app.cli.failures import CommandError
from app.cli.registry_access import open_registry
from app.cli.settings_flags import check_vertex_ai, with_settings
from app.cli.worker_processes import WorkerApp, WorkerProcesses
from app.connections.listeners import SoleServer
from app.connections.listening import ALL_ADDRESSES, dual_stack_socket, inherited_sockets, log_address
from app.connections.stop import CANCEL_BEFORE_S, CLOSE_S
from app.fast.http_protocol import FastHttpProtocol
from app.security import KEY_FILE, resolve_key
from app.settings import PREFIX, Settings
from inkling.data_dir import check_data_dir
from inkling.logging_config import logging_config

MAX_FILES = 65_536

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings(*Settings.model_fields)
def serve(settings: Settings) -> int:
    """Serve the network over HTTP. The first start creates the registry."""
    logging.config.dictConfig(logging_config(settings.log_format, settings.log_level))
    check_vertex_ai()
    check_data_dir(settings.data_dir)
    _log_generated_key(settings)
    _check_grpc(settings)
    _check_tls(settings)
    with open_registry(settings):  # an error here is one line; in a worker it would be a traceback
        pass
    _export(settings)
    _raise_file_limit()
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))  # uvicorn raises it again when all is closed
    try:
        return _run(settings)
    except (KeyboardInterrupt, SystemExit) as ended:
        return 1 if isinstance(ended, SystemExit) and ended.code else 0  # uvicorn exits with 3 if it does not start


def _check_grpc(settings: Settings) -> None:
    """Raise an error of one line if gRPC cannot start; in a worker it would be a traceback."""
    if settings.grpc_port is None:
        return
    import_module("app.protocols.grpc_services")  # of an extra
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.grpc_port), family=family).close()
    except OSError as error:
        raise CommandError(
            f"gRPC cannot listen on {settings.host}, port {settings.grpc_port} (INKLING_GRPC_PORT): {error.strerror}"
        ) from error


def _run(settings: Settings) -> int:
    """Run uvicorn until it is asked to stop, as `uvicorn.run` does, with our supervisor; return the exit code."""
    config = uvicorn.Config(
        WorkerApp() if settings.workers > 1 else "app.main:create_configured_app",
        factory=True,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        http=FastHttpProtocol,
        ws="none",
        access_log=False,  # the application's own names the request id
        server_header=False,
        proxy_headers=False,  # app/admission/forwarded.py reads them
        log_config=logging_config(settings.log_format, settings.log_level),
        timeout_graceful_shutdown=int(settings.stop_s - CLOSE_S - CANCEL_BEFORE_S),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    inherited = inherited_sockets(os.environ)
    sockets = _sockets(settings, inherited)
    if settings.workers > 1:
        WorkerProcesses(
            config,
            sockets or [config.bind_socket()],
            drain_s=settings.drain_s,
            stop_s=settings.stop_s,
            owns_sockets=not inherited,
        ).run()
        return 0
    _reload_certificate_on_hangup(config, settings)
    server = uvicorn.Server(config) if inherited else SoleServer(config)
    server.run(sockets)
    return 0 if server.started else 1


def _sockets(settings: Settings, inherited: list[socket.socket]) -> list[socket.socket] | None:
    """Return the sockets of systemd, or one for IPv6 and IPv4; None: uvicorn makes one."""
    sockets = inherited
    if not sockets and settings.host == ALL_ADDRESSES:
        try:
            sockets = [dual_stack_socket(settings.port)]
        except OSError as error:
            raise CommandError(f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}") from error
    for each in sockets:
        log_address(each, "https" if settings.tls_certificate else "http")
    return sockets or None


def _reload_certificate_on_hangup(config: uvicorn.Config, settings: Settings) -> None:
    """Read the certificate again at SIGHUP; but where there is a terminal, SIGHUP says that it was closed."""
    if os.isatty(0) or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        return
    logger = logging.getLogger("uvicorn.error")

    def reload(number: int, frame: FrameType | None) -> None:
        if not (config.loaded and config.ssl and settings.tls_certificate):
            logger.info("SIGHUP changes nothing: one worker is not replaced (INKLING_WORKERS), and there is no TLS")
            return
        try:
            _check_tls(settings)  # with a bad key the context in use would be half changed
        except CommandError as error:
            logger.error("SIGHUP: the certificate in use stays: %s", error)
            return
        config.ssl.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
        logger.info("SIGHUP: new connections get the certificate in %s", settings.tls_certificate)

    signal.signal(signal.SIGHUP, reload)


def _check_tls(settings: Settings) -> None:
    """Raise an error of one line if the certificate cannot be used; in a worker it would be a traceback."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = f"{settings.tls_certificate} (INKLING_TLS_CERTIFICATE) with {settings.tls_key} (INKLING_TLS_KEY)"
        raise CommandError(
            f"cannot use {files}: {error}; both must be PEM files, the key without a password"
        ) from error


def _log_generated_key(settings: Settings) -> None:
    """Generate the API key if the settings need one. It is logged once, when it is made; later, only its file is."""
    file = (settings.data_dir / KEY_FILE).absolute()
    is_new = not file.exists()
    key, is_generated = resolve_key(settings)
    if not is_generated:
        return
    logger = logging.getLogger("app")
    if is_new:
        logger.warning(
            "listening beyond loopback, so calls that change something need this key, shown only now and kept in %s: "
            "curl -X POST -H 'Authorization: Bearer %s' http://localhost:%d/train",
            file,
            key,
            settings.port,
        )
    else:
        logger.warning(
            "listening beyond loopback, so calls that change something need the key in %s; "
            "with Docker Compose: docker compose exec server cat %s",
            file,
            file,
        )


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets this user have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _export(settings: Settings) -> None:
    """Write the settings to the environment: each worker process creates its own application from there."""
    for name, value in settings.model_dump(exclude_none=True, exclude={"api_key"}).items():
        os.environ[f"{PREFIX}{name}".upper()] = str(value)
    if settings.api_key:
        os.environ[f"{PREFIX}API_KEY"] = settings.api_key.get_secret_value()
