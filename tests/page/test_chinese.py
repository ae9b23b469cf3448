"""The words of the server that the page says in Chinese."""

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from app.routes.train import describe_wait
from benchmarks.corrections import correction
from benchmarks.people import Person
from inkling.mnist import Split
from inkling.network.checkpoint import Checkpoint
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Comparison, Correction, Progress
from inkling.registry.registry import Registry
from tests.page.visitors import Visitor
from tests.support.servers import Server
from training.promotion import PeopleComparison, compare_people, decide_on, decide_on_both, promotion_decision
from training.pruning import PrunedError, Pruning
from training.set_aside import set_aside

pytestmark = pytest.mark.unmeasured

TRANSLATE = """async (reasons) => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  const { decisionText } = await import(`${folder}decisions.js`);
  return reasons.map(decisionText);
}"""
NAMES = r"McNemar|p|e|validation_size|fashion|mnist|inkling|worker|docker|compose|up|trainer"
NO_IMAGES = Split(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))


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
    assert english_words(translated) == set()


def waits(registry: Registry) -> list[str | None]:
    """Return what queued runs wait for, in words."""
    runs = [registry.runs.queue(TUTORIAL, "never", max_queued=10)[0] for _ in range(3)]
    last = runs[-1]
    old = replace(last, requested_at=last.requested_at - timedelta(seconds=90))
    texts = [
        describe_wait(run, registry, is_own_trainer=is_own)
        for run, is_own in ((last, True), (last, False), (old, False))
    ]
    for at_once in (1, 2):
        registry.runs.claim(lease_s=30, owner="a test", at_once=at_once)
        texts.append(describe_wait(last, registry, at_once, is_own_trainer=True))
    return texts


def test_runs_that_wait_or_end_without_a_comparison_are_chinese_too(
    visitor: Visitor, site: Server, registry: Registry, shipped: Checkpoint
) -> None:
    other = replace(shipped, card=shipped.card.model_copy(update={"dataset": "fashion"}))
    with pytest.raises(PrunedError) as pruned:
        Pruning(TUTORIAL, {100: 0.1}).check(Progress(100, 9.0, 0.5, 0.5, 1.0, 0.25))
    reasons = [
        promotion_decision("always", shipped, NO_IMAGES)(None).reason,
        promotion_decision("never", shipped, NO_IMAGES)(None).reason,
        promotion_decision("if_better", shipped, NO_IMAGES)(None).reason,
        promotion_decision("if_better", shipped, NO_IMAGES)(shipped.content).reason,
        promotion_decision("if_better", other, NO_IMAGES)(shipped.content).reason,
        str(pruned.value),
        *waits(registry),
    ]
    translated = visitor.open(site.url, locale="zh-CN").evaluate(TRANSLATE, reasons)
    assert english_words(translated) == set()


def english_words(texts: list[str]) -> set[str]:
    words = {word for text in texts for word in re.findall(r"[A-Za-z_']+", text)}
    return {word for word in words if not re.fullmatch(NAMES, word)}
