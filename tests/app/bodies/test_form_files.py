import numpy as np
import pytest
from PIL import Image

from app.bodies.limits import UploadLimits
from app.bodies.multipart import multipart_files
from app.errors import BodyError
from inkling.digit import Gray
from inkling.errors import ImageError, InputError, TooLargeError
from tests.support.bodies import (
    BOUNDARY,
    LIMITS,
    MAX_PIXELS,
    MULTIPART,
    form,
    image_file,
    images_form,
    read,
)


def test_files_of_a_form_keep_their_order(digits: Gray) -> None:
    np.testing.assert_array_equal(read(images_form(digits), MULTIPART), digits)


def test_image_of_a_form_that_cannot_be_read_is_named_by_its_position(digits: Gray) -> None:
    body = form([("file", image_file(digits[0])), ("file", b"not an image"), ("file", image_file(digits[1]))])
    with pytest.raises(ImageError, match=r"image 2 of 3 \(12 bytes\) is not an image"):
        read(body, MULTIPART)
    body = form([("file", image_file(digits[0])), ("file", image_file(Image.new("L", (5, 4))))])
    with pytest.raises(ImageError, match=r"image 2 of 2 is 5x4 pixels, expected 28x28"):
        read(body, MULTIPART)


def test_quoted_boundary_and_strange_header_case_are_read() -> None:
    body = b'--x y\r\nCONTENT-DISPOSITION: form-data; filename="a"; name="file"\r\n\r\nbytes\r\n--x y--\r\n'
    assert multipart_files(body, 'multipart/form-data; boundary="x y"', LIMITS) == [b"bytes"]


def test_line_breaks_inside_a_part_are_kept() -> None:
    content = b"\r\n--a-bound\r\n\r\n--" + bytes(range(256))
    assert multipart_files(form([("file", content)]), MULTIPART, LIMITS) == [content]


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_form_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(BodyError, match="no boundary"):
        read(form([("file", b"x")]), content_type)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([("image", b"x"), ("picture", b"y")], "image, picture"),
        ([("", b"x"), ("", b"x")], r"\(no name\), \(no name\)"),
        ([], "none"),
    ],
)
def test_form_without_a_file_is_refused_with_the_parts_found(parts: list[tuple[str, bytes]], found: str) -> None:
    with pytest.raises(BodyError, match=f"no part is named 'file'; parts found: {found}; with curl"):
        read(form(parts), MULTIPART)


def test_part_without_headers_is_no_file() -> None:
    with pytest.raises(BodyError):
        read(f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(), MULTIPART)


@pytest.mark.parametrize(
    "body",
    [
        b"nothing of the kind",
        form([("file", b"x")], boundary="another"),
        b"--a-boundaryX\r\n",
        b"--a-boundary\r\nno header at all\r\n\r\nx\r\n--a-boundary--\r\n",
        b"--a-boundary\r\n" + b"Header: x\r\n" * 10_000,
        b"--a-boundary\r\n" + b"H" * 100_000,
    ],
)
def test_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError, match="not multipart/form-data"):
        read(body, MULTIPART)


def test_boundary_of_absurd_length_is_refused() -> None:
    with pytest.raises(BodyError, match="not multipart/form-data"):
        read(b"x", f"multipart/form-data; boundary={'b' * 5000}")


def test_form_that_ends_early_is_refused_not_read_in_part(digits: Gray) -> None:
    body = images_form(digits[:2])
    last_boundary = body.rindex(f"--{BOUNDARY}--".encode())
    for length in range(1, last_boundary, 5):
        with pytest.raises(InputError):
            read(body[:length], MULTIPART)


def test_too_many_files_are_refused(digits: Gray) -> None:
    with pytest.raises(TooLargeError, match="20 images in one request, the limit is 19"):
        read(images_form(digits), MULTIPART, UploadLimits(19, MAX_PIXELS))
