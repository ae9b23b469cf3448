from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from inkling.digit import Gray
from inkling.errors import ImageError, NoDigitError, TooLargeError
from inkling.vision.image_files import PictureLimits, ReducedPicture, decode_picture, decode_reduced
from inkling.vision.normalize import MAX_SIDE, normalize
from inkling.vision.normalized_files import REDUCED_SIDE, normalize_file
from tests.support.bodies import image_file
from tests.support.pictures import draw_strokes, photograph, put

STROKES = put(draw_strokes(3, 600, 60), (1801, 2403), (700, 1100))


@pytest.fixture(scope="module")
def photo() -> Gray:
    """A photo (1801, 2403) of a 3, large."""
    return photograph(STROKES, seed=1, noise=2)


def jpeg(photo: Gray, **options: object) -> bytes:
    return image_file(Image.fromarray(photo).convert("RGB"), "JPEG", **options)


def decoded(content: bytes, side: int = 768) -> ReducedPicture:
    return decode_reduced(content, PictureLimits(), "it", above=MAX_SIDE, side=side)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_of_a_large_photo_is_in_the_pixels_of_the_upright_whole(photo: Gray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = jpeg(photo, exif=exif)
    whole = decode_picture(content)
    gray, step, shape = decoded(content)
    assert step == 2
    assert shape == whole.shape
    assert gray.shape == tuple(-(-side // step) for side in whole.shape)

    place = (255 * (STROKES > 0.5)).astype(np.uint8)
    upright = decode_picture(image_file(Image.fromarray(place), exif=exif)) > 0
    rows, columns = np.nonzero(upright.any(axis=1))[0], np.nonzero(upright.any(axis=0))[0]
    box = normalize_file(content).normalized.report.box
    assert box == pytest.approx((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), abs=10)


def test_large_photo_has_almost_the_image_of_the_whole(photo: Gray) -> None:
    content = jpeg(photo)
    reduced, whole = normalize_file(content).normalized, normalize(decode_picture(content))
    difference = np.abs(reduced.pixels.astype(int) - whole.pixels)
    assert difference.mean() < 4
    assert not np.array_equal(reduced.pixels, whole.pixels)  # it was decoded at a quarter of its size


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(image_file, id="PNG"),
        pytest.param(lambda photo: jpeg(photo[600:1400, 1000:1700]), id="small JPEG"),
    ],
)
def test_all_others_have_the_bits_of_the_whole(photo: Gray, content: Callable[[Gray], bytes]) -> None:
    file = content(photo)
    normalized, whole = normalize_file(file).normalized, normalize(decode_picture(file))
    np.testing.assert_array_equal(normalized.pixels, whole.pixels)
    assert normalized.report == whole.report


def test_small_digit_of_a_large_photo_is_read_at_a_higher_resolution() -> None:
    content = jpeg(photograph(put(draw_strokes(7, 60, 7), (1801, 2403), (900, 500)), seed=2, noise=2))
    reduced = decoded(content, side=MAX_SIDE // 2)
    assert reduced.step == 2 < decoded(content, side=REDUCED_SIDE).step
    normalized, expected = normalize_file(content).normalized, normalize(reduced.gray)
    np.testing.assert_array_equal(normalized.pixels, expected.pixels)
    assert expected.report.box is not None
    assert normalized.report.box == tuple(2 * side for side in expected.report.box)
    assert normalized.report.box == pytest.approx((500, 900, 548, 960), abs=8)


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"quality": 20}, {"subsampling": "4:1:1"}, {"quality": 100}]
)
def test_every_kind_of_jpeg_is_reduced(photo: Gray, options: dict[str, object]) -> None:
    assert decoded(jpeg(photo, **options))[1] == 2


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_gray_and_cmyk_are_reduced(photo: Gray, mode: str) -> None:
    content = image_file(Image.fromarray(photo).convert("RGB").convert(mode), "JPEG", quality=95)
    gray, step, _ = decoded(content)
    assert step == 2
    assert abs(gray.mean() - photo.mean()) < 2


@pytest.mark.parametrize("shape", [(1, 9000), (9000, 2), (300, 4097), (2049, 31), (2048, 2048), (3001, 2999)])
def test_step_divides_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    gray, step, whole_shape = decoded(jpeg(np.full(shape, 128, np.uint8)))
    assert whole_shape == shape
    assert gray.shape == tuple(-(-side // step) for side in shape)
    assert step == 1 or max(gray.shape) >= 768


def test_large_photo_is_refused_as_a_small_one_is(photo: Gray) -> None:
    content = jpeg(photo)
    with pytest.raises(NoDigitError):
        normalize_file(jpeg(np.full((1801, 2403), 128, np.uint8)))
    with pytest.raises(ImageError, match=r"photo\.jpg .* is damaged"):
        normalize_file(content[: len(content) // 2], name="photo.jpg")
    with pytest.raises(TooLargeError, match=r"it is 2403x1801, .* the limit is 1000"):
        normalize_file(content, PictureLimits(max_pixels=1000), "it")
