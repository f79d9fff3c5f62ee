"""How the video methods are measured: variants, the same budget for each, and both ways to put videos together.

:mod:`adlib.benchmark` runs them and keeps the records.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from adlib.datasets.videos import VideoData
from adlib.metrics import auroc, average_precision, micro_macro_auroc, regularity_score
from adlib.video.autoencoder import ConvAutoencoder, ConvAutoencoderConfig
from adlib.video.detector import Frames, VideoDetector
from adlib.video.future_frame import FutureFrameConfig, FutureFramePredictor

LEFT_OUT = 4  # frames at the start of each video that no prediction reaches, left out for the autoencoder as well
SQUARE = 16  # pixels, of the square whose worst place judges a frame
STEPS = {"epochs": 8, "steps": 50, "batch_size": 8}  # 400 steps of 8 clips, for every variant


def _video(
    kind: type[VideoDetector], config: ConvAutoencoderConfig | FutureFrameConfig
) -> Callable[[VideoData, int], dict[str, Any]]:
    def measure(data: VideoData, seed: int) -> dict[str, Any]:
        start = time.perf_counter()
        detector = kind(config, seed=seed)
        detector.fit(data.train, progress=False)
        fitted = time.perf_counter()
        maps = [detector.anomaly_map(video)[LEFT_OUT:] for video in data.test]
        scored = time.perf_counter()
        return {
            "metrics": of_videos(data, maps),
            "seconds_fit": round(fitted - start, 3),
            "seconds_score": round(scored - fitted, 3),
            "config": dataclasses.asdict(config) | {"frames_left_out": LEFT_OUT, "square": SQUARE},
            "device": str(detector.device),
        }

    return measure


def of_videos(data: VideoData, maps: list[Tensor]) -> dict[str, float]:
    """Metrics of squared errors (T - 4, H, W), a map for each test video: by the mean of a frame, as the papers judge
    it, and by its worst square of 16 x 16 pixels.
    """
    labels = [video.labels.numpy()[LEFT_OUT:] for video in data.test]
    mean = [errors.double().mean((1, 2)).numpy() for errors in maps]
    worst = [
        avg_pool2d(errors[:, None], min(SQUARE, *errors.shape[1:]), 1).flatten(1).amax(1).double().numpy()
        for errors in maps
    ]
    metrics: dict[str, float] = {}
    for name, scores in (("", mean), ("_square", worst)):
        pooled, stretched = (micro_macro_auroc(labels, scores, normalise=how) for how in ("none", "per_video"))
        metrics |= {
            f"micro_auroc{name}": pooled.micro,
            f"macro_auroc{name}": pooled.macro,
            f"micro_auroc_per_video{name}": stretched.micro,
        }
    metrics["average_precision"] = average_precision(np.concatenate(labels), np.concatenate(mean))
    # Hasan's regularity, whose denominator is the largest error of the video
    irregular = [1 - regularity_score(scores) for scores in mean]
    metrics["micro_auroc_regularity"] = micro_macro_auroc(labels, irregular).micro
    if all(video.masks is not None for video in data.test):
        masks = torch.cat([video.masks[LEFT_OUT : len(video)] for video in data.test])  # type: ignore[index]
        metrics["pixel_auroc"] = auroc(masks.numpy().ravel(), torch.cat(maps).numpy().ravel())
    return metrics


class _LastFrame(FutureFramePredictor):
    """The baseline that learns nothing: the next frame will be the last one."""

    def _fit(self, videos: Sequence[Frames], *, checkpoint: Path | None, progress: bool) -> None:
        self.model_, self.critic_, self.history_ = _Last(), None, []  # type: ignore[assignment]


class _Last(nn.Module):
    def forward(self, past: Tensor) -> Tensor:
        return past[:, -1]


def _prediction(**changes: Any) -> Callable[[VideoData, int], dict[str, Any]]:
    return _video(FutureFramePredictor, FutureFrameConfig.quick(**(STEPS | {"drop": 300} | changes)))


AUTOENCODER = {"autoencoder": _video(ConvAutoencoder, ConvAutoencoderConfig.quick(**STEPS))}
PREDICTION = {
    "intensity and gradient": _prediction(flow=0.0, adversarial=0.0),
    "with flow": _prediction(adversarial=0.0),
    "with adversarial": _prediction(flow=0.0),
    "with flow and adversarial": _prediction(),
    "last frame": _video(_LastFrame, FutureFrameConfig.quick(flow=0.0, adversarial=0.0)),
}
VIDEO_METHODS: dict[str, dict[str, Callable[[Any, int], dict[str, Any]]]] = {
    "conv_autoencoder": AUTOENCODER,
    "future_frame": PREDICTION,
}
