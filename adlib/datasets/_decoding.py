"""One picture file on its way to an array: opened, checked, turned upright, brought to few modes, scaled."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

Size = int | tuple[int, int] | None
PathLike = str | os.PathLike[str]

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
    if len(sides) != 2 or not all(isinstance(s, Integral) and not isinstance(s, bool) and s >= 1 for s in sides):
        raise ValueError(
            "size must be a whole number of pixels, 1 or more, or (height, width), or None for pictures as they are, "
            f"got {size!r}"
        )
    return (int(sides[0]), int(sides[1])) if isinstance(size, tuple | list) else int(sides[0])


def sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else size


@contextmanager
def _opened(path: PathLike, what: str) -> Iterator[Image.Image]:
    """The file, its header read. Whatever goes wrong before the context is left is told as a ValueError with path."""
    try:
        with Image.open(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        empty = Path(path).is_file() and not Path(path).stat().st_size
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
            return picture, file.format == "JPEG"
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
