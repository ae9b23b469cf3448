import pytest
from starlette.requests import Request

from app.entity_tags import is_known, strong_tags


def with_condition(*values: str) -> Request:
    return Request({"type": "http", "headers": [(b"if-none-match", value.encode()) for value in values]})


@pytest.mark.parametrize(
    "values",
    [['"3"'], ['W/"3"'], ["*"], [" * "], ['"1", W/"3"'], ['"1","3"'], ['"1"', '"3"'], ['"a,b", "3"'], [' "3" ']],
)
def test_known_tag_is_found(values: list[str]) -> None:
    assert is_known(with_condition(*values), '"3"')
    assert is_known(with_condition(*values), 'W/"3"')


@pytest.mark.parametrize("values", [[], [""], ['"4"'], ["3"], ['"33"'], ['"3'], ['w/"4"'], ['"1" "2"'], ['"*"']])
def test_other_tag_is_not(values: list[str]) -> None:
    assert not is_known(with_condition(*values), '"3"')


@pytest.mark.parametrize(
    ("header", "tags"), [('"3"', ["3"]), ('W/"3"', []), ('"1", W/"2", "3"', ["1", "3"]), ("3", []), ("", [])]
)
def test_weak_tags_match_no_if_match(header: str, tags: list[str]) -> None:
    assert strong_tags(header) == tags
