"""The words of the server that the page says in Chinese."""

import re
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.learning import correction
from benchmarks.people import Person
from inkling.network.pretrained import load_pretrained
from inkling.registry.records import Comparison, Correction
from tests.page.visitors import Visitor
from tests.support.servers import Server
from training.promotion import PeopleComparison, compare_people, decide_on, decide_on_both
from training.set_aside import set_aside

pytestmark = pytest.mark.unmeasured

TRANSLATE = """async (reasons) => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  const { decisionText } = await import(`${folder}decisions.js`);
  return reasons.map(decisionText);
}"""
NAMES = r"McNemar|p|e|validation_size"


def comparison(p_value: float, change: float = 0.0, candidate: int = 95) -> Comparison:
    return Comparison(100, candidate, 95, 8, 5, p_value, 3, change)


def people(read: int, served: int = 0) -> PeopleComparison:
    """Return the comparison on ten pictures, of which the two versions read so many."""
    numbers = np.arange(10)
    return compare_people(numbers < read, numbers < served, numbers.astype(np.uint8), np.full(10, "source 1"))


def contradictory() -> list[Correction]:
    """Return corrections for each kind of remark."""
    drawn = Person(1).write([i % 10 for i in range(60)], 1)
    lies, mixed = ([correction(i.tobytes(), label=0, digit=0, source=s) for i in drawn.images] for s in ("1", "2"))
    alike = [correction(bytes([0, 255, i]) * 261 + b"0", label=i % 3, digit=0, source="3") for i in range(20)]
    return [*lies[:40], replace(mixed[0], label=1), *alike]


def test_reasons_of_decisions_are_chinese_to_the_last_word(visitor: Visitor, site: Server) -> None:
    remarks = set_aside(contradictory(), load_pretrained()).remarks
    assert len(remarks) == 3
    reasons = [
        decide_on(comparison(0.5)).reason,
        decide_on(comparison(0.001)).reason,
        decide_on(comparison(0.001, -0.2)).reason,
        decide_on_both(comparison(0.5), people(read=6, served=6)).reason,
        decide_on_both(comparison(0.5), people(read=10)).reason,
        decide_on_both(comparison(0.5), people(read=5)).reason,
        decide_on_both(comparison(0.5), people(read=7, served=8)).reason,
        decide_on_both(comparison(0.5, -0.2), people(read=10)).reason,
        decide_on_both(comparison(0.5, candidate=50), people(read=10)).reason,
        "; ".join([decide_on(comparison(0.5)).reason + "; not learned: " + remarks[0], *remarks[1:]]),
    ]
    translated = visitor.open(site.url, locale="zh-CN").evaluate(TRANSLATE, reasons)
    left = [word for text in translated for word in re.findall(r"[A-Za-z_']+", text)]
    assert {word for word in left if not re.fullmatch(NAMES, word)} == set()
