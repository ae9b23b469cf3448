from pathlib import Path

from app.settings import Settings
from inkling.network.checkpoint import Checkpoint
from tests.support.command_line import InklingHere, check_error, inkling
from tests.support.services import open_registry


def test_exported_version_is_imported_elsewhere_byte_for_byte(
    two_versions: list[str], settings: Settings, tmp_path: Path, shipped: Checkpoint, small_mnist_dir: Path
) -> None:
    # given
    file, other = tmp_path / "two.safetensors", settings.model_copy(update={"data_dir": tmp_path / "other"})
    with open_registry(other) as registry:
        registry.versions.add_first(shipped)
    # when
    exported = inkling("export", "2", file, *two_versions)
    imported = inkling("import", file, "--data-dir", other.data_dir, "--mnist-dir", small_mnist_dir)
    # then
    assert (exported.returncode, exported.stderr) == (0, "")
    assert exported.stdout == f"{file}: version 2, {file.stat().st_size} bytes\n"
    assert (imported.returncode, imported.stderr) == (0, "")
    assert imported.stdout.startswith(f"{file}: version 2, test accuracy 0.")
    assert "`inkling promote 2` serves it" in imported.stdout
    with open_registry(settings) as here, open_registry(other) as there:
        assert here.versions.checkpoint(2) == there.versions.checkpoint(2) == file.read_bytes()
        imported_version = there.versions.get(2)
        assert (imported_version.origin, imported_version.measured_by) == ("upload", "server")
        served = there.versions.served()
        assert served
        assert served.version == 1


def test_file_imported_twice_is_one_version(
    inkling_here: InklingHere, two_versions: list[str], settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "one.safetensors"
    assert inkling_here("export", "1", file, *two_versions).returncode == 0
    assert "version 1" in inkling_here("import", file, *two_versions).stdout
    with open_registry(settings) as registry:
        assert len(registry.versions.newest(limit=10)) == 2


def test_import_refuses_a_file_that_is_not_a_checkpoint(
    inkling_here: InklingHere, two_versions: list[str], settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "half.safetensors"
    with open_registry(settings) as registry:
        file.write_bytes(registry.versions.checkpoint(1)[:1000])
    check_error(inkling_here("import", file, *two_versions), 1, "error: not a safetensors file")
    check_error(inkling_here("import", tmp_path / "none", *two_versions), 1, f"error: {tmp_path / 'none'}: No such")
    with open_registry(settings) as registry:
        assert len(registry.versions.newest(limit=10)) == 2


def test_export_of_a_version_that_does_not_exist_writes_nothing(
    inkling_here: InklingHere, two_versions: list[str], tmp_path: Path
) -> None:
    result = inkling_here("export", "7", tmp_path / "seven", *two_versions)
    check_error(result, 1, "error: there is no version 7")
    assert not (tmp_path / "seven").exists()
    (tmp_path / "folder").mkdir()
    check_error(inkling_here("export", "1", tmp_path / "folder", *two_versions), 1, "error: ", "folder")
