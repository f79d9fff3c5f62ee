"""The networks of Deep SVDD: small convolutional encoders without biases, and the decoders that pre-train them.

Every convolution and linear layer is without bias and every batch norm without learnt scale and shift: the trivial
solution, one point for every picture, then is no choice of weights but all of them zero.
Taught in :doc:`/book/classification/deep_svdd`.
"""

from __future__ import annotations

import torch
from torch import nn

from adlib.classification._norm_pool import NormPool

SMALLEST = 8  # pixels of the shorter side: below it no block fits
EPS = 1e-4  # added to the variance of a batch; the authors' code


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPS, affine=False)


def _sizes(height: int, width: int, blocks: int) -> list[tuple[int, int]]:
    """Height and width at the input and after each block, which halves them."""
    return [(height >> block, width >> block) for block in range(blocks + 1)]


def _widths(shape: tuple[int, ...]) -> list[int]:
    """Channels of each block: two narrow ones for 28 x 28, else as many blocks as it takes to be below 8 pixels."""
    if shape[1:] == (28, 28):
        return [8, 4]
    blocks = min(shape[1:]).bit_length() - 3  # 8 to 15 pixels: 1, 16 to 31: 2, 32 to 63: 3, ...
    return [min(32 << block, 128) for block in range(blocks)]


def feature_count(shape: tuple[int, ...]) -> int:
    """Length of the feature vector for pictures of this shape (C, H, W): 32 for 28 x 28, else 128."""
    return 32 if shape[1:] == (28, 28) else 128


def encoder(shape: tuple[int, ...]) -> nn.Sequential:
    """Maps (N, C, H, W) to features (N, D): blocks of convolution, batch norm, leaky ReLU, halving; one linear layer.

    shape: (C, H, W) of the pictures, both sides at least 8. For 28 x 28 these are the two blocks of 8 and 4 channels
    and 32 features that the authors use for MNIST; for 32 x 32 the three blocks of 32, 64 and 128 channels and 128
    features of their CIFAR-10 network; larger pictures get further blocks of 128 channels until the map is at most 7
    pixels high or wide. Raises ``ValueError`` for smaller pictures.
    Source: the networks of the code published with Ruff et al., 2018.
    """
    channels, height, width = shape
    if min(height, width) < SMALLEST:
        raise ValueError(f"normal must be at least {SMALLEST} x {SMALLEST} pixels, got shape {tuple(shape)}")
    widths = _widths(shape)
    parts: list[nn.Module] = []
    for before, after in zip([channels, *widths], widths, strict=False):
        # The activation increases, so it may as well come after the maximum, on a quarter of the values.
        parts += [nn.Conv2d(before, after, 5, padding=2, bias=False), NormPool(after, EPS), nn.LeakyReLU(0.01)]
    height, width = _sizes(height, width, len(widths))[-1]
    parts += [nn.Flatten(), nn.Linear(widths[-1] * height * width, feature_count(shape), bias=False)]
    return _initialised(nn.Sequential(*parts), shape)


def decoder(shape: tuple[int, ...]) -> nn.Sequential:
    """Maps features (N, D) back to pictures (N, C, H, W) in (0, 1): the other half of the autoencoder.

    shape: as in :func:`encoder`. Source: the same; the batch norm that the authors put on the CIFAR-10 code inside the
    autoencoder is left out, since a batch of one picture cannot pass it.
    """
    channels, height, width = shape
    widths = _widths(shape)
    sizes = _sizes(height, width, len(widths))
    code = feature_count(shape) // 16  # the features are read as a map of 4 x 4
    parts: list[nn.Module] = [nn.Unflatten(1, (code, 4, 4)), nn.LeakyReLU(0.01)]
    if shape[1:] == (28, 28):  # 4 -> 8 -> 16, cut to 14 -> 28
        parts += [nn.Upsample(scale_factor=2), _transposed(code, 4), _batch_norm(4), nn.LeakyReLU(0.01)]
        parts += [nn.Upsample(scale_factor=2), _transposed(4, 8, padding=3), _batch_norm(8), nn.LeakyReLU(0.01)]
        parts += [nn.Upsample(scale_factor=2), _transposed(8, channels), nn.Sigmoid()]
    else:
        befores = [code, *reversed(widths)]
        for before, after, size in zip(befores, reversed(widths), reversed(sizes[:-1]), strict=False):
            parts += [_transposed(before, after), _batch_norm(after), nn.LeakyReLU(0.01), nn.Upsample(size)]
        parts += [_transposed(widths[0], channels), nn.Sigmoid()]
    return _initialised(nn.Sequential(*parts), shape)


def _transposed(before: int, after: int, padding: int = 2) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(before, after, 5, padding=padding, bias=False)


def _initialised(network: nn.Sequential, shape: tuple[int, ...]) -> nn.Sequential:
    """The authors start the MNIST network as PyTorch does, and the convolutions of the other by Xavier's rule."""
    if shape[1:] != (28, 28):
        for part in network:
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(part.weight, gain=nn.init.calculate_gain("leaky_relu"))
    return network.to(memory_format=torch.channels_last)  # on a CPU half the time of the default
