"""benchmarks/scale.py: from unit costs to sizes; and docs/scale.md, which holds them."""

from pathlib import Path

from benchmarks import scale
from benchmarks.scale import Costs, Database, Idle, RequestCost, RunCost, VersionCost

COSTS = Costs(
    requests=[RequestCost("one PNG", 1, 70.0, 200, 250, statements_per_s=6.0)],
    runs=[RunCost("100 steps, the next ones", 0.6048, 0.7, 100, 1e6)],
    version=VersionCost(600_000, 0.05, 10_000),
    idle=[Idle("server", 6.0, 12.0, 0.01, 100.0, 2), Idle("trainer", 3.0, 6.0, 0.01, 80.0, 1)],
    database=Database({1: 1000.0}, 90.0),
    data="MNIST",
)


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()[2:]]


def test_servers_are_as_many_as_keep_seventy_percent_busy() -> None:
    section = scale.tables(COSTS).partition("### Sizes: images per second\n\n")[2].partition("\n\n")[0]
    rows = {row[1]: row for row in rows_of(section)}
    assert rows["10,000"][2:4] == ["1", "1"]
    assert rows["1,000,000"][2:4] == ["100", "7"]
    assert rows["1,000,000"][5:7] == ["1.60 / 2.00", "600 / 0.1"]


def test_trainers_are_as_many_as_keep_seventy_percent_busy() -> None:
    rows = rows_of(scale.tables(COSTS).partition("### Sizes: runs per day\n\n")[2])
    assert [row[1:3] for row in rows] == [["1,000", "1"], ["100,000", "1"]]
    assert rows[1][5] == "60.0"


def test_tables_take_the_place_of_the_former_ones(tmp_path: Path) -> None:
    document = tmp_path / "scale.md"
    document.write_text(f"before\n{scale.START}\nold\n{scale.END}\nafter\n")
    scale.update(document, "new")
    assert document.read_text() == f"before\n{scale.START}\n\nnew\n\n{scale.END}\nafter\n"


def test_document_has_the_tables() -> None:
    text = (Path(__file__).parents[1] / "docs" / "scale.md").read_text()
    written = text.partition(scale.START)[2].partition(scale.END)[0]
    assert [line for line in written.splitlines() if line.startswith("###")] == [
        line for line in scale.tables(COSTS).splitlines() if line.startswith("###")
    ]
