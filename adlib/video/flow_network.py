"""A small network that estimates optical flow, its training on generated motion, and RAFT with the same call.

Taught in :doc:`/book/video/flow`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import optical_flow

from adlib import _checks
from adlib.storage import load_state, save_state
from adlib.training import mix, seeded, train
from adlib.video.flow import check_pair, fetch, resized
from adlib.video.motion import motion_pairs

LEAST = 32  # pixels: the least side of a frame
WEIGHTS = "flow.safetensors"


class SmallFlow(nn.Module):
    r"""Optical flow from coarse to fine, the plan of PWC-Net with one small decoder for all levels.

    Both frames become features at a half, a quarter and an eighth of their size, each with mean 0 and deviation 1 over
    its frame. On each level, the coarsest first, those of b are warped by the flow found so far, and compared with
    those of a at the places around:

    .. math:: c_\delta(p) = \frac{\langle f_a(p), \tilde f_b(p + \delta) \rangle}
                                 {\|f_a(p)\| \, \|\tilde f_b(p + \delta)\|}, \qquad |\delta|_\infty \le r

    From these numbers, the features of a and the flow, the decoder finds what is missing. It is the same one on all
    levels, since what is missing is on all of them a motion of a few places. The last flow, at half the size, is
    enlarged. Differentiable in both frames.

    width: maps of the first layer; the features have twice as many. radius: r, in places of a level. Called with two
    frames a, b, float (N, C, H, W) in [0, 1], C = 1 or 3, sides of 32 pixels or more, it returns the flow
    (N, 2, H, W) in pixels. The coarsest level looks 8 r pixels far, but no network knows motions longer than those it
    learnt from. Brightness and contrast of the pair are taken out first. Raises ``ValueError`` that names the argument.

    Source: Sun et al., 2018 (PWC-Net); the shared decoder after Hur and Roth, 2019. Smaller, and trained by this
    project on generated motion alone. Taught in :doc:`/book/video/flow`.
    """

    def __init__(self, *, width: int = 16, radius: int = 2):
        super().__init__()
        self.width, self.radius = _checks.integer("width", width, 1), _checks.integer("radius", radius, 1)
        features = 2 * width
        sizes = [3, width, features, features]
        self.stages = nn.ModuleList(
            nn.Sequential(_conv(before, after, stride=2), _conv(after, after))
            for before, after in itertools.pairwise(sizes)
        )
        self.heads = nn.ModuleList(nn.Conv2d(after, features, 1) for after in sizes[1:])
        self.decoder = nn.Sequential(
            _conv((2 * radius + 1) ** 2 + features + 2, 4 * width),
            _conv(4 * width, 3 * width),
            _conv(3 * width, 2 * width),
            nn.Conv2d(2 * width, 2, 3, padding=1),
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The flow (N, 2, H, W) in pixels from frames a to frames b, both (N, C, H, W)."""
        return self.all_levels(a, b)[-1]

    def all_levels(self, a: Tensor, b: Tensor) -> list[Tensor]:
        """The flow after each level, coarsest first, each enlarged to (N, 2, H, W): what training compares."""
        check_pair(a, b, LEAST)
        size = a.shape[2:]
        a, b = _normalised(a, b)
        (a, (left, top)), (b, _) = _padded(a, 8), _padded(b, 8)
        pyramid = self._features(torch.cat([a, b]))
        flow = a.new_zeros(len(a), 2, *pyramid[-1].shape[2:])
        flows = []
        for level in reversed(pyramid):
            f_a, f_b = level.chunk(2)
            flow = resized(flow, level.shape[2:])
            likeness = correlation(f_a, fetch(f_b, flow), self.radius)
            flow = flow + self.decoder(torch.cat([likeness, f_a, flow], 1))
            flows.append(resized(flow, a.shape[2:])[..., top : top + size[0], left : left + size[1]])
        return flows

    def _features(self, frames: Tensor) -> list[Tensor]:
        pyramid, x = [], frames
        for stage, head in zip(self.stages, self.heads, strict=True):
            x = stage(x)
            # Less their mean, or what all places have in common hides what tells them apart
            pyramid.append(F.normalize(F.instance_norm(head(x)), dim=1))
        return pyramid

    def save(self, path: str | Path) -> None:
        """Write constants and weights to one safetensors file."""
        save_state(path, {"width": self.width, "radius": self.radius, "weights": self.state_dict()})

    @classmethod
    def load(cls, path: str | Path | None = None) -> SmallFlow:
        """The network with the weights this project trained, in eval mode, its weights frozen.

        path: a file that :meth:`save` wrote; the weights that come with adlib when None. Raises
        ``FileNotFoundError`` that says what to do where the file is missing, ``ValueError`` where it is another one.
        """
        file = weights_folder() / WEIGHTS if path is None else Path(path)
        if not file.is_file():
            raise FileNotFoundError(
                f"path: no weights of SmallFlow at {str(file)!r}; train them with `make weights` in a checkout of the "
                "project (a quarter of an hour on one core), or name a file that SmallFlow.save wrote"
            )
        saved = load_state(file)
        try:
            network = cls(width=saved["width"], radius=saved["radius"])
            network.load_state_dict(saved["weights"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(f"path: {str(file)!r} does not hold the weights of a SmallFlow ({error})") from error
        return network.eval().requires_grad_(False)


def weights_folder() -> Path:
    """Where the weights trained by this project lie: ``data/weights`` of the checkout, or inside the installed package.

    Taught in :doc:`/book/video/flow`.
    """
    installed = Path(__file__).parents[1] / "weights"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "data" / "weights"


def correlation(f_a: Tensor, f_b: Tensor, radius: int) -> Tensor:
    r"""How alike the features of a are to those of b at each place around.

    .. math:: c_\delta(p) = \langle f_a(p), f_b(p + \delta) \rangle, \qquad |\delta|_\infty \le r

    f_a, f_b: (N, C, H, W). radius: r. Returns (N, (2 r + 1) ** 2, H, W), row by row; beyond the border features are 0.
    Source: Dosovitskiy et al., 2015. Taught in :doc:`/book/video/flow`.
    """
    height, width = f_a.shape[2:]
    around = F.pad(f_b, [radius] * 4)
    steps = range(2 * radius + 1)
    return torch.stack([(f_a * around[..., y : y + height, x : x + width]).sum(1) for y in steps for x in steps], 1)


def train_flow(
    network: SmallFlow,
    *,
    epochs: int = 60,
    steps: int = 100,
    batch_size: int = 8,
    size: tuple[int, int] = (64, 64),
    largest: float = 8.0,
    learning_rate: float = 2e-3,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> list[dict[str, float]]:
    r"""Train on generated motion, a fresh batch each step: textured shapes over a background that moves too.

    .. math:: \mathcal{L} = \sum_{k=0}^{2} 2^{-k} \, \mathrm{E}\, \sqrt{(u_k - u^*)^2 + (v_k - v^*)^2 + \epsilon^2}

    with k = 0 for the finest level. Half of the pairs are made grey, and all carry some noise.

    network: trained in place, on its device; left in train mode. epochs: a checkpoint after each. steps: an epoch.
    batch_size: pairs a step. size: (H, W) of them. largest: pixels, of the shapes' shift. learning_rate: the highest,
    of AdamW; it rises for a tenth of all steps and falls to nearly 0. seed: every draw comes from it. checkpoint: a
    file to go on from. Returns for each epoch the means of ``"loss"`` and ``"error"``, the end-point error in pixels.
    Raises ``ValueError`` that names the argument. Taught in :doc:`/book/video/flow`.
    """
    epochs, steps = _checks.integer("epochs", epochs, 1), _checks.integer("steps", steps, 1)
    batch_size = _checks.integer("batch_size", batch_size, 1)
    _checks.positive(learning_rate=learning_rate)
    device = next(network.parameters()).device
    optimiser = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=epochs * steps, pct_start=min(0.1, 1 / epochs), cycle_momentum=False
    )

    def step(indices: Tensor) -> dict[str, Tensor]:
        drawn = int(torch.randint(2**62, (1,)))  # `train` seeds it by seed and epoch
        pairs = motion_pairs(len(indices), size, largest=largest, noise=0.03, seed=drawn)
        a, b, truth = (part.to(device) for part in pairs[:3])
        half = len(indices) // 2
        for frames in (a, b):
            frames[:half] = frames[:half].mean(1, keepdim=True)
        distances = [(flow - truth).square().sum(1).add(1e-6).sqrt().mean() for flow in network.all_levels(a, b)]
        loss = sum(0.5**k * distance for k, distance in enumerate(reversed(distances)))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        return {"loss": torch.as_tensor(loss), "error": distances[-1]}

    network.train()
    return train(
        step,
        torch.arange(steps * batch_size),
        state={"network": network, "optimiser": optimiser, "schedule": schedule},
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        settings={"size": tuple(size), "largest": largest, "learning_rate": learning_rate, "epochs": epochs},
        checkpoint=checkpoint,
        progress=progress,
        label="SmallFlow",
    )


def new_network(seed: int = 0, **constants: Any) -> SmallFlow:
    """A :class:`SmallFlow` whose random start comes from a seed. Taught in :doc:`/book/video/flow`."""
    with seeded(mix(_checks.seed(seed), 1)):
        return SmallFlow(**constants)


class RAFT(nn.Module):
    """torchvision's RAFT with the call of :class:`SmallFlow`: two frames in [0, 1] to one flow in pixels.

    network: takes frames in [-1, 1] with sides that are multiples of 8, at least 128, and returns a list of flows, of
    which the last counts. updates: of the flow; 12 in training, fewer are faster. Grey frames are repeated. Smaller
    frames are padded by their border pixels, and the flow is cut back. Source: Teed and Deng, 2020.
    Taught in :doc:`/book/video/flow`.
    """

    def __init__(self, network: Callable[..., list[Tensor]], *, updates: int = 12):
        super().__init__()
        self.network = network
        self.updates = _checks.integer("updates", updates, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The flow (N, 2, H, W) in pixels from frames a to frames b, both (N, C, H, W)."""
        check_pair(a, b, LEAST)
        height, width = a.shape[2:]
        (a, (left, top)), (b, _) = (_padded(2 * x.expand(-1, 3, -1, -1) - 1, 8, 128) for x in (a, b))
        flow = self.network(a, b, num_flow_updates=self.updates)[-1]
        return flow[..., top : top + height, left : left + width]


def raft_small(weights: str | None = "things", *, updates: int = 12) -> RAFT:
    """torchvision's small RAFT (990,162 weights), in eval mode and frozen, as a :class:`RAFT`.

    weights: ``"things"``, trained on FlyingChairs and FlyingThings3D, which torchvision fetches once; None for a random
    start. updates: of the flow. Raises ``OSError`` that says what to do where the weights cannot be had, ``ValueError``
    that names the argument. Source: Teed and Deng, 2020. Taught in :doc:`/book/video/flow`.
    """
    if weights not in ("things", None):
        raise ValueError(f"weights must be 'things' or None, got {weights!r}")
    updates = _checks.integer("updates", updates, 1)
    chosen = optical_flow.Raft_Small_Weights.C_T_V2 if weights else None
    try:
        network = optical_flow.raft_small(weights=chosen, progress=False)
    except (URLError, OSError, RuntimeError) as error:  # no network, a disc that is full, a broken file
        raise OSError(
            f"weights='things': torchvision could not get them ({error}). Fetch {chosen.url if chosen else ''} where "
            f"there is a network and put it into {torch.hub.get_dir()}/checkpoints, or use SmallFlow.load()"
        ) from error
    return RAFT(network, updates=updates).eval().requires_grad_(False)


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1), nn.LeakyReLU(0.1))


def _normalised(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both frames in three channels, less the mean of the pair and over its standard deviation."""
    pair = torch.stack([a, b]).expand(-1, -1, 3, -1, -1)
    variance, mean = torch.var_mean(pair, (0, 2, 3, 4), correction=0, keepdim=True)
    pair = (pair - mean) / (variance + 1e-4).sqrt()  # 1e-4: a picture that shows nothing stays flat
    return pair[0], pair[1]


def _padded(frames: Tensor, multiple: int, least: int = 0) -> tuple[Tensor, tuple[int, int]]:
    """Border pixels repeated on all sides until the sides are multiples, and how many came on the left and on top."""
    sides = (max(least, -(-side // multiple) * multiple) - side for side in frames.shape[2:])
    (top, bottom), (left, right) = ((more // 2, more - more // 2) for more in sides)
    return F.pad(frames, (left, right, top, bottom), mode="replicate"), (left, top)
