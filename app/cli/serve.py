"""`inkling serve`: uvicorn around the application, in one process or several."""

import logging.config
import os
import signal
import sys

import typer
import uvicorn

from app.cli.commands import Command
from app.cli.registry_access import open_registry
from app.cli.settings_flags import with_settings
from app.fast.http_protocol import JoinedHttpProtocol
from app.security import KEY_FILE, resolve_key
from app.settings import PREFIX, Settings
from inkling.logging_config import LOGGING

commands = typer.Typer(rich_markup_mode=None, add_completion=False)


@commands.command(cls=Command)
@with_settings(*Settings.model_fields)
def serve(settings: Settings) -> int:
    """Serve the network over HTTP. The first start creates the registry."""
    logging.config.dictConfig(LOGGING)
    _log_generated_key(settings)
    with open_registry(settings):  # an error here is one line; in a worker it would be a traceback
        pass
    _export(settings)
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))  # uvicorn raises it again when all is closed
    try:
        uvicorn.run(
            "app.main:create_configured_app",
            factory=True,
            workers=settings.workers,
            host=settings.host,
            port=settings.port,
            http=JoinedHttpProtocol,
            access_log=False,  # the application's own names the request id
            server_header=False,
            proxy_headers=settings.trusted_proxies is not None,
            forwarded_allow_ips=settings.trusted_proxies,
            log_config=LOGGING,
            timeout_graceful_shutdown=10,
        )
    except SystemExit as ended:
        return 1 if ended.code else 0  # uvicorn exits with 3 if the application does not start
    return 0


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


def _export(settings: Settings) -> None:
    """Write the settings to the environment: each worker process creates its own application from there."""
    for name, value in settings.model_dump(exclude_none=True, exclude={"api_key"}).items():
        os.environ[f"{PREFIX}{name}".upper()] = str(value)
    if settings.api_key:
        os.environ[f"{PREFIX}API_KEY"] = settings.api_key.get_secret_value()
