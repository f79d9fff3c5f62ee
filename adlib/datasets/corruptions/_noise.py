"""Noise: each value of a picture with a draw of its own.

Every function takes x, (N, C, H, W) float32 in [0, 1], which it may overwrite, one :class:`Streams` for it and a
strength, and returns the noisy pictures, not yet cut to [0, 1].

Taught in :doc:`/book/datasets/corruptions`.
"""

from __future__ import annotations

from torch import Tensor

from adlib.datasets.corruptions._streams import Streams


def gaussian_noise(x: Tensor, streams: Streams, deviation: float) -> Tensor:
    r"""Low light, an amplifier: the same noise everywhere.

    .. math:: y = x + \sigma n, \quad n \sim \mathcal{N}(0, 1)
    """
    return x.add_(streams.normal(*x.shape[1:]), alpha=deviation)


def shot_noise(x: Tensor, streams: Streams, photons: float) -> Tensor:
    r"""Light comes in grains: a white pixel counts c of them on average.

    .. math:: y = k / c, \quad k \sim \mathrm{Poisson}(c x)
    """
    return streams.poisson(x.mul_(photons)).div_(photons)


def impulse_noise(x: Tensor, streams: Streams, share: float) -> Tensor:
    """Salt and pepper: a share of the values becomes 0 or 1, half of them each. Channels are hit independently."""
    u = streams.uniform(0, 1, *x.shape[1:])
    return x.masked_fill_(u < share / 2, 0).masked_fill_(u >= 1 - share / 2, 1)


def speckle_noise(x: Tensor, streams: Streams, deviation: float) -> Tensor:
    r"""Noise in proportion to the light.

    .. math:: y = x + x \sigma n, \quad n \sim \mathcal{N}(0, 1)
    """
    # y = x (1 + sigma n)
    return x.mul_(streams.normal(*x.shape[1:]).mul_(deviation).add_(1))
