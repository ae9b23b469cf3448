import multiprocessing

import pytest

from app.observability.counter_file import CounterFile, Sheet
from app.observability.exposition import merged
from app.observability.families import IN_FLIGHT, PAUSED, PROBLEMS, REQUESTS, RUN_DURATION

LABELS = ("GET", 'a "quoted" \\ route\n', "200", "inkling")


def count(counters: CounterFile) -> None:
    """Count as another process, and die."""
    sheet = counters.claim()
    sheet.values[sheet.index_of(REQUESTS, *LABELS)] += 5
    sheet.values[sheet.index_of(IN_FLIGHT)] = 7
    sheet.values[sheet.index_of(PAUSED)] = 1
    sheet.values[sheet.index_of(RUN_DURATION, "failed") + 3] = 4


def die_counting(counters: CounterFile) -> None:
    process = multiprocessing.get_context("spawn").Process(target=count, args=(counters,))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_counts_of_dead_processes_stay_and_their_gauges_go() -> None:
    # given: a process that counts beside this one, and another one in its place
    counters = CounterFile()
    own = counters.claim()
    for _ in range(2):
        die_counting(counters)
    # when
    own.values[own.index_of(REQUESTS, *LABELS)] += 1
    own.values[own.index_of(RUN_DURATION, "failed") + 3] = 2
    own.values[own.index_of(IN_FLIGHT)] = 3
    totals = merged(counters)
    # then: two sheets, of which the second was continued
    assert len(list(counters.sheets())) == 2
    assert totals["inkling_requests", *LABELS].tolist() == [11]
    assert totals["inkling_run_duration_seconds", "failed"][3] == 4
    assert totals["inkling_requests_in_flight",].tolist() == [3]
    assert ("inkling_training_paused",) not in totals


def test_full_sheet_counts_on_and_loses_no_other_series() -> None:
    counters = CounterFile()
    sheet = counters.claim()
    first = sheet.index_of(PROBLEMS, "first")
    sheet.values[first] = 1
    long = "x" * 60_000
    indices = [sheet.index_of(PROBLEMS, f"{long}{i}") for i in range(12)]
    sheet.values[indices[-1]] = 99
    totals = merged(counters)
    assert indices[-1] == indices[-2]
    assert totals["inkling_problems", "first"].tolist() == [1]
    assert all(values.tolist() == [0] for key, values in totals.items() if key[1] != "first")


@pytest.mark.parametrize("labels", [("a",), ("b",)])
def test_two_readers_of_a_sheet_find_the_same_series(labels: tuple[str]) -> None:
    sheet = CounterFile().claim()
    index = sheet.index_of(PROBLEMS, *labels)
    assert Sheet(sheet._memory).places()["inkling_problems", *labels].first == index
