"""The plainest detector, to measure the others against.

Taught in :doc:`/book/foundations/what_is_an_anomaly`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adlib import _checks
from adlib.detector import Detector, Pictures, batches, shape_of


@dataclass(frozen=True)
class MeanPictureConfig:
    """Constants of :class:`MeanPicture`."""

    floor: float = 0.02  # smallest standard deviation, in grey levels of [0, 1]: about five steps of an 8-bit picture

    def __post_init__(self) -> None:
        _checks.number("floor", self.floor, "a number in (0, 1]", 0, 1, ends=False)


class MeanPicture(Detector):
    r"""How far each pixel is from the mean normal picture, in standard deviations.

    .. math:: A_{uv}(x) = \frac{1}{C} \sum_c \Big( \frac{x_{cuv} - \mu_{cuv}}{\max(\sigma_{cuv}, \text{floor})} \Big)^2,
              \qquad s(x) = \frac{1}{HW} \sum_{uv} A_{uv}(x)

    with the mean :math:`\mu` and the standard deviation :math:`\sigma` of each pixel over the normal pictures. It knows
    no shift, no pose and no class with two looks: a baseline, and the smallest detector with a map.

    Learned: ``mean_``, ``std_`` (C, H, W). Taught in :doc:`/book/foundations/what_is_an_anomaly`.
    """

    config_class = MeanPictureConfig

    def _fit(self, normal: Pictures, *, checkpoint: Path | None, progress: bool) -> None:
        # One pass in float64. Sums of squares about 0.5 lose nothing for values in [0, 1].
        count, shape = 0, shape_of(normal)
        total = torch.zeros(shape, dtype=torch.float64)
        squares = torch.zeros(shape, dtype=torch.float64)
        for batch in batches(normal, self.batch_size, name="normal", shape=shape):
            shifted = batch.double().cpu() - 0.5
            count += len(batch)
            total += shifted.sum(0)
            squares += shifted.square().sum(0)
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        self._set_state({"mean": (mean + 0.5).float(), "std": std.float()})

    def _map(self, images: Tensor) -> Tensor:
        return ((images - self.mean_) / self.std_.clamp(min=self.config.floor)).square().mean(1)

    def _score(self, images: Tensor) -> Tensor:
        return self._map(images).flatten(1).mean(1)

    def _get_state(self) -> dict[str, Any]:
        return {"mean": self.mean_, "std": self.std_}

    def _set_state(self, state: dict[str, Any]) -> None:
        self.mean_, self.std_ = state["mean"].to(self.device), state["std"].to(self.device)
