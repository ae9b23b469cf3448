import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inkling.datasets.own_data import load_dataset, read_own_data
from inkling.datasets.published import PUBLISHED
from inkling.digit import DIGIT_NAMES
from inkling.errors import DatasetError
from inkling.mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Dataset, idx_bytes
from inkling.settings import StoreSettings
from tests.support.digits import make_digits, write_mnist
from tests.support.own_data import ANIMALS, GARMENTS, make_tiles, write_garments, write_pictures

Spoil = Callable[[Path], object]


@pytest.fixture
def garments(tmp_path: Path) -> Path:
    return write_garments(tmp_path / "garments")


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "animals")


def all_images(data: Dataset) -> list[bytes]:
    return [image.tobytes() for split in (data.train, data.test) for image in split.images]


def test_idx_files_are_read_with_the_names_of_their_classes(garments: Path) -> None:
    data = read_own_data(garments)
    assert (data.name, data.classes, data.fit, data.shows_digits) == ("garments", GARMENTS, "plain", False)
    images, labels = make_tiles(600, 1)
    assert np.array_equal(data.train.images, images)
    assert np.array_equal(data.train.labels, labels)
    assert (len(data.test), data.remarks) == (100, ())


def test_idx_files_of_the_size_of_mnist_are_not_taken_for_damaged_ones(tmp_path: Path) -> None:
    folder = write_garments(tmp_path / "large", train=100, test=10_000)
    assert len(read_own_data(folder).test) == 10_000
    with pytest.raises(DatasetError, match="another dataset of this size: `inkling train --data FOLDER`"):
        load_dataset(StoreSettings(mnist_dir=folder))


def test_settings_choose_the_dataset(garments: Path, small_mnist_dir: Path) -> None:
    store = StoreSettings(mnist_dir=small_mnist_dir)
    assert load_dataset(store).name == "custom"
    assert load_dataset(store.model_copy(update={"dataset": garments})).name == "garments"


@pytest.mark.parametrize("fit", ["mnist", "plain"])
def test_fit_may_be_chosen(garments: Path, fit: str) -> None:
    settings = StoreSettings.model_validate({"dataset": garments, "dataset_fit": fit})
    assert load_dataset(settings).fit == fit


def test_published_datasets_have_ten_classes_each() -> None:
    assert {len(set(published.classes)) for published in PUBLISHED} == {10}


@pytest.mark.mnist
def test_mnist_is_recognized_as_own_data(real_mnist_dir: Path) -> None:
    data = read_own_data(real_mnist_dir)
    assert (data.name, data.classes, data.fit, len(data.train)) == ("mnist", DIGIT_NAMES, "mnist", 60_000)


def test_name_of_another_dataset_is_not_taken(tmp_path: Path) -> None:
    assert read_own_data(write_garments(tmp_path / "mnist")).name == "own-mnist"


def test_emnist_is_turned_upright(tmp_path: Path) -> None:
    images, labels = make_digits(40, seed=3)
    stored = np.ascontiguousarray(images.transpose(0, 2, 1))
    for part in ("train", "test"):
        (tmp_path / f"emnist-digits-{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(stored)))
        (tmp_path / f"emnist-digits-{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    data = read_own_data(tmp_path)
    assert (data.name, data.fit, data.classes) == ("emnist-digits", "mnist", DIGIT_NAMES)
    assert np.array_equal(data.test.images, images)


def test_training_images_that_are_test_images_are_left_out(garments: Path) -> None:
    images, _ = make_tiles(100, 2)
    more = np.concatenate([make_tiles(600, 1)[0], images[:7]])
    (garments / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(idx_bytes(more)))
    (garments / f"{TRAIN_LABELS}.gz").write_bytes(gzip.compress(idx_bytes((np.arange(607) % 10).astype(np.uint8))))
    data = read_own_data(garments)
    assert len(data.train) == 600
    assert data.remarks == ("7 of 607 training images were left out: they are test images, too",)


def test_idx_files_without_test_files_are_split_by_content(garments: Path) -> None:
    for name in (TEST_IMAGES, TEST_LABELS):
        (garments / f"{name}.gz").unlink()
    first = read_own_data(garments)
    assert 40 < len(first.test) < 180
    assert len(set(all_images(first))) == 600
    # when: the dataset grows, and has some images twice
    images, labels = make_tiles(800, 1)
    (garments / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(idx_bytes(np.concatenate([images, images[:5]]))))
    (garments / f"{TRAIN_LABELS}.gz").write_bytes(gzip.compress(idx_bytes(np.concatenate([labels, labels[:5]]))))
    grown = read_own_data(garments)
    # then: no image has changed sides
    assert grown.remarks == ("5 of 805 images were left out: each is the same as another one",)
    assert len(set(all_images(grown))) == len(all_images(grown))
    tested = {image.tobytes() for image in grown.test.images}
    assert {image.tobytes() for image in first.test.images} <= tested
    assert not {image.tobytes() for image in first.train.images} & tested


def test_pictures_are_read_by_class(animals: Path) -> None:
    seen: list[tuple[int, int]] = []
    data = load_dataset(StoreSettings(dataset=animals), lambda read, total: seen.append((read, total)))
    assert (data.name, data.classes, data.fit, data.remarks) == ("animals", ANIMALS, "plain", ())
    assert (seen[0], seen[-1], len(all_images(data))) == ((0, 100), (100, 100), 100)
    assert set(data.train.labels) == set(data.test.labels) == set(range(10))
    shares = np.bincount(data.train.labels[: len(data.train) // 2], minlength=10)
    assert shares.max() < 10, "the classes are mixed"
    assert read_own_data(animals).digest == data.digest


def test_digits_of_any_size_are_read_as_by_fit_mnist(tmp_path: Path) -> None:
    images, labels = make_digits(40, seed=7)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "sheet" / str(label) / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        page = np.full((120, 90), 250, np.uint8)
        page[20:76, 20:76] -= (np.kron(image, np.ones((2, 2))) * 0.9).astype(np.uint8)
        Image.fromarray(page).save(path, quality=95)
    data = read_own_data(tmp_path / "sheet")
    assert (data.classes, data.fit) == (DIGIT_NAMES, "mnist")
    assert {int(split.images[:, 0].max()) for split in (data.train, data.test)} == {0}, "the background is black"


@pytest.mark.parametrize("size", [(28, 28), (9, 9), (300, 100), (1, 500)])
def test_plain_scaling_keeps_the_proportions(animals: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (200, 200, 200)).save(animals / "ant" / "plain.webp", lossless=True)
    images = all_images(read_own_data(animals))
    assert bytes([200] * 784) in images


def add_unreadable(folder: Path) -> None:
    (folder / "cat" / "notes.txt").write_text("no picture")
    (folder / "dog" / "broken.png").write_bytes((folder / "dog" / "3.png").read_bytes()[:200])


def contradict(folder: Path) -> None:
    shutil.copy(folder / "ant" / "0.png", folder / "bear" / "same.png")


@pytest.mark.parametrize(
    ("spoil", "named", "left_out"),
    [
        (add_unreadable, ["2 of 102", "cat/notes.txt", "dog/broken.png"], 2),
        (contradict, ["2 of 101", "ant/0.png", "bear/same.png: the same picture is in another class"], 2),
    ],
)
def test_pictures_that_cannot_be_used_are_named_and_the_others_read_when_asked(
    animals: Path, spoil: Spoil, named: list[str], left_out: int
) -> None:
    spoil(animals)
    with pytest.raises(DatasetError) as refused:
        read_own_data(animals)
    assert all(words in str(refused.value) for words in [*named, "--skip"])
    data = load_dataset(StoreSettings(dataset=animals, dataset_skip=True))
    assert all(words in data.remarks[0] for words in named)
    assert len(all_images(data)) == int(named[0].split()[-1]) - left_out


def test_many_problems_are_counted_and_ten_of_them_named(animals: Path) -> None:
    for i in range(25):
        (animals / "fox" / f"bad{i:02}.png").write_bytes(b"bad")
    with pytest.raises(DatasetError, match=r"25 of 125 .*bad09\.png.*; and 15 more"):
        read_own_data(animals)


def test_copies_and_files_of_systems_do_not_count(animals: Path) -> None:
    shutil.copy(animals / "ant" / "0.png", animals / "ant" / "copy.png")
    (animals / "ant" / ".DS_Store").write_bytes(b"?")
    (animals / "ant" / "Thumbs.db").write_bytes(b"?")
    (animals / "__MACOSX").mkdir()
    (animals / "ant" / "link.png").symlink_to(animals / "ant" / "0.png")
    data = read_own_data(animals)
    assert len(all_images(data)) == 100
    assert data.remarks == ("1 pictures were left out: each is the same as another one of its class",)


def remove_class(folder: Path) -> None:
    shutil.rmtree(folder / "jay")


def remove_classes(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


def empty_class(folder: Path) -> None:
    remove_class(folder)
    (folder / "jay").mkdir()


def single_picture(folder: Path) -> None:
    for path in list((folder / "jay").iterdir())[1:]:
        path.unlink()


def long_name(folder: Path) -> None:
    (folder / "jay").rename(folder / ("j" * 70))


def huge_file(folder: Path) -> None:
    with (folder / "jay" / "huge.png").open("wb") as file:
        file.truncate((64 << 20) + 1)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (remove_class, r"has 9 classes \(ant, .*\), expected 10"),
        (lambda folder: (folder / "more").mkdir(), "has 11 classes"),
        (empty_class, "has no picture of the classes jay"),
        (single_picture, "class jay has 1 images that differ from each other, expected at least 2"),
        (long_name, "of a class has 70 characters, at most 64"),
        (huge_file, "huge.png has 67108865 bytes, the limit is 67108864"),
        (shutil.rmtree, "is not a folder"),
        (remove_classes, "holds neither IDX files"),
    ],
)
def test_folder_without_ten_classes_of_pictures_is_refused(animals: Path, spoil: Spoil, words: str) -> None:
    spoil(animals)
    with pytest.raises(DatasetError, match=words):
        load_dataset(StoreSettings(dataset=animals))


def small_images(folder: Path) -> None:
    content = (2051).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in (600, 14, 14)) + bytes(600 * 196)
    (folder / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(content))


def labels_of(value: int) -> Spoil:
    labels = (np.arange(600) % 10).astype(np.uint8)
    labels[labels == 9] = value
    return lambda folder: (folder / f"{TRAIN_LABELS}.gz").write_bytes(gzip.compress(idx_bytes(labels)))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (small_images, "holds images of 14x14 pixels, expected 28x28"),
        (labels_of(17), "holds the label 17, expected 0 to 9"),
        (labels_of(3), "has no image of the labels 9; expected ten classes"),
        (lambda folder: (folder / f"{TRAIN_LABELS}.gz").unlink(), "lacks train-labels-idx1-ubyte"),
        (lambda folder: (folder / f"{TRAIN_IMAGES}.gz").write_bytes(b"\x1f\x8b\x08damaged"), "cannot be read"),
        (lambda folder: (folder / "classes.txt").unlink(), r"write their ten names into .*classes\.txt"),
        (lambda folder: (folder / "classes.txt").write_text("a\nb\n"), r"classes\.txt has 2 classes \(a, b\)"),
        (lambda folder: (folder / "classes.txt").write_text("a\n" * 10), r"classes\.txt names a class twice"),
        (lambda folder: (folder / "classes.txt").write_bytes(b"\xff\xfe\xfa"), "is not a text in UTF-8"),
    ],
)
def test_idx_files_that_are_no_dataset_are_refused(garments: Path, spoil: Spoil, words: str) -> None:
    spoil(garments)
    with pytest.raises(DatasetError, match=words):
        read_own_data(garments)


def test_own_data_hold_out_one_image_in_six_at_most(garments: Path, tmp_path: Path) -> None:
    train, validation = read_own_data(garments).hold_out(5000)
    assert (len(train), len(validation)) == (500, 100)
    with pytest.raises(DatasetError, match="validation_size 5000 leaves nothing to train on"):
        load_dataset(StoreSettings(mnist_dir=write_mnist(tmp_path / "mnist", 100, 20))).hold_out(5000)
