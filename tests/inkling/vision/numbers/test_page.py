from typing import Any

import numpy as np
import orjson
import pytest

from inkling.vision.numbers.layout import find_page
from inkling.vision.numbers.page import Page
from tests.support.numbers import write


def test_page_survives_json() -> None:
    page = find_page(write("3.14"))
    again = Page.from_fields(orjson.loads(orjson.dumps(page.to_fields())), page.images)
    assert again.lines == page.lines
    assert again.warnings == page.warnings


def change_piece(fields: dict[str, Any]) -> dict[str, Any]:
    return fields["lines"][0]["groups"][0]["pieces"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: change_piece(fields).update(first=-1),
        lambda fields: change_piece(fields).update(end=9),
        lambda fields: change_piece(fields).update(box=[1, 2, 3]),
        lambda fields: change_piece(fields).update(box=[1, 2, 3, 2]),
        lambda fields: fields["lines"][0]["groups"][0].update(pieces=[]),
        lambda fields: fields["lines"][0]["groups"][0].update(mark="."),
        lambda fields: fields["lines"][0]["groups"][0].update(mark="<"),
        lambda fields: fields["lines"].clear(),
        lambda fields: fields["lines"][0]["groups"].clear(),
        lambda fields: fields.pop("warnings"),
    ],
)
def test_page_that_contradicts_itself_is_refused(change: Any) -> None:
    page = find_page(write("26"))
    fields = orjson.loads(orjson.dumps(page.to_fields()))
    change(fields)
    with pytest.raises((ValueError, KeyError)):
        Page.from_fields(fields, page.images)


def test_images_must_be_as_many_as_the_pieces() -> None:
    page = find_page(write("26"))
    with pytest.raises(ValueError, match="pieces and images"):
        Page.from_fields(page.to_fields(), np.concatenate([page.images, page.images]))
