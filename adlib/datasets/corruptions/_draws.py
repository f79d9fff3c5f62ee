"""Random numbers for a batch of pictures: drawn on the generator's device, then moved to the pictures'.

Each picture's numbers are a row, one row after the other: the same generator gives the same numbers to a batch and to
its pictures one by one. Without a generator torch's own counts, so that ``torch.manual_seed`` rules.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

Generator = torch.Generator | None


def _where(generator: Generator) -> dict[str, Any]:
    return {"generator": generator, "device": "cpu" if generator is None else generator.device}


def uniform(images: Tensor, count: int, generator: Generator) -> Tensor:
    """(N, count) in [0, 1), of the pictures' dtype."""
    return torch.rand(len(images), count, **_where(generator)).to(images)


def normal(images: Tensor, generator: Generator) -> Tensor:
    """Standard normal numbers, of the pictures' shape and dtype."""
    pixels = images[0].numel()
    blocks = math.ceil(pixels / 16)  # torch draws normal numbers in blocks of 16
    return torch.randn(len(images), 16 * blocks, **_where(generator))[:, :pixels].reshape(images.shape).to(images)


def poisson(expected: Tensor, generator: Generator) -> Tensor:
    """Counts with the given expectations, of their shape and dtype."""
    return torch.poisson(expected.to(_where(generator)["device"]), generator=generator).to(expected.device)


def integers(images: Tensor, low: int, high: int, count: int, generator: Generator) -> Tensor:
    """(N, count) int64 from low to high - 1."""
    return torch.randint(low, high, (len(images), count), **_where(generator)).to(images.device)


def signs(images: Tensor, count: int, generator: Generator) -> Tensor:
    """(N, count) of -1 and 1, of the pictures' dtype."""
    return 2 * integers(images, 0, 2, count, generator).to(images) - 1
