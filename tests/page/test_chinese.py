"""The words of the server that the page says in Chinese."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from app.routes.train import describe_wait
from benchmarks.corrections import correction
from benchmarks.people import Person
from inkling.mnist import Split, how_to_provide
from inkling.network.checkpoint import Checkpoint
from inkling.network.pretrained import load_pretrained
from inkling.network.recipe import TUTORIAL
from inkling.registry.records import Comparison, Correction, ErrorType, Progress
from inkling.registry.registry import Registry
from tests.page.visitors import Visitor
from tests.support.servers import Server
from training.failures import ERROR_TYPES
from training.promotion import PeopleComparison, compare_people, decide_on, decide_on_both, promotion_decision
from training.pruning import PrunedError, Pruning
from training.set_aside import set_aside

pytestmark = pytest.mark.unmeasured

TRANSLATE = """async (reasons) => {
  const folder = document.querySelector("script[src]").src.replace(/main\\.js$/, "");
  const { decisionText } = await import(`${folder}decisions.js`);
  return reasons.map(decisionText);
}"""
NAMES = (
    r"McNemar|p|e|validation_size|fashion|mnist|inkling|worker|docker|compose|up|trainer"
    r"|MNIST|Keras|IDX|TensorFlow|UTC|safetensors|Errno"
)
TRANSLATE_MESSAGES = TRANSLATE.replace("decisions", "server_texts").replace("decisionText", "serverText")
TITLES = (
    TRANSLATE.replace("decisions", "language").replace("decisionText", "t").replace("map(t)", "map((key) => t(key))")
)
ROOT = Path(__file__).parent.parent.parent
MESSAGE_FILES = [
    *(ROOT / "training").rglob("*.py"),
    *(ROOT / "inkling" / "datasets").glob("*.py"),
    *(ROOT / "inkling" / "network").glob("*.py"),
    *(ROOT / "inkling" / "registry" / f"{name}.py" for name in ("database", "run_changes", "versions")),
    *(ROOT / "inkling").glob("mnist*.py"),
    ROOT / "app" / "serving" / "current_version.py",
]
WORDING = {
    "_nothing_to_learn",
    "require_dataset",
    "requeue_expired",
    "_describe_stand_in",
    "_reason_to_fail",
    "_queue",
    "describe_failure",
}
"""Functions that word a message which somebody else raises or records."""
MENDED = "`inkling verify --repair` mends it"
CODE = re.compile(
    r"`[^`]*`|[0-9a-f]{64}|[\w-]+-ubyte|mnist\.npz|\.gz|INKLING_\w+|(GET|POST|DELETE) /feedback|source=|SHA-256|UTF-8"
    r"|pip install '\.\[search\]'|--skip|=true|7x7|general|synthetic|elapsed_s|float32|'tensorflow'"
)
"""What is the same in every language: code, names of files and of settings."""
TEXTS = (ast.JoinedStr, ast.Constant)
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


def test_failures_preparations_and_refused_versions_are_chinese(visitor: Visitor, site: Server) -> None:
    # given: every message that the code has, with 7 for each value
    messages = [message for path in MESSAGE_FILES for message in messages_of(ast.parse(path.read_text()))]
    assert len(messages) > 50
    messages += ["No module named 'tensorflow'", "version 7 is refused: 7; version 7 is served instead, " + MENDED]
    # when
    page = visitor.open(site.url, locale="zh-CN")
    translated = page.evaluate(TRANSLATE_MESSAGES, messages)
    # then
    words = {word for text in translated for word in english_words([CODE.sub("", text)])}
    assert words == set()
    assert all("7" in text for text, message in zip(translated, messages, strict=True) if "7" in message)
    # and: every kind of failure has a title
    titles = page.evaluate(TITLES, [f"failure.{kind}" for kind in get_args(ErrorType)])
    assert english_words(titles) == set()


def test_values_of_a_message_pass_through_and_are_translated_themselves(visitor: Visitor, site: Server) -> None:
    page = visitor.open(site.url, locale="zh-CN")
    refused = "version 3 is refused: its SHA-256 is 12ab, recorded was 34cd; the network that ships is served instead, "
    unknown = "an error that nobody foresaw"
    texts = page.evaluate(TRANSLATE_MESSAGES, [refused + MENDED, unknown])
    parts = (
        "版本 3 无法使用",
        "它的 SHA-256 为 12ab",
        "记录为 34cd",
        "现由 随附的网络 提供服务",
        "inkling verify --repair",
    )
    assert [texts[0].find(part) for part in parts] == sorted(texts[0].find(part) for part in parts)
    assert parts[0] in texts[0]
    assert texts[1] == unknown


def messages_of(tree: ast.AST) -> Iterator[str]:
    """Yield the messages in a module: of errors that end a run, of preparations, and of functions that word them."""
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if getattr(node.exc.func, "id", None) in ERROR_TYPES and isinstance(node.exc.args[0], TEXTS):
                yield filled(node.exc.args[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "_report_preparation":
            if isinstance(node.args[1], TEXTS):
                yield filled(node.args[1])
        elif isinstance(node, ast.FunctionDef) and node.name in WORDING:
            inner = (found for statement in node.body for found in ast.walk(statement))
            texts = [text for text in inner if isinstance(text, TEXTS) and (text not in parts or is_whole(text))]
            yield from (filled(text) for text in texts if is_sentence(filled(text)))


def is_whole(text: ast.expr) -> bool:
    return isinstance(text, ast.JoinedStr) and len(text.values) > 1


def filled(text: ast.expr) -> str:
    """Return a string of the code, with 7 in place of each value."""
    if isinstance(text, ast.JoinedStr):
        return "".join(filled(part) for part in text.values)
    if (
        isinstance(text, ast.FormattedValue)
        and getattr(getattr(text.value, "func", None), "id", None) == "how_to_provide"
    ):
        return how_to_provide(Path("7"))
    return str(text.value) if isinstance(text, ast.Constant) else "7"


def is_sentence(text: str) -> bool:
    """Return whether it is a message: not a word, no line of the log, no docstring."""
    return text.count(" ") >= 3 and "%" not in text and not text.rstrip().endswith(".")


def english_words(texts: list[str]) -> set[str]:
    words = {word for text in texts for word in re.findall(r"[A-Za-z_']+", text)}
    return {word for word in words if not re.fullmatch(NAMES, word)}
