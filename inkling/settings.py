"""The settings that the trainer and the server share, read once from INKLING_* variables and `.env`."""

from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from inkling.service_links import is_service_link

DatasetFit = Literal["auto", "mnist", "plain"]


class StoreSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="INKLING_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path = Field(Path("var"), description="folder of the database, the API key and the downloaded data")
    database_url: str | None = Field(
        None,
        description="URL of the registry, `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`; default: "
        "SQLite in the data directory",
    )
    database_timeout_s: float = Field(
        10,
        ge=0.5,
        le=300,
        description="seconds that a call of the registry waits for a lock, a free connection or the next bytes of an "
        "answer",
    )
    database_connections: int = Field(
        15, ge=2, le=500, description="maximum connections of a process to the registry's database"
    )
    database_away_s: float = Field(
        3600,
        ge=1,
        le=7 * 86_400,
        description="seconds that the registry may be away during a training; the training goes on in the meantime",
    )
    mnist_dir: Path | None = Field(
        None, description="folder with MNIST's four IDX files, plain or .gz, or mnist.npz; default: downloaded once"
    )
    mnist_mirror: str | None = Field(
        None,
        pattern="^https?://",
        description="address of the mnist.npz to download, whose content is checked: a mirror; default: Google's copy",
    )
    dataset: Path | None = Field(
        None,
        description="folder of own data to train on: IDX files, or one folder of pictures per class; default: MNIST",
    )
    dataset_fit: DatasetFit = Field(
        "auto",
        description="how pictures of own data become 28x28: mnist, as by fit=mnist; plain, scaled as a whole; auto, "
        "mnist for digits and plain for others",
    )
    dataset_skip: bool = Field(
        default=False, description="leave out pictures of own data that cannot be used, instead of refusing the dataset"
    )
    trainer_threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="trainer threads; default: one per CPU core, one fewer if the server starts the trainer",
    )

    runs_at_once: int = Field(
        1,
        ge=1,
        le=64,
        description="training runs that are trained at the same time, by all trainers of the registry together; a "
        "server starts as many trainers, at most one per CPU core",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="format of the log: `text`, or `json` objects, one per line"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="level of the least important records that are logged"
    )

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _in_lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out the variables that Kubernetes sets: INKLING_PORT=tcp://10.0.0.1:8000 is no port."""
        environment = cast("EnvSettingsSource", env_settings)
        variables = environment.env_vars.items()
        environment.env_vars = {name: value for name, value in variables if not is_service_link(name, value)}
        return init_settings, environment, dotenv_settings, file_secret_settings

    @model_validator(mode="before")
    @classmethod
    def _without_quotes(cls, values: Any) -> Any:
        """Take `"8000"` for `8000`: `docker run --env-file` passes on the quotes that a shell would remove."""
        if not isinstance(values, dict):
            return values
        plain = {name: _unquoted(value) for name, value in values.items()}
        return {name: value for name, value in plain.items() if value != "" or values[name] == ""}

    @property
    def dataset_name(self) -> str | None:
        """The folder of own data, without those above it, which differ between machines; None: MNIST."""
        return self.dataset.absolute().name[:64] if self.dataset else None

    @property
    def registry_url(self) -> str:
        if self.database_url:
            return self.database_url
        from sqlalchemy import URL  # noqa: PLC0415  0.3 s that commands without a registry save

        return URL.create("sqlite", database=str(self._database_file)).render_as_string()

    @property
    def has_registry(self) -> bool:
        """Whether the registry exists. Only the server and the trainer create it; for a URL it is assumed."""
        return self.database_url is not None or self._database_file.exists()

    @property
    def _database_file(self) -> Path:
        return self.data_dir.absolute() / "inkling.db"


def _unquoted(value: Any) -> Any:
    """Return a text without the pair of quotes around it."""
    if isinstance(value, str) and len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
