"""Generated sets on disk: whole or not there at all, and never mixed with anything else."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

_README = "readme.txt"


def generate(folder: Path, settings: Mapping[str, object], build: Callable[[Path], None], about: str) -> Path:
    """Let ``build`` fill an empty folder, then put it where ``folder`` is to be. Returns ``folder``.

    The folder is filled beside its place and renamed at the end, so an interrupted run leaves nothing half made. A
    ``readme.txt`` in it holds ``about`` and, as JSON, the settings and the version of adlib: where they are found
    again, nothing is drawn. settings: what decides the content, JSON values only.

    Raises ValueError where ``folder`` holds anything else, which is never written over, or cannot be written to.
    """
    folder = folder.resolve()  # a link to an empty folder is followed
    told = json.dumps({**settings, "adlib": version("adlib")}, sort_keys=True)
    if _holds(folder, told):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ValueError(f"{folder.parent} cannot be written to: {error.strerror}; name another root") from error
    with beside as place:
        made = Path(place) / folder.name
        made.mkdir()
        build(made)
        (made / _README).write_text(f"{about}\n\n{told}\n", encoding="utf-8")
        try:
            if folder.is_dir():
                folder.rmdir()  # if it is empty; Windows replaces no folder
            os.replace(made, folder)
        except OSError:
            if not _holds(folder, told):  # else another process was quicker, with the same result
                raise
    return folder


def _holds(folder: Path, told: str) -> bool:
    """Whether the set with these settings is there already."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    readme = folder / _README
    if not readme.is_file():
        raise ValueError(f"{folder} must be new, empty or a generated set; it holds something else: name another root")
    found = (readme.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[-1]
    if found != told:
        raise ValueError(
            f"{folder} was generated with other settings: delete it or name another root\n"
            f"  there: {found}\n  wanted: {told}"
        )
    return True
