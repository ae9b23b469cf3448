"""A picture as the network reads it, with its other readings and the report on how it was made."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from inkling.digit import Box, Gray
from inkling.errors import NoDigitError

FIRST = 3.0
"""The weight of a picture's first reading, beside that of an equally sure alternative."""
MAX_ALTERNATIVES = 7
"""Readings of a picture beside its first one: each takes the network 3 us, and a kilobyte between processes."""


@dataclass(frozen=True)
class Normalization:
    """The report on what was done to a picture."""

    is_untouched: bool
    """Whether it looked like MNIST, so that nothing was done."""
    inverted: bool
    """Whether its digit was darker than its background."""
    box: Box | None
    """The digit's box, in the picture's pixels; None if the picture is untouched."""
    background_removed: bool
    """Whether its background was anything but plain black or white."""
    warnings: tuple[str, ...]
    """One sentence each."""

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "Normalization":
        """Return the report of which `dataclasses.asdict` was sent as JSON."""
        box, warnings = fields["box"], fields["warnings"]
        return cls(**{**fields, "box": None if box is None else tuple(box), "warnings": tuple(warnings)})


@dataclass(frozen=True)
class Normalized:
    """A picture as the network reads it, and the report on how it was made."""

    pixels: Gray
    """(28, 28), 0 background to 255 foreground."""
    report: Normalization
    alternatives: tuple["Normalized", ...] = ()
    """Other plausible readings of the same picture, MAX_ALTERNATIVES at most, which have none themselves.

    Here nothing chooses among them: the network does, in `inkling.readings`.
    """
    weight: float = 1.0
    """Its share in the picture's answer, beside an equally sure reading; a first reading counts FIRST times more."""
    is_shifted: bool = False
    """Whether it is read where it is and shifted by a pixel, because nothing says where its digit is."""

    def to_fields(self) -> dict[str, Any]:
        """Return all but pixels and alternatives, for JSON."""
        return {"report": asdict(self.report), "weight": self.weight, "is_shifted": self.is_shifted}

    @classmethod
    def from_fields(cls, pixels: Gray, fields: Mapping[str, Any]) -> "Normalized":
        """Return the reading of which `to_fields` was sent as JSON, without alternatives."""
        return cls(pixels, **{**fields, "report": Normalization.from_fields(fields["report"])})


def with_alternatives(first: Normalized, others: Iterable[Normalized]) -> Normalized:
    """Return a reading with other ones as alternatives; blank images and twins are left out."""
    seen = {(first.pixels.tobytes(), first.is_shifted)}
    alternatives = []
    for other in others:
        key = other.pixels.tobytes(), other.is_shifted
        if other.pixels.any() and key not in seen:
            seen.add(key)
            alternatives.append(other)
    return replace(first, alternatives=tuple(alternatives))


def first_reading(ways: Iterable[Callable[[], Normalized | None]]) -> Normalized:
    """Return the first reading that finds a digit, with the other ones as alternatives.

    Raises:
        NoDigitError: no way finds one; the first refusal.
    """
    readings: list[Normalized] = []
    refusals: list[NoDigitError] = []
    for read in ways:
        try:
            reading = read()
        except NoDigitError as error:
            refusals.append(error)
        else:
            readings += () if reading is None else (reading, *reading.alternatives)
    if not readings:
        raise refusals[0]
    others = tuple(replace(other, alternatives=()) for other in readings[1 : MAX_ALTERNATIVES + 1])
    return replace(readings[0], alternatives=others)


def with_warnings(normalized: Normalized, warnings: tuple[str, ...]) -> Normalized:
    """Return the result with warnings before those of all its readings, each once."""
    own = tuple(warning for warning in normalized.report.warnings if warning not in warnings)
    return replace(
        normalized,
        report=replace(normalized.report, warnings=warnings + own),
        alternatives=tuple(with_warnings(reading, warnings) for reading in normalized.alternatives),
    )


def enlarge_box(normalized: Normalized, step: int, shape: tuple[int, ...]) -> Normalized:
    """Return the result for a picture (h, w) that was reduced `step` times with its box in the picture's pixels."""

    def enlarge(box: Box) -> Box:
        left, top, right, bottom = (side * step for side in box)
        return left, top, min(right, shape[1]), min(bottom, shape[0])

    return _change_boxes(normalized, enlarge)


def shift_box(normalized: Normalized, x: int, y: int) -> Normalized:
    """Return the result of a crop with its box in the pixels of the whole picture."""
    return _change_boxes(normalized, lambda box: (box[0] + x, box[1] + y, box[2] + x, box[3] + y))


def _change_boxes(normalized: Normalized, change: Callable[[Box], Box]) -> Normalized:
    """Return the result with the boxes of all its readings changed; a reading of an untouched picture has none."""
    box = normalized.report.box
    return replace(
        normalized,
        report=replace(normalized.report, box=None if box is None else change(box)),
        alternatives=tuple(_change_boxes(reading, change) for reading in normalized.alternatives),
    )
