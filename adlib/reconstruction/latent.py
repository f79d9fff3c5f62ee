"""From a picture to a latent vector: a search by gradients (AnoGAN), or an encoder (f-AnoGAN).

A generator has no inverse. Both ways look for the z whose picture G(z) is nearest to x, with G and D fixed.
Taught in :doc:`/book/reconstruction/anogan`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from adlib import _checks
from adlib.reconstruction.dcgan import Discriminator, Encoder, Generator, frozen
from adlib.training import train

Terms = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def residual_loss(x: Tensor, reconstruction: Tensor) -> Tensor:
    r"""Pixel distance between a picture and what the generator makes of it.

    .. math:: \mathcal{L}_R(z) = \sum |x - G(z)|

    x, reconstruction: (N, C, H, W) in [-1, 1]. Returns (N,): a sum over pixels, one value a picture, so that a batch of
    searches has the gradients of separate ones. Source: Schlegl et al., 2017.
    Taught in :doc:`/book/reconstruction/anogan`.
    """
    return (x - _alike(x, reconstruction)).abs().flatten(1).sum(1)


def discrimination_loss(features: Tensor, reconstructed_features: Tensor) -> Tensor:
    r"""The same distance, between feature maps of the discriminator.

    .. math:: \mathcal{L}_D(z) = \sum |f(x) - f(G(z))|

    features, reconstructed_features: (N, ...), f(x) and f(G(z)), the last feature maps of D. Returns (N,).
    Source: Schlegl et al., 2017. Taught in :doc:`/book/reconstruction/anogan`.
    """
    return (features - _alike(features, reconstructed_features)).abs().flatten(1).sum(1)


def anogan_terms(x: Tensor, made: Tensor, features: Tensor, made_features: Tensor) -> tuple[Tensor, Tensor]:
    """The two terms of AnoGAN, :func:`residual_loss` and :func:`discrimination_loss`, (N,) each."""
    return residual_loss(x, made), discrimination_loss(features, made_features)


def f_anogan_terms(x: Tensor, made: Tensor, features: Tensor, made_features: Tensor) -> tuple[Tensor, Tensor]:
    r"""The two terms of f-AnoGAN, mean squares in place of sums of distances, (N,) each.

    .. math:: \mathcal{A}_R = \tfrac{1}{CHW} \lVert x - G(E(x)) \rVert^2, \qquad
              \mathcal{A}_D = \tfrac{1}{d} \lVert f(x) - f(G(E(x))) \rVert^2

    with d the number of entries of f. Source: Schlegl et al., 2019. Taught in :doc:`/book/reconstruction/anogan`.
    """
    return (
        (x - _alike(x, made)).square().flatten(1).mean(1),
        (features - _alike(features, made_features)).square().flatten(1).mean(1),
    )


@dataclass(frozen=True, eq=False)
class Found:
    """What :func:`latent_search` found, one row a picture. Taught in :doc:`/book/reconstruction/anogan`.

    z: (N, latent). reconstruction: (N, C, H, W) in [-1, 1], G(z). residual, discrimination: (N,), the two terms at z.
    losses: (N, steps + 1), their weighted sum at the start and after each step. path: (N, steps + 1, latent), z at the
    start and after each step, None where it was not asked for.
    """

    z: Tensor
    reconstruction: Tensor
    residual: Tensor
    discrimination: Tensor
    losses: Tensor
    path: Tensor | None


def latent_search(
    generator: Generator,
    discriminator: Discriminator,
    x: Tensor,
    start: Tensor,
    *,
    steps: int,
    lr: float,
    weights: tuple[float, float] = (0.9, 0.1),
    terms: Terms = anogan_terms,
    keep_path: bool = False,
) -> Found:
    r"""Walk each z downhill from its start, all pictures at once.

    .. math:: \mathcal{L}(z) = w_R \mathcal{L}_R(z) + w_D \mathcal{L}_D(z)

    for AnoGAN with :math:`w_R = 1 - \lambda, w_D = \lambda`. The loss of a batch is the sum over its pictures, so its
    gradient in one z knows nothing of the others, and Adam works entry by entry: the search of a batch is the searches
    of its pictures. That takes G and D in eval mode, where batch normalisation is a fixed scale; they are put there,
    take no gradient, and are given back as they came.

    x: (N, C, H, W) in [-1, 1]. start: (N, latent), not changed. steps: of Adam, at least 0. lr: its step size, in units
    of z. weights: :math:`w_R, w_D`, 0.9 and 0.1 for the paper's :math:`\lambda = 0.1`. terms: of the loss. keep_path:
    keep z of every step, to watch the search. z has no bound. Raises ``ValueError`` that names the argument.
    Source: Schlegl et al., 2017. Taught in :doc:`/book/reconstruction/anogan`.
    """
    _checks.integer("steps", steps, 0)
    _checks.positive(lr=lr)
    if start.ndim != 2 or len(start) != len(x):
        raise ValueError(f"start must have shape ({len(x)}, latent), got {tuple(start.shape)}")
    x = x.to(memory_format=torch.channels_last)
    z = start.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=lr)
    losses, path = [], []
    with frozen(generator, discriminator):
        with torch.no_grad():
            features = discriminator.features(x)  # once: x does not move
        for step in range(steps + 1):
            path += [z.detach().clone()] if keep_path else []
            with torch.set_grad_enabled(step < steps):
                made = generator(z)
                residual, discrimination = terms(x, made, features, discriminator.features(made))
                loss = weights[0] * residual + weights[1] * discrimination
                losses.append(loss.detach())
                if step < steps:
                    (z.grad,) = torch.autograd.grad(loss.sum(), z)
                    optimiser.step()
    return Found(
        z.detach(), made, residual, discrimination, torch.stack(losses, 1), torch.stack(path, 1) if keep_path else None
    )


def train_encoder(
    encoder: Encoder,
    generator: Generator,
    discriminator: Discriminator,
    data: Tensor | Dataset,
    *,
    epochs: int,
    batch_size: int = 64,
    lr: float = 5e-5,
    kappa: float = 1.0,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> list[dict[str, float]]:
    r"""Teach the encoder to undo the generator, the izi_f training of f-AnoGAN: picture to z, z to picture.

    .. math:: \mathcal{L}_{\mathrm{izi}_f} = \mathrm{E}_x [\mathcal{A}_R + \kappa \mathcal{A}_D]

    with the terms of :func:`f_anogan_terms`; G and D are fixed and in eval mode, E is trained in place by RMSprop.
    data: (N, C, H, W) in [-1, 1], or a Dataset of them: normal pictures. lr: of RMSprop, 5e-5 in the authors' code, as
    is kappa = 1. checkpoint: a file from which a training that was cut off goes on to the same result. Returns for each
    epoch the mean ``"loss"``, ``"residual"`` and ``"discrimination"``. Source: Schlegl et al., 2019.
    Taught in :doc:`/book/reconstruction/anogan`.
    """
    _checks.positive(lr=lr)
    _checks.number("kappa", kappa, "a number of at least 0", 0)
    optimiser = torch.optim.RMSprop(encoder.parameters(), lr=lr)

    def step(batch: Any) -> dict[str, Tensor]:
        x = batch if isinstance(batch, Tensor) else batch[0]
        made = generator(encoder(x))
        with torch.no_grad():
            features = discriminator.features(x)
        residual, discrimination = (
            term.mean() for term in f_anogan_terms(x, made, features, discriminator.features(made))
        )
        loss = residual + kappa * discrimination
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"loss": loss, "residual": residual, "discrimination": discrimination}

    encoder.train()
    with frozen(generator, discriminator):
        return train(
            step,
            data,
            state={"encoder": encoder, "optimiser": optimiser},
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            settings={"lr": lr, "kappa": kappa, "networks": _digest(generator, discriminator) if checkpoint else ""},
            checkpoint=checkpoint,
            progress=progress,
            label="encoder",
        )


def _digest(*networks: nn.Module) -> str:
    """Of all weights: an encoder that was begun for another generator is not gone on with."""
    digest = hashlib.sha256()
    for network in networks:
        for value in network.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _alike(a: Tensor, b: Tensor) -> Tensor:
    if a.shape != b.shape:  # else they would be broadcast without a word
        raise ValueError(f"two batches of one shape are compared, got {tuple(a.shape)} and {tuple(b.shape)}")
    return b
