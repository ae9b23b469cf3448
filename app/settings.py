"""The settings of the service: flags, then INKLING_* variables, then `.env`, then the defaults here."""

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from inkling.network.digit_probe import DIGIT_THRESHOLD
from inkling.service_links import describe_service_links, is_service_link
from inkling.settings import StoreSettings

PREFIX = "INKLING_"
HOST_NAMES = r"^\s*(\*|(\*\.)?[A-Za-z0-9_:.-]+)\s*(,\s*(\*|(\*\.)?[A-Za-z0-9_:.-]+)\s*)*$"
"""Names without ports, separated by commas."""
ANY_PROXY = "*"
ORIGINS = r"^\s*https?://[A-Za-z0-9.:\[\]-]+\s*(,\s*https?://[A-Za-z0-9.:\[\]-]+\s*)*$"
"""Origins as browsers name them, separated by commas."""
UNSENDABLE = "has spaces or characters beyond ASCII, which no client can send in a header"
FORMER_VARIABLES = {
    "INKLING_FOLLOW_S": "INKLING_REGISTRY_POLL_S",
    "INKLING_YIELD_P99_MS": "INKLING_PAUSE_TRAINING_LAG_MS",
}
"""Renamed variables: they are reported, not read."""
PLATFORM_PORTS = ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT")
"""Variables by which Vertex AI and SageMaker say where a container should listen."""


class VertexAi(BaseSettings):
    """The paths at which Vertex AI asks a container: it sets them as variables."""

    model_config = SettingsConfigDict(env_prefix="AIP_", env_ignore_empty=True, extra="ignore", frozen=True)

    predict_route: str | None = Field(None, pattern="^/[^{}]*$")
    health_route: str | None = Field(None, pattern="^/[^{}]*$")


class Settings(StoreSettings):
    host: str = Field("127.0.0.1", description="address to listen on; any address beyond loopback needs an API key")
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        description="port to listen on; 0: any free port; if it is not set, `AIP_HTTP_PORT` (Vertex AI) and "
        "`SAGEMAKER_BIND_TO_PORT` count",
    )
    grpc_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="port of gRPC (Open Inference and TensorFlow Serving), with the extra `grpc`; default: none",
    )
    api_key: SecretStr | None = Field(
        None,
        min_length=8,
        max_length=256,
        description="key for calls that change something; generated if the server listens beyond loopback",
    )
    allowed_hosts: str | None = Field(
        None,
        pattern=HOST_NAMES,
        description="names that Host may have, by commas; `*.example.org`: all below; `*`: any; default: loopback's "
        "without a key, any with one",
    )
    trusted_proxies: str | None = Field(
        None,
        description="addresses or networks of proxies, by commas, whose X-Forwarded-For, -Prefix and -Host count; "
        "`*`: all; default: none",
    )
    root_path: str = Field(
        "",
        pattern="^((/[A-Za-z0-9._~-]+)+/?)?$",
        max_length=200,
        description="path that a proxy puts before ours, such as `/inkling`; it may leave it in requests or take it "
        "away; default: none",
    )
    cors_origins: str | None = Field(
        None,
        pattern=ORIGINS,
        description="origins, by commas, whose pages may make the calls that need no key, such as "
        "`https://www.example.org`; default: none",
    )
    max_requests_per_minute: int | None = Field(
        None, ge=1, description="maximum requests per minute and client, except probes; default: no limit"
    )
    trainer: Literal["process", "external"] = Field(
        "process",
        description="`process`: the server starts a trainer when a run is queued; `external`: it does not",
    )
    workers: int = Field(1, ge=1, le=64, description="server processes; GET /metrics of any of them answers for all")
    max_body_bytes: int = Field(16 << 20, ge=1024, description="maximum size of a request body, in bytes")
    max_bytes_in_flight: int = Field(
        96 << 20,
        ge=1 << 20,
        description="memory for request bodies in flight and what is decoded from them, in bytes; small ones have a "
        "reserve beside it",
    )
    max_images: int = Field(10_000, ge=1, description="maximum images per prediction request")
    max_pixels: int = Field(40_000_000, ge=784, description="maximum pixels per image (a phone's photo: 12 million)")
    max_side: int = Field(16_384, ge=28, description="maximum width and height of an image, in pixels")
    max_decoder_bytes: int = Field(
        128 << 20, ge=1 << 20, description="maximum memory that decoding an image takes, in bytes, without its file"
    )
    max_decoder_cpu_s: float = Field(
        3,
        ge=0.05,
        le=600,
        description="maximum CPU time of decoding and normalizing the images of a request, in seconds",
    )
    decoders: int | None = Field(
        None,
        ge=1,
        le=64,
        description="processes that decode and normalize pictures; default: one per CPU core, at most 3; "
        "one more is kept for small pictures",
    )
    digit_threshold: float = Field(
        DIGIT_THRESHOLD,
        ge=0,
        le=1,
        description="`digit_score` below which an image is no digit; at 0.5, 1 % of real digits are lost; 0: never",
    )
    max_queued_runs: int = Field(16, ge=1, description="maximum queued training runs")
    feedback: Literal["off", "on", "key"] = Field(
        "off",
        description="corrections of answers: `off`: refused; `on`: taken from everybody, as `/predict` is; `key`: with "
        "the API key",
    )
    max_feedback: int = Field(20_000, ge=1, le=100_000, description="maximum corrections in the registry")
    max_feedback_per_minute: int = Field(
        120,
        ge=1,
        le=100_000,
        description="maximum corrections per minute and client, and as many remembered predictions",
    )
    max_connections: int = Field(
        2000, ge=8, description="maximum open connections of a server process; at most half of them event streams"
    )
    max_versions: int = Field(
        1000, ge=1, description="versions in the registry, beyond which uploads and new runs are refused"
    )
    max_versions_bytes: int = Field(
        512 << 20,
        ge=1 << 20,
        description="bytes of all checkpoint files, beyond which uploads and new runs are refused",
    )
    keep_promoted_versions: int = Field(
        20, ge=0, le=10_000, description="versions that `inkling prune` keeps of those promoted last, to return to"
    )
    keep_newest_versions: int = Field(
        100, ge=1, le=10_000, description="newest versions that `inkling prune` keeps, promoted or not"
    )
    keep_progress_days: float = Field(
        7,
        ge=0,
        le=100_000,
        description="days after the end of a run from which `inkling prune` keeps 200 lines of its progress",
    )
    keep_feedback_days: float | None = Field(
        None,
        ge=0,
        le=100_000,
        description="days after which `inkling prune` deletes corrections; default: it keeps all",
    )
    max_connections_per_client: int | None = Field(
        None,
        ge=1,
        description="maximum open connections per client address; default: a quarter of all, without a limit for "
        "loopback and private addresses, where proxies are",
    )
    max_buffered_bytes: int = Field(
        32 << 20,
        ge=1 << 20,
        description="maximum bytes of answers that clients have not read, in all; beyond it the largest is cut off",
    )
    client_timeout_s: float = Field(
        20,
        ge=0.5,
        le=3600,
        description="seconds for the head of a request; also for a body or an answer slower than 4096 bytes per second",
    )
    body_timeout_s: float = Field(120, ge=0.5, le=86_400, description="seconds for the body of a request")
    keep_alive_s: float = Field(
        80,
        ge=0.5,
        le=3600,
        description="seconds that an idle connection is kept open; above those of a proxy before it (nginx: 60, its "
        "clients 75), which else sends requests into closing connections",
    )
    drain_s: float = Field(
        0,
        ge=0,
        le=3600,
        description="seconds at the beginning of a stop in which /readyz is 503 and all else goes on, so that load "
        "balancers stop sending",
    )
    stop_s: float = Field(
        9,
        ge=6,
        le=3600,
        description="seconds after that until the process ends, whatever is in flight; Docker kills it 10 s after the "
        "beginning",
    )
    tls_certificate: Path | None = Field(
        None, description="file with the certificate of the server and those above it, in PEM: HTTPS instead of HTTP"
    )
    tls_key: Path | None = Field(
        None, description="file with the certificate's private key, in PEM, without a password"
    )
    registry_poll_s: float = Field(
        0.5, ge=0.05, le=60, description="seconds between two checks of the registry for a newly promoted version"
    )
    max_registry_age_s: float = Field(
        30,
        ge=1,
        le=86_400,
        description="seconds without an answer of the registry after which `/readyz` warns (`stale`)",
    )
    unready_if_stale: bool = Field(
        default=False,
        description="then answer 503 at `/readyz`; with one registry for all servers, all leave the load balancer",
    )
    pause_training_lag_ms: float = Field(
        20,
        ge=0,
        le=60_000,
        description="pause training while the event loop's p99 lag exceeds this many milliseconds",
    )
    access_log: bool = Field(default=False, description="log one line per request")

    @model_validator(mode="before")
    @classmethod
    def _listen_where_the_platform_asks(cls, values: Any) -> Any:
        port = next((os.environ[name] for name in PLATFORM_PORTS if os.environ.get(name)), None)
        is_set = port is None or not isinstance(values, dict) or "port" in values
        return values if is_set else {**values, "port": port}

    @field_validator("api_key")
    @classmethod
    def _require_sendable(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not is_sendable(key.get_secret_value()):
            raise ValueError(f"the key {UNSENDABLE}")
        return key

    @model_validator(mode="after")
    def _require_both_files(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: set both, or none")
        return self

    @field_validator("root_path")
    @classmethod
    def _without_last_slash(cls, path: str) -> str:
        return path.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _require_addresses(cls, names: str | None) -> str | None:
        for name in _split(names):
            try:
                _ = name == ANY_PROXY or ipaddress.ip_network(name, strict=False)
            except ValueError as error:
                raise ValueError(f"{name} is no IP address, network such as 10.0.0.0/8, or `*`") from error
        return names

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def needs_key(self) -> bool:
        """Whether calls that change something need the API key."""
        return self.api_key is not None or not self.is_loopback

    @property
    def allowed_host_names(self) -> list[str]:
        return [name.lower() for name in _split(self.allowed_hosts)]

    @property
    def cors_origin_list(self) -> list[str]:
        return _split(self.cors_origins)

    @property
    def trusted_proxy_addresses(self) -> tuple[str, ...]:
        return tuple(_split(self.trusted_proxies))


def _split(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def is_sendable(key: str) -> bool:
    """Return whether a key arrives in a header as it was sent."""
    return all("!" <= character <= "~" for character in key)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a warning for each INKLING_* variable that is no setting, naming the nearest that is.

    Those that Kubernetes sets have one warning in all.
    """
    environment = os.environ if environment is None else environment
    links = describe_service_links(environment)
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    warnings = [] if links is None else [links]
    for name, value in environment.items():
        if name.startswith(PREFIX) and name not in known and not is_service_link(name, value):
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            renamed = FORMER_VARIABLES.get(name)
            hint = f"it is called {renamed} now" if renamed else f"did you mean {nearest}?"
            warnings.append(f"{name} is not a setting of Inkling; {hint}")
    return warnings
