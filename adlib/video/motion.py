"""Generated motion: pairs of frames whose flow is known exactly, since one texture is drawn twice.

Taught in :doc:`/book/video/flow`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from adlib import _checks
from adlib.video.flow import check_frames

OCTAVES = 5  # of the noise: structures of 1, 2, 4, 8 and 16 pixels


class Motion(NamedTuple):
    """Pairs of frames and how the first moves into the second.

    a, b: frames (N, C, H, W) in [0, 1]. flow: (N, 2, H, W) in pixels, of every pixel of a. occluded: bool (N, H, W),
    where the point that a shows is hidden in b or outside its frame. Taught in :doc:`/book/video/flow`.
    """

    a: Tensor
    b: Tensor
    flow: Tensor
    occluded: Tensor


class _Layers(NamedTuple):
    """Layers 0 (the background) to L - 1 (in front), each with a pose in both frames.

    A point p = (x, y) of frame a has the place M (p - c) on its layer, and lies at A (p - c) + c + t in frame b.
    """

    textures: Tensor  # (N, L, C, h, w)
    place: Tensor  # M, (N, L, 2, 2)
    centre: Tensor  # c, (N, L, 2) in pixels
    affine: Tensor  # A, (N, L, 2, 2)
    shift: Tensor  # t, (N, L, 2) in pixels
    radius: Tensor  # (N, L) in pixels; infinite for the background
    aspect: Tensor  # (N, L) height of a shape over its width
    waves: Tensor  # (N, L, 3) how far the outline swings 2, 3 and 4 times about, as a part of the radius
    phases: Tensor  # (N, L, 3) in radians


def motion_pairs(
    n: int,
    size: tuple[int, int] = (64, 64),
    *,
    channels: int = 3,
    shapes: int = 4,
    largest: float = 6.0,
    noise: float = 0.0,
    pictures: Tensor | None = None,
    seed: int = 0,
) -> Motion:
    r"""Draw pairs of frames: a background that moves a little as a whole, and shapes in front, each on its own way.

    .. math:: p' = A (p - c) + c + t, \qquad \text{flow}(p) = p' - p

    for a point p on a layer with the centre c. A turns and scales by a few hundredths, t is the shift. Both frames
    look the texture up at places between its pixels, so neither is sharper than the other. In a third of the pairs the
    background stands still, as before a fixed camera. The same arguments give the same pairs.

    n: pairs. size: (H, W), at least 32 pixels each. channels: 1 or 3. shapes: in front of each background; 0 for none.
    largest: pixels, of a shape's shift; the background's goes to half of it, and turning and scaling add to both.
    noise: largest standard deviation of independent Gaussian noise on both frames, in grey levels of [0, 1]; each pair
    draws its own from 0 to it. pictures: (M, channels, h, w) in [0, 1], from which all textures are taken; random noise
    of several scales when None. seed: an integer of at least 0. Returns a :class:`Motion` on the CPU.
    Raises ``ValueError`` that names the argument. Taught in :doc:`/book/video/flow`.
    """
    n, shapes = _checks.integer("n", n, 1), _checks.integer("shapes", shapes, 0)
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ValueError(f"size must be a pair (H, W), got {size!r}")
    height, width = (_checks.integer("size", side, 32) for side in size)
    if channels not in (1, 3) or isinstance(channels, bool):
        raise ValueError(f"channels must be 1 or 3, got {channels!r}")
    _checks.number("largest", largest, "a number of at least 0", 0)
    _checks.number("noise", noise, "a number in [0, 1]", 0, 1)
    if pictures is not None:
        check_frames(pictures, "pictures", channels=(channels,))
    generator = torch.Generator().manual_seed(_checks.seed(seed))

    layers = _draw(n, height, width, channels, shapes, largest, pictures, generator)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([columns, rows], -1).float()  # (H, W, 2)
    points = pixels.expand(n, shapes + 1, height, width, 2)

    in_a = _place_a(layers, points)
    front = _front(layers, in_a)  # which layer a shows
    moved = _apply(layers.affine, points - _spread(layers.centre)) + _spread(layers.centre + layers.shift)
    moved = moved.gather(1, front[:, None, ..., None].expand(-1, 1, -1, -1, 2))[:, 0]  # of the layer that a shows
    limits = torch.tensor([width - 1, height - 1])
    outside = ((moved < 0) | (moved > limits)).any(-1)
    hidden = _front(layers, _place_b(layers, moved[:, None].expand_as(points))) != front

    frames = [_render(layers, in_a), _render(layers, _place_b(layers, points))]
    level = noise * torch.rand(n, 1, 1, 1, generator=generator)
    if noise:
        frames = [(x + level * torch.randn(x.shape, generator=generator)).clamp(0, 1) for x in frames]
    flow = (moved - pixels).permute(0, 3, 1, 2).contiguous()
    return Motion(frames[0], frames[1], flow, outside | hidden)


def _draw(
    n: int,
    height: int,
    width: int,
    channels: int,
    shapes: int,
    largest: float,
    pictures: Tensor | None,
    generator: torch.Generator,
) -> _Layers:
    count = shapes + 1

    def uniform(low: float, high: float, *more: int) -> Tensor:
        return low + (high - low) * torch.rand(n, count, *more, generator=generator)

    if pictures is None:
        textures = _noise_textures(n * count, height, width, channels, generator)
        textures = textures.view(n, count, channels, height, width)
    else:
        textures = pictures[torch.randint(len(pictures), (n, count), generator=generator)].float()

    turn, growth = uniform(-0.12, 0.12), uniform(0.94, 1.06)
    direction, length = uniform(0, 2 * math.pi), largest * uniform(0, 1) ** 1.5  # slow ones are more frequent
    still = torch.rand(n, generator=generator) < 1 / 3
    length[:, 0] *= torch.where(still, 0.0, 0.5)
    affine = growth[..., None, None] * _rotation(turn)
    bend = torch.eye(2) + 0.1 * (torch.rand(n, 2, 2, generator=generator) - 0.5)
    affine[:, 0] = torch.where(still[:, None, None], torch.eye(2), bend)

    extent = torch.tensor([width - 1.0, height - 1.0])
    centre = uniform(0, 1, 2) * extent
    centre[:, 0] = extent / 2 + 4 * (centre[:, 0] / extent - 0.5)  # the middle, between pixels
    # Small shapes are more frequent; the side of the frame is the measure
    radius = min(height, width) * 0.06 * (0.25 / 0.06) ** uniform(0, 1)
    radius[:, 0] = math.inf
    return _Layers(
        textures=textures,
        place=_rotation(uniform(-math.pi, math.pi)) if pictures is None else _rotation(uniform(-0.1, 0.1)),
        centre=centre,
        affine=affine,
        shift=length[..., None] * torch.stack([direction.cos(), direction.sin()], -1),
        radius=radius,
        aspect=uniform(0.5, 2.0),
        waves=uniform(0, 0.25, 3) / torch.tensor([1.0, 1.5, 2.0]),
        phases=uniform(0, 2 * math.pi, 3),
    )


def _noise_textures(n: int, height: int, width: int, channels: int, generator: torch.Generator) -> Tensor:
    """(n, C, H, W): noise of several scales, from soft clouds to spots with sharp edges, between two colours."""
    total = torch.zeros(n, 1, height, width)
    for octave in range(OCTAVES):
        side = [math.ceil(s / 2**octave) + 1 for s in (height, width)]
        field = torch.randn(n, 1, *side, generator=generator)
        strength = torch.exp(1.5 * torch.randn(n, 1, 1, 1, generator=generator))
        total += strength * F.interpolate(field, (height, width), mode="bicubic", align_corners=False)
    total = total / total.std((2, 3), keepdim=True)
    sharpness = torch.exp(2 * torch.rand(n, 1, 1, 1, generator=generator) - 1)
    colour = torch.rand(n, channels, 1, 1, generator=generator)
    contrast = (
        0.5
        * torch.rand(n, 1, 1, 1, generator=generator) ** 1.5
        * (1 + 0.5 * torch.randn(n, channels, 1, 1, generator=generator))
    )
    return (colour + contrast * torch.tanh(sharpness * total)).clamp(0, 1)


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], -1).view(*angle.shape, 2, 2)


def _spread(vectors: Tensor) -> Tensor:
    return vectors[:, :, None, None]  # one for all pixels


def _apply(matrices: Tensor, points: Tensor) -> Tensor:
    return torch.einsum("nlij,nlhwj->nlhwi", matrices, points)


def _place_a(layers: _Layers, points: Tensor) -> Tensor:
    return _apply(layers.place, points - _spread(layers.centre))


def _place_b(layers: _Layers, points: Tensor) -> Tensor:
    back = layers.place @ torch.linalg.inv(layers.affine)
    return _apply(back, points - _spread(layers.centre + layers.shift))


def _depth(layers: _Layers, places: Tensor) -> Tensor:
    """How far inside the outline, in pixels, about: (N, L, H, W), infinite on the background."""
    x, y = places[..., 0], places[..., 1] / _spread(layers.aspect)
    angle = torch.atan2(y, x)
    swing = sum(
        _spread(layers.waves[..., k]) * torch.cos((k + 2) * angle + _spread(layers.phases[..., k])) for k in range(3)
    )
    return _spread(layers.radius) * (1 + swing) - torch.hypot(x, y)


def _front(layers: _Layers, places: Tensor) -> Tensor:
    """The number of the foremost layer at each place, (N, H, W)."""
    count = places.shape[1]
    inside = _depth(layers, places) > 0
    return (inside * torch.arange(count).view(1, count, 1, 1)).amax(1)


def _render(layers: _Layers, places: Tensor) -> Tensor:
    """The layers over one another, back to front. An outline covers a pixel in part, as a lens would show it."""
    n, count, channels, height, width = layers.textures.shape
    extent: Any = torch.tensor([width, height])
    grid = (2 * places / extent).flatten(0, 1)  # a texture's middle lies on its layer's centre
    looked_up = F.grid_sample(
        layers.textures.flatten(0, 1), grid, mode="bilinear", padding_mode="reflection", align_corners=False
    ).view(n, count, channels, *places.shape[2:4])
    cover = (_depth(layers, places) + 0.5).clamp(0, 1)
    frame = looked_up[:, 0]
    for k in range(1, count):
        frame = torch.lerp(frame, looked_up[:, k], cover[:, k, None])
    return frame.clamp(0, 1)
