"""A heat map from patches: features of every patch, their density, and each value spread over the pixels it saw.

Taught in :doc:`/book/self_supervised/localisation`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, pad

from adlib import _checks
from adlib.self_supervised.gaussian import GaussianDensity
from adlib.self_supervised.networks import PATCH, STRIDE, PatchNet

BLOCK = 1024  # patches that go through a network at once


def patch_features(network: nn.Module, images: Tensor, *, patch: int = PATCH, stride: int = STRIDE) -> Tensor:
    """The features of every patch of each picture, as a map.

    network: (N, C, h', w') to maps (N, D, ., .), of which a patch's features are the mean over places; in eval mode,
    where a patch does not see the batch. images: (N, C, H, W), both sides at least ``patch``. patch, stride: side of a
    patch and step to the next, in pixels. Returns (N, D, h, w) with h = (H - patch) // stride + 1.

    For :class:`~adlib.self_supervised.networks.PatchNet`, whose outputs are the patches, that is one pass; any other
    network sees patch by patch, 1,024 at once. Source: Li et al., 2021, with 32 pixels and steps of 4.
    Taught in :doc:`/book/self_supervised/localisation`.
    """
    if min(images.shape[2:]) < patch:
        raise ValueError(f"images must be at least {patch} x {patch} pixels, got shape {tuple(images.shape)}")
    if isinstance(network, PatchNet) and (patch, stride) == (PATCH, STRIDE):
        return network(images)
    h, w = ((side - patch) // stride + 1 for side in images.shape[2:])
    # (N, C, h, w, patch, patch) is a view: pixels are copied block by block
    windows = images.unfold(2, patch, stride).unfold(3, patch, stride).permute(0, 2, 3, 1, 4, 5)
    places = torch.arange(len(images) * h * w, device=images.device)
    parts = []
    for block in places.split(BLOCK):
        n, row, column = block // (h * w), block // w % h, block % w
        parts.append(network(windows[n, row, column]).mean((2, 3)))
    return torch.cat(parts).view(len(images), h, w, -1).permute(0, 3, 1, 2)


def receptive_upsample(
    maps: Tensor, size: tuple[int, ...], *, patch: int = PATCH, stride: int = STRIDE, sigma: float = 4.0
) -> Tensor:
    r"""Spread the value of each patch over the pixels it saw, by a Gaussian at its middle.

    .. math:: U(p) = \frac{\sum_i g(p - c_i)\, M_i}{\sum_i g(p - c_i)}, \qquad
              g(d) = \exp\left( -\frac{\lVert d \rVert^2}{2 \sigma^2} \right)

    over the patches i that hold pixel p, with middles :math:`c_i`: a transposed convolution with the Gaussian as its
    kernel, divided by that of ones, so that a constant map stays constant up to the edge. Pixels right and below of the
    last patch take the value beside them. maps: (N, h, w). size: (H, W) of the pictures. sigma: in pixels, at least
    half of ``stride``.
    Returns (N, H, W). Source: Li et al., 2021, and Liznerski et al., 2021 for the transposed convolution; neither
    divides, and the paper gives no sigma. Taught in :doc:`/book/self_supervised/localisation`.
    """
    _checks.number("sigma", sigma, f"a number of at least {stride / 2:g} pixels, half the step", stride / 2)
    offsets = torch.arange(patch, dtype=maps.dtype, device=maps.device) - (patch - 1) / 2
    line = (-offsets.square() / (2 * sigma**2)).exp()
    kernel = (line[:, None] * line)[None, None]
    spread, weight = (
        conv_transpose2d(m, kernel, stride=stride) for m in (maps[:, None], torch.ones_like(maps[:1])[None])
    )
    rest = [side - covered for side, covered in zip(size, spread.shape[2:], strict=True)]
    if min(rest) < 0 or max(rest) >= stride:
        raise ValueError(f"size {size} does not belong to maps of shape {tuple(maps.shape)}")
    return pad(spread / weight, (0, rest[1], 0, rest[0]), mode="replicate")[:, 0]


class PlaceDensities(nn.Module):
    r"""Gaussian densities of features on a grid: one for all places, or one for each.

    .. math:: s_{uv}(f) = \tfrac12 (f - \mu_{uv})^\top \Sigma_{uv}^{-1} (f - \mu_{uv})

    A torch module, so that it runs on any device and its score has a gradient. Each density is fitted by
    :class:`~adlib.self_supervised.gaussian.GaussianDensity`. by_place: one density for each place of the grid, for
    things that always lie in the same place; else one for all. It keeps a D x D matrix for each: 57 x 57 places of 512
    features are 3.4 GB. A place where the normal features do not vary takes a sphere of the mean variance.

    Learned: ``mean`` (L, D) and ``factor`` (L, D, D), lower triangular, float32.
    Source: Li et al., 2021, which has a density a place for aligned objects. Taught in
    :doc:`/book/self_supervised/localisation`.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, places: int, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(places, features))
        self.register_buffer("factor", torch.eye(features).repeat(places, 1, 1))

    @classmethod
    def fit(cls, maps: Tensor, *, by_place: bool = False) -> PlaceDensities:
        """maps: (N, D, h, w), the features of normal pictures. Returns the fitted module on their device."""
        rows = maps.permute(2, 3, 0, 1).flatten(0, 1).cpu().double().numpy()  # (places, N, D)
        groups = rows if by_place else rows.reshape(1, -1, rows.shape[-1])
        means, variances = groups.mean(1), groups.var(1).mean(1)  # (places, D), (places,)
        usual = variances.mean()
        densities = cls(len(groups), rows.shape[-1])
        densities.mean.copy_(torch.from_numpy(means))
        for place, (group, variance) in enumerate(zip(groups, variances, strict=True)):
            if variance > 1e-6 * usual or len(groups) == 1:
                densities.factor[place] = torch.from_numpy(GaussianDensity().fit(group).cholesky_)
            else:  # nothing ever varies here, as in a black corner: any covariance is a guess
                densities.factor[place] *= usual**0.5
        return densities.to(maps.device)

    def forward(self, maps: Tensor) -> Tensor:
        """maps: (N, D, h, w). Returns (N, h, w), at least 0."""
        n, features, h, w = maps.shape
        columns = maps.permute(2, 3, 1, 0).flatten(0, 1)  # (places, D, N)
        if len(self.mean) == 1:  # (1, D, places N)
            columns = columns.permute(1, 0, 2).reshape(1, features, -1)
        whitened = torch.linalg.solve_triangular(self.factor, columns - self.mean[..., None], upper=False)
        return whitened.square().sum(1).div(2).view(h, w, n).permute(2, 0, 1)
