"""Future frame prediction: what happens as it always did can be foreseen, what does not cannot.

Taught in :doc:`/book/video/future_frame`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, mse_loss

from adlib import _checks
from adlib.reconstruction.gan import least_squares_discriminator_loss, least_squares_generator_loss
from adlib.training import mix, seeded, train
from adlib.video.clips import Clips, overlapping
from adlib.video.detector import Frames, VideoDetector
from adlib.video.flow import flow_loss
from adlib.video.flow_network import LEAST, SmallFlow, raft_small
from adlib.video.frame_networks import PatchCritic, UNet
from adlib.video.stream import Stream

FLOOR = 1e-10  # of an error: a frame foreseen to the last bit scores -100 dB, not minus infinity
# λ_int, λ_gd, λ_op, λ_adv, the rates of G and D, and the step after which both fall to a tenth; from the authors' code
PAPER: dict[str, tuple[float, float, float, float, float, float, int]] = {
    "ped1": (1, 1, 0.01, 0.05, 1e-4, 1e-5, 40_000),
    "ped2": (1, 1, 2, 0.05, 1e-4, 1e-5, 7_000),
    "avenue": (0.001, 1, 2, 0.05, 2e-4, 2e-5, 100_000),
    "shanghaitech": (1, 1, 2, 0.05, 2e-4, 2e-5, 50_000),
}


def gradient_loss(predicted: Tensor, real: Tensor) -> Tensor:
    r"""Are the edges as steep as the real ones? A blurred prediction keeps the mean of the pixels, not this.

    .. math:: \mathcal{L}_{gd} = \mathrm{E}\, \big| |\partial_x \hat I| - |\partial_x I| \big|
                               + \mathrm{E}\, \big| |\partial_y \hat I| - |\partial_y I| \big|

    with the differences of neighbours inside the frame. The authors' code pads with zeros, so that its last row and
    column hold the pixels themselves; here they are left out.

    predicted, real: (N, C, H, W) of the same shape, sides of at least 2. Returns a scalar, at least 0.
    Source: Mathieu et al., 2016, with exponent 1. Taught in :doc:`/book/video/future_frame`.
    """
    total = predicted.new_zeros(())
    for axis in (-1, -2):
        total = total + (predicted.diff(dim=axis).abs() - real.diff(dim=axis).abs()).abs().mean()
    return total


@dataclass(frozen=True)
class FutureFrameConfig:
    """Constants of :class:`FutureFramePredictor`. Defaults: Liu et al., 2018, for Ped2 (:meth:`paper` has the others).

    A loss with weight 0 is not computed at all; without the adversarial one there is no critic.
    """

    context: int = 4  # frames that the next one is predicted from, t
    width: int = 64  # maps of the first level of the U-Net
    critic: tuple[int, ...] = (128, 256, 512, 512)  # maps of each layer of the patch discriminator
    intensity: float = 1.0  # λ_int
    gradient: float = 1.0  # λ_gd
    flow: float = 2.0  # λ_op
    adversarial: float = 0.05  # λ_adv
    flow_network: str = "small"  # or "raft", torchvision's; the paper's FlowNet2 has no port without CUDA code
    patch: int = 0  # pixels: 0 scores the mean error of a frame, as the paper; else that of its worst square
    learning_rate: float = 1e-4  # of Adam for the U-Net
    critic_rate: float = 1e-5  # of Adam for the critic
    drop: int = 7_000  # steps after which both rates fall to a tenth
    epochs: int = 80  # of ``steps``; 80 000 steps in all, as in the example of the authors' code
    steps: int = 1000  # an epoch, after which a checkpoint is written; our choice
    batch_size: int = 4  # clips a step, drawn at random from all starts of all videos

    def __post_init__(self) -> None:
        if not isinstance(self.critic, tuple) or len(self.critic) < 2:
            raise ValueError(f"critic must be a tuple of two integers or more, got {self.critic!r}")
        for width in self.critic:
            _checks.integer("critic", width, 1)
        for name in ("context", "width", "epochs", "steps", "batch_size"):
            _checks.integer(name, getattr(self, name), 1)
        for name in ("patch", "drop"):
            _checks.integer(name, getattr(self, name), 0)
        for name in ("intensity", "gradient", "flow", "adversarial"):
            _checks.number(name, getattr(self, name), "a number of at least 0", 0)
        if not self.intensity + self.gradient:
            raise ValueError("intensity or gradient must be above 0: nothing else tells what the frame looks like")
        if self.flow_network not in ("small", "raft"):
            raise ValueError(f'flow_network must be "small" or "raft", got {self.flow_network!r}')
        _checks.positive(learning_rate=self.learning_rate, critic_rate=self.critic_rate)

    @classmethod
    def paper(cls, dataset: str, **changes: Any) -> FutureFrameConfig:
        """The weights of the losses for a data set, from the authors' code. changes: fields to set.

        dataset: ``"ped1"``, ``"ped2"``, ``"avenue"`` or ``"shanghaitech"``.
        """
        if dataset not in PAPER:
            raise ValueError(f"dataset must be one of {tuple(PAPER)}, got {dataset!r}")
        names = ("intensity", "gradient", "flow", "adversarial", "learning_rate", "critic_rate", "drop")
        known: dict[str, Any] = dict(zip(names, PAPER[dataset], strict=True))
        return cls(**known | changes)

    @classmethod
    def quick(cls, **changes: Any) -> FutureFrameConfig:
        """For two CPU cores and frames of 64 x 64 pixels: a narrow network, few steps. changes: fields to set."""
        small: dict[str, Any] = {"width": 16, "critic": (16, 32, 64), "flow": 0.02, "learning_rate": 2e-3}
        small |= {"critic_rate": 2e-4, "drop": 150, "epochs": 4, "steps": 50, "batch_size": 8}
        return cls(**small | changes)


class FutureFramePredictor(VideoDetector):
    r"""How badly the next frame could be foreseen from the last t.

    .. math:: \hat I_{t+1} = G(I_1, \ldots, I_t), \qquad
              s = -\mathrm{PSNR}(\hat I_{t+1}, I_{t+1}) = 10 \log_{10} \mathrm{E} (\hat I_{t+1} - I_{t+1})^2

    in dB, the higher, the more anomalous. G is a :class:`~adlib.video.frame_networks.UNet`, learnt with

    .. math:: \mathcal{L}_G = \lambda_{int} \mathcal{L}_{int} + \lambda_{gd} \mathcal{L}_{gd}
                            + \lambda_{op} \mathcal{L}_{op} + \lambda_{adv} \mathcal{L}_{adv}

    the mean squared error, :func:`~adlib.video.future_frame.gradient_loss`, :func:`~adlib.video.flow.flow_loss`, and
    the verdict of a :class:`~adlib.video.frame_networks.PatchCritic` that learns beside it, as a least-squares GAN.
    Losses are computed on frames in [-1, 1], as in the paper, but for the flow, which takes [0, 1].

    The score is no stretch of the video's own scores, as the papers' is: it is known as soon as the frame has come
    (:meth:`stream`), and a threshold means the same in every video. Nothing foresees the first t frames; they get the
    score and the map of frame t + 1, and are best left out of an evaluation, with their labels (``context`` frames).
    ``anomaly_map`` is the squared error of a pixel, mean over channels; with ``patch=0`` the score is 10 log10 of its
    mean. With ``patch=p`` it is that of the p x p square where the mean is greatest: a runner far away is a small part
    of the frame, but all of a square.

    The frames of the normal videos are held in memory, a byte a value (:class:`~adlib.video.clips.Clips`).
    Frames: grey or colour, of one size, at least 32 x 32 pixels with the flow loss.

    Learned: ``model_``, in eval mode; ``critic_``, or None without the adversarial loss; ``history_`` one dict an epoch
    with each loss that was used, unweighted, and ``"critic"``.

    Source: Liu et al., 2018. Differences: the critic and the U-Net learn from the same batch, the critic first, where
    the authors' code draws two; the last clip of a video, which that code never draws, is drawn.
    Taught in :doc:`/book/video/future_frame`.
    """

    config_class = FutureFrameConfig
    config: FutureFrameConfig

    @property
    def clip_length(self) -> int:
        """t + 1, the least that a video must have."""
        return self.config.context + 1

    def predictions(self, video: Frames) -> Tensor:
        """What was foreseen: (T - t, C, H, W) in [0, 1] on the CPU, for the frames from number t on.

        video: as in ``fit``.
        """

        def foreseen(blocks: Iterable[Tensor]) -> Iterator[Tensor]:
            return self._from_the_start(predicted for predicted, _ in self._predicted(blocks))

        return self._apply(foreseen, video)[self.config.context :]

    def stream(self) -> Stream:
        """Score frames as they come, one at a time: a :class:`~adlib.video.stream.Stream`."""
        self._check_fitted()
        return Stream(self)

    def _fit(self, videos: Sequence[Frames], *, checkpoint: Path | None, progress: bool) -> None:
        config, clips = self.config, Clips(videos, self.clip_length)
        flow_network = self._flow_network(clips.shape) if config.flow else None
        with seeded(self.seed):
            model = self._new_model(clips.shape[0])
            critic = self._new_critic(clips.shape) if config.adversarial else None
        parts: dict[str, Any] = {
            "model": model,
            "optimiser": torch.optim.Adam(model.parameters(), config.learning_rate),
        }
        if critic is not None:
            parts |= {"critic": critic, "judge": torch.optim.Adam(critic.parameters(), config.critic_rate)}
        for name in ("optimiser", "judge")[: 2 if critic is not None else 1]:
            parts[f"{name} schedule"] = torch.optim.lr_scheduler.MultiStepLR(parts[name], [config.drop])

        def step(places: Tensor) -> dict[str, Tensor]:
            x = clips.batch(torch.randint(len(clips), (len(places),))).to(self.device)
            past, real = x[:, :-1], x[:, -1]
            predicted = model(past)
            report: dict[str, Tensor] = {}
            if critic is not None:
                # L_D = ½ E (D(I) − 1)² + ½ E D(Î)²
                report["critic"] = least_squares_discriminator_loss(critic(real), critic(predicted.detach()))
                _descend(report["critic"], parts["judge"])
            losses: dict[str, tuple[float, Tensor]] = {}
            # L_int = E (Î − I)², in [−1, 1], where differences are twice those in [0, 1]
            losses["intensity"] = config.intensity, 4 * mse_loss(predicted, real)
            losses["gradient"] = config.gradient, 2 * gradient_loss(predicted, real)
            if flow_network is not None:
                # L_op = E |f(I_t, Î) − f(I_t, I)|
                losses["flow"] = config.flow, flow_loss(flow_network, past[:, -1], predicted, real)
            if critic is not None:
                # L_adv = ½ E (D(Î) − 1)²
                losses["adversarial"] = config.adversarial, least_squares_generator_loss(critic(predicted))
            # L_G = λ_int L_int + λ_gd L_gd + λ_op L_op + λ_adv L_adv
            _descend(torch.stack([weight * loss for weight, loss in losses.values()]).sum(), parts["optimiser"])
            for name in parts:
                if name.endswith("schedule"):
                    parts[name].step()
            return report | {name: loss for name, (_, loss) in losses.items()}

        model.train()
        self.history_ = train(
            step,
            torch.arange(config.steps * config.batch_size),  # places in the batches of an epoch
            state=parts,
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=mix(self.seed, 1),
            settings=dataclasses.asdict(config) | {"clips": clips.sha256() if checkpoint else ""},
            checkpoint=checkpoint,
            progress=progress,
            label="future frames",
        )
        self.model_, self.critic_ = model.eval(), critic

    def _predicted(self, blocks: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """For each block the frames that were foreseen and those that came, (n, C, H, W) each."""
        context = self.config.context
        for frames in overlapping(blocks, context + 1):
            past = frames[:-1].unfold(0, context, 1).movedim(-1, 1)  # (n, t, C, H, W): a view, no copy
            yield self.model_(past), frames[context:]

    def _map(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        return self._from_the_start((real - predicted).square().mean(1) for predicted, real in self._predicted(blocks))

    def _from_the_start(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """Nothing foresees the first t frames: what comes of the first that was foreseen stands for them."""
        for number, part in enumerate(parts):
            yield part if number else torch.cat([part[:1].expand(self.config.context, *part.shape[1:]), part])

    def _score(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        return (self._of_map(error) for error in self._map(blocks))

    def _of_map(self, error: Tensor) -> Tensor:
        """Squared errors (N, H, W) to scores (N,) in dB."""
        side = min(self.config.patch, *error.shape[1:])
        if side:
            error = avg_pool2d(error[:, None], side, 1)[:, 0]
            worst = error.flatten(1).amax(1)
        else:
            worst = error.mean((1, 2))
        # s = 10 log₁₀ E (Î − I)²
        return 10 * torch.log10(worst.clamp(min=FLOOR))

    def _flow_network(self, shape: tuple[int, ...]) -> nn.Module:
        if min(shape[1:]) < LEAST:
            raise ValueError(
                f"videos must have frames of at least {LEAST} x {LEAST} pixels for the flow loss, got {shape[1]} x "
                f"{shape[2]}; flow=0 does without"
            )
        network = SmallFlow.load() if self.config.flow_network == "small" else raft_small(updates=6)
        return network.to(self.device)

    def _new_model(self, channels: int) -> UNet:
        model = UNet(self.config.context, channels, self.config.width)
        # A quarter less time on a CPU than with the channels first
        return model.to(memory_format=torch.channels_last).to(self.device)  # type: ignore[call-overload]

    def _new_critic(self, shape: tuple[int, ...]) -> PatchCritic:
        critic = PatchCritic(shape[0], self.config.critic)
        try:
            critic(torch.zeros(1, *shape))
        except RuntimeError as error:  # nothing left to reflect
            raise ValueError(
                f"videos must have larger frames for a critic of {len(self.config.critic)} layers, got {shape[1]} x "
                f"{shape[2]} pixels; adversarial=0 does without"
            ) from error
        return critic.to(self.device)

    def _get_state(self) -> dict[str, Any]:
        critic = self.critic_.state_dict() if self.critic_ is not None else None
        return {"model": self.model_.state_dict(), "critic": critic, "history": self.history_}

    def _set_state(self, state: dict[str, Any]) -> None:
        self.history_ = state["history"]
        self.model_ = self._new_model(self.shape_[0]).eval()
        self.model_.load_state_dict(state["model"])
        self.critic_ = None
        if state["critic"] is not None:
            self.critic_ = self._new_critic(self.shape_)
            self.critic_.load_state_dict(state["critic"])


def _descend(loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
