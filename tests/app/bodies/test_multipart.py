"""A plain part of a form is read quickly; read by its headers, it is the same."""

import random
from collections.abc import Callable

import pytest

from app.bodies.limits import UploadLimits
from app.bodies.multipart import Part, multipart_files, read_parts
from app.errors import BodyError, FieldError
from inkling.errors import InputError, TooLargeError
from tests.support.bodies import BOUNDARY, LIMITS, MULTIPART, form

HEAD = b'--a-boundary\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
END = b"\r\n--a-boundary--\r\n"
PLAIN = HEAD + b"\r\none" + END
MANY = 10_000


def outcome(body: bytes, limits: UploadLimits = LIMITS, *, is_quick: bool) -> list[Part] | str:
    try:
        return list(read_parts(body, BOUNDARY.encode(), limits, is_quick=is_quick))
    except InputError as error:
        return f"{type(error).__name__}: {error}"


PIECES = (
    *(b"\r\n", b"\n", b"\r", b"--", b"--a-boundary", b"\r\n--a-boundary\r\n", b"\r\n--a-boundary--\r\n", b'"', b":"),
    *(b";", b"\\", b" ", b"\t", b"x", b"\0", b"\xff", b"file", b"File", b'name="', b"filename=", b"Content-Type: a/b"),
    *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Disposition: form-data", b"x" * 5000),
)


def mutated(body: bytes, seeded: random.Random) -> bytes:
    """Return a body with up to three pieces replaced, inserted, removed or doubled."""
    for _ in range(seeded.randint(1, 3)):
        start = seeded.randrange(len(body) + 1)
        end = min(len(body), start + seeded.choice((0, 0, 1, 2, 10)))
        piece = seeded.choice((*PIECES, body[start:end] * 2, b""))
        body = body[:start] + piece + body[end:]
    return body


def test_mutated_form_is_read_quickly_as_by_its_headers() -> None:
    seeded = random.Random(14)  # noqa: S311
    wholes = (form([("file", b"one"), ("file", b"\r\n--two\r\n")]), PLAIN, HEAD + b"Content-Type: a/b\r\n\r\none" + END)
    outcomes = []
    for _ in range(MANY):
        body = mutated(seeded.choice(wholes), seeded)
        quick = outcome(body, is_quick=True)
        assert quick == outcome(body, is_quick=False), body
        outcomes.append(type(quick))
    assert min(outcomes.count(list), outcomes.count(str)) > MANY // 10


def test_form_of_one_file_is_read_as_by_its_parts() -> None:
    seeded = random.Random(15)  # noqa: S311
    wholes = (form([("file", b"one")]), PLAIN, HEAD + b"Content-Type: a/b\r\n\r\n" + END)
    read = 0
    for _ in range(MANY):
        body = mutated(seeded.choice(wholes), seeded)
        parts = outcome(body, is_quick=False)
        if isinstance(parts, list) and [part.name for part in parts] == ["file"]:
            assert multipart_files(body, MULTIPART, LIMITS) == [parts[0].content], body
            read += 1
    assert read > MANY // 10


@pytest.mark.parametrize("length", [10, 4000, 4096, 5000])
def test_long_head_is_the_same_to_both(length: int) -> None:
    body = HEAD.replace(b"a.png", b"a" * length) + b"\r\none" + END
    quick = outcome(body, is_quick=True)
    assert quick == outcome(body, is_quick=False)
    assert isinstance(quick, list) is (length <= 4000)


def header(line: bytes) -> bytes:
    return HEAD + line + b"\r\n\r\none" + END


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        PLAIN + b"epilogue",
        b"A preamble.\r\n" + PLAIN,
        b"\r\n" + PLAIN,
        header(b"X-More: header"),
        header(b"CONTENT-TYPE:image/png"),
        HEAD.replace(b"a.png", b'a\\"b.png') + b"\r\none" + END,
        HEAD.replace(b'name="file"', b"name=file") + b"\r\none" + END,
        HEAD.replace(b"; name", b";\r\n name") + b"\r\none" + END,
        HEAD.replace(b"\r\n", b"  \r\n", 1) + b"\r\none" + END,
        HEAD + b"\r\none\r\n--a-boundary--",
        PLAIN.replace(b"\r\n", b"\n"),
        header(b"Content-Transfer-Encoding: binary"),
        HEAD + b"Content-Transfer-Encoding: BASE64\r\n\r\nb2\r\n5l\r\n" + END,
        HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=6Fn=\r\ne" + END,
    ],
)
def test_form_as_rfc_2046_allows_it_is_read(body: bytes) -> None:
    assert multipart_files(body, MULTIPART, LIMITS) == [b"one"]


def test_content_keeps_its_line_ends_whatever_those_of_the_form() -> None:
    content = b"\r\n\n\r--a-bound\r\n"
    assert multipart_files(HEAD + b"\r\n" + content + END, MULTIPART, LIMITS) == [content]
    head, end = HEAD.replace(b"\r\n", b"\n"), END.replace(b"\r\n", b"\n")
    assert multipart_files(head + b"\n" + content + end, MULTIPART, LIMITS) == [content]


@pytest.mark.parametrize("more", [b"", b"X-More: header\r\n"])
@pytest.mark.parametrize("name", ["file", "File", "FILE", "files", "file[]", "file[0]", "files[12]", "image"])
def test_name_of_the_only_file_may_be_any(name: str, more: bytes) -> None:
    body = HEAD.replace(b'name="file"', b'name="' + name.encode() + b'"') + more + b"\r\none" + END
    assert multipart_files(body, MULTIPART, LIMITS) == [b"one"]


def test_files_named_as_frameworks_do_keep_their_order() -> None:
    body = form([("file[1]", b"a"), ("file[]", b"b"), ("File", b"c"), ("files", b"d")])
    assert multipart_files(body, MULTIPART, LIMITS) == [b"a", b"b", b"c", b"d"]


def field(name: str, value: bytes = b"mnist") -> Callable[[], bytes]:
    return lambda: f'--a-boundary\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("fit", r"`fit` is a parameter of the query: send it in the URL, as in \?fit="),
        ("Fit", r"`fit` is a parameter of the query"),
        ("return-image", r"`return_image` is a parameter of the query"),
        ("digit", r"`digit` is a parameter of the query"),
        ("filez", r"did you mean `file`"),
        ("comment", r"expected `file`"),
        ("x" * 5000, r"4096 bytes"),
    ],
)
def test_field_that_nobody_reads_is_refused_with_its_nearest_name(name: str, advice: str) -> None:
    for body in (field(name)() + PLAIN, PLAIN[: -len(b"--a-boundary--\r\n")] + field(name)() + b"--a-boundary--\r\n"):
        with pytest.raises((FieldError, BodyError), match=advice):
            multipart_files(body, MULTIPART, LIMITS)


def test_file_of_another_name_beside_files_is_refused() -> None:
    with pytest.raises(FieldError, match="unknown form field `image`"):
        multipart_files(form([("file", b"x"), ("image", b"y")]), MULTIPART, LIMITS)


def test_files_that_are_all_named_otherwise_are_refused_with_their_names() -> None:
    with pytest.raises(BodyError, match="no part is named 'file'; parts found: image, picture; with curl"):
        multipart_files(form([("image", b"x"), ("picture", b"y")]), MULTIPART, LIMITS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no colon", "a header of a part is no colon"),
        (b": value", "a header of a part is : value"),
        (b"Content-Disposition: form-data", "content-disposition twice"),
        (b"Content-Transfer-Encoding: uuencode", "Content-Transfer-Encoding uuencode; expected binary, base64"),
        (b"Content-Transfer-Encoding: base64", "base64, but its content is not"),
        (b"X: " + b"x" * 5000, "more than 4096 bytes"),
    ],
)
def test_header_that_cannot_be_read_is_named(line: bytes, message: str) -> None:
    with pytest.raises(BodyError, match=message):
        multipart_files(header(line), MULTIPART, LIMITS)


@pytest.mark.parametrize("rest", [b"X\r\n", b"x", b" x\r\n", b"\r\nno end", b"\n\r\n--a-boundary--"])
def test_boundary_inside_a_line_is_refused(rest: bytes) -> None:
    with pytest.raises(BodyError, match="not multipart/form-data"):
        multipart_files(b"--a-boundary" + rest, MULTIPART, LIMITS)


def test_many_parts_are_refused_before_they_are_read() -> None:
    with pytest.raises(TooLargeError, match="1000000 images in one request, the limit is 100"):
        multipart_files(b"--a-boundary\r\n" + b"\r\n--a-boundary" * 1_000_000, MULTIPART, LIMITS)
