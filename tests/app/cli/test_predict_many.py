"""`inkling predict --out`: real processes, killed and continued; the numbers of POST /predict; errors in one line."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from inkling.digit import Images
from tests.support import data_files
from tests.support.command_line import InklingHere, check_error, inkling
from tests.support.processes import wait_until, without_module

UNIT_FILES = 256


def read_rows(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.anyio
async def test_rows_are_what_the_service_answers(
    inkling_here: InklingHere, client: httpx.AsyncClient, files: list[Path], tmp_path: Path, digits: Images
) -> None:
    array = data_files.parquet_of_lists(tmp_path, np.concatenate([digits, 255 - digits[:3]]))
    out = tmp_path / "out.jsonl"
    result = inkling_here("predict", *files, array, "--out", out)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.startswith(f"{out}: 30 images; ")

    rows = read_rows(out)
    assert [row.pop("file") for row in rows] == [*map(str, files), *[str(array)] * 23]
    assert [row.pop("row", None) for row in rows] == [*[None] * 7, *range(23)]
    body = np.concatenate([digits[:7], digits, 255 - digits[:3]]).tobytes()
    answer = await client.post("/predict", content=body, headers={"Content-Type": "application/octet-stream"})
    assert rows == answer.json()["predictions"]  # equal numbers, so equal bits


@pytest.mark.anyio
async def test_pictures_are_normalized_as_by_the_service(
    inkling_here: InklingHere, client: httpx.AsyncClient, files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    assert inkling_here("predict", files[3], "--fit", "mnist", "--out", out).returncode == 0
    answer = await client.post(
        "/predict?fit=mnist", content=files[3].read_bytes(), headers={"Content-Type": "image/png"}
    )
    (row,) = read_rows(out)
    assert row == {"file": str(files[3]), **answer.json()["predictions"][0]}


def test_bad_files_are_rows_and_the_exit_code_says_so(
    inkling_here: InklingHere, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "digit 1.png").write_text("no image")
    out = tmp_path / "out.parquet"
    result = inkling_here("predict", tmp_path, "--out", out, "--processes", "2")
    assert result.returncode == 1
    first = f"{files[1]}: the image (8 bytes) is not an image; PNG, JPEG, WEBP, BMP, GIF, AVIF, HEIC are read"
    assert result.stderr.splitlines()[1] == f"error: 1 could not be read, see the column error; the first: {first}"
    table = pq.read_table(out).to_pylist()
    assert [row["file"] for row in table] == list(map(str, files))
    assert [row["error"] is None for row in table] == [True, False, *[True] * 5]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_job_that_is_ended_in_the_middle_continues_to_the_same_bytes(
    tmp_path: Path, files: list[Path], number: signal.Signals, name: str
) -> None:
    names = [f"{files[i % 7]}\n" for i in range(3 * UNIT_FILES - 9)] + ["none.png\n"]
    command = [sys.executable, "-m", "app.cli", "predict", "-", "--processes", "1", "--out"]
    folder = tmp_path / "out"
    folder.mkdir()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so its children
    with subprocess.Popen(
        [*command, folder / name], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write("".join(names[:UNIT_FILES]))
        process.stdin.flush()
        state = folder / f"{name}.partial.json"
        assert wait_until(lambda: state.exists() or process.poll(), "the state was saved") is True
        os.killpg(process.pid, number)
        log = process.stderr.read()
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130), log
    assert "Traceback" not in log
    assert json.loads(state.read_text())["images"] == UNIT_FILES

    def run(out: Path) -> str:
        ended = subprocess.run([*command, out], input="".join(names), capture_output=True, text=True, check=False)
        assert ended.returncode == 1  # none.png
        return ended.stderr

    assert f"767 images, {UNIT_FILES} of them before; ".replace("767", str(len(names))) in run(folder / name)
    assert "before" not in run(tmp_path / name)
    assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert [file.name for file in folder.iterdir()] == [name]


def test_input_that_has_changed_is_not_continued(inkling_here: InklingHere, files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    state = {"settings": {}, "units": 1, "digest": "other", "size": 0, "images": 5, "errors": 0}
    partial = tmp_path / "out.csv.partial.json"
    assert inkling_here("predict", files[0], "--out", out).returncode == 0
    out.rename(tmp_path / "out.csv.partial")
    partial.write_text(json.dumps(state))
    result = inkling_here("predict", files[0], "--out", out)
    assert "was begun with other options" in result.stderr
    words = result.stderr.partition("(")[2].partition(")")[0].split(", ")
    settings = dict(word.split(" was None, is ") for word in _joined(words))
    partial.write_text(json.dumps({**state, "settings": settings}))
    check_error(
        inkling_here("predict", files[0], "--out", out), 1, "the input has changed since its first 5 images were read"
    )


def _joined(words: list[str]) -> list[str]:
    """Put together again what was split at a comma inside of a value."""
    joined: list[str] = []
    for word in words:
        if " was None" in word:
            joined.append(word)
        else:
            joined[-1] += f", {word}"
    return joined


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--out", "out.txt"], 1, "the output out.txt ends in none of .csv, .jsonl, .parquet"),
        (["--out", "none/out.csv"], 1, "none is not a folder: the output cannot be written there"),
        (["--out", "out.csv", "--json"], 2, "--out and --json exclude each other"),
        (["--out", "out.csv", "--plot", "x.png"], 2, "--out and --plot exclude each other"),
        (["--overwrite"], 2, "--overwrite needs --out FILE"),
        (["--column", "x"], 2, "--column needs --out FILE"),
        (["--processes", "2"], 2, "--processes needs --out FILE"),
        (["--engine", "ray"], 2, "--engine needs --out FILE"),
        (["--out", "out.csv", "--processes", "0"], 2, "'0' is not an integer from 1 to 1024"),
        (["-"], 2, "- reads a list of files from standard input, which needs --out FILE"),
        (["none.npy", "--out", "out.csv"], 1, "none.npy: No such file or directory"),
        (["empty", "--out", "out.csv"], 1, "empty holds no image file"),
    ],
)
def test_wrong_arguments_are_errors_before_anything_is_read(
    inkling_here: InklingHere, files: list[Path], arguments: list[str], exit_code: int, words: str
) -> None:
    Path("empty").mkdir()
    check_error(inkling_here("predict", files[0], *arguments), exit_code, words)
    assert not list(Path().glob("out*"))


def test_empty_list_is_an_error(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "predict", "-", "--out", tmp_path / "out.csv"],
        input="\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, "error: the list of files is empty: there is no image to read\n")


@pytest.mark.parametrize(
    ("package", "input_name", "out"),
    [("pyarrow", "digit 0.png", "out.parquet"), ("fsspec", "file://digit.png", "out.csv")],
)
def test_missing_extra_is_named(tmp_path: Path, files: list[Path], package: str, input_name: str, out: str) -> None:
    result = inkling("predict", input_name, "--out", out, **without_module(tmp_path, package))
    check_error(result, 1, f"{package} is not installed; run pip install '.[bulk]' in the project's folder")


def test_engine_needs_its_extra(tmp_path: Path, files: list[Path]) -> None:
    result = inkling("predict", *files, "--out", "out.csv", "--engine", "ray", **without_module(tmp_path, "ray"))
    check_error(result, 1, "ray is not installed; run pip install '.[ray]' in the project's folder")


def test_text_needs_no_extra(tmp_path: Path, files: list[Path]) -> None:
    result = inkling("predict", *files, "--out", "out.csv", **without_module(tmp_path, "tqdm"))
    assert (result.returncode, len((tmp_path / "out.csv").read_text().splitlines())) == (0, 8)


def test_terminal_shows_the_progress(tmp_path: Path, files: list[Path]) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "app.cli", "predict", *map(str, files), "--out", str(tmp_path / "out.csv")]
    with subprocess.Popen(command, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # how Linux ends a terminal
                break
    os.close(ours)
    assert process.returncode == 0
    assert b"0.00 images" in shown
    assert b"out.csv: 7 images; " in shown
