"""A connection that is lost leaves memory at once: garbage collections would stop the event loop for long."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
import uvloop
from fastapi import FastAPI, Request
from uvicorn.server import ServerState

from app.connections.limits import ConnectionLimits
from app.connections.open_connections import OpenConnections
from app.connections.protocol import LimitedProtocol
from app.fast.http_protocol import JoinedHttpProtocol
from app.observability.metrics import Metrics

CONNECTIONS = 20
