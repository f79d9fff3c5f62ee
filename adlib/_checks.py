"""Numbers that were checked. An error names the argument, what came and what is accepted."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def number(name: str, value: Any, accepted: str, low: float, high: float = math.inf, *, ends: bool = True) -> float:
    """value as a float if it is a finite number in [low, high], or in (low, high] where ``ends`` is False.

    accepted: the words for what is accepted, such as "a number above 0". Raises ``ValueError``.
    """
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (good and (low <= value if ends else low < value) and value <= high):
        raise ValueError(f"{name} must be {accepted}, got {value!r}")
    return float(value)


def positive(**values: Any) -> None:
    """Check that every one is a finite number above 0."""
    for name, value in values.items():
        number(name, value, "a number above 0", 0, ends=False)


def integer(name: str, value: Any, low: int) -> int:
    """value as an int if it is a whole number of at least low. Raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < low:
        raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}")
    return int(value)


def seed(value: Any) -> int:
    """value as an int if it is an integer in [0, 2**63). Raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) < 2**63:
        raise ValueError(f"seed must be an integer of at least 0, got {value!r}")
    return int(value)
