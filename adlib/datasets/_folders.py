"""What the readers of folders share: what lies where, what was expected, how normal pictures are held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from adlib.datasets.files import natural_key, stray

Fail = Callable[[str], FileNotFoundError]
"""From a problem to the error that tells it, with what was expected and found."""


def some(names: Sequence[str], most: int = 10) -> str:
    """The names in one line, the first few where there are many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def subfolders(folder: Path, skipped: list[str]) -> dict[str, Path]:
    """The folders in folder by name, sorted by the numbers in their names. All else is added to skipped."""
    folders = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX":
            folders[path.name] = path
        else:
            hidden = path.name.startswith(".") or path.name == "__MACOSX"
            skipped.append(f"{path}: {stray(path) if hidden else 'not part of the layout'}")
    return folders


def nesting(folder: Path, right: Callable[[Path], bool]) -> list[Path]:
    """The folders that were probably meant, one or two levels above or below folder. right: is it one?"""
    above = [path for path in (folder.parent, folder.parent.parent) if right(path)]
    if above or not folder.is_dir():
        return above[:1]
    below = [path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_dir() and right(path)]
    return sorted(below, key=natural_key)


def held_out(files: Sequence[Path], share: float, runs: int = 1) -> tuple[list[Path], list[Path]]:
    """Normal pictures to train and to test, both in the order of files.

    The files are parted into so many stretches of about equal length; the last ones of each are tested, in all
    ``share * len(files)``, rounded, but one at least, and not all.
    """
    count = min(max(1, round(len(files) * share)), len(files) - 1)
    runs = min(runs, count)
    train: list[Path] = []
    test: list[Path] = []
    for run in range(1, runs + 1):  # after each stretch, both parts hold their share of all files, rounded down
        start, middle = len(train) + len(test), (len(files) - count) * run // runs + len(test)
        end = middle + count * run // runs - len(test)
        train += files[start:middle]
        test += files[middle:end]
    return train, test
