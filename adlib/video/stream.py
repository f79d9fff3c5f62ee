"""A camera that does not stop: frames come one at a time, and each is scored as it comes.

Taught in :doc:`/book/video/future_frame`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from adlib.detector import check_images

if TYPE_CHECKING:
    from adlib.video.future_frame import FutureFramePredictor


class Stream:
    """A video that comes frame by frame: each is looked at once, and the last t are kept.

    ``push`` gives what ``anomaly_score`` of the whole video gives for that frame. predictor: a fitted
    :class:`~adlib.FutureFramePredictor`. Made by its ``stream``.

    ``prediction``, ``error``: of the last frame pushed, what was foreseen, (C, H, W), and the anomaly map, (H, W), on
    the CPU; None for the first t.
    Taught in :doc:`/book/video/future_frame`.
    """

    def __init__(self, predictor: FutureFramePredictor) -> None:
        self.predictor = predictor
        self.prediction: Tensor | None = None
        self.error: Tensor | None = None
        self._kept = torch.empty((0, *predictor.shape_), device=predictor.device)  # the last t frames

    @torch.no_grad()
    def push(self, frame: Tensor) -> float | None:
        """The score of this frame in dB; None for the first t, which nothing foresees.

        frame: float Tensor (C, H, W) in [0, 1], as large as those of ``fit``. Raises ``ValueError`` for anything else.
        """
        detector = self.predictor
        if not isinstance(frame, Tensor) or frame.ndim != 3:
            got = tuple(frame.shape) if isinstance(frame, Tensor) else type(frame).__name__
            raise ValueError(f"frame must be a float Tensor (C, H, W) in [0, 1], got {got}")
        shape = detector.shape_
        now = check_images(frame[None], name="frame", channels=shape[0], size=shape[1:]).float().to(detector.device)
        score, context = None, detector.config.context
        if len(self._kept) == context:
            predicted = detector.model_(self._kept[None])
            error = (predicted - now).square().mean(1)
            score = float(detector._finite(detector._of_map(error)))
            self.prediction, self.error = predicted[0].cpu(), error[0].cpu()
        # A copy: a camera may write the next frame to the same place
        self._kept = torch.cat([self._kept, now])[-context:]
        return score
