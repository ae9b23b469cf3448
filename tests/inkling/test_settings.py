from pathlib import Path

import pytest
from pydantic import ValidationError

from inkling.registry.registry import Registry
from inkling.settings import StoreSettings


def test_registry_is_a_file_of_the_data_directory(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path / "data")
    assert settings.registry_url == f"sqlite:///{tmp_path / 'data' / 'inkling.db'}"


def test_relative_data_directory_is_of_the_folder_that_the_process_started_in(tmp_path: Path) -> None:
    assert StoreSettings().registry_url == f"sqlite:///{tmp_path / 'var' / 'inkling.db'}"


def test_database_url_goes_before_the_data_directory(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path, database_url="postgresql://registry/inkling")
    assert settings.registry_url == "postgresql://registry/inkling"
    assert settings.has_registry


def test_registry_is_there_once_it_was_opened(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path / "data")
    assert not settings.has_registry
    Registry(settings.registry_url).close()
    assert settings.has_registry


@pytest.mark.parametrize("name", ["with space", "what?", "50%", "a#b", "in;kling", "é"])
def test_data_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    settings = StoreSettings(data_dir=tmp_path / name)
    Registry(settings.registry_url).close()
    assert (tmp_path / name / "inkling.db").is_file()


def test_environment_goes_before_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("INKLING_DATA_DIR=from-file\nINKLING_MNIST_DIR=digits\nUNKNOWN=1\n", "utf-8")
    monkeypatch.setenv("INKLING_DATA_DIR", "from-environment")
    settings = StoreSettings()
    assert (settings.data_dir, settings.mnist_dir) == (Path("from-environment"), Path("digits"))


def test_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKLING_MNIST_DIR", "")
    assert StoreSettings().mnist_dir is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        StoreSettings().data_dir = Path("elsewhere")  # type: ignore[misc]
