"""What the parts of `make bench` tell alike: ratios, and what was asked of them."""

import statistics
from collections.abc import Callable, Sequence

Tell = Callable[[str], None]
"""Takes a line of progress."""
Verdict = tuple[str, str, str, bool]
"""What is measured, what is asked of it, what it came to, and whether that is enough."""


def spread(ratios: Sequence[float], unit: str = "x") -> str:
    """Return the median of some rounds' ratios, and the least and the most."""
    return f"{statistics.median(ratios):.2f}{unit} ({min(ratios):.2f} to {max(ratios):.2f})"
