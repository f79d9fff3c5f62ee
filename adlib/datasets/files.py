"""Picture files: found in sorted order, decoded one at a time when asked for, held as nothing but paths.

Grey, RGB, palette, transparent and CMYK pictures of 8 bits and grey ones of 16 bits all become float32 in [0, 1].
Masks become 0 and 1. Broken files raise ValueError with their path when they are read.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from adlib.datasets._content import sha256
from adlib.datasets._decoding import (
    PathLike,
    Size,
    checked_channels,
    checked_fit,
    checked_paths,
    checked_size,
    decoded,
    height_width,
    scaled,
    sides,
)

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".webp")
"""Suffixes of picture files, in lower case. Names are compared in lower case, so .JPG and .PNG count as well."""

# one file


def read_picture(path: PathLike, *, size: Size = None, channels: int = 3, fit: str = "stretch") -> Tensor:
    """A picture file as (C, H, W) float32 in [0, 1].

    size: size x size pixels, or (height, width), or None for the picture as it is. channels: 3, or 1 for grey by
    ITU-R 601 (0.299 R + 0.587 G + 0.114 B). A grey picture gets three equal channels. fit: ``"stretch"`` scales both
    sides, whatever that does to the aspect; ``"crop"`` scales the picture to 256/224 of the size and cuts the middle
    out, as the reference code of ImageNet does. Scaling is bilinear with antialiasing (Pillow).

    8 bits are divided by 255, 16-bit grey by 65535, never by the largest value that occurs. Transparent pixels are
    blended over white. Palette and CMYK pictures become RGB. 16-bit colour keeps its high bytes only (Pillow reads no
    more). Pictures are turned upright as their EXIF data say. Of several pages or frames, the first is read.

    path: a PNG, JPEG, BMP, TIFF, PPM, PGM, WebP or GIF file. Raises FileNotFoundError, or ValueError with the path for
    one that is empty, truncated, corrupt or no picture, and for pixels of unknown range (floats, 32 bits).

    Taught in :doc:`/book/datasets/real_world`.
    """
    size, channels, fit = checked_size(size), checked_channels(channels), checked_fit(fit)
    picture, _ = decoded(path, "picture")
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    if channels == 1 and picture.mode == "RGB":
        picture = picture.convert("L")
    pixels = np.asarray(scaled(picture, size, fit))
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    result = np.empty((channels, *planes.shape[1:]), np.float32)
    top = np.float32(65535 if picture.mode == "F" else 255)
    np.divide(planes, top, out=result)  # grey fills every channel
    if picture.mode == "F":
        np.minimum(result, 1, out=result)  # scaling floats rounds
    return torch.from_numpy(result)


def read_mask(path: PathLike, *, size: Size = None) -> Tensor:
    """A mask file as (H, W) uint8 of 0 (normal) and 1 (anomalous).

    Every value above 0 is anomalous, be it 1 or 255; in a JPEG, where edges leave faint traces, every value from 128
    on. Transparent pixels are normal. size: as in :func:`read_picture`, by nearest neighbour. Raises as it does.

    Taught in :doc:`/book/datasets/real_world`.
    """
    return _mask(path, checked_size(size))[0]


def _mask(path: PathLike, size: Size) -> tuple[Tensor, tuple[int, int]]:
    """The mask, and (height, width) of the file."""
    picture, lossy = decoded(path, "mask")
    found = (picture.height, picture.width)
    if size is not None:
        picture = picture.resize(sides(size)[::-1], Image.Resampling.NEAREST)
    values = np.asarray(picture)
    if values.ndim == 3:
        opaque = values[..., 3] > 0 if values.shape[2] == 4 else True
        values = values[..., :3].max(axis=2) * opaque
    return torch.from_numpy((values > (127 if lossy else 0)).astype(np.uint8)), found


# many files


class PictureFiles(Dataset[Tensor]):
    """Picture files decoded one at a time, when asked for, so that memory does not grow with their number.

    files: paths of pictures. size, channels, fit: as in :func:`read_picture`. Item: (C, H, W) float32 in [0, 1]; with
    size=None each picture keeps its own height and width. Files are not looked at before they are asked for.

    Taught in :doc:`/book/datasets/real_world`.
    """

    files: tuple[Path, ...]
    size: Size
    channels: int
    fit: str

    def __init__(
        self, files: Sequence[PathLike], *, size: Size = None, channels: int = 3, fit: str = "stretch"
    ) -> None:
        self.files, self.size = checked_paths(files, "files"), checked_size(size)
        self.channels, self.fit = checked_channels(channels), checked_fit(fit)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        return read_picture(self.files[operator.index(index)], size=self.size, channels=self.channels, fit=self.fit)


class MaskFiles(Dataset[Tensor]):
    """The masks of test pictures, decoded one at a time. Item: (H, W) uint8 of 0 and 1, see :func:`read_mask`.

    files: a path, or None for a picture without anomaly, whose mask is all 0. pictures: the pictures they belong to,
    in the same order. size: as in :class:`PictureFiles`, sides stretched. A mask whose file has not the size of its
    picture's raises ValueError when it is read.

    Taught in :doc:`/book/datasets/real_world`.
    """

    files: tuple[Path | None, ...]
    pictures: tuple[Path, ...]
    size: Size

    def __init__(self, files: Sequence[PathLike | None], pictures: Sequence[PathLike], *, size: Size = None) -> None:
        self.files = checked_paths(files, "files", or_none=True)
        self.pictures, self.size = checked_paths(pictures, "pictures"), checked_size(size)
        counts = len(self.files), len(self.pictures)
        if counts[0] != counts[1]:
            raise ValueError(f"files must hold one mask or None a picture, got {counts[0]} for {counts[1]}")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        file, picture = self.files[operator.index(index)], self.pictures[operator.index(index)]
        if file is None:
            return torch.zeros(height_width(picture) if self.size is None else sides(self.size), dtype=torch.uint8)
        mask, found = _mask(file, self.size)
        expected = height_width(picture)
        if found != expected:
            raise ValueError(
                f"{file} must be as large as its picture {picture}, {expected[0]} x {expected[1]} (height x width), "
                f"got {found[0]} x {found[1]}"
            )
        return mask

    def empty(self) -> tuple[Path, ...]:
        """The mask files without an anomalous pixel (BTAD has some). Decodes every mask once."""
        return tuple(file for i, file in enumerate(self.files) if file is not None and not self[i].any())


@dataclass(frozen=True, eq=False)  # == on tensors has no single answer
class PictureData:
    """Pictures from folders: normal ones to learn from, normal and anomalous ones to be judged on.

    name: of the set or folder. train: normal pictures only. test: M pictures. test_labels: (M,) int64, 0 = normal,
    1 = anomalous. test_kinds: the M names of the folders they come from. test_masks: M masks, or None where the set
    has none. skipped: files that were passed over, each with the reason.

    Taught in :doc:`/book/datasets/real_world`.
    """

    name: str
    train: PictureFiles = field(repr=False)
    test: PictureFiles = field(repr=False)
    test_labels: Tensor = field(repr=False)
    test_kinds: tuple[str, ...] = field(repr=False)
    test_masks: MaskFiles | None = field(repr=False, default=None)
    skipped: tuple[str, ...] = field(repr=False, default=())

    def sha256(self) -> str:
        """A fingerprint for the record of a measurement: 64 hexadecimal digits, equal for equal data everywhere.

        It sees the content of all files and their order, how they are read, labels, kinds and masks, but no path.
        """
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            size = None if part.size is None else sides(part.size)
            digest.update(f"{len(part)} files, size {size}, {part.channels} channels, {part.fit}".encode())
            for path in part.files:
                digest.update(sha256(path))
        digest.update(f"{self.test_labels.tolist()} {self.test_kinds}".encode())
        if self.test_masks is not None:
            size = None if self.test_masks.size is None else sides(self.test_masks.size)
            digest.update(f"{len(self.test_masks)} masks, size {size}".encode())
            for file in self.test_masks.files:
                digest.update(b"none" if file is None else sha256(file))
        return digest.hexdigest()
