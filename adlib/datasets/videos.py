"""Videos: sequences of frames, decoded when they are asked for, with a label a frame and perhaps a mask a frame.

Taught in :doc:`/book/datasets/real_world`.
"""

from __future__ import annotations

import hashlib
import operator
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from adlib import _checks
from adlib._arrays import zero_one
from adlib.datasets import _movies, _video_labels
from adlib.datasets._content import sha256
from adlib.datasets._decoding import (
    PathLike,
    Size,
    checked_channels,
    checked_paths,
    checked_size,
    height_width,
    sides,
)
from adlib.datasets.files import read_mask, read_picture


def _paths(files: PathLike | Sequence[PathLike], name: str) -> tuple[Path, ...]:
    paths = checked_paths([files] if isinstance(files, str | os.PathLike) else files, name)
    if not paths:
        raise ValueError(f"{name} must hold one file or more, got none")
    return paths


def _sides(value: Any, name: str) -> tuple[int, int]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name} must be (height, width) in pixels, got {value!r}")
    height, width = (_checks.integer(name, side, 1) for side in value)
    return height, width


def _item(index: Any, count: int, one: Callable[[int], Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """What ``sequence[index]`` gives, for an index or a slice. A slice decodes forwards, in whatever order it reads."""
    if isinstance(index, slice):
        order = range(count)[index]
        result = torch.empty((len(order), *shape), dtype=dtype)
        for i in sorted(order):
            result[order.index(i)] = one(i)
        return result
    try:
        i = operator.index(index)
    except TypeError:
        raise TypeError(f"an index must be a whole number or a slice, got {index!r}") from None
    if not -count <= i < count:
        raise IndexError(f"index {i} is outside of a video of {count} frames")
    return one(i % count)


class VideoMasks(Dataset[Tensor]):
    """The pixel masks of a video, decoded when asked for: 1 where a frame is anomalous, else 0.

    files: T mask pictures (UCSD), or one .npy file of shape (T, H, W) (ShanghaiTech), or one .mat file with T cells
    named ``volLabel`` (Avenue). native: (height, width) of the frames in their files, which masks must share.
    size: (height, width) of what comes out, by nearest neighbour; None for native.

    ``masks[i]`` is (H, W) uint8, ``masks[a:b]`` is (T, H, W). Raises ValueError with the path for a broken file, or one
    of another size, when it is read. :class:`Video` makes these.

    Taught in :doc:`/book/datasets/real_world`.
    """

    files: tuple[Path, ...]

    def __init__(
        self,
        files: PathLike | Sequence[PathLike],
        native: tuple[int, int],
        size: tuple[int, int] | None = None,
    ) -> None:
        self.files, self.native = _paths(files, "masks"), _sides(native, "native")
        self.size = self.native if size is None else _sides(size, "size")
        suffix = self.files[0].suffix.lower()
        self._kind = suffix if len(self.files) == 1 and suffix in (".npy", ".mat") else ""

    @cached_property
    def _count(self) -> int:
        if self._kind == ".npy":
            return len(_video_labels.open_npy(self.files[0], 3))
        return _video_labels.count_cells(self.files[0]) if self._kind == ".mat" else len(self.files)

    @property
    def place(self) -> Path:
        """The file, or the folder of the files."""
        return self.files[0] if self._kind else self.files[0].parent

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int | slice) -> Tensor:
        return _item(index, len(self), self._read, self.size, torch.uint8)

    def any_pixel(self) -> np.ndarray:
        """(T,) int64: 1 for a frame with at least one anomalous pixel. Reads all masks, one after the other."""
        return np.array([self._native(i).any() for i in range(len(self))]).astype(np.int64)

    def _native(self, index: int) -> np.ndarray:
        """(H, W) bool, as large as in the file."""
        if self._kind == ".npy":
            return np.asarray(_video_labels.open_npy(self.files[0], 3)[index]) != 0
        if self._kind == ".mat":
            bits, shape = _video_labels.read_cells(self.files[0])
            return np.unpackbits(bits[index], count=shape[0] * shape[1]).reshape(shape).astype(bool)
        return read_mask(self.files[index]).numpy() != 0

    def _read(self, index: int) -> Tensor:
        mask = self._native(index)
        if mask.shape != self.native:
            raise ValueError(
                f"{self.files[min(index, len(self.files) - 1)]} must hold masks as large as the frames, "
                f"{self.native[0]} x {self.native[1]} (height x width), got {mask.shape[0]} x {mask.shape[1]}"
            )
        # Nearest neighbour: the pixel under the middle of each new one.
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(self.size, self.native, strict=True)
        )
        return torch.from_numpy(mask[rows[:, None], columns].astype(np.uint8))


class Video(Dataset[Tensor]):
    """A sequence of frames, decoded when asked for, so that memory does not grow with its length.

    name: of the video. frames: picture files in order, or the path of one movie (.avi or .mp4; takes PyAV,
    ``pip install av``). labels: (T,) of 0 = normal and 1 = anomalous; without them a frame is anomalous where its mask
    has an anomalous pixel, or never where there are no masks. masks: files as :class:`VideoMasks` takes them, or None.
    size: size x size pixels, or (height, width), both sides stretched; None for the frames as they are.
    channels: 3, or 1 for grey. on_corrupt: ``"raise"``, or ``"previous"``: in place of a picture file that cannot be
    read comes the frame before it, with a warning, so that frames and labels stay in step.

    ``video[i]`` is (C, H, W), ``video[a:b]`` is (T, C, H, W), float32 in [0, 1]. ``video.labels`` is (T,) int64,
    ``video.masks[i]`` is (H, W) uint8 of 0 and 1, as large as the frames; masks is None where there are none.
    ``video.shape`` is (T, C, H, W), known without decoding.

    A movie is read forwards: the next frame is cheap, and so are the last 32 that were asked for; any other step back
    starts from the first frame. To draw clips from a movie at random, extract its frames first. The number of frames
    is counted from the packets, since headers of AVI files are wrong. Tags that turn a movie are not followed.
    A video can be pickled and used in the workers of a DataLoader; each of them opens the movie for itself.

    Raises ValueError for bad arguments, for labels or masks of another number than frames, and, at decoding, with the
    path for a corrupt file or a frame of another size than the first (only with size=None). FileNotFoundError for
    missing files, ImportError where a movie is read without PyAV.

    Taught in :doc:`/book/datasets/real_world`.
    """

    name: str
    files: tuple[Path, ...]
    masks: VideoMasks | None

    def __init__(
        self,
        name: str,
        frames: PathLike | Sequence[PathLike],
        *,
        labels: Any = None,
        masks: PathLike | Sequence[PathLike] | None = None,
        size: Size = None,
        channels: int = 3,
        on_corrupt: str = "raise",
    ) -> None:
        if not isinstance(name, str):
            raise ValueError(f"name must be a text, got {name!r}")
        if on_corrupt not in ("raise", "previous"):
            raise ValueError(f'on_corrupt must be "raise" or "previous", got {on_corrupt!r}')
        self.name, self.files = name, _paths(frames, "frames")
        size = checked_size(size)
        self.size = None if size is None else sides(size)
        self.channels, self.on_corrupt = checked_channels(channels), on_corrupt
        one = len(self.files) == 1 and self.files[0].suffix.lower() in _movies.SUFFIXES
        self._movie = _movies.Movie(self.files[0], self.size, self.channels) if one else None
        self.masks = None if masks is None else VideoMasks(masks, self._native, self.size)
        if self.masks is not None and len(self.masks) != len(self):
            raise ValueError(f"video {name} has {len(self)} frames, but {len(self.masks)} masks in {self.masks.place}")
        self._given: Tensor | None = None
        if labels is not None:
            given = zero_one(labels, "labels")
            if given.shape != (len(self),):
                raise ValueError(f"video {name} has {len(self)} frames, but labels of shape {given.shape}")
            self._given = torch.from_numpy(given.astype(np.int64))

    @property
    def _native(self) -> tuple[int, int]:
        """(height, width) in the files."""
        return self._movie.native_size if self._movie else height_width(self.files[0])

    @cached_property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, C, H, W) of the whole video."""
        return (len(self), self.channels, *(self.size or self._native))

    @cached_property
    def labels(self) -> Tensor:
        """(T,) int64: 0 = normal, 1 = anomalous."""
        if self._given is not None:
            return self._given
        if self.masks is not None:
            return torch.from_numpy(self.masks.any_pixel())
        return torch.zeros(len(self), dtype=torch.int64)

    def __len__(self) -> int:
        return self._movie.count if self._movie else len(self.files)

    def __getitem__(self, index: int | slice) -> Tensor:
        return _item(index, len(self), self._frame, self.shape[1:], torch.float32)

    def __repr__(self) -> str:
        return f"Video({self.name!r}, {self.files[0] if self._movie else self.files[0].parent})"

    def _frame(self, index: int) -> Tensor:
        if self._movie:
            return torch.from_numpy(self._movie.read(index) / np.float32(255))
        while True:
            try:
                frame = read_picture(self.files[index], size=self.size, channels=self.channels)
                break
            except ValueError as error:
                if self.on_corrupt == "raise":
                    raise ValueError(f'{error}; on_corrupt="previous" shows the frame before it instead') from error
                if index == 0:
                    raise ValueError(f"{error}; it is the first frame, and no other comes before it") from error
                warnings.warn(f"{error}. The frame before it is shown instead", UserWarning, stacklevel=4)
                index -= 1
        if frame.shape != self.shape[1:]:
            raise ValueError(
                f"{self.files[index]} has {frame.shape[1]} x {frame.shape[2]} pixels (height x width), the first "
                f"frame of video {self.name} {self.shape[2]} x {self.shape[3]}; give a size to make them alike"
            )
        return frame


@dataclass(frozen=True, eq=False)  # == on tensors has no single answer
class VideoData:
    """Videos to learn from, in which all is normal, and videos to be judged on, with a label for every frame.

    name: of the set or folder. train, test: the videos, in the natural order of their names. skipped: files that were
    passed over, each with the reason.

    Taught in :doc:`/book/datasets/real_world`.
    """

    name: str
    train: tuple[Video, ...] = field(repr=False)
    test: tuple[Video, ...] = field(repr=False)
    skipped: tuple[str, ...] = field(repr=False, default=())

    def sha256(self) -> str:
        """A fingerprint for the record of a measurement: 64 hexadecimal digits, equal for equal data everywhere.

        It sees the content of all files and their order, how they are read, names, labels and masks, but no path.
        """
        digest = hashlib.sha256()
        for split in (self.train, self.test):
            digest.update(f"{len(split)} videos".encode())
            for video in split:
                how = f"size {video.size}, {video.channels} channels, on_corrupt {video.on_corrupt}"
                digest.update(f"{video.name!r}: {len(video.files)} files, {how}, {video.labels.tolist()}".encode())
                for path in video.files + (video.masks.files if video.masks is not None else ()):
                    digest.update(sha256(path))
        return digest.hexdigest()
