import numpy as np
import pytest
from PIL import Image

from app.bodies.images import MEDIA_TYPES, undecoded_pictures
from app.bodies.limits import TOTAL_PIXELS_FACTOR, UploadLimits
from app.decoders.work import PictureFile
from app.errors import BodyError, MediaTypeError
from inkling.digit import Gray
from inkling.errors import ImageError, TooLargeError
from inkling.vision.image_files import decode_picture
from tests.support.bodies import JSON, MULTIPART, NPY, PNG, RAW, form, image_file, images_json, npy_file, png_claiming

MAX_PIXELS = 100_000
LIMITS = UploadLimits(max_images=10, max_pixels=MAX_PIXELS)
GRAY = np.arange(40 * 30, dtype=np.uint32).reshape(40, 30).astype(np.uint8)
WHITE, BLACK = 255, 0


def read(body: bytes, content_type: str, limits: UploadLimits = LIMITS) -> list[Gray]:
    return [
        decode_picture(picture.content, limits.max_pixels, picture.name)
        if isinstance(picture, PictureFile)
        else picture
        for picture in undecoded_pictures(body, content_type, limits)
    ]


def decoded(image: Image.Image, file_format: str = "PNG", **options: object) -> Gray:
    return decode_picture(image_file(image, file_format, **options), MAX_PIXELS)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, form([("file", image_file(GRAY))])),
        (PNG, image_file(GRAY)),
        (JSON, images_json(GRAY)),
        (JSON, images_json(GRAY[np.newaxis])),
        (NPY, npy_file(GRAY)),
        (NPY, npy_file(GRAY[np.newaxis])),
    ],
)
def test_every_type_takes_any_size(content_type: str, body: bytes) -> None:
    (picture,) = read(body, content_type)
    np.testing.assert_array_equal(picture, GRAY)


def test_flattened_images_and_raw_bytes_stay_what_they_are_with_fit_strict(digits: Gray) -> None:
    few = digits[:5]
    for body, content_type in (
        (images_json(few.reshape(5, 784)), JSON),
        (npy_file(few.reshape(5, 784)), NPY),
        (few.tobytes(), RAW),
    ):
        np.testing.assert_array_equal(read(body, content_type), few)


@pytest.mark.parametrize("shape", [(5,), (2, 2, 3, 5), (0, 5), (3, 0, 4)])
def test_array_that_is_no_picture_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"shape \("):
        read(npy_file(np.zeros(shape, np.uint8)), NPY)


def test_limits_hold() -> None:
    with pytest.raises(TooLargeError, match=r"401x300, 120300 pixels; the limit is 100000"):
        read(npy_file(np.zeros((300, 401), np.uint8)), NPY)
    with pytest.raises(TooLargeError, match="11 images in one request, the limit is 10"):
        read(npy_file(np.zeros((11, 5, 5), np.uint8)), NPY)
    with pytest.raises(TooLargeError, match="the limit is 100000"):
        decode_picture(png_claiming(1000, 1000), MAX_PIXELS)
    large = image_file(np.zeros((300, 300), np.uint8))
    assert len(read(form([("file", large)] * TOTAL_PIXELS_FACTOR), MULTIPART)) == TOTAL_PIXELS_FACTOR
    with pytest.raises(
        TooLargeError, match="image 5 of 5 brings the request to 450000 pixels, the limit is 400000 per request"
    ):
        read(form([("file", large)] * (TOTAL_PIXELS_FACTOR + 1)), MULTIPART)


def test_errors_name_the_image_and_the_types_taken() -> None:
    with pytest.raises(ImageError, match="image 2 of 2"):
        read(form([("file", image_file(GRAY)), ("file", b"x")]), MULTIPART)
    with pytest.raises(MediaTypeError, match="application/x-npy"):
        read(b"x", "text/plain")
    for content_type in MEDIA_TYPES:
        with pytest.raises(BodyError, match="empty"):
            read(b"", content_type)


# modes


@pytest.mark.parametrize(("foreground", "background"), [(BLACK, WHITE), (WHITE, BLACK)])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_background_contrasts_with_the_foreground(mode: str, foreground: int, background: int) -> None:
    colors = len(mode) - 1
    for hidden in (BLACK, WHITE):  # what transparent pixels hold is not seen
        picture = Image.new(mode, (30, 40), (hidden,) * colors + (0,))
        picture.paste((foreground,) * colors + (255,), (10, 5, 20, 35))
        gray = decoded(picture)
        assert (gray[0, 0], gray[20, 15]) == (background, foreground)


@pytest.mark.parametrize("foreground", [BLACK, WHITE])
def test_foreground_may_be_in_the_alpha_channel_only(digits: Gray, foreground: int) -> None:
    color = Image.new("L", (28, 28), foreground)
    gray = decoded(Image.merge("LA", (color, Image.fromarray(digits[3]))))
    np.testing.assert_array_equal(gray, digits[3] if foreground else 255 - digits[3])


def test_transparent_corners_of_a_paper_are_paper() -> None:
    picture = Image.new("LA", (30, 40), (230, 255))
    picture.paste((0, 0), (0, 0, 4, 4))
    picture.paste((20, 255), (10, 10, 15, 30))
    gray = decoded(picture)
    assert (gray[0, 0], gray[20, 5], gray[20, 12]) == (230, 230, 20)


def test_wholly_transparent_picture_is_even() -> None:
    assert np.ptp(decoded(Image.new("RGBA", (30, 40), (255, 0, 0, 0)))) == 0


@pytest.mark.parametrize(("file_format", "transparency"), [("PNG", None), ("PNG", 0), ("GIF", None), ("GIF", 0)])
def test_palette_is_resolved(file_format: str, transparency: int | None) -> None:
    picture = Image.new("P", (30, 40), 0)
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.paste(1, (10, 10, 20, 30))
    options = {} if transparency is None else {"transparency": transparency}
    gray = decoded(picture, file_format, **options)
    assert (gray[0, 0], gray[20, 15]) == (WHITE, BLACK)


@pytest.mark.parametrize(("bits", "factor"), [(16, 257.0), (12, 4095 / 255), (10, 1023 / 255)])
def test_deep_gray_is_scaled_by_the_bits_it_needs(digits: Gray, bits: int, factor: float) -> None:
    deep = np.rint(digits[3] * factor).astype(np.uint16)
    assert deep.max() > 1 << (bits - 1)
    gray = decoded(Image.fromarray(deep))
    np.testing.assert_array_equal(gray, digits[3])


def test_one_bit_is_black_and_white() -> None:
    picture = Image.new("1", (30, 40), 0)
    picture.paste(1, (10, 10, 20, 30))
    assert sorted(set(decoded(picture).ravel().tolist())) == [BLACK, WHITE]


def test_cmyk_is_read() -> None:
    picture = Image.new("CMYK", (32, 32), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 16, 32))
    gray = decoded(picture, "JPEG", quality=95)
    assert gray[16, 4] > 240
    assert gray[16, 28] < 15


def test_animation_counts_by_its_first_frame() -> None:
    frames = [Image.new("L", (30, 40), level) for level in (BLACK, WHITE)]
    body = image_file(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    assert not decode_picture(body, MAX_PIXELS).any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_picture_is_turned_upright(file_format: str, orientation: int) -> None:
    upright = np.zeros((32, 48), np.uint8)
    upright[:16, :16], upright[16:, 32:] = 255, 128
    as_stored = {  # EXIF 2.32, tag 274: where the stored row 0 and column 0 are on the upright picture
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100} if file_format == "JPEG" else {"lossless": True} if file_format == "WEBP" else {}
    stored = Image.fromarray(np.ascontiguousarray(as_stored[orientation]))
    gray = decoded(stored, file_format, exif=exif, **options)
    assert gray.shape == upright.shape
    assert np.abs(gray.astype(int) - upright).max() < 10


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_orientation_is_passed_over(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decoded(Image.fromarray(GRAY), exif=exif), GRAY)
