"""The networks of DCGAN for 32 and 64 pixels: a generator, a discriminator, and an encoder built like the latter.

Source: Radford, Metz and Chintala, 2015 (*Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks*). Taught in :doc:`/book/reconstruction/gan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from adlib import _checks

SIZES = (32, 64)  # pixels


class Generator(nn.Module):
    """A latent vector to a picture: a 4 x 4 map, doubled until it has the size asked for, tanh at the end.

    size: 32 or 64 pixels. channels: 1 or 3. latent: entries of z. width: maps of the last layer but one; each layer
    before it has twice as many. Weights are drawn from N(0, 0.02), those of the batch normalisation from N(1, 0.02).

    Input: (N, latent). Output: (N, channels, size, size) in [-1, 1]. Raises ``ValueError`` that names the argument.
    Source: Radford et al., 2015. Taught in :doc:`/book/reconstruction/gan`.
    """

    def __init__(self, *, size: int = 64, channels: int = 1, latent: int = 100, width: int = 64):
        super().__init__()
        depth = _depth(size, channels, latent, width)
        self.latent = latent
        maps = width * 2 ** (depth - 1)
        layers = [nn.ConvTranspose2d(latent, maps, 4, bias=False), nn.BatchNorm2d(maps), nn.ReLU(inplace=True)]
        for _ in range(depth - 1):
            layers += [
                nn.ConvTranspose2d(maps, maps // 2, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(maps // 2),
                nn.ReLU(inplace=True),
            ]
            maps //= 2
        layers += [nn.ConvTranspose2d(maps, channels, 4, stride=2, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        _initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """z: (N, latent). Returns G(z), (N, channels, size, size)."""
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"z must have shape (N, {self.latent}), got {tuple(z.shape)}")
        return self.layers(z[:, :, None, None])


class Discriminator(nn.Module):
    """A picture to one number, the logit of "real": halved down to a 4 x 4 map, then one filter over all of it.

    size, channels, width: as of :class:`Generator`. :meth:`features` gives the last feature map, which the search
    compares.

    Input: (N, channels, size, size) in [-1, 1]. Output: (N,) logits; D(x) is their sigmoid.
    Raises ``ValueError`` that names the argument. Source: Radford et al., 2015.
    Taught in :doc:`/book/reconstruction/gan`.
    """

    def __init__(self, *, size: int = 64, channels: int = 1, width: int = 64):
        super().__init__()
        self.layers = _halving(size, channels, 1, width)
        self.head = nn.Conv2d(width * size // 8, 1, 4)
        _initialise(self)

    def features(self, x: Tensor) -> Tensor:
        """f(x), the feature map of the last convolution before the logit. Returns (N, width * size / 8, 4, 4)."""
        return self.layers(x)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, channels, size, size). Returns the logits of D(x), (N,)."""
        return self.head(self.features(x)).flatten()


class Encoder(nn.Module):
    """A picture to a latent vector, built like the discriminator.

    size, channels, latent, width: as of :class:`Generator`. Input: (N, channels, size, size) in [-1, 1].
    Output: (N, latent), without a bound: the published encoder ends in a tanh, but a third of the draws from N(0, 1)
    lie outside [-1, 1]. Source: Schlegl et al., 2019 (f-AnoGAN), here with DCGAN's layers in place of residual blocks.
    Taught in :doc:`/book/reconstruction/anogan`.
    """

    def __init__(self, *, size: int = 64, channels: int = 1, latent: int = 100, width: int = 64):
        super().__init__()
        self.layers = _halving(size, channels, latent, width)
        self.head = nn.Conv2d(width * size // 8, latent, 4)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, channels, size, size). Returns E(x), (N, latent)."""
        return self.head(self.layers(x)).flatten(1)


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Inside, the modules are in eval mode and their parameters take no gradient; outside they are as before."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    learning = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    try:
        for module in modules:
            module.eval().requires_grad_(False)
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for parameter in learning:
            parameter.requires_grad_(True)


def _depth(size: int, channels: int, latent: int, width: int) -> int:
    """How often a 4 x 4 map is doubled to reach the size."""
    if size not in SIZES:
        raise ValueError(f"size must be one of {SIZES}, got {size!r}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels!r}")
    _checks.integer("latent", latent, 1)
    _checks.integer("width", width, 1)
    return SIZES.index(size) + 3


def _halving(size: int, channels: int, latent: int, width: int) -> nn.Sequential:
    depth = _depth(size, channels, latent, width)
    # No batch normalisation on the first layer, as the paper advises: it would hide the scale of the picture
    layers = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    for _ in range(depth - 1):
        layers += [
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        width *= 2
    return nn.Sequential(*layers)


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
    network.to(memory_format=torch.channels_last)  # a fifth faster on a CPU, and the same values
