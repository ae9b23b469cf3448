"""The service under Ray Serve: `serve run deploy.ray.serving:app`, or `serve deploy deploy/ray/serve.yaml`."""

import os

from fastapi import FastAPI
from ray import serve

from app.main import create_configured_app
from app.settings import Settings
from inkling.errors import InklingError

BEHIND_SERVE = {"INKLING_HOST": "0.0.0.0", "INKLING_TRAINER": "external", "INKLING_WORKERS": "1"}  # noqa: S104
"""Serve's proxies listen on all addresses, and trainers are tasks: `deploy.ray.trainers`."""


def create_replica() -> FastAPI:
    """Return the service of one replica, with the settings of its environment.

    Raises:
        InklingError: the registry or the key would be another one in each replica.
    """
    os.environ.update(BEHIND_SERVE)
    settings = Settings()
    if settings.database_url is None or settings.database_url.startswith("sqlite"):
        raise InklingError("replicas share a registry only in PostgreSQL: set INKLING_DATABASE_URL=postgresql://...")
    if settings.api_key is None:
        raise InklingError("each replica would generate a key of its own: set INKLING_API_KEY")
    return create_configured_app()


Server = serve.deployment(serve.ingress(create_replica)(), name="Server")
app = Server.bind()
