"""Clips in folders: frames in the order of their numbers, what lies astray, and where a misplaced set may be."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from adlib.datasets import _movies
from adlib.datasets._decoding import PathLike
from adlib.datasets._folders import Fail, entries, found, has, hidden, is_folder, list_pictures, nesting, stray
from adlib.datasets.catalogue import CATALOGUE, data_folder, find, missing


class Clip(NamedTuple):
    """One video: its name, and its frames in order or one movie file."""

    name: str
    files: tuple[Path, ...]


# frames


def number(path: Path) -> int:
    """The number of a frame, the last one in its name: 7 for ``cam2_007.jpg``. -1 for a name without one."""
    return int((re.findall(r"\d+", path.stem) or [-1])[-1])


def _series(path: Path) -> str:
    """The name with # in place of its number: alike for all frames of a clip."""
    return re.sub(r"\d+(?=\D*$)", "#", path.stem) + path.suffix.lower()


def frames(folder: Path) -> tuple[tuple[Path, ...], list[str]]:
    """The frames in folder, in the order of their numbers, and what else lies there, with the reasons.

    Pictures named in another way than the rest are passed over, if they are few. Frames without any number come in the
    order of their names. Raises ValueError for a folder without frames, for two kinds of names in like number, and for
    numbers that occur twice or are missing in between. Every second or every fifth frame alone makes a clip, too.
    """
    pictures, skipped = list_pictures(folder)
    if not pictures:
        inner = [path for path in entries(folder) if is_folder(path) and list_pictures(path)[0]]
        if inner:
            raise ValueError(f"{folder} must hold frames, but they lie one level lower, in {inner[0]}: move them up")
        raise ValueError(f"{folder} must hold frames, but there are none; found: {found(folder)}")
    if not any(number(path) >= 0 for path in pictures):
        return tuple(pictures), skipped
    kinds = defaultdict(list)
    for path in pictures:
        kinds[_series(path)].append(path)
    series = max(kinds, key=lambda kind: len(kinds[kind]))
    files = sorted(kinds.pop(series), key=number)
    others = [path for kind in kinds.values() for path in kind]
    if 4 * len(others) > len(files):
        raise ValueError(f"{folder} must hold the frames of one clip, but names are of several kinds: {found(folder)}")
    skipped += [f"{path}: not named {series} like the other frames" for path in others]
    steps = [number(after) - number(before) for before, after in pairwise(files)]
    for before, after, step in zip(files, files[1:], steps, strict=False):
        if step == 0:
            raise ValueError(f"{folder}: {before.name} and {after.name} have the same number")
        if step != min(filter(None, steps)):
            raise ValueError(f"{folder}: frames are missing between {before.name} and {after.name}")
    return tuple(files), skipped


# clips


def folders_of_frames(folder: Path, fail: Fail, but: tuple[str, ...] = ()) -> tuple[list[Clip], list[str]]:
    """A clip for every folder in folder, in natural order, except where its name ends in one of ``but``."""
    clips, skipped = [], []
    for path in entries(folder):
        if is_folder(path) and not hidden(path.name):
            if not path.name.endswith(but):
                files, passed = frames(path)
                clips.append(Clip(path.name, files))
                skipped += passed
        else:
            skipped.append(f"{path}: {stray(path) or 'a picture beside the folders of clips'}")
    if not clips:
        raise fail(f"{folder} must hold a folder of frames for every clip; it holds {found(folder)}")
    return clips, skipped


def movies(folder: Path, fail: Fail) -> tuple[list[Clip], list[str]]:
    """A clip for every movie file in folder, in natural order."""
    paths, skipped = _files(folder, _movies.SUFFIXES)
    if not paths:
        raise fail(f"{folder} must hold movies ({', '.join(_movies.SUFFIXES)}); it holds {found(folder)}")
    return [Clip(path.stem, (path,)) for path in paths], skipped


def files_by_stem(folder: Path, suffix: str) -> tuple[dict[str, Path], list[str]]:
    """The files of one suffix in folder, by name without it. A folder that is not there holds none."""
    paths, skipped = _files(folder, (suffix,)) if is_folder(folder) else ([], [])
    return {path.stem: path for path in paths}, skipped


def _files(folder: Path, suffixes: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    paths: dict[str, Path] = {}
    skipped = []
    for path in entries(folder):
        if path.name.startswith("."):
            skipped.append(f"{path}: hidden")
        elif path.suffix.lower() not in suffixes or is_folder(path):
            skipped.append(f"{path}: not a file {' or '.join(suffixes)}")
        elif path.stem in paths:
            raise ValueError(f"{paths[path.stem]} and {path.name} have the same name: take one away")
        else:
            paths[path.stem] = path
    return list(paths.values()), skipped


# where a set lies


def located(name: str, root: PathLike | None, marks: tuple[str, ...], inner: str = "") -> Path:
    """Where the set lies: the first usual place that holds a folder of one of these names, perhaps inside ``inner``.

    Raises FileNotFoundError, which says where such folders lie if they lie nearby.
    """
    base, folders = data_folder(root), CATALOGUE[name].folders
    others = {Path(folder).name for key, entry in CATALOGUE.items() if key != name for folder in entry.folders}

    def marked(place: Path) -> bool:
        return place.name not in others and has(place, *marks)

    def usual(place: Path) -> str:
        return next((folder for folder in folders if folder and place.as_posix().endswith(f"/{folder}")), "")

    for folder in folders:
        for place in (base / folder, base / folder / inner):
            if has(place, *marks):
                return place
    near = (base, *nesting(base, lambda place: marked(place) and usual(place) != ""))
    named = [place for place in near if marked(place) and usual(place)]
    if named:
        right = named[0].as_posix().removesuffix(f"/{usual(named[0])}")
        raise missing(name, base / folders[0], f"it lies in {named[0]}: give root={right!r}")
    where = base if marked(base) else find(name, base)
    astray = [base] if marked(base) else nesting(where, marked)
    if astray:
        raise missing(name, where, f"its folders lie in {astray[0]}: move them to {base / folders[0]}")
    raise missing(name, where, f"there is neither {' nor '.join(marks)}")


def both(folder: Path, parts: tuple[str, str], fail: Fail) -> None:
    """Check that both splits are there, not one alone."""
    for part, other in (parts, parts[::-1]):
        if not is_folder(folder / part):
            raise fail(f"there is {other}, but no {part}: was the archive unpacked to its end?")
