"""The words of the server that the page says in Chinese."""

import re

import pytest

from inkling.registry.records import Comparison
from tests.page.visitors import Visitor
from tests.support.servers import Server
from training.promotion import decide_on, decide_on_both

pytestmark = pytest.mark.unmeasured

TRANSLATE = """async (reasons) => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  const { decisionText } = await import(`${folder}decisions.js`);
  return reasons.map(decisionText);
}"""
NAMES = r"McNemar|p|e|validation_size"


def comparison(p_value: float, change: float = 0.0, candidate: int = 95) -> Comparison:
    return Comparison(100, candidate, 95, 8, 5, p_value, 3, change)


def test_reasons_of_decisions_are_chinese_to_the_last_word(visitor: Visitor, site: Server) -> None:
    reasons = [
        decide_on(comparison(0.5)).reason,
        decide_on(comparison(0.001)).reason,
        decide_on(comparison(0.001, -0.2)).reason,
        decide_on_both(comparison(0.5), comparison(0.5)).reason,
        decide_on_both(comparison(0.5), comparison(0.0001)).reason,
        decide_on_both(comparison(0.5, -0.2), comparison(0.0001)).reason,
        decide_on_both(comparison(0.5, candidate=50), comparison(0.0001)).reason,
    ]
    translated = visitor.open(site.url, locale="zh-CN").evaluate(TRANSLATE, reasons)
    left = [word for text in translated for word in re.findall(r"[A-Za-z_']+", text)]
    assert {word for word in left if not re.fullmatch(NAMES, word)} == set()
