"""Tests of the benchmarks: wrk's output, checks of answers, thresholds, uploads and the chart."""

import io
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from app.bodies.images import read_images
from app.bodies.limits import UploadLimits
from benchmarks import (
    audit,
    beside_others,
    bulk,
    chart,
    corrections,
    dialects,
    document_sections,
    garments,
    load,
    processes,
    serving,
    verdicts,
)
from benchmarks.digits import make_digits, write_mnist
from benchmarks.load import Load
from benchmarks.operations.__main__ import DOCUMENT, TITLE, with_section
from benchmarks.operations.scrapes import series_gone_back
from benchmarks.people import Person
from benchmarks.serving import Race
from inkling import mnist
from inkling.datasets.own_data import read_own_data
from inkling.network.classifier import Classifier
from tests.support.processes import wait_until


def race(rates: dict[str, list[float]]) -> Race:
    """Return a race on raw bodies with these requests per second, round by round, at any number of connections."""
    return Race(
        {
            ("raw", name, connections): [Load(rate, p50_ms=1.0, p99_ms=1e4 / rate) for rate in many]
            for name, many in rates.items()
            for connections in serving.SECONDS
        }
    )


def test_output_of_wrk_is_parsed() -> None:
    output = 'a warning\n{"requests": 500, "duration_us": 250000, "p50_us": 1500, "p99_us": 20000, "errors": 0}\n'
    assert load.parse(output) == Load(requests_per_s=2000.0, p50_ms=1.5, p99_ms=20.0)


@pytest.mark.parametrize(("requests", "errors"), [(500, 1), (0, 0)])
def test_load_with_errors_or_without_answers_is_no_measurement(requests: int, errors: int) -> None:
    output = json.dumps({"requests": requests, "duration_us": 1, "p50_us": 1, "p99_us": 1, "errors": errors})
    with pytest.raises(RuntimeError, match=f"{errors} errors in {requests} requests"):
        load.parse(output)


def test_ratios_are_taken_within_a_round() -> None:
    measured = race({"Inkling": [100.0, 300.0], "no-op FastAPI": [200.0, 300.0]})
    assert measured.ratios("raw", "no-op FastAPI") == [0.5, 1.0]
    assert verdicts.spread([0.5, 1.0, 0.7]) == "0.70x (0.50 to 1.00)"


def test_threshold_is_compared_with_the_median() -> None:
    measured = race({"Inkling": [100.0, 300.0, 150.0], "no-op FastAPI": [200.0, 300.0, 200.0], "mosec": [100.0] * 3})
    results = {verdict.subject: verdict.is_met for verdict in serving.verdicts(measured)}
    assert results == {"raw: Inkling / no-op FastAPI": True, "raw: Inkling / mosec": True, "raw: p99": True}


def test_rates_beside_others_are_compared_per_free_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside_others, "count_cpus", lambda: 2)
    rates = {"quiet": 100.0, "2 busy loops": 40.0, "a quota of 0.5 cores": 20.0}
    found = beside_others.BesideOthers(
        {(name, "1 PNG"): [rate] for name, rate in rates.items()}, {name: [200 / rate] for name, rate in rates.items()}
    )
    assert [verdict.measured for verdict in beside_others.verdicts(found)] == [
        "0.60x (0.60 to 0.60)",  # two of three fair shares of two cores
        "2.50x (2.50 to 2.50)",
        "0.40x (0.40 to 0.40)",
        "5.00x (5.00 to 5.00)",
    ]
    assert [verdict.is_met for verdict in beside_others.verdicts(found)] == [True, True, False, False]
    assert "| 1 PNG | 100 | 40, 0.60x | 20, 0.40x |" in beside_others.section(found)


def test_requests_of_other_protocols_keep_their_headers(tmp_path: Path) -> None:
    posts = dialects.rest_posts(tmp_path)
    path, post = posts["v2, binary UINT8"]
    (header,) = post.headers
    length = int(header.removeprefix("Inference-Header-Content-Length: "))
    assert (path, len(post.body.read_bytes()) - length) == ("/v2/models/mnist/infer", 784)
    assert {path for path, _ in posts.values()} == {"/predict", path, "/v1/models/mnist:predict"}


def test_other_protocols_are_compared_with_ours_and_with_the_peers() -> None:
    ours = {dialects.RAW: [Load(100.0, 1.0, 2.0)], "v2": [Load(80.0, 1.0, 3.0)]}
    report = dialects.section(ours, {"mosec": [Load(40.0, 1.0, 9.0)]}, 16)
    assert "| v2 | 80 | 3.00 | 0.80x | 2.00x |" in report
    assert "| mosec | 40 | 9.00 | 0.40x | 1.00x |" in report


def test_missing_contestant_is_named_with_the_reason() -> None:
    measured = race({"Inkling": [100.0]})
    measured.absent["mosec"] = "not installed: make bench-peers"
    assert "Left out: mosec, not installed: make bench-peers." in serving.section(measured)


def test_answer_with_a_wrong_digit_is_refused() -> None:
    expected: dict[str, object] = {"digit": 7, "probabilities": [0.0] * 7 + [1.0, 0.0, 0.0]}
    answer = {"predictions": [{"digit": 7, "confidence": 1.0, "probabilities": expected["probabilities"]}]}
    serving.check_answer(json.dumps(answer).encode(), expected)
    answer["predictions"][0]["digit"] = 8
    with pytest.raises(RuntimeError, match="expected"):
        serving.check_answer(json.dumps(answer).encode(), expected)


def test_uploads_hold_the_digit_of_the_expected_answer(tmp_path: Path) -> None:
    posts, expected = serving.uploads(tmp_path)
    with Image.open(tmp_path / "digit.png") as picture_file:
        pixels = np.asarray(picture_file)
    for post in posts.values():
        (image,) = read_images(post.body.read_bytes(), post.content_type, UploadLimits(1, 784))
        np.testing.assert_array_equal(image, pixels)
    assert expected["digit"] == 7


def test_bulk_bodies_hold_the_same_images() -> None:
    images = np.tile(make_digits(20, seed=1)[0], (50, 1, 1))
    for body in bulk.bodies(images):
        found = read_images(body.content, body.content_type, UploadLimits(10_000, 784))
        np.testing.assert_array_equal(found, images)


def test_synthetic_digits_are_legible_and_the_same_for_the_same_seed(classifier: Classifier) -> None:
    images, labels = make_digits(200, seed=1)
    assert images.shape == (200, 28, 28)
    assert (classifier.probabilities(images).argmax(axis=1) == labels).mean() > 0.9
    np.testing.assert_array_equal(images, make_digits(200, seed=1)[0])
    assert (images != make_digits(200, seed=2)[0]).any()


def test_synthetic_data_set_is_read_like_mnist(tmp_path: Path) -> None:
    data = mnist.read_folder(write_mnist(tmp_path / "mnist", train=30, test=10))
    assert (len(data.train), len(data.test)) == (30, 10)
    np.testing.assert_array_equal(data.train.images, make_digits(30, seed=1)[0])


def has_ended(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_memory_and_cpu_time_are_those_of_the_process_tree() -> None:
    command = ["bash", "-c", "sleep 30 & wait"]
    with processes.running(command, port=processes.free_port()) as process:
        process.wait_for(lambda: len(process.tree()) == 2)
        sizes = process.resident_mib()
        assert len(sizes) == 2
        assert 100 > sizes[0] >= sizes[1] > 0
        assert 0 <= process.cpu_s() < 10
        child = process.tree()[1]
    assert process.popen.poll() is not None
    assert wait_until(lambda: has_ended(child), "the child to end")


def test_process_that_ends_is_reported_while_waiting() -> None:
    port = processes.free_port()
    with (
        processes.running(["bash", "-c", "exit 3"], port) as process,
        pytest.raises(RuntimeError, match="exit code 3"),
    ):
        process.wait_for(process.is_ready)


def test_chart_shows_every_contestant_from_the_fastest_down() -> None:
    figure = Figure()
    panels = {"one": {"no-op FastAPI": 200.0, "Inkling": 100.0}, "two": {"Inkling": 50.0}}
    chart.draw_panels(figure, panels)
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert names == [["no-op FastAPI", "Inkling"], ["Inkling"]]
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [["200", "100"], ["50"]]
    assert figure.axes[0].patches[0].get_facecolor() != figure.axes[0].patches[1].get_facecolor()


def test_chart_file_grows_with_the_contestants(tmp_path: Path) -> None:
    heights = []
    for rates in ({"Inkling": [100.0]}, {"Inkling": [100.0], "no-op FastAPI": [200.0], "mosec": [50.0]}):
        chart.write_chart(race(rates), tmp_path / "race.png")
        with Image.open(io.BytesIO((tmp_path / "race.png").read_bytes())) as image:
            heights.append(image.height)
    assert heights[0] < heights[1]


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], audit.CLEAN, "1 packages, no advisories"),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}],
            audit.VULNERABLE,
            "a 1: X-1, fixed in 2",
        ),
        ([{"name": "a", "skip_reason": "not found"}], audit.UNKNOWN, "no source of advisories can be reached"),
        ([], audit.UNKNOWN, "0 packages compared"),
    ],
)
def test_audit_says_what_it_could_not_compare(packages: list[dict[str, object]], code: int, words: str) -> None:
    found = audit.parse(json.dumps({"dependencies": packages}))
    assert found.exit_code == code
    assert words in str(found)


def test_output_that_is_no_report_is_no_clean_audit() -> None:
    assert audit.parse("").exit_code == audit.UNKNOWN


@pytest.mark.parametrize(("package", "fixed"), [("python-multipart", (0, 0, 31)), ("pillow", (12, 3))])
def test_floors_are_above_known_advisories(package: str, fixed: tuple[int, ...]) -> None:
    project = tomllib.loads((processes.ROOT / "pyproject.toml").read_text())["project"]
    (floor,) = [line.partition(">=")[2] for line in project["dependencies"] if line.startswith(f"{package}>=")]
    assert tuple(map(int, floor.split("."))) >= fixed
    for lock in processes.ROOT.glob("requirements*.lock"):
        for version in re.findall(rf"^{package}==([\d.]+)", lock.read_text(), re.MULTILINE):
            assert tuple(map(int, version.split("."))) >= fixed, lock.name


def test_person_always_writes_in_the_same_hand() -> None:
    labels = [0, 4, 7]
    first, again, other = (Person(seed).write(labels, 5) for seed in (1, 1, 2))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)
    assert not np.array_equal(first.images, Person(1).write(labels, 6).images)
    assert first.images.reshape(3, -1).max(axis=1).min() > 200
    assert first.labels.tolist() == labels


def test_drawn_garments_are_a_dataset_with_the_names_of_its_classes(tmp_path: Path) -> None:
    first, again = (read_own_data(garments.write_garments(tmp_path / name, 40, 20)) for name in ("first", "again"))
    assert (first.classes, first.fit) == (tuple(garments.SILHOUETTES), "plain")
    assert (len(first.train), len(first.test)) == (40, 20)
    assert first.digest == again.digest


def test_poison_changes_a_share_of_the_labels() -> None:
    sent = [corrections.correction(bytes(784), label=i % 10, digit=3, source="anna") for i in range(20)]
    poisoned = corrections.poison(sent, 0.3, seed=1)
    changed = [(one.label, other.label) for one, other in zip(sent, poisoned, strict=True) if one != other]
    assert len(changed) == 6
    assert all(other == (label + 1) % 10 for label, other in changed if label is not None)


def test_rows_of_a_document_are_replaced_by_their_first_cell(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    before, after = "# One\n\n| a | b |\n| --- | --- |\n| x | old |\n", "\n# Two\n\nmore\n"
    document.write_text(f"text\n{before}| z | kept |\n{after}")
    document_sections.write_rows(document, "One", [["x", "new"], ["y", "added"]])
    expected = before.replace("old", "new") + "| z | kept |\n| y | added |\n"
    assert document.read_text() == f"text\n{expected}{after}"
    with pytest.raises(ValueError, match="no table below the heading 'Two'"):
        document_sections.write_rows(document, "Two", [])


def test_series_that_goes_back_or_is_missing_is_found_but_no_gauge() -> None:
    kinds = "# TYPE a_total counter\n# TYPE s histogram\n# TYPE g gauge\n"
    before = f'{kinds}a_total{{x="1 2"}} 5.0\na_total{{x="3"}} 1.0\ns_bucket{{le="1"}} 2\ns_count 3\ng 9.0\n'
    after = f'{kinds}a_total{{x="1 2"}} 4.0\ns_bucket{{le="1"}} 2\ns_count 4\ng 1.0\n'
    assert series_gone_back(before, after) == {'a_total{x="1 2"}', 'a_total{x="3"}'}
    assert series_gone_back(after, after) == set()


def test_section_of_a_document_is_replaced_and_nothing_else() -> None:
    text = DOCUMENT.read_text()
    assert text.count(f"\n{TITLE}\n") == 1
    changed = with_section(text, f"{TITLE}\n\nmeasured again\n")
    assert "measured again" in changed
    assert [line for line in changed.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith("#")
    ]
    assert changed.replace("measured again", "x") == with_section(changed, f"{TITLE}\n\nx\n")
