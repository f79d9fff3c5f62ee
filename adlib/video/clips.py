"""Clips: the runs of frames that video methods look at, drawn for training, and sliding along a video for scoring.

Taught in :doc:`/book/video/autoencoder`.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch.utils.data import Dataset

from adlib import _checks
from adlib.video.detector import Frames, check_videos, frame_blocks


class Clips(Dataset[Tensor]):
    """All clips of some videos: every frame that a whole clip can start at, the last one included.

    A video of T frames has T - (length - 1) stride clips. ``clips[i]`` is (length, C, H, W), ``clips.batch(numbers)``
    is (B, length, C, H, W), float32 in [0, 1]. ``clips.shape`` is (C, H, W).

    Each frame is decoded once and held in memory as uint8: a clip shares all frames but one with its neighbour, so
    training would decode each of them ``length`` times an epoch, and float32 would take four times the memory. Frames
    of 8-bit files that were not resized come back exactly; others are off by at most 1/510.

    videos: a sequence, each a float Tensor (T, C, H, W) in [0, 1] or a Dataset whose slices give one. length: frames of
    a clip. stride: from one frame of a clip to the next, 1 for neighbours (larger ones show the same scene faster).
    Raises ``ValueError`` for videos that are shorter than a clip, or whose frames differ in shape.
    Taught in :doc:`/book/video/autoencoder`.
    """

    def __init__(self, videos: Sequence[Frames], length: int, *, stride: int = 1) -> None:
        self.length = _checks.integer("length", length, 1)
        self.stride = _checks.integer("stride", stride, 1)
        span = (self.length - 1) * self.stride + 1
        frames: list[Tensor] = []
        for i, video in enumerate(check_videos(videos, least=span)):
            shape = tuple(frames[0].shape[1:]) if frames else None
            parts = [(b * 255).round().byte() for b in frame_blocks(video, 64, name=f"videos[{i}]", shape=shape)]
            frames.append(torch.cat(parts))
        self.shape = tuple(frames[0].shape[1:])
        counts = [len(video) for video in frames]
        self._frames = torch.cat(frames)
        # number of the first frame of each clip, among the frames of all videos
        begins = accumulate(counts[:-1], initial=0)
        self._starts = torch.cat([begin + torch.arange(n - span + 1) for begin, n in zip(begins, counts, strict=True)])
        self._steps = torch.arange(self.length) * self.stride

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> Tensor:
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(f"index {i} is outside of {len(self)} clips")
        return self.batch(torch.tensor([i % len(self)]))[0]

    def batch(self, numbers: Tensor) -> Tensor:
        """The clips of these numbers, (B,) int64 from 0 to len - 1. Returns (B, length, C, H, W) float32."""
        return self._frames[self._starts[numbers.cpu(), None] + self._steps].float() / 255

    def sha256(self) -> str:
        """A fingerprint of the clips, so that a checkpoint notices other videos: 64 hexadecimal digits."""
        digest = hashlib.sha256(f"{self.stride} {self.length} {self.shape} {self._starts.tolist()}".encode())
        digest.update(self._frames.numpy().data)
        return digest.hexdigest()


def overlapping(blocks: Iterable[Tensor], length: int) -> Iterator[Tensor]:
    """The blocks of a video, each led by the last ``length - 1`` frames before it, so that every clip lies in one.

    blocks: (n, C, H, W), the frames in order. length: frames of a clip. Yields (m, C, H, W) with m of at least
    ``length``; they hold m - length + 1 clips each, and those of all together are the clips of the video in order.
    Taught in :doc:`/book/video/autoencoder`.
    """
    kept: Tensor | None = None
    for block in blocks:
        frames = block if kept is None else torch.cat([kept, block])
        if len(frames) >= length:
            yield frames
            frames = frames[len(frames) - length + 1 :]
        kept = frames


def mean_over_clips(errors: Iterable[Tensor]) -> Iterator[Tensor]:
    r"""The error of a frame: the mean over all clips that hold it.

    .. math:: e(t) = \frac{1}{|K_t|} \sum_{k \in K_t} e_k(t - k), \qquad K_t = \{ k : k \le t < k + L \}

    with :math:`e_k(j)` the error of frame j of the clip that starts at frame k, L frames long. A frame far from both
    ends lies in L clips, the first and the last frame in one.

    errors: blocks (n, L, ...), the clips of one video in order, at steps of one frame. Yields blocks (m, ...), a value
    for each frame, as soon as no later clip holds it. Taught in :doc:`/book/video/autoencoder`.
    """
    rest: tuple[Tensor, Tensor] | None = None  # of the frames that later clips hold too
    for block in errors:
        n, length = block.shape[:2]
        sums = block.new_zeros((n + length - 1, *block.shape[2:]))
        held = block.new_zeros((n + length - 1, *(1 for _ in block.shape[2:])))
        if rest is not None:
            sums[: length - 1] += rest[0]
            held[: length - 1] += rest[1]
        for j in range(length):
            sums[j : j + n] += block[:, j]
            held[j : j + n] += 1
        yield sums[:n] / held[:n]
        rest = sums[n:], held[n:]
    if rest is not None:
        yield rest[0] / rest[1]
