"""The model card's values about the yardstick: pages, MNIST-C, numbers and non-digits, before and after."""

from collections.abc import Sequence
from typing import Any

from inkling.model_card.markdown import bold
from inkling.model_card.yardstick.mnist_c import MNIST_C
from inkling.model_card.yardstick.non_digits import NON_DIGITS, RELATED
from inkling.model_card.yardstick.pages import PAGE_KINDS, STRENGTHS
from inkling.model_card.yardstick.scores import (
    LOST,
    SURE,
    MnistCScore,
    NonDigitScore,
    NumberScore,
    PageScore,
    Yardstick,
)
from inkling.network.evaluation import wilson_interval


def yardstick_values(measured: Yardstick, before: Yardstick | None) -> dict[str, Any]:
    """Return the template's values of the sections on pages, MNIST-C, numbers and non-digits."""
    return {
        "is_compared": before is not None,
        "sure": SURE,
        "lost": LOST,
        "pages_each": measured.pages[0].total,
        "plain": share(measured.pages[0].plain, measured.pages[0].total),
        "page_kinds": len(PAGE_KINDS),
        "pages": _pages(measured.pages, before.pages if before else None),
        "page_descriptions": [(kind, _first_line(draw)) for kind, draw in PAGE_KINDS.items()],
        "mnist_c_images": measured.mnist_c[0].total,
        "mnist_c": _mnist_c(measured.mnist_c, before.mnist_c if before else None),
        "mnist_c_descriptions": [(kind, _first_line(change)) for kind, change in MNIST_C.items()],
        "numbers": _numbers(measured.numbers),
        "numbers_each": measured.numbers[0].total if measured.numbers else 0,
        "real_digits": measured.real_digits,
        "non_digit_kinds": len(NON_DIGITS),
        "non_digits": _non_digits(measured.non_digits, before.non_digits if before else None),
    }


def share(part: int, total: int) -> str:
    """Return a share with its 95 % interval (Wilson 1927); a dash of nothing."""
    if not total:
        return "-"
    low, high = wilson_interval(part, total)
    return f"{part / total:.3f} ({low:.3f} to {high:.3f})"


def _first_line(function: object) -> str:
    return (function.__doc__ or "").splitlines()[0]


def _pages(scores: Sequence[PageScore], before: Sequence[PageScore] | None) -> tuple[list[str], list[list[str]]]:
    header = ["page", *STRENGTHS, "all, relative to plain", f"wrong above {SURE}", "refused"]
    if before:
        header += ["before", f"before, wrong above {SURE}"]

    def still(chosen: Sequence[PageScore]) -> str:
        return share(sum(score.still_correct for score in chosen), sum(score.plain for score in chosen))

    def wrong(chosen: Sequence[PageScore]) -> str:
        return share(sum(score.sure_but_wrong for score in chosen), sum(score.total for score in chosen))

    rows = []
    for kind in (*PAGE_KINDS, None):
        own = [score for score in scores if kind in (score.kind, None)]
        cells = [kind or "all", *(still([score for score in own if score.strength == name]) for name in STRENGTHS)]
        cells += [still(own), wrong(own), f"{sum(s.refused for s in own) / sum(s.total for s in own):.3f}"]
        if before:
            former = [score for score in before if kind in (score.kind, None)]
            cells += [still(former), wrong(former)]
        rows.append(cells if kind else bold(cells))
    return header, rows


def _mnist_c(scores: Sequence[MnistCScore], before: Sequence[MnistCScore] | None) -> tuple[list[str], list[list[str]]]:
    header = ["corruption", "strict", "`fit=mnist`", "difference", f"wrong above {SURE}", "refused"]
    header += ["before"] if before else []

    def row(title: str, own: Sequence[MnistCScore], former: Sequence[MnistCScore]) -> list[str]:
        total = sum(score.total for score in own)
        strict, normalized = sum(score.strict for score in own), sum(score.normalized for score in own)
        cells = [title, share(strict, total), share(normalized, total), f"{(normalized - strict) / total:+.4f}"]
        cells += [f"{sum(getattr(s, name) for s in own) / total:.4f}" for name in ("sure_but_wrong", "refused")]
        if before:
            cells.append(share(sum(s.normalized for s in former), sum(s.total for s in former)))
        return cells

    rows = [row(s.name, [s], [f for f in before or () if f.name == s.name]) for s in scores]
    return header, [*rows, bold(row("mean", scores, before or ()))]


def _numbers(scores: Sequence[NumberScore]) -> tuple[list[str], list[list[str]]]:
    """Return a row per number of digits, with columns by background; then a row for all."""
    backgrounds = list(dict.fromkeys(score.background for score in scores))
    header = ["digits", *(f"{name}: exact" for name in backgrounds), "all: exact", "count of digits right"]
    lengths = sorted({score.length for score in scores})
    rows = []
    for length in (*lengths, None) if lengths else ():
        own = [score for score in scores if length in (score.length, None)]
        parts = [[score for score in own if score.background == name] for name in backgrounds]
        cells = [str(length or "all")]
        cells += [share(sum(s.exact for s in part), sum(s.total for s in part)) for part in (*parts, own)]
        cells.append(share(sum(s.counted for s in own), sum(s.total for s in own)))
        rows.append(cells if length else bold(cells))
    return header, rows


def _non_digits(
    scores: Sequence[NonDigitScore], before: Sequence[NonDigitScore] | None
) -> tuple[list[str], list[list[str]]]:
    has_probe = all(score.by_probe is not None for score in scores)
    header = ["kind", "pictures", "refused", *["found by `is_digit`"] * has_probe, "found by confidence"]
    header += [f"answered above {SURE}", *["before, by confidence"] * bool(before)]

    def row(title: str, own: Sequence[NonDigitScore], former: Sequence[NonDigitScore]) -> list[str]:
        total = sum(score.total for score in own)
        cells = [title, f"{total:,}", str(sum(score.refused for score in own))]
        if has_probe:
            cells.append(share(sum(score.by_probe or 0 for score in own), total))
        cells += [share(sum(score.by_confidence for score in own), total), str(sum(score.sure for score in own))]
        if before:
            cells.append(share(sum(score.by_confidence for score in former), sum(score.total for score in former)))
        return cells

    rows = {s.kind: row(s.kind, [s], [f for f in before or () if f.kind == s.kind]) for s in scores}
    all_kinds = [[score for score in part or () if score.kind in NON_DIGITS] for part in (scores, before)]
    own = [rows[kind] for kind in NON_DIGITS]
    return header, [*own, bold(row("all", *all_kinds)), *([f"({rows[kind][0]})", *rows[kind][1:]] for kind in RELATED)]
