"""What the readers of folders share: what lies where, what was expected, how normal pictures are held out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from adlib.datasets._decoding import PathLike
from adlib.datasets.files import SUFFIXES

Fail = Callable[[str], FileNotFoundError]
"""From a problem to the error that tells it, with what was expected and found."""


# names


def natural_key(path: PathLike) -> tuple[list[str | int], str]:
    """A key for sorting by the numbers in a name: 2.jpg before 10.jpg. The rest by its characters, capitals first."""
    name = Path(path).as_posix()
    return [int(part) if i % 2 else part for i, part in enumerate(re.split("([0-9]+)", name))], name


def entries(folder: Path) -> list[Path]:
    """What folder holds, in natural order: 2 before 10."""
    return sorted(folder.iterdir(), key=lambda path: natural_key(path.name))


def some(names: Sequence[str], most: int = 10) -> str:
    """The names in one line, the first few where there are many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def found(folder: Path) -> str:
    """What folder holds, in words, the first few names where there are many."""
    try:
        return some([path.name for path in entries(folder)], 12) or "nothing"
    except (FileNotFoundError, NotADirectoryError):
        return "no such folder"
    except PermissionError:
        return "a folder that may not be read"


def is_folder(path: Path) -> bool:
    """Whether path is a folder. Unlike ``Path.is_dir``, no error where a folder above it may not be looked into."""
    return os.path.isdir(path)


def has(folder: Path, *names: str) -> bool:
    """Whether folder holds a folder of one of these names."""
    return any(is_folder(folder / name) for name in names)


# pictures and folders


def hidden(name: str) -> bool:
    """Whether this name in a folder stands for nothing that the user put there."""
    return name.startswith(".") or name == "__MACOSX"


def stray(path: Path) -> str:
    """Why this entry of a folder of pictures is no picture of it, or "" for a picture."""
    if path.name.startswith("._"):
        return "left by macOS beside a file"
    if hidden(path.name):
        return "hidden"
    if is_folder(path):
        return "a folder among pictures"
    return "" if path.suffix.lower() in SUFFIXES else f"not a picture ({path.suffix or 'no suffix'})"


def list_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """The picture files directly in folder, by the numbers in their names, and what else is there, with the reasons."""
    files, skipped = [], []
    for path in entries(folder):
        reason = stray(path)
        if reason:
            skipped.append(f"{path}: {reason}")
        else:
            files.append(path)
    return files, skipped


def subfolders(folder: Path, skipped: list[str]) -> dict[str, Path]:
    """The folders in folder by name, sorted by the numbers in their names. All else is added to skipped."""
    folders = {}
    for path in entries(folder):
        if is_folder(path) and not hidden(path.name):
            folders[path.name] = path
        else:
            skipped.append(f"{path}: {stray(path) if hidden(path.name) else 'not part of the layout'}")
    return folders


def nesting(folder: Path, right: Callable[[Path], bool]) -> list[Path]:
    """The folders that were probably meant, one or two levels above or below folder. right: is it one?"""
    above = [path for path in (folder.parent, folder.parent.parent) if right(path)]
    if above or not is_folder(folder):
        return above[:1]
    below = [path for pattern in ("*", "*/*") for path in folder.glob(pattern) if is_folder(path) and right(path)]
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
