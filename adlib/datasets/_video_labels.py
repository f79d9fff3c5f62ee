"""What says which frames and which pixels of a video are anomalous: the three kinds of file that the sets use."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from adlib.datasets import _content

# .m: ranges of frames (UCSD)

_ENTRY = re.compile(r"^\s*TestVideoFile\s*\{\s*(end\s*\+\s*1|\d+)\s*\}\s*\.\s*gt_frame\s*=(.*)$")
_PART = re.compile(r"(\d+)\s*(?::\s*(\d+))?")


def read_ranges(path: Path) -> list[list[tuple[int, int]]]:
    """The anomalous frames of each test clip from UCSDped1.m or UCSDped2.m: lists of (first, last), both 1-based.

    A line a clip: ``TestVideoFile{end+1}.gt_frame = [5:90, 140:200];``. Raises ValueError for anything else.
    """
    clips: list[list[tuple[int, int]]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        code = line.split("%")[0]  # a comment
        if "gt_frame" not in code:
            continue
        entry = _ENTRY.match(code)
        value = entry and re.fullmatch(r"\s*\[([\d\s:,]*)\]\s*;?\s*", entry[2])
        if not entry or not value or (entry[1].isdigit() and int(entry[1]) != len(clips) + 1):
            raise ValueError(
                f"{path}, line {number}, must read like TestVideoFile{{end+1}}.gt_frame = [5:90, 140:200]; "
                f"got {line.strip()!r}"
            )
        ranges = [(int(part[1]), int(part[2] or part[1])) for part in _PART.finditer(value[1])]
        if _PART.sub("", value[1]).strip(" \t,") or any(not 1 <= first <= last for first, last in ranges):
            raise ValueError(f"{path}, line {number}: [{value[1]}] is no list of ranges first:last, counted from 1")
        clips.append(ranges)
    if not clips:
        raise ValueError(f"{path} holds no line like TestVideoFile{{end+1}}.gt_frame = [60:152];")
    return clips


def ranges_to_labels(ranges: list[tuple[int, int]], count: int, clip: str, path: Path) -> np.ndarray:
    """(count,) int64 of 0 and 1 from ranges, both ends anomalous, counted from 1."""
    last = max((last for _, last in ranges), default=0)
    if last > count:
        raise ValueError(f"{path} calls frame {last} of {clip} anomalous, but its folder holds {count} frames")
    labels = np.zeros(count, np.int64)
    for first, last in ranges:
        labels[first - 1 : last] = 1
    return labels


# .npy: a number a frame, or a number a pixel (ShanghaiTech)


def open_npy(path: Path, dimensions: int) -> np.ndarray:
    """The array of a .npy file, not read before it is used. Raises ValueError for a broken file, or other shapes."""
    array = _content.open_npy(path)
    if array.ndim != dimensions:
        shape = "(frames,)" if dimensions == 1 else "(frames, height, width)"
        raise ValueError(f"{path} must have the shape {shape}, got {array.shape}")
    return array


def read_frame_labels(path: Path) -> np.ndarray:
    """(T,) int64 of 0 and 1 from a frame mask of ShanghaiTech. Raises ValueError for anything else."""
    values = np.array(open_npy(path, 1))
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        raise ValueError(f"{path} must hold 0 (normal) and 1 (anomalous), got {values[wrong][0]}")
    return values.astype(np.int64)


# .mat: a cell a frame (Avenue)


def _unreadable(path: Path, error: Exception) -> ValueError:
    if (
        isinstance(error, NotImplementedError)
        or "v7.3" in str(error)
        or path.read_bytes()[:19] == b"MATLAB 7.3 MAT-file"
    ):
        return ValueError(
            f"{path} is a MATLAB 7.3 file, which SciPy does not read: in MATLAB, load it and save it with -v7"
        )
    return ValueError(f"{path} cannot be read as a MATLAB file: {error}; unpack or fetch it again")


# SciPy raises each of them on files that are truncated, corrupt or none of MATLAB's.
_BROKEN = (
    MatReadError,
    NotImplementedError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OSError,
    NameError,
    MemoryError,
    zlib.error,
)


def count_cells(path: Path) -> int:
    """The number of masks in ``volLabel``, without keeping them in memory."""
    try:
        variables = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    if "volLabel" not in variables:
        raise ValueError(f"{path} must hold the cells volLabel, got {', '.join(sorted(variables)) or 'nothing'}")
    return int(np.prod(variables["volLabel"]))


@lru_cache(maxsize=2)  # of Avenue's longest video 41 MB
def read_cells(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """The masks ``volLabel`` as bits (T, ceil(H * W / 8)) for :func:`numpy.unpackbits`, and (H, W).

    SciPy reads all cells of a file at once: for a moment they take a byte a pixel, 330 MB for Avenue's longest video.
    """
    try:
        cells = scipy.io.loadmat(path, variable_names=["volLabel"])["volLabel"].reshape(-1)
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    shapes = {np.shape(cell) for cell in cells}
    if cells.dtype != object or len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"{path}: volLabel must hold masks of one size, got {sorted(shapes)[:3]}")
    return np.stack([np.packbits(np.asarray(cell) != 0) for cell in cells]), next(iter(shapes))
