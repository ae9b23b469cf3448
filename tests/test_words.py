"""Plain American English in code and documents: no former identifiers, no British spelling, no riddles."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("inkling", "app", "training", "benchmarks", "tests", "docs")
SUFFIXES = (".py", ".js", ".css", ".html", ".md", ".lua", ".txt")
EXCEPTIONS = ("CHANGELOG.md", "tests/test_words.py")
"""The changelog names renamed fields, and this file lists the words."""
FILES = sorted(
    file
    for file in (*ROOT.glob("*.md"), ROOT / "Makefile", *(f for name in FOLDERS for f in (ROOT / name).rglob("*")))
    if (file.suffix in SUFFIXES or file.name == "Makefile") and str(file.relative_to(ROOT)) not in EXCEPTIONS
)
FORMER_FIELDS_ARE_READ_IN = (
    "inkling/network/recipe.py",
    "inkling/registry/rows.py",
    "tests/inkling/network/test_recipe.py",
    "tests/inkling/network/test_checkpoint.py",
    "tests/inkling/registry/test_registry_of_0_1.py",
)
"""Mappings that read files and databases of 0.1, and their tests. Elsewhere such a line must contain "former"."""

QUESTION_OPENERS = re.compile(r"(What|How|Where|Which|Whether|Why|Who|When)\b")

BRITISH_VERBS = (
    *("normalise", "recognise", "serialise", "organise", "initialise", "optimise", "minimise", "maximise"),
    *("parametrise", "generalise", "specialise", "summarise", "visualise", "randomise", "synchronise", "quantise"),
    *("vectorise", "tokenise", "characterise", "standardise", "penalise", "regularise", "binarise", "stabilise"),
    *("utilise", "customise", "categorise", "realise", "emphasise", "authorise", "finalise", "localise"),
    *("equalise", "modernise", "prioritise", "capitalise"),
)
BRITISH = (
    r"(arm|behavi|col|fav|flav|harb|hon|hum|lab|neighb|od|rum|vap|vig)our",
    r"\bgrey",
    r"\b(centre|litre|metre|fibre|calibre|theatre)(s|d)?\b",
    rf"({'|'.join(verb.removesuffix('e') for verb in BRITISH_VERBS)})(e|ed|es|er|ers|ing|ation|ations)\b",
    r"\banalys(e|ed|es|ing)\b",
    r"\b(licence|practise|defence|offence|artefact|catalogue|programme|judgement|sceptic|draught)s?\b",
    r"\b(model|label|travel|signal|total|level|channel|tunnel)l(ed|ing|er)\b",
    r"\b(learnt|spelt|burnt|dreamt|whilst|amongst)\b",
)
DIALECT = (
    r"\b(stands?|stood|standing) still\b|\bstandstill\b",
    r"\btrying on\b",
    r"\bright of way\b",
    r"\bgood neighbou?r",
    r"\bgiv(es?|ing) way\b|\bmakes? way\b",
    r"\banew\b",
    r"(?<!\.)\b(tells?|telling)\b",
    r"\btold\b(?! to )",
    r"\bwhat (it|they) (is|are|was|were)\b",
    r"\bwhatever (it|they) (is|are|was|were|may)\b",
    r"\bknows nothing of\b",
    r"\blies well\b",
    r"\b(ink|ground)\b(?! truth)",
    r"\bfor ever\b|\bfor good\b",
)
UNITS = r"request|image|picture|pixel|second|step|run|part|file|processor|core|item|number|batch|line|digit|call"
RATES = (
    rf"\b(lines?|requests|predictions|images|uploads|pictures|bytes?|pixels|us|ms|MB|kB|nats|rows|numbers|steps|runs|"
    rf"once|twice|times|few|one|records|threads|calls) an? ({UNITS})\b",
    r"\ba processor\b",
)
FORMER_NAMES = (
    r"[Pp]recedence|RightOfWay|right_of_way|yield_p99_ms|YIELD_P99_MS|follow_s|FOLLOW_S|STANDSTILL_S",
    r"inkling_wait_seconds|inkling_training_yields",
    r"without_stripes|box_mean|_pooled|_unpooled|is_dark_ink|on_even_ground",
    r"with_drawn_digits|index_batches|Learner|first_share|second_share",
    r"Injected|read_strict|read_any|DirectFastAPI",
    r"end_leases|_give_up_dead_runs|give_up_dead_runs|nondigits|run_store|version_store",
)
FORMER_FIELDS = r"average_decay|candidate_alone|served_alone|recipe\.(fade|damaged|drawn)"


@cache
def _texts() -> dict[str, str]:
    """Return the texts of all files, without URLs, by their paths."""
    return {str(file.relative_to(ROOT)): re.sub(r"https?://\S+", "", file.read_text()) for file in FILES}


def _found(pattern: str, flags: int = re.IGNORECASE) -> list[str]:
    compiled = re.compile(pattern, flags)
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in _texts().items()
        if compiled.search(text)  # the whole text first, which is faster than line by line
        for number, line in enumerate(text.splitlines(), 1)
        if compiled.search(line)
    ]


def _list(found: list[str]) -> str:
    return "\n" + "\n".join(found)


@pytest.mark.parametrize("folder", FOLDERS[:-1])
def test_no_module_docstring_opens_like_a_question(folder: str) -> None:
    found = []
    for file in FILES:
        if file.suffix != ".py" or file.relative_to(ROOT).parts[0] != folder:
            continue
        docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
        if QUESTION_OPENERS.match(docstring):
            found.append(f"{file.relative_to(ROOT)}: {docstring.splitlines()[0]}")
    assert found == [], _list(found)


def test_no_module_of_the_page_opens_like_a_question() -> None:
    first_lines = {file: file.read_text().partition("\n")[0] for file in FILES if file.suffix == ".js"}
    assert first_lines
    assert [line for line in first_lines.values() if QUESTION_OPENERS.match(line.removeprefix("// "))] == []


@pytest.mark.parametrize("pattern", BRITISH)
def test_spelling_is_american(pattern: str) -> None:
    found = _found(pattern)
    assert found == [], _list(found)


@pytest.mark.parametrize("pattern", DIALECT)
def test_words_are_plain(pattern: str) -> None:
    found = _found(pattern)
    assert found == [], _list(found)


@pytest.mark.parametrize("pattern", RATES)
def test_rates_say_per(pattern: str) -> None:
    found = _found(pattern)
    assert found == [], _list(found)


@pytest.mark.parametrize("pattern", FORMER_NAMES)
def test_former_names_stay_away(pattern: str) -> None:
    found = _found(rf"\b({pattern})\b", flags=0)
    assert found == [], _list(found)


def test_former_fields_are_only_read_from_old_files() -> None:
    found = [
        line
        for line in _found(rf"\b({FORMER_FIELDS})\b", flags=0)
        if not line.startswith(FORMER_FIELDS_ARE_READ_IN) and "former" not in line
    ]
    assert found == [], _list(found)
