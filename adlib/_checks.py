"""Numbers, switches and paths that were checked. An error names the argument, what came and what is accepted."""

from __future__ import annotations

import math
import os
from numbers import Integral, Real
from pathlib import Path
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


def integer(name: str, value: Any, low: int, high: float = math.inf) -> int:
    """value as an int if it is a whole number from low to high. Raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        accepted = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ValueError(f"{name} must be an integer {accepted}, got {value!r}")
    return int(value)


def boolean(**values: Any) -> None:
    """Check that every one is True or False."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")


def seed(value: Any) -> int:
    """value as an int if it is an integer in [0, 2**63). Raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= int(value) < 2**63:
        raise ValueError(f"seed must be an integer of at least 0, got {value!r}")
    return int(value)


def path(name: str, value: Any, what: str) -> Path:
    """value as a path, ``~`` followed. what: the path of what, such as "a picture". Raises ``ValueError``."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or not os.fspath(value):
        raise ValueError(f"{name} must be the path of {what}, got {value!r}")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"{name} must be the path of {what}, got {os.fspath(value)!r}: no such home folder") from None


def folder(name: str, value: Any) -> Path:
    """value as an absolute path, links followed: of a folder that can be read, or of nothing. Raises ``ValueError``."""
    result = path(name, value, "a folder")
    try:
        result = result.resolve()
        os.scandir(result).close()
        os.stat(os.path.join(result, os.curdir))  # a folder whose names may be listed need not let anyone in
    except FileNotFoundError:
        pass
    except (OSError, RuntimeError, ValueError) as error:  # closed, links in a circle, a byte 0
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{name} must be the path of a folder, got {os.fspath(value)!r}: {reason}") from error
    return result
