"""The rows of an output: the same numbers in CSV, JSON and Parquet, bit for bit those of the predictor."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from inkling.bulk.batches import Batch, Unreadable
from inkling.bulk.formats import FORMATS, encoder_of, format_of
from inkling.bulk.predictions import Results, predict
from inkling.bulk.text_rows import COLUMNS
from inkling.digit import Images
from inkling.errors import BulkError
from inkling.network.checkpoint import Checkpoint
from inkling.network.classifier import Classifier
from inkling.predictor import Fit, Predictor
from inkling.vision.image_files import PictureLimits, png_bytes

LIMITS = PictureLimits(max_pixels=10_000)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load()


def write(folder: Path, results: Results, name: str) -> Path:
    """Write results in the format of a name."""
    path = folder / name
    encoder = encoder_of(format_of(path))
    partial = folder / "partial"
    partial.write_bytes(encoder.header + encoder.rows(results, 0.5))
    encoder.finish(partial, path)
    assert not partial.exists()
    return path


def written(folder: Path, results: Results) -> list[list[dict[str, Any]]]:
    """Return the rows in each format, with the columns of JSON, and numbers as float32."""
    with write(folder, results, "out.csv").open(newline="") as file:
        by_csv: list[dict[str, Any]] = []
        for row in csv.DictReader(file):
            assert list(row) == list(COLUMNS)
            fields: dict[str, Any] = {"file": row["file"], "row": int(row["row"]) if row["row"] else None}
            if row["digit"]:
                fields |= {
                    "digit": int(row["digit"]),
                    "is_digit": {"true": True, "false": False, "": None}[row["is_digit"]],
                }
                fields |= {"probabilities": [np.float32(row[f"p{i}"]) for i in range(10)]}
                fields |= {name: np.float32(row[name]) if row[name] else None for name in ("confidence", "digit_score")}
            by_csv.append(fields | {"warnings": row["warnings"], "error": row["error"] or None})
    by_json = []
    for line in write(folder, results, "out.jsonl").read_text().splitlines():
        fields = json.loads(line)
        warnings = fields["normalized"]["warnings"] if "normalized" in fields else fields.get("warnings", [])
        fields = {"row": None, "error": None, **fields, "warnings": "; ".join(warnings)}
        fields.pop("normalized", None)
        by_json.append(_as_float32(fields))
    by_parquet = []
    for fields in pq.read_table(write(folder, results, "out.parquet")).to_pylist():
        kept = {name: value for name, value in fields.items() if value is not None or name in ("row", "error")}
        by_parquet.append(_as_float32({**kept, "warnings": "; ".join(kept.get("warnings", []))}))
    by_csv = [
        {name: value for name, value in row.items() if value is not None or name in ("row", "error")} for row in by_csv
    ]
    return [by_csv, by_json, by_parquet]


def _as_float32(fields: dict[str, Any]) -> dict[str, Any]:
    for name in ("confidence", "digit_score", "probabilities"):
        if name in fields:
            fields[name] = _floats(fields[name])
    return fields


def _floats(value: object) -> object:
    return [np.float32(number) for number in value] if isinstance(value, list) else np.float32(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("fit", ["strict", "mnist"])
def test_numbers_are_the_predictors_in_every_format(
    tmp_path: Path, predictor: Predictor, digits: Images, fit: Fit
) -> None:
    text = 'the "image", of\ntwo lines'
    items = [
        *digits[:9],
        255 - digits[9],
        Unreadable(text),
        png_bytes(digits[4]),
        b"no image",
        np.zeros((40, 300), np.uint8),
    ]
    names = ["a,b.png", 'c"d.png', "\udcff.png", "é.png", *(f"{i}.png" for i in range(10))]
    results = predict(predictor, Batch(names, None, items), fit, LIMITS)
    pictures = [*digits[:9], 255 - digits[9], digits[4]]
    expected = (
        predictor.predict_strict(np.stack(pictures)) if fit == "strict" else predictor.predict_normalized(pictures)
    )

    by_csv, by_json, by_parquet = written(tmp_path, results)

    assert by_csv == by_json == by_parquet
    assert [row["file"] for row in by_csv] == ["a,b.png", 'c"d.png', "\\udcff.png", *names[3:]]
    read = [row for row in by_csv if row["error"] is None]
    assert len(read) == 11
    np.testing.assert_array_equal([row["probabilities"] for row in read], expected.probabilities)
    np.testing.assert_array_equal([row["digit_score"] for row in read], expected.digit_scores)
    assert [row["digit"] for row in read] == expected.digits
    assert [row["warnings"] for row in read] == ["; ".join(warnings) for warnings in expected.warnings]
    assert by_csv[10]["error"] == text
    assert str(by_csv[12]["error"]).startswith("the image (8 bytes) is not an image")
    size = (
        "the image is 300x40 pixels, expected 28x28" if fit == "strict" else "300x40, 12000 pixels; the limit is 10000"
    )
    assert size in str(by_csv[13]["error"])


def test_arrays_of_images_have_rows(tmp_path: Path, predictor: Predictor, digits: Images) -> None:
    results = predict(predictor, Batch("x.npy", 40, digits), "strict", LIMITS)
    by_csv, by_json, by_parquet = written(tmp_path, results)
    assert by_csv == by_json == by_parquet
    assert [(row["file"], row["row"]) for row in by_csv] == [("x.npy", row) for row in range(40, 60)]


def test_results_without_any_prediction(tmp_path: Path, predictor: Predictor) -> None:
    results = predict(predictor, Batch("x.npy", 7, [Unreadable("why"), Unreadable("why")]), "strict", LIMITS)
    for rows in written(tmp_path, results):
        assert [(row["row"], row["error"]) for row in rows] == [(7, "why"), (8, "why")]


def test_network_without_a_digit_probe_has_no_scores(tmp_path: Path, checkpoint: Checkpoint, digits: Images) -> None:
    network = Predictor(Classifier(checkpoint, 3))
    results = predict(network, Batch("x.npy", 0, digits), "strict", LIMITS)
    by_csv, by_json, by_parquet = written(tmp_path, results)
    assert by_csv == by_json == by_parquet
    assert "is_digit" not in by_csv[0]


def test_picture_that_memory_does_not_suffice_for_is_a_row(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(picture: NDArray[np.uint8]) -> None:
        raise MemoryError

    monkeypatch.setattr("inkling.bulk.predictions.normalize", refuse)
    results = predict(predictor, Batch("x.npy", 0, [np.zeros((30, 30), np.uint8)]), "mnist", LIMITS)
    assert results.errors == {0: "the image needs more memory than there is: scale it down"}


def test_parquet_is_the_same_however_its_rows_were_divided(
    tmp_path: Path, predictor: Predictor, digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkling.bulk.parquet_rows.GROUP_ROWS", 8)
    encoder = encoder_of("parquet")
    files = []
    for step in (3, 20):
        content = encoder.header
        for row in range(0, 20, step):
            content += encoder.rows(
                predict(predictor, Batch("x", row, digits[row : row + step]), "strict", LIMITS), 0.5
            )
        (tmp_path / "partial").write_bytes(content)
        encoder.finish(tmp_path / "partial", tmp_path / f"{step}.parquet")
        files.append((tmp_path / f"{step}.parquet").read_bytes())
    assert files[0] == files[1]
    assert pq.ParquetFile(io.BytesIO(files[0])).metadata.num_row_groups == 3


def test_output_needs_the_name_of_a_format() -> None:
    assert [format_of(Path(f"a.{name}".upper())) for name in FORMATS] == list(FORMATS)
    with pytest.raises(BulkError, match=r"the output a.txt ends in none of .csv, .jsonl, .parquet"):
        format_of(Path("a.txt"))
