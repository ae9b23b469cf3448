import pytest

from app.bodies.accept import CACHED_CHARACTERS, prefers_over_json, quality
from app.routes.metrics import EXPOSITIONS
from tests.support.accept_headers import BROWSER, PROMETHEUS_1, PROMETHEUS_2, PROMETHEUS_3, PROMETHEUS_WITH_PROTOBUF

EXPOSITION = [PROMETHEUS_3, PROMETHEUS_2, PROMETHEUS_WITH_PROTOBUF, PROMETHEUS_1, "text/plain", "TEXT/PLAIN ; q=1"]
EXPOSITION += [
    "application/openmetrics-text",
    "application/json;q=0.5, text/plain;q=0.6",
    "text/plain, application/xml",
]
JSON = ["*/*", BROWSER, "application/json", "application/json, text/plain, */*", "", "text/*", "text/html"]
JSON += ["text/plain;q=0", "text/plain;q=nonsense", "application/json, text/plain;q=0.9", "text/plain-ish", ";;,,;q="]


@pytest.mark.parametrize("accept", EXPOSITION)
def test_exposition_is_for_those_who_name_it_first(accept: str) -> None:
    assert prefers_over_json(accept, *EXPOSITIONS)


@pytest.mark.parametrize("accept", JSON)
def test_json_is_for_all_others(accept: str) -> None:
    assert not prefers_over_json(accept, *EXPOSITIONS)


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_long_header_is_weighed_too(accept: str) -> None:
    padding = "x/y, " * CACHED_CHARACTERS
    assert prefers_over_json(padding + accept, *EXPOSITIONS) == (accept == "text/plain")


def test_best_of_several_types_counts() -> None:
    assert quality("text/plain;q=0.2, application/openmetrics-text;q=0.7", *EXPOSITIONS) == 0.7
    assert quality("text/*", *EXPOSITIONS) == 0.0
