"""A stream of random numbers for every picture, so that batches, chunks and threads change nothing.

Each picture gets a generator of its own, seeded by one number of the given one. What a picture draws then depends on
neither its neighbours nor the order of the work: a batch gives what its pictures give one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """function of every item, in order, on as many threads as torch uses. For calls that release Python's lock."""
    workers = min(torch.get_num_threads(), len(items))
    if workers < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))


class Streams:
    """Random numbers for some pictures: drawn where the generator is, then moved to where the pictures are.

    count: of pictures. generator: None stands for torch's own on the CPU, the one that ``torch.manual_seed`` sets.
    device: of the pictures. All methods return (count, \\*shape).
    """

    def __init__(self, count: int, generator: torch.Generator | None, device: torch.device) -> None:
        self.device = device
        self.source = torch.device("cpu") if generator is None else generator.device
        seeds = torch.randint(2**32, (count,), generator=generator, device=self.source).tolist()
        self.generators = [torch.Generator(self.source).manual_seed(seed) for seed in seeds]

    def _draw(self, draw: Callable[..., Tensor], *arguments: Any) -> Tensor:
        """One draw a picture. The threads get no view to fill: inside inference_mode torch forbids that."""
        rows = spread(lambda own: draw(*arguments, generator=own, device=self.source), self.generators)
        return torch.stack(rows).to(self.device)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, float32."""
        return self._draw(torch.randn, shape)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """In [low, high), float32."""
        return self._draw(torch.rand, shape).mul_(high - low).add_(low)

    def integers(self, count: int, *shape: int) -> Tensor:
        """0 to count - 1, int64."""
        return self._draw(torch.randint, count, shape)

    def poisson(self, rates: Tensor) -> Tensor:
        """Counts with the means ``rates``, (count, \\*shape), one row a picture."""
        pairs = list(zip(rates.to(self.source), self.generators, strict=True))
        rows = spread(lambda pair: torch.poisson(pair[0], generator=pair[1]), pairs)
        return torch.stack(rows).to(self.device)
