"""Generative adversarial networks: the losses of the game, and the loop that plays it.

Taught in :doc:`/book/reconstruction/gan`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.utils.data import Dataset

from adlib import _checks
from adlib.training import mix, train

# --- losses. Logits are D before the sigmoid, of any shape: log D = -softplus(-l), log(1 - D) = -softplus(l)


def minimax_value(real: Tensor, fake: Tensor) -> Tensor:
    r"""The value of the game, which D maximises and G minimises.

    .. math:: V(D, G) = \mathrm{E}_x \log D(x) + \mathrm{E}_z \log (1 - D(G(z)))

    real, fake: logits of D for real and for generated pictures. Returns a scalar, at most 0. At the optimal
    :math:`D^* = p / (p + q)` it is :math:`2\,\mathrm{JS}(p, q) - \log 4` with the densities p of real and q of
    generated pictures. Source: Goodfellow et al., 2014. Taught in :doc:`/book/reconstruction/gan`.
    """
    return -softplus(-real).mean() - softplus(fake).mean()


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    r"""What D minimises, :math:`\mathcal{L}_D = -V(D, G)`: the cross entropy of telling real from generated.

    real, fake: logits. Returns a scalar, at least 0; :math:`\log 4` where D says 1/2 everywhere.
    Source: Goodfellow et al., 2014. Taught in :doc:`/book/reconstruction/gan`.
    """
    return -minimax_value(real, fake)


def minimax_loss(fake: Tensor) -> Tensor:
    r"""What G minimises in the minimax game: G's part of :func:`minimax_value`.

    .. math:: \mathcal{L}_G = \mathrm{E}_z \log (1 - D(G(z))), \qquad
              \frac{\partial \mathcal{L}_G}{\partial \ell} = -D

    With logit :math:`\ell` the gradient is :math:`-D`: it vanishes where D is sure that a picture is generated, which
    is where G has most to learn. fake: logits. Returns a scalar, at most 0. Source: Goodfellow et al., 2014.
    Taught in :doc:`/book/reconstruction/gan`.
    """
    return -softplus(fake).mean()


def non_saturating_loss(fake: Tensor) -> Tensor:
    r"""What G minimises in practice: the same direction, with a gradient where D is sure.

    .. math:: \mathcal{L}_G = -\mathrm{E}_z \log D(G(z)), \qquad
              \frac{\partial \mathcal{L}_G}{\partial \ell} = -(1 - D)

    fake: logits. Returns a scalar, at least 0. Source: Goodfellow et al., 2014.
    Taught in :doc:`/book/reconstruction/gan`.
    """
    return softplus(-fake).mean()


def least_squares_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    r"""LSGAN: D is a regression on 1 for real and 0 for generated.

    .. math:: \mathcal{L}_D = \tfrac{1}{2} \mathrm{E}_x (D(x) - 1)^2 + \tfrac{1}{2} \mathrm{E}_z D(G(z))^2

    real, fake: outputs of D without a sigmoid. Returns a scalar, at least 0. Source: Mao et al., 2017, with a = 0 and
    b = c = 1. Taught in :doc:`/book/reconstruction/gan`.
    """
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator_loss(fake: Tensor) -> Tensor:
    r"""LSGAN: G wants D to say 1.

    .. math:: \mathcal{L}_G = \tfrac{1}{2} \mathrm{E}_z (D(G(z)) - 1)^2

    fake: outputs of D without a sigmoid. Returns a scalar, at least 0. Source: Mao et al., 2017.
    Taught in :doc:`/book/reconstruction/gan`.
    """
    return (fake - 1).square().mean() / 2


LOSSES = {  # of the discriminator, of the generator
    "minimax": (discriminator_loss, minimax_loss),
    "non_saturating": (discriminator_loss, non_saturating_loss),
    "least_squares": (least_squares_discriminator_loss, least_squares_generator_loss),
}

# --- training


@dataclass(frozen=True)
class GANConfig:
    """Constants of a GAN. The defaults are DCGAN's (Radford et al., 2015) where no other source is named."""

    latent: int = 100  # entries of z
    width: int = 64  # maps of the discriminator's first layer and of the generator's last but one
    epochs: int = 20  # over the normal pictures; our choice, DCGAN has one for each of its sets
    batch_size: int = 128  # pictures
    lr: float = 2e-4  # Adam, both networks
    beta1: float = 0.5  # Adam's decay of the mean gradient; 0.9 oscillates. The other is PyTorch's 0.999
    loss: str = "non_saturating"  # or "minimax", "least_squares"; the first is Goodfellow et al.'s advice

    def __post_init__(self) -> None:
        for name in ("latent", "width", "epochs", "batch_size"):
            _checks.integer(name, getattr(self, name), 1)
        _checks.positive(lr=self.lr)
        _checks.number("beta1", self.beta1, "a number in [0, 1)", 0, 1 - 1e-12)
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {tuple(LOSSES)}, got {self.loss!r}")

    @classmethod
    def quick(cls) -> GANConfig:
        """For two CPU cores: some 6,000 pictures of 32 pixels in a minute or two."""
        return cls(latent=32, width=32, epochs=8, batch_size=64)


@dataclass(frozen=True, eq=False)
class GANHistory:
    """How a training went.

    epochs: for each epoch the means of ``"generator_loss"``, ``"discriminator_loss"``, ``"d_real"`` = D(x) and
    ``"d_fake"`` = D(G(z)), D as it was when it met them. samples: (epochs + 1, n, ...), what G in eval mode made of the
    same n latent vectors before the training and after each epoch. Taught in :doc:`/book/reconstruction/gan`.
    """

    epochs: list[dict[str, float]]
    samples: Tensor


def train_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Tensor | Dataset,
    config: GANConfig,
    *,
    seed: int = 0,
    samples: int = 16,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> GANHistory:
    """Play the game: a step of D, then a step of G, batch by batch. The networks are trained in place.

    generator: (N, config.latent) to items. discriminator: items to logits (N,), not probabilities. data: a float Tensor
    (N, ...) of items, or a Dataset of them, with values in the range of the generator, [-1, 1] for :class:`Generator
    <adlib.reconstruction.dcgan.Generator>`; points in a plane serve as well, with other networks. z is drawn from
    N(0, I). seed: of the order, of z and of the samples; the networks come with their own weights. samples: how many
    items :class:`GANHistory` keeps for each epoch. checkpoint: a file from which a training that was cut off goes on to
    the same result. progress: show a progress bar.

    Raises ``ValueError`` that names the argument. Source: Goodfellow et al., 2014, with one step of D for one of G.
    Taught in :doc:`/book/reconstruction/gan`.
    """
    device = next(generator.parameters()).device
    watched = _Samples(generator, _checks.integer("samples", samples, 1), config.latent, _checks.seed(seed))
    _check_items(data, watched.items[0])
    of_discriminator, of_generator = LOSSES[config.loss]
    optimiser_g, optimiser_d = (
        torch.optim.Adam(network.parameters(), lr=config.lr, betas=(config.beta1, 0.999))
        for network in (generator, discriminator)
    )

    def step(batch: Any) -> dict[str, Tensor]:
        x = batch if isinstance(batch, Tensor) else batch[0]
        fake = generator(torch.randn(len(x), config.latent, device=device))

        # D, on a copy of the generated items that has forgotten G
        real_logits, fake_logits = discriminator(x), discriminator(fake.detach())
        loss_d = of_discriminator(real_logits, fake_logits)
        optimiser_d.zero_grad()
        loss_d.backward()
        optimiser_d.step()

        # G, through the new D, whose weights need no gradient for it
        discriminator.requires_grad_(False)
        loss_g = of_generator(discriminator(fake))
        optimiser_g.zero_grad()
        loss_g.backward()
        optimiser_g.step()
        discriminator.requires_grad_(True)

        d = torch.Tensor.detach if config.loss == "least_squares" else torch.sigmoid
        return {
            "generator_loss": loss_g,
            "discriminator_loss": loss_d,
            "d_real": d(real_logits).mean(),
            "d_fake": d(fake_logits).mean(),
        }

    generator.train()
    discriminator.train()
    epochs = train(
        step,
        data,
        state={
            "generator": generator,
            "discriminator": discriminator,
            "optimiser_g": optimiser_g,
            "optimiser_d": optimiser_d,
            "samples": watched,
        },
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=seed,
        settings={f.name: getattr(config, f.name) for f in fields(GANConfig) if f.name != "epochs"},
        after_epoch=watched.take,
        checkpoint=checkpoint,
        progress=progress,
        label="GAN",
    )
    return GANHistory(epochs, torch.stack(watched.items))


class _Samples:
    """What the generator makes of fixed latent vectors, over time; part of a checkpoint."""

    def __init__(self, generator: nn.Module, n: int, latent: int, seed: int):
        self.generator = generator
        z = torch.randn(n, latent, generator=torch.Generator().manual_seed(mix(seed, 1, 1, 1)))
        self.z = z.to(next(generator.parameters()).device)
        self.items: list[Tensor] = []
        self.take()

    @torch.no_grad()
    def take(self, epoch: int | None = None) -> None:
        training = self.generator.training
        self.items.append(self.generator.eval()(self.z).cpu())
        self.generator.train(training)

    def state_dict(self) -> dict[str, Any]:
        return {"items": self.items}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.items = list(state["items"])


def _check_items(data: Any, made: Tensor) -> None:
    if isinstance(data, Tensor) and not (data.dtype == torch.float32 and data.ndim > 1 and torch.isfinite(data).all()):
        raise ValueError(
            f"data must be a float32 Tensor (N, ...) of finite numbers, got {data.dtype} {tuple(data.shape)}"
        )
    if isinstance(data, Tensor) and data.shape[1:] != made.shape[1:]:
        raise ValueError(f"data: items have shape {tuple(data.shape[1:])}, the generator makes {tuple(made.shape[1:])}")
