import re

import pytest

import inkling as library
from app.cli.commands import COMMANDS
from app.cli.upkeep import RETENTION
from app.settings import Settings
from tests.support.command_line import InklingHere, check_error, inkling

READING = {"data_dir", "database_url", "max_pixels", "max_side", "max_decoder_bytes", "digit_threshold"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["missing command", "inkling --help"]),
        (["sing"], ["no such command 'sing'", "inkling --help"]),
        (["predictt"], ["no such command 'predictt'", "Did you mean 'predict'?"]),
        (["predict"], ["missing argument 'FILE'", "inkling predict --help"]),
        (["explain", "x.png"], ["missing option '--plot'"]),
        (["explain", "x.png", "--plot", "y.png", "--digit", "10"], ["'--digit'", "'10' is not an integer from 0 to 9"]),
        (["predict", "--fit", "x.png"], ["'--fit'", "'x.png' is not one of 'strict', 'mnist'"]),
        (["predict", "--json", "--csv", "x.png"], ["--json and --csv exclude each other"]),
        (["evaluate", "--report", "card"], ["'--report'", "card does not end in .md"]),
        (["evaluate", "--compare", "x"], ["--compare needs --report"]),
        (["evaluate", "--before", "x"], ["--before needs --report"]),
        (["evaluate", "--all"], ["--all needs --report"]),
        (["promote"], ["missing argument 'VERSION'"]),
        (["promote", "new"], ["'VERSION'", "'new' is not an integer from 1 to 2147483647"]),
        (["versions", "2"], ["unexpected extra argument", "2"]),
        (["serve", "--access-log", "yes"], ["unexpected extra argument", "yes"]),
    ],
)
def test_wrong_usage_is_an_error_in_one_line_and_exits_2(
    inkling_here: InklingHere, arguments: list[str], words: list[str]
) -> None:
    check_error(inkling_here(*arguments), 2, *words)


def test_process_with_wrong_usage_exits_2() -> None:
    check_error(inkling("versions", "2"), 2, "unexpected extra argument")


def test_version_is_printed(inkling_here: InklingHere) -> None:
    result = inkling_here("--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"inkling {library.__version__}\n", "")


def test_help_names_every_command_in_its_group(inkling_here: InklingHere) -> None:
    result = inkling_here("--help")
    assert (result.returncode, result.stderr) == (0, "")
    found = re.findall(r"^  (\w+) +[A-Z]\w+ |^([A-Z].*):$", result.stdout, re.MULTILINE)
    assert [command or group for command, group in found] == [
        *("Options",),
        *("Serve and train", "serve", "train", "worker", "search", "searches"),
        *("Read images", "predict", "read", "explain", "evaluate"),
        *("Versions", "versions", "promote", "delete", "export", "import", "feedback"),
        *("Registry", "verify", "prune", "backup", "restore", "move"),
    ]


def test_short_help_option_is_the_help(inkling_here: InklingHere) -> None:
    for command in ([], ["predict"]):
        assert inkling_here(*command, "-h").stdout == inkling_here(*command, "--help").stdout


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"train", "worker"}))
def test_help_fits_a_plain_terminal(command: str, monkeypatch: pytest.MonkeyPatch, inkling_here: InklingHere) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    text = inkling_here(command, "--help").stdout
    assert text.isascii()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_help_of_serve_names_every_setting_with_its_default(inkling_here: InklingHere) -> None:
    text = " ".join(inkling_here("serve", "--help").stdout.split())
    assert "None" not in text
    for name, field in Settings.model_fields.items():
        _, _, after = text.partition(f"--{name.replace('_', '-')} ")
        own = re.split(r" --(?!no-)", after)[0]
        assert " ".join((field.description or "").split()) in own
        default = "off" if field.default is False else field.default
        assert own.count("[default: ") == (field.default is not None)
        assert field.default is None or f"[default: {default}]" in own


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("serve", set(Settings.model_fields)),
        ("predict", READING),
        ("explain", READING),
        ("read", READING),
        ("evaluate", {"data_dir", "database_url", "mnist_dir", "dataset", "dataset_fit", "dataset_skip"}),
        ("versions", {"data_dir", "database_url"}),
        ("promote", {"data_dir", "database_url"}),
        ("export", {"data_dir", "database_url"}),
        ("import", {"data_dir", "database_url", "mnist_dir"}),
        ("verify", {"data_dir", "database_url"}),
        ("backup", {"data_dir", "database_url"}),
        ("prune", {"data_dir", "database_url", *RETENTION}),
    ],
)
def test_command_has_the_settings_that_it_uses(command: str, names: set[str], inkling_here: InklingHere) -> None:
    text = inkling_here(command, "--help").stdout
    flags = set(re.findall(r"^  --([a-z-]+)", text, re.MULTILINE))
    assert {name for name in Settings.model_fields if name.replace("_", "-") in flags} == names


def test_setting_of_another_command_is_wrong_usage(inkling_here: InklingHere) -> None:
    check_error(inkling_here("predict", "--host", "0.0.0.0", "x.png"), 2, "no such option: --host")
