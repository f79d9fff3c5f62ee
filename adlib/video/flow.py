"""Optical flow: how each pixel moves from one frame to the next, and a loss that asks a prediction to move alike.

A flow is a float Tensor (N, 2, H, W) in pixels from frame a to frame b: ``flow[:, 0]`` = u to the right,
``flow[:, 1]`` = v down, with b(x + u, y + v) = a(x, y). Taught in :doc:`/book/video/flow`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from adlib import _checks

COARSEST = 8  # pixels: the least side of the coarsest level, below which no structure is left to follow


def check_frames(frames: Any, name: str, *, channels: tuple[int, ...] = (), like: Tensor | None = None) -> Tensor:
    """frames if it is a float Tensor (N, C, H, W), finite and not empty; else raises ``ValueError``.

    A predicted frame may leave [0, 1], so the range is not checked. name: what to call it in the message. channels: the
    numbers C that are accepted, any when empty. like: another tensor whose N, H, W and dtype it must have.
    Taught in :doc:`/book/video/flow`.
    """
    letter = str(channels[0]) if len(channels) == 1 else "C"
    wanted = f"{name} must be a float Tensor (N, {letter}, H, W)"
    if not isinstance(frames, Tensor):
        raise ValueError(f"{wanted}, got {type(frames).__name__}")
    if not frames.is_floating_point():
        raise ValueError(f"{wanted}, got dtype {frames.dtype}")
    if frames.ndim != 4 or 0 in frames.shape:
        raise ValueError(f"{wanted}, got shape {tuple(frames.shape)}")
    if channels and frames.shape[1] not in channels:
        raise ValueError(f"{name} must have {' or '.join(map(str, channels))} channel(s), got {tuple(frames.shape)}")
    if like is not None:
        shape = (len(like), frames.shape[1], *like.shape[2:])
        if frames.shape != shape or frames.dtype != like.dtype:
            raise ValueError(
                f"{name} must have shape {shape} and dtype {like.dtype}, got {tuple(frames.shape)} and {frames.dtype}"
            )
    if not frames.detach().isfinite().all():
        raise ValueError(f"{wanted} of finite numbers, got NaN or infinity in it")
    return frames


def check_pair(a: Any, b: Any, least: int) -> None:
    """Check two frames of one shape, grey or colour, with sides of at least so many pixels.

    Raises ``ValueError`` that names the argument. Taught in :doc:`/book/video/flow`.
    """
    check_frames(a, "a", channels=(1, 3))
    check_frames(b, "b", channels=(a.shape[1],), like=a)
    if min(a.shape[2:]) < least:
        raise ValueError(f"a must have sides of at least {least} pixels, got shape {tuple(a.shape)}")


def warp(frame: Tensor, flow: Tensor) -> Tensor:
    r"""Fetch each pixel from where the flow leads, so that ``warp(b, flow_ab)`` is a.

    .. math:: w(x, y) = b\big(x + u(x, y),\; y + v(x, y)\big)

    Between pixels bilinear; beyond the border the nearest pixel of the border. Differentiable in both arguments.

    frame: b, float (N, C, H, W). flow: (N, 2, H, W) in pixels, of the same dtype. Returns (N, C, H, W). Where a pixel
    of a is hidden in b, what comes is the thing that hides it. Raises ``ValueError`` that names the argument.
    Source: Jaderberg et al., 2015, for the gradient of the sampling. Taught in :doc:`/book/video/flow`.
    """
    check_frames(frame, "frame")
    check_frames(flow, "flow", channels=(2,), like=frame)
    return fetch(frame, flow)


def fetch(frame: Tensor, flow: Tensor) -> Tensor:
    """What :func:`warp` does, without its checks. Taught in :doc:`/book/video/flow`."""
    height, width = frame.shape[2:]
    x = torch.arange(width, dtype=flow.dtype, device=flow.device) + flow[:, 0]
    y = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None] + flow[:, 1]
    # align_corners=False puts -1 and 1 at the outer edges of the border pixels, half a pixel beyond their centres
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return F.grid_sample(frame, grid, mode="bilinear", padding_mode="border", align_corners=False)


def end_point_error(flow: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    r"""Mean distance between two flows.

    .. math:: \text{EPE} = \frac{1}{|\Omega|} \sum_{(x, y) \in \Omega} \sqrt{(u - u^*)^2 + (v - v^*)^2}

    flow, truth: (N, 2, H, W) in pixels. where: bool (N, H, W), the pixels that count; all when None. Returns (N,) in
    pixels, NaN for a picture in which no pixel counts. Raises ``ValueError`` that names the argument.
    Source: Baker et al., 2011. Taught in :doc:`/book/video/flow`.
    """
    check_frames(flow, "flow", channels=(2,))
    check_frames(truth, "truth", channels=(2,), like=flow)
    shape = (len(flow), *flow.shape[2:])
    if where is not None and (not isinstance(where, Tensor) or where.dtype != torch.bool or where.shape != shape):
        got = tuple(where.shape) if isinstance(where, Tensor) else type(where).__name__
        raise ValueError(f"where must be a bool Tensor {shape}, got {got}")
    distance = torch.linalg.vector_norm(flow - truth, dim=1)
    counted = torch.ones_like(distance) if where is None else where.to(distance.dtype)
    return (distance * counted).sum((1, 2)) / counted.sum((1, 2))


def flow_to_colour(flow: Tensor, largest: float | None = None) -> Tensor:
    """The colour wheel: the direction is the hue, the speed the saturation, so what stands still is white.

    Right is red, down a yellow green, left cyan, up violet. Not everyone tells the hues apart, red from green least of
    all: a picture that carries an argument needs arrows as well.

    flow: (N, 2, H, W) in pixels. largest: the speed, in pixels, that has full colour, as has every greater one; when
    None the greatest of all N flows, so that their colours compare. Returns (N, 3, H, W) in [0, 1], red, green, blue.
    Raises ``ValueError`` that names the argument. Source: the idea of Baker et al., 2011; the hues are those of HSV.
    Taught in :doc:`/book/video/flow`.
    """
    check_frames(flow, "flow", channels=(2,))
    if largest is not None:
        _checks.positive(largest=largest)
    speed = torch.linalg.vector_norm(flow, dim=1)
    saturation = (speed / (largest or speed.max().clamp(min=torch.finfo(flow.dtype).tiny))).clamp(max=1)
    hue = torch.atan2(flow[:, 1], flow[:, 0]) / (2 * math.pi)  # of a turn
    # HSV with value 1: a colour is 1 - saturation * (how far the hue is from it), flat for a third of the turn
    turned = [(n + 6 * hue) % 6 for n in (5, 3, 1)]
    return torch.stack([1 - saturation * torch.minimum(k, 4 - k).clamp(0, 1) for k in turned], 1)


def horn_schunck(
    a: Tensor, b: Tensor, *, weight: float = 8e-3, iterations: int = 100, levels: int = 3, warps: int = 3
) -> Tensor:
    r"""Flow after Horn and Schunck: brightness stays, and neighbours move alike.

    A pixel keeps its brightness, :math:`b(x + u, y + v) = a(x, y)`; to first order in the flow this is
    :math:`I_x u + I_y v + I_t = 0`, one equation for two unknowns. The second demand, smoothness, closes the gap:

    .. math:: E(u, v) = \iint (I_x u + I_y v + I_t)^2 + \alpha^2 \big(|\nabla u|^2 + |\nabla v|^2\big)\, dx\, dy

    With the Laplacian as :math:`\bar u - u`, the mean of the neighbours less the pixel (its factor is counted into
    :math:`\alpha^2`), the Euler-Lagrange equations, solved pixel by pixel, give the Jacobi update

    .. math:: (u, v) \leftarrow (\bar u, \bar v) -
              (I_x, I_y)\, \frac{I_x \bar u + I_y \bar v + I_t}{\alpha^2 + I_x^2 + I_y^2}

    The first order holds for motions below a pixel or so. Hence the pyramid: flow is found on small frames, enlarged,
    b is warped by it, and the update finds what is missing, with :math:`I_t = w - a - I_x u_0 - I_y v_0` about the
    flow :math:`(u_0, v_0)` that gave the warped w. Colour is averaged to grey.

    a, b: float (N, C, H, W) in [0, 1], C = 1 or 3, sides of at least 8 pixels. weight: :math:`\alpha^2`, in squared
    grey levels; the larger, the smoother the flow. Its default suits generated motion; smooth pictures with little
    contrast take less. iterations: Jacobi updates after each warp. levels: of the
    pyramid, each half as large as the one before; the coarsest must keep sides of 8 pixels. warps: on each level.
    Returns the flow (N, 2, H, W) in pixels. Raises ``ValueError`` that names the argument.
    Source: Horn and Schunck, 1981; warping in a pyramid after Brox et al., 2004. Taught in :doc:`/book/video/flow`.
    """
    check_pair(a, b, COARSEST)
    _checks.positive(weight=weight)
    iterations, warps = _checks.integer("iterations", iterations, 1), _checks.integer("warps", warps, 1)
    deepest = int(math.log2(min(a.shape[2:]) / COARSEST)) + 1
    if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= deepest:
        raise ValueError(
            f"levels must be an integer from 1 to {deepest} for frames of {a.shape[2]} x {a.shape[3]} pixels, "
            f"got {levels!r}"
        )
    pyramid = [(a.mean(1, keepdim=True), b.mean(1, keepdim=True))]
    for _ in range(levels - 1):
        half = [(side + 1) // 2 for side in pyramid[-1][0].shape[2:]]
        small = [F.interpolate(x, half, mode="bilinear", antialias=True) for x in pyramid[-1]]
        pyramid.append((small[0], small[1]))
    flow = torch.zeros_like(pyramid[-1][0]).repeat(1, 2, 1, 1)
    for first, second in reversed(pyramid):
        flow = resized(flow, first.shape[2:])
        for _ in range(warps):
            flow = _jacobi(first, fetch(second, flow), flow, weight, iterations)
    return flow


def _jacobi(a: Tensor, warped: Tensor, flow: Tensor, weight: float, iterations: int) -> Tensor:
    # The derivatives of both frames, averaged: the error of the first order in the motion left over cancels
    gradient = _gradient((a + warped) / 2)
    change = warped - a - (gradient * flow).sum(1, keepdim=True)
    # The weights of Horn and Schunck: 1/6 for the four nearest, 1/12 for the four at the corners
    mean = flow.new_tensor([[1, 2, 1], [2, 0, 2], [1, 2, 1]]).div(12).expand(2, 1, 3, 3)
    step = gradient / (weight + gradient.square().sum(1, keepdim=True))
    for _ in range(iterations):
        smooth = F.conv2d(F.pad(flow, (1, 1, 1, 1), mode="replicate"), mean, groups=2)
        flow = smooth - step * ((gradient * smooth).sum(1, keepdim=True) + change)
    return flow


def _gradient(image: Tensor) -> Tensor:
    """(N, 1, H, W) to its derivatives to the right and down, (N, 2, H, W), exact for polynomials up to degree 4."""
    taps = image.new_tensor([1, -8, 0, 8, -1]).div(12)
    right = F.conv2d(F.pad(image, (2, 2, 0, 0), mode="replicate"), taps.view(1, 1, 1, 5))
    down = F.conv2d(F.pad(image, (0, 0, 2, 2), mode="replicate"), taps.view(1, 1, 5, 1))
    return torch.cat([right, down], 1)


def resized(flow: Tensor, size: Any) -> Tensor:
    """The flow of the same motion in frames of another size (H, W): its lengths grow with the frame.

    Taught in :doc:`/book/video/flow`.
    """
    if tuple(flow.shape[2:]) == tuple(size):
        return flow
    growth = flow.new_tensor([size[1] / flow.shape[3], size[0] / flow.shape[2]]).view(1, 2, 1, 1)
    return growth * F.interpolate(flow, tuple(size), mode="bilinear")


def flow_loss(
    flow_network: Callable[[Tensor, Tensor], Tensor],
    frame: Tensor,
    predicted: Tensor,
    real: Tensor | None,
    *,
    flow_real: Tensor | None = None,
) -> Tensor:
    r"""Does the predicted frame move from the last one as the real one does?

    .. math:: \mathcal{L}_{op} = \frac{1}{2HW} \big\| f(I_t, \hat I_{t+1}) - f(I_t, I_{t+1}) \big\|_1

    The gradient goes through f into the prediction. It reaches neither the weights of f, which are taken as constants
    for this call whether they are frozen or not, nor the real flow. A loss that detaches :math:`f(I_t, \hat I_{t+1})`,
    as one published port does, has no gradient at all.

    flow_network: f, such as :class:`~adlib.video.flow_network.SmallFlow`: two frames to a flow (N, 2, H, W).
    frame, predicted, real: I_t and the two I_{t+1}, (N, C, H, W) in [0, 1]. flow_real: f(I_t, real) if it is known
    already, since it does not change while a predictor learns; real may then be None. Returns a scalar in pixels, the
    mean over N, both components and all pixels. Raises ``ValueError`` that names the argument.
    Source: Liu et al., 2018. Taught in :doc:`/book/video/flow`.
    """
    check_frames(frame, "frame")
    check_frames(predicted, "predicted", channels=(frame.shape[1],), like=frame)
    if flow_real is not None:
        check_frames(flow_real, "flow_real", channels=(2,), like=frame)
    elif real is None:
        raise ValueError("real must be a Tensor of frames where no flow_real is given, got None")
    else:
        check_frames(real, "real", channels=(frame.shape[1],), like=frame)
        with torch.no_grad():
            flow_real = flow_network(frame, real)
    if isinstance(flow_network, nn.Module):
        constants = {name: p.detach() for name, p in flow_network.named_parameters()}
        flow = functional_call(flow_network, constants, (frame, predicted))
    else:
        flow = flow_network(frame, predicted)
    return (flow - flow_real.detach()).abs().mean()
