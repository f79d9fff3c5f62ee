"""What the corruptions accept, and how they go through a batch: in chunks, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from adlib import _checks

SIDE = 224  # pixels; the parameters of ImageNet-C and ImageNet-P are lengths in pictures of this size
SMALLEST = 16  # pixels; below, the longest kernels would leave nothing of a picture
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def scale(height: int, width: int) -> float:
    """The factor for lengths in pixels: 1 where the short side has 224."""
    return min(height, width) / SIDE


def check_name(name: Any, names: Sequence[str]) -> str:
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}; got {name!r}")
    return name


def check_severity(severity: Any) -> int:
    return _checks.integer("severity", severity, 1, 5)


def check_generator(generator: Any) -> torch.Generator | None:
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be a torch.Generator or None, got {generator!r}")
    return generator


def described(images: Tensor) -> str:
    """What sort of tensor it is."""
    sort = "nested" if images.is_nested else "without values" if images.is_meta else str(images.layout)
    return f"{images.dtype}, {sort}"


def check_images(images: Any, channels: tuple[int, ...] = (3, 1), smallest: int = SMALLEST) -> Tensor:
    """images, if they are (N, C, H, W), floating, in [0, 1], and no side is below so many pixels."""
    if not isinstance(images, Tensor):
        raise ValueError(f"images must be a torch.Tensor, got {type(images).__name__}")
    if images.dtype not in DTYPES or images.layout != torch.strided or images.is_nested or images.is_meta:
        raise ValueError(f"images must be a dense tensor of floats in [0, 1], got {described(images)}")
    if images.ndim != 4 or images.shape[1] not in channels or len(images) == 0:
        shapes = " or ".join(f"(N, {each}, H, W)" for each in channels)
        raise ValueError(f"images must have shape {shapes}, N at least 1, got {tuple(images.shape)}")
    if min(images.shape[2:]) < smallest:
        raise ValueError(f"images must be at least {smallest} pixels high and wide, got {tuple(images.shape[2:])}")
    low, high = (float(end) for end in images.detach().aminmax())
    if not (low >= 0 and high <= 1):  # so that NaN is refused as well
        raise ValueError(f"images must lie in [0, 1] and be finite, got values from {low:.3g} to {high:.3g}")
    return images.detach()


CHUNK = 2**20  # values worked on at a time on a CPU, 6 pictures of 224: they stay in its cache
CHUNK_GPU = 2**26


def chunks(images: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some pictures at a time, as float32 of their own, with their place in the batch."""
    # glibc hands every large block back to the system as soon as it is freed, and to get it again takes longer than
    # to work on it: up to 30 times as long for a sum. Once a block of nearly 32 MiB was freed, which it takes for a
    # sign of more to come, it keeps twice that.
    torch.empty(2**25 - 2**17, dtype=torch.uint8)
    step = max(1, (CHUNK_GPU if images.device.type == "cuda" else CHUNK) // images[0].numel())
    for start in range(0, len(images), step):
        part = slice(start, start + step)
        yield part, images[part].to(torch.float32, copy=True, memory_format=torch.contiguous_format)
