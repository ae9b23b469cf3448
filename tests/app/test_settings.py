from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.settings import FORMER_VARIABLES, Settings, VertexAi, is_loopback, unknown_variables


def test_defaults_listen_on_this_machine_alone() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.trainer) == ("127.0.0.1", 8000, "process")
    assert settings.is_loopback
    assert settings.data_dir == Path("var")


def test_arguments_come_before_variables_and_variables_before_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("INKLING_PORT=1001\nINKLING_MAX_IMAGES=11\nINKLING_MAX_QUEUED_RUNS=12\n")
    monkeypatch.setenv("INKLING_PORT", "1002")
    monkeypatch.setenv("INKLING_MAX_IMAGES", "21")
    settings = Settings(port=1003)
    assert (settings.port, settings.max_images, settings.max_queued_runs) == (1003, 21, 12)


def test_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKLING_PORT", "")
    monkeypatch.setenv("INKLING_API_KEY", "")
    settings = Settings()
    assert settings.port == 8000
    assert settings.api_key is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INKLING_PORT", "65536"),
        ("INKLING_PORT", "-1"),
        ("INKLING_PORT", "http"),
        ("INKLING_API_KEY", "short"),
        ("INKLING_TRAINER", "thread"),
        ("INKLING_MAX_BODY_BYTES", "10"),
        ("INKLING_MAX_IMAGES", "0"),
        ("INKLING_MAX_PIXELS", "783"),
        ("INKLING_MAX_QUEUED_RUNS", "0"),
        ("INKLING_REGISTRY_POLL_S", "0"),
        ("INKLING_REGISTRY_POLL_S", "nan"),
        ("INKLING_ACCESS_LOG", "maybe"),
    ],
)
def test_unsafe_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert [error["loc"] for error in raised.value.errors()] == [(name.removeprefix("INKLING_").lower(),)]


def test_settings_are_frozen_and_hide_the_key() -> None:
    settings = Settings(api_key=SecretStr("a-secret-key"))
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
    assert "a-secret-key" not in repr(settings)


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org", "localhost.example.org", ""])
def test_hosts_beyond_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("INKLING_PRT", "INKLING_PORT"),
        ("INKLING_DATADIR", "INKLING_DATA_DIR"),
        ("INKLING_APIKEY", "INKLING_API_KEY"),
        ("INKLING_MNIST", "INKLING_MNIST_DIR"),
    ],
)
def test_unknown_variable_is_reported_with_the_nearest_known(name: str, nearest: str) -> None:
    warnings = unknown_variables({name: "1", "INKLING_PORT": "1", "PATH": "/bin"})
    assert warnings == [f"{name} is not a setting of Inkling; did you mean {nearest}?"]


def test_unknown_variables_are_looked_for_in_this_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_variables() == []
    monkeypatch.setenv("INKLING_HOSTS", "1")
    assert unknown_variables() == ["INKLING_HOSTS is not a setting of Inkling; did you mean INKLING_HOST?"]


@pytest.mark.parametrize(("former", "name"), FORMER_VARIABLES.items())
def test_renamed_variable_is_reported_with_its_new_name(former: str, name: str) -> None:
    assert name in {f"INKLING_{field.upper()}" for field in Settings.model_fields}
    assert unknown_variables({former: "1"}) == [f"{former} is not a setting of Inkling; it is called {name} now"]


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_of_an_env_file_are_no_part_of_a_value(monkeypatch: pytest.MonkeyPatch, quote: str) -> None:
    values = {
        "PORT": "8123",
        "HOST": "0.0.0.0",
        "DATA_DIR": "/data",
        "API_KEY": "a-key-for-tests",
        "ACCESS_LOG": "true",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"INKLING_{name}", f"{quote}{value}{quote}")
    monkeypatch.setenv("INKLING_MAX_IMAGES", f"{quote}{quote}")
    settings = Settings()
    assert (settings.port, settings.host, str(settings.data_dir)) == (8123, "0.0.0.0", "/data")
    assert settings.api_key
    assert settings.api_key.get_secret_value() == "a-key-for-tests"
    assert settings.access_log
    assert settings.max_images == Settings.model_fields["max_images"].default


@pytest.mark.parametrize("value", ['"8000', "8000'", "\"8000'", '"'])
def test_single_quotes_of_a_pair_are_not_removed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("INKLING_PORT", value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("name", ["AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"])
def test_port_of_a_platform_counts_where_no_other_is_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "8080")
    assert Settings().port == 8080
    assert Settings(port=1003).port == 1003
    monkeypatch.setenv("INKLING_PORT", "1002")
    assert Settings().port == 1002


def test_paths_of_vertex_ai_are_read_and_must_be_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    assert VertexAi() == VertexAi(predict_route=None, health_route=None)
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/v1/endpoints/7/deployedModels/8:predict")
    assert VertexAi().predict_route == "/v1/endpoints/7/deployedModels/8:predict"
    monkeypatch.setenv("AIP_HEALTH_ROUTE", "health")
    with pytest.raises(ValidationError):
        VertexAi()
