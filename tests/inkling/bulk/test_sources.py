"""Files of many images: every kind gives the same images, and what is wrong with a file or a row is said."""

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from inkling.bulk import parquet_files, storage
from inkling.bulk.batches import Batch, Unreadable
from inkling.bulk.sources import units_of
from inkling.digit import Images
from inkling.errors import BulkError
from inkling.mnist import idx_bytes
from inkling.predictor import Fit
from inkling.vision.image_files import decode_image, png_bytes
from tests.support import data_files
from tests.support.data_files import WRITERS, Write, parquet


def batches(*names: object, fit: Fit = "strict", column: str | None = None) -> list[Batch]:
    return [batch for unit in units_of(map(str, names), fit, column) for batch in unit.read(fit)]


def images_in(found: list[Batch]) -> Images:
    """Return the images (n, 28, 28) of batches without an error."""
    items = [item for batch in found for item in batch.items]
    return np.stack([decode_image(item) if isinstance(item, bytes) else item for item in items])  # type: ignore[misc]


def reasons(found: list[Batch]) -> list[str | None]:
    return [item.reason if isinstance(item, Unreadable) else None for batch in found for item in batch.items]


@pytest.mark.parametrize("fit", ["strict", "mnist"])
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_every_kind_of_file_gives_the_same_images(tmp_path: Path, digits: Images, write: Write, fit: Fit) -> None:
    file = write(tmp_path, digits)
    found = batches(file, fit=fit)
    np.testing.assert_array_equal(images_in(found), digits)
    if "tar" in write.__name__:
        names = [name for batch in found for name in batch.files]
        assert names == [f"{file}/{i:04}.png" for i in range(len(digits))]
    else:
        rows = [batch.first_row for batch in found]
        lengths = [len(batch.items) for batch in found]
        assert rows == np.cumsum([0, *lengths[:-1]]).tolist()
        assert {batch.files for batch in found} == {str(file)}


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_every_kind_of_file_is_read_from_a_store(tmp_path: Path, digits: Images, write: Write) -> None:
    url = write(tmp_path, digits).as_uri()
    if write is data_files.npy_in_fortran_order:
        with pytest.raises(BulkError, match="Fortran order, which is not read from a store"):
            batches(url)
        return
    np.testing.assert_array_equal(images_in(batches(url)), digits)


def test_large_row_groups_are_streamed(tmp_path: Path, digits: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    file = data_files.parquet_of_lists(tmp_path, digits)
    whole = batches(file)
    monkeypatch.setattr(parquet_files, "MAX_GROUP_BYTES", 1)
    monkeypatch.setattr(parquet_files, "UNIT_IMAGES", 8)
    streamed = batches(file)
    assert [len(batch.items) for batch in streamed] == [8, 8, 4]
    assert len({unit.key for unit in units_of([str(file)], "strict")}) == 3
    np.testing.assert_array_equal(images_in(streamed), images_in(whole))


def test_small_row_groups_are_read_together(tmp_path: Path, digits: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    file = data_files.parquet_of_pixels(tmp_path, digits)  # groups of 7, 7 and 6
    monkeypatch.setattr(parquet_files, "UNIT_IMAGES", 14)
    units = list(units_of([str(file)], "strict"))
    assert [unit.rows for unit in units if isinstance(unit, parquet_files.RowGroups)] == [14, 6]


def test_images_and_files_of_many_keep_their_order(tmp_path: Path, digits: Images) -> None:
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file, digit in zip(files, digits, strict=False):
        file.write_bytes(png_bytes(digit))
    array = data_files.npy(tmp_path, digits[5:7])
    found = batches(files[0], files[1], array, files[2])
    np.testing.assert_array_equal(images_in(found), digits[[0, 1, 5, 6, 2]])


def test_image_files_are_read_a_few_at_a_time(tmp_path: Path, digits: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "UNIT_BYTES", 600)
    monkeypatch.setattr(storage, "MAX_FILE_BYTES", 10_000)
    files = [tmp_path / f"{i}.png" for i in range(4)]
    for file, digit in zip(files, digits, strict=False):
        file.write_bytes(png_bytes(digit))
    files[3].write_bytes(bytes(10_001))
    for names in (files, [file.as_uri() for file in files]):
        found = batches(*names, tmp_path / "none.png")
        assert [name for batch in found for name in batch.files][:4] == [str(name) for name in names]
        *_, large, missing = reasons(found)
        assert large == "the file is larger than 10000 bytes, the limit on an image file"
        assert missing == "No such file or directory"


def test_missing_object_is_a_row(tmp_path: Path) -> None:
    (found,) = batches((tmp_path / "none.png").as_uri(), (tmp_path / "neither.png").as_uri())
    assert ["none.png" in str(reason) or "No such file" in str(reason) for reason in reasons([found])] == [True, True]


def floats(count: int) -> NDArray[np.float32]:
    return np.linspace(0, 1, count * 784, dtype=np.float32).reshape(count, 28, 28)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npy", np.zeros((5, 27, 27), np.uint8), r"it has shape \(5, 27, 27\), expected \(28, 28\), \(n, 28, 28\)"),
        ("a.npy", np.zeros((0, 28, 28), np.uint8), "it holds no image"),
        ("a.npy", np.zeros((3, 28, 28), np.complex64), "it holds complex64, expected uint8"),
        ("a.npy", np.asfortranarray(np.eye(28)), "one image in Fortran order"),
        ("a.npy", b"\x93NUMPY\1\0v\0{'descr'", "it is not a .npy file"),
        ("a.npy", b"", "it is not a .npy file"),
        ("images", b"\x93NUMPY\1\0", "it is not a .npy file"),
        ("images", idx_bytes(np.zeros((3, 28, 28), np.uint8))[:-1], "holds 2351 bytes of pixels, expected 2352"),
        ("images", idx_bytes(np.zeros(3, np.uint8)), "IDX file of kind 8 with 1 axes, expected one of images"),
        ("images", b"\0\0\x08\3\0", "it ends within its header"),
        ("a.tar", b"no tar", "it is no tar file that can be read"),
        ("a.tar", bytes(10240), "it holds no image file"),
        ("a.parquet", b"PAR1", "it is no Parquet file that can be read"),
        ("images", b"PAR1", "it is no Parquet file that can be read"),
        ("a.parquet", None, "No such file or directory"),
    ],
)
def test_file_of_many_images_that_cannot_be_read(tmp_path: Path, name: str, content: Any, words: str) -> None:
    """The first one stops the job, before it writes anything; later ones are rows."""
    file = tmp_path / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content)
    with pytest.raises(BulkError, match=f"^{file}: .*{words}"):
        batches(file)
    good = data_files.idx(tmp_path, np.zeros((2, 28, 28), np.uint8))
    first, second = batches(good, file)
    assert (len(first.items), second.files, len(second.items)) == (2, str(file), 1)


@pytest.mark.parametrize("fit", ["strict", "mnist"])
def test_single_images_and_pictures_in_arrays(tmp_path: Path, digits: Images, fit: Fit) -> None:
    (batch,) = batches(data_files.npy(tmp_path, digits[3]), fit=fit)
    np.testing.assert_array_equal(batch.items, digits[3:4])
    wide = np.zeros((2, 40, 60), np.int32)
    file = data_files.npy(tmp_path, wide)
    if fit == "strict":
        with pytest.raises(BulkError, match="shape"):
            batches(file)
    else:
        assert np.asarray(batches(file, fit=fit)[0].items).shape == (2, 40, 60)
    with pytest.raises(BulkError, match=r"shape \(2, 2, 28, 28\)"):
        batches(data_files.npy(tmp_path, np.zeros((2, 2, 28, 28), np.uint8)), fit=fit)


def test_numbers_beyond_gray_levels_are_rows_with_their_reason(tmp_path: Path, digits: Images) -> None:
    array = digits[:4].astype(np.float64)
    array[1] /= array[1].max()
    array[2, 0, 0] = np.nan
    array[3, 0, 0] = -1
    found = batches(data_files.npy(tmp_path, array))
    scaled = "it seems to be scaled to 0 to 1 (its largest number is 1); multiply by 255"
    no_number, negative = (
        f"it holds numbers from {low} to {high}, expected 0 to 255"
        for low, high in (("nan", "nan"), ("-1", f"{array[3].max():g}"))
    )
    assert reasons(found) == [None, scaled, no_number, negative]
    np.testing.assert_array_equal(found[0].items[0], digits[0])


def test_file_that_is_cut_off_gives_what_it_holds(tmp_path: Path, digits: Images) -> None:
    packed = gzip.compress(idx_bytes(digits))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    found = batches(cut)
    whole = len(found[0].items)
    assert 0 < whole < len(digits)
    assert reasons(found[1:]) == [f"it ends after {whole} of {len(digits)} images"]

    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(packed[:-8] + bytes(4) + packed[-4:])  # its checksum
    assert "it is damaged, at the latest after" in str(reasons(batches(damaged))[-1])

    shard = data_files.tar(tmp_path, digits)
    os.truncate(shard, 10 * 2048 + 512 + 100)  # within the content of the eleventh image
    assert "it cannot be read beyond" in str(reasons(batches(shard))[-1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda whole: whole[: 10 * 2048], "it ends without the zeros at the end of an archive, so it is cut off"),
        (
            lambda whole: whole[: 10 * 2048 + 100],
            "it ends without the zeros at the end of an archive, so it is cut off",
        ),
        (
            lambda whole: whole[: 10 * 2048] + b"?" * 512 + whole[10 * 2048 + 512 :],
            "what follows is neither a file nor the end of the archive",
        ),
        (
            lambda whole: whole[: 10 * 2048] + bytes(1024) + whole,
            "what follows is neither a file nor the end of the archive",
        ),
    ],
)
def test_tar_that_ends_too_early_says_so(
    tmp_path: Path, digits: Images, change: Callable[[bytes], bytes], reason: str
) -> None:
    content = change(data_files.tar(tmp_path, digits).read_bytes())  # 2,048 bytes per image
    for name, stored in (("cut.tar", content), ("cut.tgz", gzip.compress(content))):
        file = tmp_path / name
        file.write_bytes(stored)
        assert reasons(batches(file)) == [*[None] * 10, f"it cannot be read beyond 10 images: {reason}"]


def test_file_that_changes_under_the_job_is_reported_for_each_of_its_images(tmp_path: Path, digits: Images) -> None:
    array, table = data_files.npy(tmp_path, digits), data_files.parquet_of_pixels(tmp_path, digits)
    units = list(units_of([str(array), str(table)], "strict"))
    os.truncate(array, 200)
    content = table.read_bytes()
    table.write_bytes(content[:8] + bytes(3000) + content[3008:])  # the pages of the first row groups
    first, second = (list(unit.read("strict")) for unit in units)
    assert [len(reasons(found)) for found in (first, second)] == [20, 20]
    assert "mmap" in str(reasons(first)[0])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([b"x" * 783, None, b""], [None, "it is null", None]),  # files: their reader explains
        ([[1, 2, 3], None, []], ["it holds 3 numbers, expected 784, or a list of rows", "it is null", "it is empty"]),
        ([[[1, 2], [3]], [[None]], [[7] * 28] * 28], ["its rows have different lengths", "it holds nulls", None]),
        ([[0.5] * 784, [300.0] * 784, [7.0] * 784], [r"scaled to 0 to 1", "from 300 to 300", None]),
    ],
)
def test_rows_that_are_no_images(tmp_path: Path, column: Any, expected: list[str | None]) -> None:
    found = reasons(batches(parquet(tmp_path, pa.array(column))))
    assert len(found) == 3
    for reason, words in zip(found, expected, strict=True):
        assert words in (reason or "") if words else reason is None


def test_image_file_of_784_bytes_is_no_raw_image(tmp_path: Path, digits: Images) -> None:
    png = png_bytes(digits[0]).ljust(784, b"\0")
    (batch,) = batches(parquet(tmp_path, pa.array([digits[1].tobytes(), png])))
    assert isinstance(batch.items[1], bytes)
    np.testing.assert_array_equal(batch.items[0], digits[1])


def test_column_is_found_or_named(tmp_path: Path, digits: Images) -> None:
    values = pa.array([image.tobytes() for image in digits])
    table = pa.table({"before": values, "img": values, "label": pa.array(range(20))})
    file = tmp_path / "two.parquet"
    pa.parquet.write_table(table, file)
    assert len(images_in(batches(file))) == 20  # img is a usual name
    assert len(images_in(batches(file, column="before"))) == 20
    with pytest.raises(BulkError, match=r"has no column x; its columns are before \(binary\), img \(binary\), label"):
        batches(file, column="x")
    with pytest.raises(BulkError, match="its column label holds int64, expected image files"):
        batches(file, column="label")
    pa.parquet.write_table(table.rename_columns(["a", "b", "c"]), file)
    with pytest.raises(BulkError, match=r"several of its columns could hold images: name one \(--column\)"):
        batches(file)
    pa.parquet.write_table(table.select(["label"]), file)
    with pytest.raises(BulkError, match=r"has no column of images, .*; its columns are label \(int64\)"):
        batches(file)
    pa.parquet.write_table(table.slice(0, 0), file)
    with pytest.raises(BulkError, match="it holds no row"):
        batches(file)


def test_units_are_split_until_one_image_is_left(tmp_path: Path, digits: Images) -> None:
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for name in (data_files.npy(tmp_path, digits), data_files.tar(tmp_path, digits), files):
        names = name if isinstance(name, list) else [name]
        (unit,) = units_of(map(str, names), "strict")
        first, second = unit.split()
        count = len(reasons([*first.read("strict"), *second.read("strict")]))
        assert count == len(reasons(list(unit.read("strict"))))
        while parts := first.split():
            first = parts[0]
        assert reasons(list(first.failed("why").read("strict"))) == ["why"]
    (table,) = units_of([str(data_files.parquet_of_pixels(tmp_path, digits))], "strict")
    assert list(table.split()) == []
    assert reasons(list(table.failed("why").read("strict"))) == ["why"] * 20


def test_gzip_of_something_else_is_taken_for_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"text"))
    (tmp_path / "b.gz").write_bytes(b"\x1f\x8b damaged")
    found = batches(tmp_path / "a.gz", tmp_path / "b.gz", tmp_path / "none")
    assert [isinstance(item, bytes) for item in found[0].items] == [True, True, False]


def test_tar_in_gzip_is_recognized_by_its_content(tmp_path: Path, digits: Images) -> None:
    file = data_files.tar_gz(tmp_path, digits).rename(tmp_path / "download")
    np.testing.assert_array_equal(images_in(batches(file)), digits)
    assert io.BytesIO(file.read_bytes()).read(2) == b"\x1f\x8b"
