"""The quick way through a form takes only what it reads as the parser does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bodies.multipart import _parsed_files, _plain_files, multipart_files
from app.errors import BodyError
from tests.support.bodies import BOUNDARY, MULTIPART, form

HEAD = b'--a-boundary\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
END = b"\r\n--a-boundary--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        form([("file", b"one")]),
        form([("file", b"one"), ("file", b"\r\n--two\r\n"), ("file", b"")]),
        HEAD + b"\r\nno type" + END,
        HEAD.lower() + b"CONTENT-TYPE: image/png\r\n\r\nin lower case" + END,
        HEAD + b"\r\n" + bytes(range(256)) + END,
        HEAD + b"\r\n--a-boundar" + END,
    ],
)
def test_plain_form_is_read_as_by_the_parser(body: bytes) -> None:
    assert _plain_files(body, MULTIPART) == _parsed_files(body, MULTIPART)


@pytest.mark.parametrize(
    "body",
    [
        form([("file", b"one")]) + b"epilogue",
        form([("other", b"x"), ("file", b"one")]),
        HEAD + b"X-More: header\r\n\r\none" + END,
        HEAD.replace(b"a.png", b'a\\"b.png') + b"\r\none" + END,
        HEAD.replace(b'name="file"', b"name=file") + b"\r\none" + END,
        HEAD + b"\r\none\r\n--a-boundary--",
    ],
)
def test_form_that_is_not_plain_is_left_to_the_parser(body: bytes) -> None:
    assert _plain_files(body, MULTIPART) is None
    assert multipart_files(body, MULTIPART) == [b"one"]


@pytest.mark.parametrize("more", [b"", b"X-More: header\r\n"])
@pytest.mark.parametrize(("name", "is_taken"), [(b"file", True), (b"File", False), (b"FILE", False)])
def test_name_of_a_part_means_the_same_to_both(name: bytes, is_taken: bool, more: bytes) -> None:
    body = HEAD.replace(b'name="file"', b'name="' + name + b'"') + more + b"\r\none" + END
    if is_taken:
        assert multipart_files(body, MULTIPART) == [b"one"]
    else:
        with pytest.raises(BodyError, match="no part is named 'file'; parts found: " + name.decode()):
            multipart_files(body, MULTIPART)


@settings(database=None, deadline=None, max_examples=500)
@given(
    contents=st.lists(st.binary(max_size=40), min_size=1, max_size=3),
    position=st.integers(0, 500),
    damage=st.sampled_from([b"", b"\r\n", b"--", b"\r\n--a-boundary", b"\r\n--a-boundary\r\n", b'"', b":", b"x"]),
    end=st.integers(0, 500),
)
def test_damaged_form_is_never_read_otherwise_than_by_the_parser(
    contents: list[bytes], position: int, damage: bytes, end: int
) -> None:
    whole = form([("file", content) for content in contents], BOUNDARY)
    position %= len(whole)
    body = (whole[:position] + damage + whole[position + len(damage) :])[: len(whole) - end % 20]
    plain = _plain_files(body, MULTIPART)
    if plain is not None:
        try:
            assert _parsed_files(body, MULTIPART) == plain
        except BodyError as error:
            pytest.fail(f"the parser refuses what was read: {error}")
