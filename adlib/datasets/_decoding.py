"""One picture file on its way to an array: opened, checked, turned upright, brought to few modes, scaled."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

from adlib import _checks

Size = int | tuple[int, int] | None
PathLike = str | os.PathLike[str]

_LARGEST = 32_768  # pixels along a side
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "PPM", "WEBP", "GIF")  # others may run programs: EPS runs Ghostscript
_ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 swap height and width
# Pillow raises each of them for files that are broken, no pictures, or of a kind it cannot decode.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError, OverflowError),
    *(Image.DecompressionBombError, MemoryError),
)


def checked_size(size: Size) -> Size:
    """size as a whole number of pixels, as (height, width), or None. Raises ValueError."""
    if size is None:
        return None
    sides = size if isinstance(size, tuple | list) else (size, size)
    whole = all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
    if len(sides) != 2 or not whole or not all(1 <= side <= _LARGEST for side in sides):
        raise ValueError(
            f"size must be a whole number of pixels, 1 to {_LARGEST}, or (height, width), or None for pictures as they "
            f"are, got {size!r}"
        )
    return (int(sides[0]), int(sides[1])) if isinstance(size, tuple | list) else int(sides[0])


def checked_channels(channels: int) -> int:
    """channels as an int. Raises ValueError."""
    if not isinstance(channels, Integral) or isinstance(channels, bool) or channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels!r}")
    return int(channels)


def checked_fit(fit: str) -> str:
    """fit, if it is one of the two. Raises ValueError."""
    if not isinstance(fit, str) or fit not in ("stretch", "crop"):
        raise ValueError(f'fit must be "stretch" or "crop", got {fit!r}')
    return fit


@overload
def checked_paths(files: Any, name: str) -> tuple[Path, ...]: ...
@overload
def checked_paths(files: Any, name: str, *, or_none: Literal[True]) -> tuple[Path | None, ...]: ...
def checked_paths(files: Any, name: str, *, or_none: bool = False) -> Any:
    """The files of a sequence of paths, not looked at yet. Raises ValueError."""
    what = "paths or None" if or_none else "paths"
    if isinstance(files, str | bytes | os.PathLike):
        raise ValueError(f"{name} must be a sequence of {what}, got the one path {str(files)!r}")
    try:
        each = list(files)
    except TypeError:
        raise ValueError(f"{name} must be a sequence of {what}, got {files!r}") from None
    return tuple(
        None if file is None and or_none else _checks.path(f"every one of {name}", file, "a file") for file in each
    )


def sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else size


@contextmanager
def _opened(path: PathLike, what: str) -> Iterator[Image.Image]:
    """The file, its header read. Whatever goes wrong before the context is left is told as a ValueError with path."""
    path = _checks.path("path", path, f"a {what}")
    try:
        with Image.open(path, formats=_FORMATS) as file:
            yield file
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        empty = os.path.isfile(path) and not os.path.getsize(path)
        reason = "the file is empty (0 bytes)" if empty else str(error) or type(error).__name__
        remedy = "unpack or fetch it again, or take it away"
        raise ValueError(f"{path} cannot be read as a {what}: {reason}; {remedy}") from error


def height_width(path: PathLike) -> tuple[int, int]:
    """(height, width) of a picture file, upright, from its header: nothing is decoded."""
    with _opened(path, "picture") as file:
        size = (file.height, file.width)
        if isinstance(file, TiffImagePlugin.TiffImageFile):  # only newer Pillow turns its size before it decodes
            size = (int(file.tag_v2[257]), int(file.tag_v2[256]))
        return size[::-1] if file.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8) else size


def decoded(path: PathLike, what: str) -> tuple[Image.Image, bool]:
    """The picture, upright, in mode L, RGB or RGBA, or in mode F with values up to 65535; and whether it is a JPEG."""
    unknown = ""
    with _opened(path, what) as file:
        mode = file.mode
        deep = mode.startswith("I;16") or (mode == "I" and file.format in ("PNG", "PPM"))  # older Pillow: I for 16 bits
        if mode in ("I", "F") and not deep:
            unknown = mode
        else:
            file.load()
            turned = file.getexif().get(_ORIENTATION, 1) != 1
            picture = ImageOps.exif_transpose(file) if turned else file  # it copies what needs no turning
            if deep:
                picture = Image.fromarray(np.asarray(picture).astype(np.float32))  # Pillow would clip at 255
            elif mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in file.info:
                picture = picture.convert("RGBA")
            elif mode not in ("L", "RGB"):
                picture = picture.convert("L" if mode == "1" else "RGB")
            return picture, file.format in ("JPEG", "MPO")  # MPO: several JPEGs in a file, from phones
    raise ValueError(f"{path} has pixels of mode {unknown}, of unknown range: save it with 8 or 16 bits")


def scaled(picture: Image.Image, size: Size, fit: str) -> Image.Image:
    """The picture at this size, bilinear with antialiasing. fit: "stretch", or "crop" as ImageNet's reference code."""
    if size is None:
        return picture
    height, width = sides(size)
    if fit == "stretch":
        same = picture.size == (width, height)
        return picture if same else picture.resize((width, height), Image.Resampling.BILINEAR)
    # 256 px before 224 are cut out, along the side that is the shorter one in relation to the size.
    across, down = round(width * 256 / 224), round(height * 256 / 224)
    if picture.width * down > picture.height * across:
        across = max(across, round(picture.width * down / picture.height))
    else:
        down = max(down, round(picture.height * across / picture.width))
    left, top = (across - width) // 2, (down - height) // 2
    picture = picture.resize((across, down), Image.Resampling.BILINEAR)
    return picture.crop((left, top, left + width, top + height))
