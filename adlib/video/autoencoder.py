"""An autoencoder with 3-D convolutions: what moves as it always did is rebuilt well, what does not is not.

Taught in :doc:`/book/video/autoencoder`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pad

from adlib import _checks
from adlib.metrics import regularity_score
from adlib.training import mix, seeded, train
from adlib.video.clips import Clips, mean_over_clips, overlapping
from adlib.video.detector import Frames, VideoDetector

SLOPE = 0.2  # of LeakyReLU below 0; PyAnomaly


@dataclass(frozen=True)
class ConvAutoencoderConfig:
    """Constants of :class:`ConvAutoencoder`. Defaults: the network of Zhao et al., 2017, as PyAnomaly implements it.

    Left out of it is the second decoder, which predicts the frames after the clip. The paper's frames are 128 x 128
    pixels and grey; the size of the frames is the choice of whoever reads them.
    """

    clip: int = 16  # frames
    widths: tuple[int, ...] = (32, 48, 64)  # maps of each stage; a stage halves time, height and width
    epochs: int = 20  # of ``steps``; 20 000 steps in all
    steps: int = 1000  # an epoch, after which a checkpoint is written; our choice
    batch_size: int = 16  # clips a step, drawn at random from all starts of all videos
    learning_rate: float = 1e-3  # of Adam
    weight_decay: float = 1e-4

    @classmethod
    def quick(cls, **changes: Any) -> ConvAutoencoderConfig:
        """For two CPU cores and frames of 64 x 64 pixels: short clips, a narrow network. changes: fields to set."""
        small: dict[str, Any] = {"clip": 8, "widths": (8, 16, 32), "epochs": 4, "steps": 50, "batch_size": 8}
        return cls(**small | changes)

    def __post_init__(self) -> None:
        if not isinstance(self.widths, tuple) or not self.widths:
            raise ValueError(f"widths must be a tuple of one integer or more, got {self.widths!r}")
        for width in self.widths:
            _checks.integer("widths", width, 1)
        for name in ("clip", "epochs", "steps", "batch_size"):
            _checks.integer(name, getattr(self, name), 1)
        _checks.positive(learning_rate=self.learning_rate)
        _checks.number("weight_decay", self.weight_decay, "a number of at least 0", 0)


class SpaceTimeAutoencoder(nn.Module):
    """Clips to clips of the same shape, through a code that is smaller in time, height and width.

    Encoder: for each width a 3 x 3 x 3 convolution, batch norm, LeakyReLU and max-pooling by 2, then one convolution.
    Decoder: a transposed convolution of stride 2 for each stage, with batch norm and LeakyReLU, then one convolution
    and a sigmoid. Batch norm takes out any bias before it, so there is none. Sides that 2 to the number of stages does
    not divide are padded at their ends by the border's values; what comes out is cut to the size of what went in.

    channels: 1 or 3. widths: maps of each stage. ``forward`` takes and returns (N, L, C, H, W) in [0, 1].
    Source: Zhao et al., 2017, in the sizes of PyAnomaly. Taught in :doc:`/book/video/autoencoder`.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for before, width in zip((channels, *widths[:-1]), widths, strict=True):
            # Pooled before LeakyReLU, which rises and so changes no maximum: the same, with an eighth of the work
            stages += [nn.Conv3d(before, width, 3, padding=1, bias=False), nn.BatchNorm3d(width), nn.MaxPool3d(2)]
            stages += [nn.LeakyReLU(SLOPE)]
        self.encoder = nn.Sequential(*stages, nn.Conv3d(widths[-1], widths[-1], 3, padding=1))
        back = (*widths[::-1], widths[0])  # 64, 48, 32, 32
        stages = []
        for before, width in pairwise(back):
            stages += [nn.ConvTranspose3d(before, width, 3, 2, padding=1, output_padding=1, bias=False)]
            stages += [nn.BatchNorm3d(width), nn.LeakyReLU(SLOPE)]
        self.decoder = nn.Sequential(*stages, nn.Conv3d(widths[0], channels, 3, padding=1), nn.Sigmoid())
        self.multiple = 2 ** len(widths)

    def forward(self, clips: Tensor) -> Tensor:
        """clips: (N, L, C, H, W) in [0, 1]. Returns what is rebuilt of them, of the same shape."""
        sizes = clips.shape[1], *clips.shape[3:]
        time, height, width = (-size % self.multiple for size in sizes)
        x = pad(clips.transpose(1, 2), (0, width, 0, height, 0, time), mode="replicate")
        x = self.decoder(self.encoder(x)).transpose(1, 2)
        return x[:, : sizes[0], :, : sizes[1], : sizes[2]]


class ConvAutoencoder(VideoDetector):
    r"""How badly an autoencoder of normal clips rebuilds a frame.

    .. math:: \min_W \; \mathrm{E}_x \lVert x - f_W(x) \rVert^2, \qquad
              e(t) = \frac{1}{C H W} \frac{1}{|K_t|} \sum_{k \in K_t} \lVert x_k(t - k) - f_W(x_k)(t - k) \rVert^2

    :math:`f_W` sees clips of L frames (``SpaceTimeAutoencoder``); :math:`K_t` are the starts of all clips that
    hold frame t. ``anomaly_score`` is e(t) itself, so that a threshold needs neither the smallest nor the largest error
    of the video: it is known L - 1 frames after the frame. ``anomaly_map`` is the squared error of a pixel, mean over
    channels and over the same clips; its mean is the score. :meth:`regularity` is the score of the papers, which takes
    the whole video.

    The frames of the normal videos are held in memory, a byte a value (:class:`~adlib.video.clips.Clips`).

    Learned: ``model_``, in eval mode; ``history_`` one dict an epoch with the ``"loss"``, the mean squared error.

    Frames: grey or colour, of any size. Source: Hasan et al., 2016, and Zhao et al., 2017. Differences: Hasan's network
    has 2-D convolutions over stacked frames, and the error is a sum of norms; PyAnomaly keeps of each frame only the
    error in the last clip that holds it, and takes the root of the loss.
    Taught in :doc:`/book/video/autoencoder`.
    """

    config_class = ConvAutoencoderConfig
    config: ConvAutoencoderConfig

    @property
    def clip_length(self) -> int:
        """Frames of a clip, the least that a video must have."""
        return self.config.clip

    def regularity(self, video: Frames, denominator: str = "max") -> np.ndarray:
        """:func:`adlib.metrics.regularity_score` of the errors of one video: high where normal.

        video: as in ``fit``. denominator: ``"max"`` or ``"range"``. Returns (T,) float64 in [0, 1].
        """
        return regularity_score(self.anomaly_score(video), denominator)

    def _fit(self, videos: Sequence[Frames], *, checkpoint: Path | None, progress: bool) -> None:
        config, clips = self.config, Clips(videos, self.config.clip)
        with seeded(self.seed):
            model = self._new_model(clips.shape[0])
        optimiser = torch.optim.Adam(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)

        def step(places: Tensor) -> dict[str, Tensor]:
            x = clips.batch(torch.randint(len(clips), (len(places),))).to(self.device)
            # E_x ‖x − f_W(x)‖², as a mean over values
            loss = mse_loss(model(x), x)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return {"loss": loss}

        model.train()
        self.history_ = train(
            step,
            torch.arange(config.steps * config.batch_size),  # places in the batches of an epoch
            state={"model": model, "optimiser": optimiser},
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=mix(self.seed, 1),
            settings=dataclasses.asdict(config) | {"clips": clips.sha256() if checkpoint else ""},
            checkpoint=checkpoint,
            progress=progress,
            label="autoencoder",
        )
        self.model_ = model.eval()

    def _squared(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """For each block the squared errors of its clips, (n, L, H, W), mean over channels."""
        for frames in overlapping(blocks, self.config.clip):
            # (n, L, C, H, W): a view, no copy
            clips = frames.unfold(0, self.config.clip, 1).movedim(-1, 1)
            yield torch.cat([(self.model_(x) - x).square().mean(2) for x in clips.split(self.config.batch_size)])

    def _score(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        return mean_over_clips(errors.mean((2, 3)) for errors in self._squared(blocks))

    def _map(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        return mean_over_clips(self._squared(blocks))

    def _new_model(self, channels: int) -> SpaceTimeAutoencoder:
        model = SpaceTimeAutoencoder(channels, self.config.widths)
        return model.to(memory_format=torch.channels_last_3d).to(self.device)  # type: ignore[call-overload]

    def _get_state(self) -> dict[str, Any]:
        return {"model": self.model_.state_dict(), "history": self.history_}

    def _set_state(self, state: dict[str, Any]) -> None:
        self.history_ = state["history"]
        self.model_ = self._new_model(self.shape_[0]).eval()
        self.model_.load_state_dict(state["model"])
