import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.cli import main
from app.settings import Settings
from inkling.model_card.measurements import measure
from inkling.network.checkpoint import Checkpoint
from inkling.plots.predictions import MARGIN, TILE
from inkling.registry.registry import Registry
from inkling.vision.normalize import normalize
from tests.app.serving.test_current_version import replace_content
from tests.support.digits import write_mnist
from tests.support.services import open_registry, publish, retrained


def inkling(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def inkling_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a command in this process: ten times faster, for commands that open no registry."""
    words = [str(word) for word in arguments]
    try:
        exit_code = main(words)
    except SystemExit as ended:
        exit_code = int(ended.code or 0)
    return subprocess.CompletedProcess(words, exit_code, *capsys.readouterr())


def check_error(process: "subprocess.CompletedProcess[str]", exit_code: int, *words: str) -> None:
    assert process.returncode == exit_code, process.stderr
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in process.stderr


@pytest.fixture
def files(tmp_path: Path, digits: NDArray[np.uint8]) -> list[Path]:
    paths = [tmp_path / f"digit {i}.png" for i in range(7)]
    for path, digit in zip(paths, digits, strict=False):
        Image.fromarray(digit).save(path)
    return paths


@pytest.fixture
def two_versions(settings: Settings, registry: Registry, shipped: Checkpoint) -> list[str]:
    """Return the arguments for a registry with two versions, of which the second is served."""
    registry.versions.add_first(shipped)
    publish(registry, retrained(shipped, 2))
    return ["--data-dir", str(settings.data_dir)]


def execute(settings: Settings, statement: str) -> None:
    """Do to the database what no method of the registry does."""
    with closing(sqlite3.connect(settings.data_dir / "inkling.db")) as connection, connection:
        connection.execute(statement)


# usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["sing"], "invalid choice: 'sing'"),
        (["predict"], "FILE"),
        (["explain", "x.png"], "--plot"),
        (["explain", "x.png", "--plot", "y.png", "--digit", "10"], "argument --digit: invalid choice"),
        (["predict", "--fit", "x.png"], "--fit"),
        (["evaluate", "--report", "card"], "card does not end in .md"),
        (["promote"], "version"),
        (["promote", "new"], "argument version: invalid"),
        (["versions", "2"], "unrecognized arguments: 2"),
        (["serve", "--port", "http"], "INKLING_PORT"),
        (["serve", "--api-key", "short"], "INKLING_API_KEY"),
        (["serve", "--trainer", "thread"], "INKLING_TRAINER"),
    ],
)
def test_wrong_usage_exits_2(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    check_error(inkling_here(capsys, *arguments), 2, "usage: inkling", words)


def test_wrong_variable_exits_2_and_is_named() -> None:
    check_error(inkling("versions", INKLING_PORT="http"), 2, "INKLING_PORT: Input should be a valid integer")


def test_unknown_variable_is_a_warning_that_names_the_nearest(files: list[Path]) -> None:
    process = inkling("predict", files[0], INKLING_DATADIR="x", INKLING_PORT="8001")
    assert process.returncode == 0
    warning = "warning: INKLING_DATADIR is not a setting of Inkling; did you mean INKLING_DATA_DIR?"
    assert process.stderr.splitlines() == [warning]


def test_help_names_every_command() -> None:
    process = inkling("--help")
    assert process.returncode == 0
    for command in (
        "serve",
        "train",
        "worker",
        "predict",
        "explain",
        "evaluate",
        "versions",
        "promote",
        "export",
        "import",
        "verify",
    ):
        assert re.search(rf"^ +{command} ", process.stdout, re.MULTILINE)


def test_help_of_serve_names_every_setting_with_its_default() -> None:
    process = inkling("serve", "--help")
    assert process.returncode == 0
    text = " ".join(process.stdout.split())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert f"(default: {field.default})" in text


def test_help_of_other_commands_names_only_their_settings() -> None:
    text = inkling("predict", "--help").stdout
    assert "--data-dir" in text
    assert "--plot" in text
    assert "--port" not in text


def test_training_is_handed_over_to_the_trainer() -> None:
    process = inkling("train", "--help")
    assert process.returncode == 0
    assert "learning_rate" in process.stdout
    assert inkling("train", "--set", "nonsense=1").returncode == 2
    assert inkling("worker", "--help").returncode == 0


def test_command_line_never_imports_tensorflow() -> None:
    code = "import sys, app.cli; sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


# predict


def test_predict_reads_files_with_the_shipped_network(files: list[Path], tmp_path: Path) -> None:
    process = inkling("predict", *files)
    assert (process.returncode, process.stderr) == (0, "")
    lines = process.stdout.splitlines()
    assert len(lines) == len(files)
    for line, file in zip(lines, files, strict=True):
        assert re.fullmatch(rf"{re.escape(str(file))}: \d \([01]\.\d{{3}}\)", line)
    assert not (tmp_path / "var").exists()  # reading makes no registry


def test_predict_draws_the_images_with_what_it_read(files: list[Path], tmp_path: Path) -> None:
    plot = tmp_path / "plot.picture"
    assert inkling("predict", *files, "--plot", plot).returncode == 0
    with Image.open(plot) as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height  # five in a row, seven in all


def test_predict_uses_the_version_served_here_or_the_checkpoint_named(
    files: list[Path], two_versions: list[str], shipped: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "shipped.safetensors").write_bytes(shipped.content)
    by_shipped = inkling("predict", *files).stdout
    assert inkling("predict", *files, *two_versions).stdout != by_shipped
    named = ["--checkpoint", tmp_path / "shipped.safetensors"]
    assert inkling("predict", *files, *two_versions, *named).stdout == by_shipped


def test_predict_names_the_file_it_cannot_read(
    capsys: pytest.CaptureFixture[str], files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    Image.new("L", (40, 40)).save(tmp_path / "large.png")
    check_error(inkling_here(capsys, "predict", files[0], tmp_path / "none.png"), 1, "error: ", "none.png")
    check_error(
        inkling_here(capsys, "predict", files[0], tmp_path / "text.png"), 1, "text.png (12 bytes) is not an image"
    )
    check_error(
        inkling_here(capsys, "predict", files[0], tmp_path / "large.png"),
        1,
        "large.png is 40x40 pixels, expected 28x28",
    )
    check_error(inkling_here(capsys, "predict", files[0], "--checkpoint", files[0]), 1, "error: not a safetensors file")


def test_predict_reads_any_picture_with_fit_mnist(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, digits: NDArray[np.uint8]
) -> None:
    photo, faint, plot = tmp_path / "photo.png", tmp_path / "faint.png", tmp_path / "plot.png"
    large = np.pad(np.asarray(Image.fromarray(digits[7]).resize((140, 140))), ((90, 0), (0, 60)))
    Image.fromarray(255 - large).save(photo)
    Image.fromarray((large // 12).astype(np.uint8)).save(faint)
    process = inkling_here(capsys, "predict", photo, faint, "--fit", "mnist", "--plot", plot)
    assert process.returncode == 0
    assert [line.split(":")[0] for line in process.stdout.splitlines()] == [str(photo), str(faint)]
    assert re.fullmatch(rf"warning: {re.escape(str(faint))}: the contrast is \d+ of 255 .*\n", process.stderr)
    with Image.open(plot) as picture:
        tile = np.asarray(picture)[MARGIN : MARGIN + TILE, MARGIN : MARGIN + TILE]
    np.testing.assert_array_equal(tile, np.kron(255 - normalize(255 - large).pixels, np.ones((6, 6), np.uint8)))


def test_predict_names_the_file_without_a_digit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Image.new("L", (60, 50), 255).save(tmp_path / "blank.png")
    process = inkling_here(capsys, "predict", tmp_path / "blank.png", "--fit", "mnist")
    check_error(process, 1, "blank.png: the picture is blank")


def test_predict_says_when_its_plot_cannot_be_written(
    capsys: pytest.CaptureFixture[str], files: list[Path], tmp_path: Path
) -> None:
    process = inkling_here(capsys, "predict", files[0], "--plot", tmp_path / "nowhere" / "plot.png")
    assert process.returncode == 1
    assert "nowhere" in process.stderr
    assert "Traceback" not in process.stderr


# explain


def test_explain_draws_why_the_digit_was_read(files: list[Path], tmp_path: Path) -> None:
    plot = tmp_path / "why.picture"
    process = inkling("explain", files[5], "--plot", plot)
    assert (process.returncode, process.stderr) == (0, "")
    prediction, logits = process.stdout.splitlines()
    assert inkling("predict", files[5]).stdout == f"{prediction}\n"
    number = r"-?\d+\.\d\d"
    match = re.fullmatch(rf"the ink moves the logit of 5 by [+]?({number}), from ({number}) to ({number})", logits)
    assert match
    assert float(match[1]) == pytest.approx(float(match[3]) - float(match[2]), abs=0.011)
    with Image.open(plot) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
    assert not (tmp_path / "var").exists()  # explaining makes no registry


def test_explain_draws_another_digit_by_another_checkpoint(
    capsys: pytest.CaptureFixture[str], files: list[Path], shipped: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "other.safetensors").write_bytes(retrained(shipped, 2).content)
    pictures = []
    for arguments in ([], ["--digit", "3"], ["--checkpoint", tmp_path / "other.safetensors", "--digit", "3"]):
        process = inkling_here(capsys, "explain", files[5], "--plot", tmp_path / "why.png", *arguments)
        assert (process.returncode, process.stderr) == (0, "")
        assert ("the logit of 3" in process.stdout) == bool(arguments)
        pictures.append((tmp_path / "why.png").read_bytes())
    assert len(set(pictures)) == 3


def test_explain_names_the_file_it_cannot_read(
    capsys: pytest.CaptureFixture[str], files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    plot = tmp_path / "why.png"
    check_error(inkling_here(capsys, "explain", tmp_path / "none.png", "--plot", plot), 1, "error: ", "none.png")
    process = inkling_here(capsys, "explain", tmp_path / "text.png", "--plot", plot)
    check_error(process, 1, "text.png (12 bytes) is not an image")
    assert not plot.exists()


# evaluate


def test_evaluate_prints_the_tutorials_line(small_mnist_dir: Path) -> None:
    process = inkling("evaluate", INKLING_MNIST_DIR=str(small_mnist_dir))
    assert (process.returncode, process.stderr) == (0, "")
    first, interval, loss, *scores = process.stdout.splitlines()
    match = re.fullmatch(r"Test Accuracy: (0\.\d{6}) \((\d+) of 500\)", first)
    assert match
    assert float(match[1]) == int(match[2]) / 500
    assert interval.startswith("95 % interval: ")
    assert loss.startswith("loss: ")
    assert len(scores) == 10


@pytest.mark.mnist
def test_evaluate_measures_what_the_card_says(real_mnist_dir: Path, shipped: Checkpoint) -> None:
    process = inkling("evaluate", "--mnist-dir", real_mnist_dir)
    evaluation = shipped.card.evaluation
    assert f"Test Accuracy: {evaluation.accuracy:f} ({evaluation.correct} of 10000)" in process.stdout


def test_evaluate_says_which_files_are_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_error(
        inkling_here(capsys, "evaluate", "--mnist-dir", tmp_path / "empty"),
        1,
        "t10k-images-idx3-ubyte",
        "SHA-256",
        "INKLING_MNIST",
    )


def test_evaluate_writes_the_model_card(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shipped: Checkpoint, tmp_path: Path
) -> None:
    # given: few images, and few drawings
    mnist = write_mnist(tmp_path / "mnist", train=20, test=20)
    monkeypatch.setattr(
        "inkling.model_card.measurements.measure", partial(measure, drawings=10, out_of_distribution_each=1)
    )
    (tmp_path / "other.safetensors").write_bytes(shipped.content)
    # when
    words = ("--report", tmp_path / "docs" / "card.md", "--compare", tmp_path / "other.safetensors")
    process = inkling_here(capsys, "evaluate", "--mnist-dir", mnist, *words)
    # then
    assert process.returncode == 0
    assert re.search(r"card\.md: the model card and \d pictures, \d+ bytes$", process.stdout.strip())
    assert process.stderr.startswith("scoring 20 test images\ncorruption 0 of 21: none\n")
    assert shipped.digest in (tmp_path / "docs" / "card.md").read_text()
    assert (tmp_path / "docs" / "card" / "confusion.png").is_file()


def test_comparison_without_a_report_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    check_error(inkling_here(capsys, "evaluate", "--compare", tmp_path / "x"), 2, "error: --compare needs --report")


def test_card_that_cannot_be_written_is_told_before_anything_is_drawn(
    capsys: pytest.CaptureFixture[str], small_mnist_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    words = ("--mnist-dir", small_mnist_dir, "--report", tmp_path / "file" / "card.md")
    process = inkling_here(capsys, "evaluate", *words)
    assert process.returncode == 1
    assert process.stderr.startswith("error: ")
    assert "drawing" not in process.stderr


def test_server_never_loads_the_report() -> None:
    code = "import sys, app.main, app.cli; sys.exit(any(name.startswith('inkling.model_card') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


# versions and promotions


@pytest.mark.parametrize("command", [["versions"], ["promote", "1"], ["verify"], ["export", "1", "x"]])
def test_versions_without_a_registry_say_what_makes_one(
    capsys: pytest.CaptureFixture[str], command: list[str], tmp_path: Path
) -> None:
    check_error(inkling_here(capsys, *command), 1, "error: there is no registry at", "inkling serve")
    assert not (tmp_path / "var").exists()


def test_versions_are_listed_with_the_served_one_marked(two_versions: list[str], shipped: Checkpoint) -> None:
    process = inkling("versions", *two_versions)
    assert process.returncode == 0
    newest, oldest = process.stdout.splitlines()
    assert re.match(r"\*    2  test accuracy \d\.\d{4}  run ", newest)
    assert re.match(r"     1  test accuracy \d\.\d{4}  shipped ", oldest)
    assert shipped.digest[:12] in oldest


def test_promote_serves_a_version(two_versions: list[str], settings: Settings) -> None:
    process = inkling("promote", "1", *two_versions)
    assert process.returncode == 0
    assert process.stdout.startswith("version 1 is served since ")
    with open_registry(settings) as registry:
        served = registry.versions.served()
        assert served
        assert (served.version, served.policy) == (1, "manual")


@pytest.mark.parametrize("version", ["3", "2147483647"])
def test_promote_refuses_a_version_that_is_not_there(two_versions: list[str], version: str) -> None:
    check_error(inkling("promote", version, *two_versions), 1, f"error: there is no version {version}")


@pytest.mark.parametrize("version", ["0", "-1", "1" + "0" * 30])
def test_promote_refuses_a_number_that_cannot_be_a_version(two_versions: list[str], version: str) -> None:
    process = inkling("promote", *two_versions, "--", version)
    assert process.returncode in (1, 2)
    assert version in process.stderr
    assert "Traceback" not in process.stderr


def test_corrupt_version_is_told_in_a_line(two_versions: list[str], settings: Settings, files: list[Path]) -> None:
    replace_content(settings, 2, b"no checkpoint")
    check_error(inkling("predict", files[0], *two_versions), 1, "error: not a safetensors file")


def test_registry_that_is_no_database_is_told_in_a_line(settings: Settings) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "inkling.db").write_bytes(b"this is no database" * 100)
    for command in (["versions"], ["verify"], ["serve", "--port", "0"], ["serve", "--port", "0", "--workers", "2"]):
        check_error(inkling(*command, "--data-dir", settings.data_dir), 1, "error: ", "not a database")


# export, import, verify


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
        assert (there.versions.get(2).origin, there.versions.get(2).evaluation.total) == ("upload", 500)
        served = there.versions.served()
        assert served
        assert served.version == 1


def test_file_imported_twice_is_one_version(two_versions: list[str], settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "one.safetensors"
    assert inkling("export", "1", file, *two_versions).returncode == 0
    assert "version 1" in inkling("import", file, *two_versions).stdout
    with open_registry(settings) as registry:
        assert len(registry.versions.newest(limit=10)) == 2


def test_import_refuses_what_is_no_checkpoint(two_versions: list[str], settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "half.safetensors"
    with open_registry(settings) as registry:
        file.write_bytes(registry.versions.checkpoint(1)[:1000])
    check_error(inkling("import", file, *two_versions), 1, "error: not a safetensors file")
    check_error(inkling("import", tmp_path / "none", *two_versions), 1, "error: ", "none")
    with open_registry(settings) as registry:
        assert len(registry.versions.newest(limit=10)) == 2


def test_export_of_what_is_not_there_writes_nothing(two_versions: list[str], tmp_path: Path) -> None:
    check_error(inkling("export", "7", tmp_path / "seven", *two_versions), 1, "error: there is no version 7")
    assert not (tmp_path / "seven").exists()
    (tmp_path / "folder").mkdir()
    check_error(inkling("export", "1", tmp_path / "folder", *two_versions), 1, "error: ", "folder")


def test_verify_finds_nothing_in_a_sound_registry(two_versions: list[str]) -> None:
    process = inkling("verify", *two_versions)
    assert (process.returncode, process.stdout, process.stderr) == (0, "consistent\n", "")


def test_verify_names_every_damage_and_exits_1(two_versions: list[str], settings: Settings) -> None:
    with open_registry(settings) as registry:
        replace_content(settings, 2, registry.versions.checkpoint(1))
    execute(settings, "UPDATE runs SET step = 4000 WHERE id = 1")
    process = inkling("verify", *two_versions)
    assert (process.returncode, process.stderr) == (1, "")
    *problems, last = process.stdout.splitlines()
    assert last.startswith("2 problems in sqlite:///")
    assert any(re.match("version 2 has SHA-256 [0-9a-f]{64}, recorded is ", problem) for problem in problems)
    assert "run 1 (succeeded) is at step 4000 of 3000" in problems


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["versions"], ["verify"]])
def test_registry_of_a_newer_program_is_told_in_a_line(
    two_versions: list[str], settings: Settings, command: list[str]
) -> None:
    execute(settings, "UPDATE alembic_version SET version_num = '9999'")
    words = ("error: the database is at revision 9999, made by a newer Inkling", "upgrade Inkling")
    check_error(inkling(*command, *two_versions), 1, *words)


# serve


def test_serve_on_a_port_that_is_taken_exits_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = inkling("serve", "--port", port, "--data-dir", tmp_path / "data", "--trainer", "external")
    assert process.returncode == 1
    assert "address already in use" in process.stderr
    assert "Traceback" not in process.stderr


def test_settings_come_from_the_env_file_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"INKLING_DATA_DIR={tmp_path / 'elsewhere'}\n")
    check_error(inkling("versions"), 1, "elsewhere")
