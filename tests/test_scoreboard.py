"""Tests of the scoreboard: verdicts that can fail, its report, its inputs, and its short form on real servers."""

import re
from pathlib import Path

import pytest

from app.settings import Settings
from benchmarks.scoreboard import image_bombs, inputs, report
from benchmarks.scoreboard.__main__ import every_attack, main, run
from benchmarks.scoreboard.arena import Arena
from benchmarks.scoreboard.bystander import FAILED_MS, Watch, percentile
from benchmarks.scoreboard.memory_group import compose_environment, compose_limit_mib
from benchmarks.scoreboard.row import Attack, Measured, NotRunError, Row, Verdict
from inkling.vision.image_files import FORMATS

pytestmark = pytest.mark.unmeasured

SHORT = (
    *("extreme-sides", "many-pixels", "costly-text", "without-key", "descriptors", "chaos", "key-in-the-log"),
    *("rebound-host", "foreign-pages", "browser-headers", "upgrade", "unread-parameters", "disguised-files"),
    *("wrong-types", "problems", "forged-log", "smuggling", "traversal", "labels", "not-mnist", "mutated-images"),
    *("same-image", "claimed-accuracy", "damaged-uploads", "flipped-bit", "deleted-database", "full-disk"),
)
"""Rows of a few seconds whose verdict is not a latency; all together take about a minute."""


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return Arena(seed=1, is_short=True, folder=tmp_path)


def attack(holds: bool) -> Attack:
    return Attack("a-row", "An attack", "nothing", lambda arena: Measured("done", "a figure", holds))


def test_row_over_its_limit_fails(arena: Arena) -> None:
    assert attack(holds=True).run(arena) == Row("a-row", "An attack", "done", "a figure", "nothing", Verdict.HOLDS)
    assert attack(holds=False).run(arena).verdict is Verdict.FAILS


def test_check_that_breaks_fails_with_its_error(arena: Arena) -> None:
    def broken(arena: Arena) -> Measured:
        raise ConnectionRefusedError("nobody listens")

    row = Attack("broken", "An attack", "", broken).run(arena)
    assert (row.verdict, row.figure) == (Verdict.FAILS, "ConnectionRefusedError: nobody listens")


def test_check_that_does_not_end_fails(arena: Arena) -> None:
    def endless(arena: Arena) -> Measured:
        while True:
            pass

    row = Attack("endless", "An attack", "", endless, limit_s=1).run(arena)
    assert (row.verdict, row.figure) == (Verdict.FAILS, "TimeoutError: the row did not end within 1 s")


def test_row_that_cannot_be_run_says_why(arena: Arena) -> None:
    def impossible(arena: Arena) -> Measured:
        raise NotRunError("needs libfaketime")

    row = Attack("clock", "A clock", "", impossible).run(arena)
    assert (row.verdict, row.figure) == (Verdict.NOT_RUN, "needs libfaketime")


def test_document_counts_and_names_what_fails(arena: Arena) -> None:
    rows = {"Faults": [attack(holds=True).run(arena), attack(holds=False).run(arena)]}
    text = report.document(rows, "make scoreboard")
    assert "2 rows: 1 hold, 1 fail, 0 were not run" in " ".join(text.split())
    assert "## What fails\n\n* `a-row`: An attack" in text
    assert "| **An attack** (`a-row`) | done | a figure | nothing | **fails** |" in text


def test_document_is_read_back_for_rows_that_are_repeated(arena: Arena) -> None:
    rows = [attack(holds=True).run(arena), Row("b", "B", "a | b", "1 | 2", "c", Verdict.FAILS)]
    assert report.rows_of(report.document({"Faults": rows}, "make scoreboard")) == {row.name: row for row in rows}


def test_document_says_when_and_where_rows_were_repeated(arena: Arena) -> None:
    rows = {"Faults": [attack(holds=True).run(arena)]}
    measured = "by `make scoreboard` on 2026-01-01: 2 cores, A CPU; `a-row`, `b` again on 2026-01-02: C"
    text = report.document(rows, measured)
    again = report.measured_again(text, ["a-row"])
    assert again == f"{measured}; `a-row` again {report.here()}"
    assert report.measured_again(report.document(rows, again), ["a-row", "b"]) == (
        f"by `make scoreboard` on 2026-01-01: 2 cores, A CPU; `a-row`, `b` again {report.here()}"
    )


def test_names_are_unique_and_can_be_chosen(arena: Arena) -> None:
    names = [each.name for each in every_attack()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    rows = run(arena, only=["no-such-row"])
    assert rows == {}


def test_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "no-such-row"])
    assert "no row is called no-such-row" in capsys.readouterr().err


def test_failed_answers_count_as_infinitely_late() -> None:
    watch = Watch(port=1, pid=1)
    watch.predictions_ms = [1.0] * 98 + [FAILED_MS] * 2
    assert not watch.predictions_hold()
    assert "p99 no answer" in watch.predictions()
    assert percentile([], 99) == float("inf")


def test_every_input_is_within_the_limit_of_bodies() -> None:
    sizes = {each.name: len(each.body) for each in inputs.all_inputs()}
    assert len(sizes) > 30
    assert max(sizes.values()) <= inputs.MAX_BYTES


def test_image_bombs_are_small_files_of_the_formats_that_the_server_reads() -> None:
    assert len(image_bombs.png(300_000, 1)) < 400
    assert len(image_bombs.animated_webp_header(8000, 4990)) <= 100
    assert image_bombs.progressive_jpeg(200, 1000).count(b"\xff\xda") > 1000
    assert {"PNG", "JPEG", "WEBP", "BMP", "GIF"} <= set(FORMATS)


def test_compose_states_a_limit_of_at_most_384_mib() -> None:
    assert 64 <= compose_limit_mib() <= 384
    settings = {name.removeprefix("INKLING_").lower() for name in compose_environment() if name.startswith("INKLING_")}
    assert settings
    assert settings <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", SHORT)
def test_short_row_holds(name: str, arena: Arena) -> None:
    (section,) = run(arena, only=[name]).values()
    assert section[0].verdict in (Verdict.HOLDS, Verdict.NOT_RUN), section[0].figure


def test_every_defense_names_rows_and_every_row_defends() -> None:
    document = (report.DOCUMENT.parent / "security.md").read_text()
    tables = [line.rpartition(" | ")[2] for line in document.splitlines() if line.startswith("| ")]
    named = {name for cells in tables for name in re.findall(r"`([a-z0-9-]+)`", cells)}
    assert named == {each.name for each in every_attack()}
