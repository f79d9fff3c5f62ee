"""Warping, flow by Horn and Schunck, the colour wheel, the flow loss, and the generated motion they are judged on."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import hsv_to_rgb
from torch import nn

from adlib.video.flow import end_point_error, flow_loss, flow_to_colour, horn_schunck, resized, warp
from adlib.video.motion import motion_pairs


def constant(u, v, n=1, height=48, width=48, dtype=torch.float32):
    return torch.tensor([u, v], dtype=dtype).view(1, 2, 1, 1).repeat(n, 1, height, width)


def pattern(x, y):
    """A smooth picture that is known between its pixels too, in [0, 1]."""
    return 0.5 + 0.2 * torch.sin(0.35 * x + 0.1 * y) + 0.2 * torch.cos(0.3 * y - 0.15 * x + 1)


def pixels(height=48, width=48):
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    return x, y


def inner(values, border=6):
    return values[..., border:-border, border:-border]


# --- warp


def slow_warp(frame, flow):
    n, c, height, width = frame.shape
    result = np.zeros(frame.shape)
    for i in range(n):
        for row in range(height):
            for column in range(width):
                x = min(max(column + flow[i, 0, row, column], 0), width - 1)
                y = min(max(row + flow[i, 1, row, column], 0), height - 1)
                left, top = math.floor(x), math.floor(y)
                right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
                p, q = x - left, y - top
                for k in range(c):
                    f = frame[i, k]
                    above = (1 - p) * f[top, left] + p * f[top, right]
                    below = (1 - p) * f[bottom, left] + p * f[bottom, right]
                    result[i, k, row, column] = (1 - q) * above + q * below
    return result


@given(st.integers(0, 2**31), st.integers(1, 7), st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_warp_is_the_slow_one_also_beyond_the_border(seed, height, width):
    rng = np.random.default_rng(seed)
    frame, flow = rng.uniform(size=(2, 2, height, width)), rng.normal(0, 3, size=(2, 2, height, width))
    found = warp(torch.as_tensor(frame), torch.as_tensor(flow))
    np.testing.assert_allclose(found, slow_warp(frame, flow), atol=1e-9)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -2), (-4, 5)])
def test_warp_undoes_a_shift_of_whole_pixels(right, down):
    torch.manual_seed(0)
    a = torch.rand(2, 3, 20, 24)
    b = a.roll((down, right), (2, 3))  # what was at x is at x + right
    moved = warp(b, constant(right, down, 2, 20, 24))
    torch.testing.assert_close(inner(moved), inner(a), atol=1e-5, rtol=0)


def test_warp_has_the_right_gradients():
    torch.manual_seed(0)
    frame = torch.rand(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    # between the pixels and inside: on a pixel and beyond the border the derivative jumps
    flow = 0.2 + 0.2 * torch.rand(2, 2, 5, 6, dtype=torch.float64)
    flow[:, 0, :, -1] -= 1
    flow[:, 1, -1] -= 1
    assert torch.autograd.gradcheck(warp, (frame, flow.requires_grad_()))


# --- end-point error


def test_end_point_error_is_a_mean_distance():
    truth = constant(1.0, -2.0, 2, 4, 4)
    flow = truth + torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    flow[1, :, 0] = truth[1, :, 0]
    assert end_point_error(flow, truth).tolist() == [5.0, 3.75]
    first_row = torch.zeros(2, 4, 4, dtype=torch.bool)
    first_row[:, 0] = True
    assert end_point_error(flow, truth, first_row).tolist() == [5.0, 0.0]
    assert end_point_error(flow, truth, ~first_row | first_row).tolist() == [5.0, 3.75]
    assert end_point_error(flow, truth, first_row & ~first_row).isnan().all()


# --- colours


@given(st.integers(0, 2**31), st.floats(0.1, 20))
@settings(max_examples=25, deadline=None)
def test_colours_are_those_of_matplotlib(seed, largest):
    flow = torch.as_tensor(np.random.default_rng(seed).normal(0, 5, size=(2, 2, 3, 4)))
    angle = np.arctan2(flow[:, 1].numpy(), flow[:, 0].numpy()) / (2 * np.pi) % 1
    length = np.hypot(flow[:, 0].numpy(), flow[:, 1].numpy())
    for given_largest, scale in ((largest, largest), (None, length.max())):
        expected = hsv_to_rgb(np.stack([angle, np.minimum(length / scale, 1), np.ones_like(angle)], -1))
        found = flow_to_colour(flow, given_largest).permute(0, 2, 3, 1)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_stands_still_is_white_and_right_is_red():
    assert (flow_to_colour(torch.zeros(1, 2, 3, 3)) == 1).all()
    torch.testing.assert_close(flow_to_colour(constant(2, 0, 1, 1, 1)).flatten(), torch.tensor([1.0, 0, 0]))


# --- Horn and Schunck


@pytest.mark.parametrize("shift", [(0.6, -0.4), (2.5, 1.5), (-4.0, 3.0)])
def test_horn_schunck_finds_a_translation(shift):
    x, y = pixels()
    a, b = pattern(x, y)[None, None], pattern(x - shift[0], y - shift[1])[None, None]
    flow = horn_schunck(a, b, weight=1e-3)
    error = end_point_error(inner(flow, 10), inner(constant(*shift, dtype=torch.float64), 10))
    assert error < 0.15  # pixels


def test_horn_schunck_finds_a_rotation():
    x, y = pixels()
    angle, mx, my = math.radians(5), x - 23.5, y - 23.5
    back_x = math.cos(angle) * mx + math.sin(angle) * my  # b(p) = a(R^T p): the point p of a goes to R p
    back_y = -math.sin(angle) * mx + math.cos(angle) * my
    a, b = pattern(x, y)[None, None], pattern(back_x + 23.5, back_y + 23.5)[None, None]
    u = math.cos(angle) * mx - math.sin(angle) * my - mx
    v = math.sin(angle) * mx + math.cos(angle) * my - my
    truth = torch.stack([u, v])[None]
    assert end_point_error(inner(torch.zeros_like(truth)), inner(truth)) > 1  # what the bound below is worth
    assert end_point_error(inner(horn_schunck(a, b, weight=1e-3)), inner(truth)) < 0.15


def test_horn_schunck_one_update_is_the_equation():
    """One update from zero flow, where the mean of the neighbours is zero: u = -Ix It / (w + Ix² + Iy²)."""
    x, y = pixels(16, 16)
    a, b = pattern(x, y), pattern(x - 0.3, y)
    both = ((a + b) / 2).numpy()
    found = horn_schunck(a[None, None], b[None, None], weight=0.01, iterations=1, levels=1, warps=1)[0]
    for row, column in ((5, 7), (9, 3), (12, 12)):
        line, pillar = both[row, column - 2 : column + 3], both[row - 2 : row + 3, column]
        ix, iy = ((p[0] - 8 * p[1] + 8 * p[3] - p[4]) / 12 for p in (line, pillar))
        it = float(b[row, column] - a[row, column])
        expected = np.array([-ix * it, -iy * it]) / (0.01 + ix**2 + iy**2)
        np.testing.assert_allclose(found[:, row, column], expected, rtol=1e-6)


def test_horn_schunck_of_no_motion_is_zero():
    a = torch.rand(2, 3, 33, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert horn_schunck(a, a).abs().max() < 1e-10  # what the sampling rounds
    assert horn_schunck(a.float(), a.float()).abs().max() < 0.01


def test_horn_schunck_swaps_its_axes_with_the_frame():
    x, y = pixels(40, 48)
    a, b = pattern(x, y)[None, None], pattern(x - 1.5, y + 0.5)[None, None]
    swapped = horn_schunck(a.mT.contiguous(), b.mT.contiguous())
    torch.testing.assert_close(swapped, horn_schunck(a, b).mT.flip(1))


@pytest.mark.parametrize("angle", [0, 30, 90])
def test_the_aperture_problem(angle):
    """Of a straight edge that moves by (1, 1) only the part across the edge is seen."""
    x, y = pixels()
    across = torch.tensor([math.cos(math.radians(angle)), math.sin(math.radians(angle))]).double()
    moved = torch.tensor([1.0, 1.0]).double()

    def edge(x, y):
        return torch.sigmoid((across[0] * (x - 23.5) + across[1] * (y - 23.5)) / 2)

    flow = horn_schunck(edge(x, y)[None, None], edge(x - 1, y - 1)[None, None], weight=1e-4, levels=2)
    seen = float(across @ moved)
    near = flow[0, :, 22:26, 22:26].mean((1, 2))
    torch.testing.assert_close(near, seen * across, atol=0.03, rtol=0)
    assert torch.linalg.vector_norm(near - moved) > 0.3


# --- generated motion


def test_the_flow_of_generated_motion_is_exact():
    """Where a point of a is visible in b, b has its colour there, up to what is lost between pixels."""
    pairs = motion_pairs(16, (64, 80), seed=1)
    error = (warp(pairs.b, pairs.flow) - pairs.a).abs().mean(1)
    unmoved = (pairs.b - pairs.a).abs().mean(1)
    seen = ~pairs.occluded
    assert error[seen].mean() < 0.25 * unmoved[seen].mean()
    assert error[seen].mean() < 0.15 * error[pairs.occluded].mean()
    shifted = pairs.flow + torch.tensor([0.5, 0.0]).view(1, 2, 1, 1)  # half a pixel would show
    assert (warp(pairs.b, shifted) - pairs.a).abs().mean(1)[seen].mean() > 1.5 * error[seen].mean()


def test_the_flow_of_a_smooth_background_is_exact_to_a_grey_level():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    smooth = (0.5 + 0.25 * torch.sin(x / 6) + 0.2 * torch.cos(y / 7))[None, None]
    pairs = motion_pairs(12, (48, 48), channels=1, shapes=0, largest=5, pictures=smooth, seed=2)
    error = (warp(pairs.b, pairs.flow) - pairs.a).abs()[:, 0]
    assert pairs.flow.abs().max() > 1
    assert error[~pairs.occluded].max() < 0.02


def test_without_shapes_only_what_leaves_the_frame_is_occluded():
    pairs = motion_pairs(12, (32, 40), shapes=0, seed=3)
    y, x = torch.meshgrid(torch.arange(32), torch.arange(40), indexing="ij")
    to_x, to_y = x + pairs.flow[:, 0], y + pairs.flow[:, 1]
    outside = (to_x < 0) | (to_x > 39) | (to_y < 0) | (to_y > 31)
    assert outside.any() and (outside == pairs.occluded).all()


def test_hidden_points_are_those_that_another_one_covers():
    """Before a fixed camera the background changes its colour where something comes over it, and nowhere else."""
    pairs = motion_pairs(24, (48, 48), shapes=5, largest=8, seed=4)
    assert 0.01 < pairs.occluded.float().mean() < 0.3
    still = (pairs.flow[:, :, 0, 0] == 0).all(1)  # a fixed camera: its background points stay where they are
    assert 0 < still.sum() < 24
    background = (pairs.flow == 0).all(1) & still[:, None, None]
    changed = (pairs.a - pairs.b).abs().amax(1) > 0.1
    seen = background & ~pairs.occluded
    # without the two pixels beside an outline, which a shape covers in part
    seen = -torch.nn.functional.max_pool2d(-seen.float(), 5, stride=1, padding=2) == 1
    hidden, seen = changed[background & pairs.occluded], changed[seen]
    assert len(hidden) > 100
    assert hidden.float().mean() > 0.5  # the rest has by chance the colour of what hides it
    assert seen.float().mean() < 0.001


def test_generated_motion_repeats_itself_by_its_seed():
    first, again, other = (motion_pairs(2, (32, 32), noise=0.02, seed=seed) for seed in (5, 5, 6))
    assert all(torch.equal(p, q) for p, q in zip(first, again, strict=True))
    assert not torch.equal(first.a, other.a)


def test_generated_motion_of_no_length_has_no_shift():
    pairs = motion_pairs(8, (32, 32), shapes=0, largest=0, seed=0)
    assert pairs.flow.abs().max() < 0.1 * 32  # a bend about the middle is left


@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_ranges_of_generated_motion(channels):
    pairs = motion_pairs(3, (40, 56), channels=channels, noise=0.3, seed=0)
    assert pairs.a.shape == pairs.b.shape == (3, channels, 40, 56)
    assert pairs.flow.shape == (3, 2, 40, 56) and pairs.occluded.shape == (3, 40, 56)
    assert all(f.min() >= 0 and f.max() <= 1 and f.dtype == torch.float32 for f in (pairs.a, pairs.b))


# --- the loss


class TinyFlow(nn.Module):
    """A flow network that is none, but smooth, small and with weights."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 3, padding=1).double()

    def forward(self, a, b):
        return torch.tanh(self.layer(torch.cat([a, b], 1)))


@pytest.fixture
def frames():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(2, 1, 6, 6, dtype=torch.float64, generator=generator) for _ in range(3)]


def test_flow_loss_is_the_mean_difference_and_zero_for_the_real_frame(frames):
    network = TinyFlow()
    frame, predicted, real = frames
    expected = np.abs((network(frame, predicted) - network(frame, real)).detach().numpy()).mean()
    assert flow_loss(network, frame, predicted, real).item() == pytest.approx(expected, rel=1e-12)
    assert flow_loss(network, frame, real, real) == 0


@pytest.mark.parametrize("frozen", [False, True])
def test_the_gradient_reaches_the_prediction_and_no_weight(frames, frozen):
    network = TinyFlow().requires_grad_(not frozen)
    frame, predicted, real = frames
    predicted.requires_grad_()
    real.requires_grad_()
    flow_loss(network, frame, predicted, real).backward()
    assert predicted.grad.abs().max() > 0
    assert real.grad is None
    assert all(p.grad is None and p.requires_grad is not frozen for p in network.parameters())


def test_a_detached_flow_would_have_no_gradient(frames):
    """The fault of a published port, kept here so that it is known what the test above rules out."""
    network = TinyFlow().requires_grad_(False)
    frame, predicted, real = frames
    predicted.requires_grad_()
    detached = (network(frame, predicted).detach() - network(frame, real)).abs().mean()
    with pytest.raises(RuntimeError, match="does not require grad"):
        detached.backward()
    flow_loss(network, frame, predicted, real).backward()


def test_flow_loss_has_the_right_gradient(frames):
    network = TinyFlow()
    frame, predicted, real = frames
    assert torch.autograd.gradcheck(lambda p: flow_loss(network, frame, p, real), (predicted.requires_grad_(),))


def test_a_known_real_flow_stands_for_the_real_frame(frames):
    network = TinyFlow()
    frame, predicted, real = frames
    known = network(frame, real)
    loss = flow_loss(network, frame, predicted.requires_grad_(), None, flow_real=known)
    assert loss.item() == flow_loss(network, frame, predicted, real).item()
    loss.backward()
    assert all(p.grad is None for p in network.parameters())


def test_flow_loss_takes_any_function(frames):
    frame, predicted, real = (f.repeat(1, 1, 2, 2) for f in frames)
    loss = flow_loss(lambda a, b: horn_schunck(a, b, levels=1), frame, predicted.requires_grad_(), real)
    loss.backward()
    assert predicted.grad.abs().max() > 0


def test_a_flow_grows_with_its_frame():
    grown = resized(constant(1.0, -2.0, 1, 8, 10), (24, 20))
    torch.testing.assert_close(grown, constant(2.0, -6.0, 1, 24, 20))


# --- bad input

GOOD = torch.rand(2, 1, 16, 16)
FLOW = torch.zeros(2, 2, 16, 16)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: warp(GOOD.numpy(), FLOW), r"frame must be a float Tensor \(N, C, H, W\), got ndarray"),
        (lambda: warp(GOOD[0], FLOW), r"frame .* got shape \(1, 16, 16\)"),
        (lambda: warp(GOOD[:0], FLOW), r"frame .* got shape \(0, 1, 16, 16\)"),
        (lambda: warp((255 * GOOD).byte(), FLOW), r"frame .* got dtype torch.uint8"),
        (lambda: warp(GOOD / 0, FLOW), r"frame .* NaN or infinity"),
        (lambda: warp(GOOD, FLOW[:, :1]), r"flow must have 2 channel\(s\), got \(2, 1, 16, 16\)"),
        (lambda: warp(GOOD, FLOW[:1]), r"flow must have shape \(2, 2, 16, 16\)"),
        (lambda: warp(GOOD, FLOW.double()), r"flow must have shape .* dtype torch.float32, .* torch.float64"),
        (lambda: warp(GOOD, FLOW * math.nan), r"flow .* NaN"),
        (lambda: end_point_error(FLOW, FLOW[..., 1:]), r"truth must have shape"),
        (lambda: end_point_error(FLOW, FLOW, FLOW[:, 0]), r"where must be a bool Tensor \(2, 16, 16\)"),
        (lambda: end_point_error(FLOW, FLOW, True), r"where must be a bool Tensor \(2, 16, 16\), got bool"),
        (lambda: flow_to_colour(GOOD), r"flow must have 2 channel"),
        (lambda: flow_to_colour(FLOW, 0), r"largest must be a number above 0, got 0"),
        (lambda: flow_to_colour(FLOW, math.inf), r"largest must be a number above 0, got inf"),
        (lambda: horn_schunck(GOOD, GOOD[..., 1:]), r"b must have shape"),
        (lambda: horn_schunck(GOOD.repeat(1, 2, 1, 1), GOOD), r"a must have 1 or 3 channel"),
        (lambda: horn_schunck(GOOD.repeat(1, 3, 1, 1), GOOD), r"b must have 3 channel"),
        (lambda: horn_schunck(GOOD[..., :7], GOOD[..., :7]), r"a must have sides of at least 8 pixels"),
        (lambda: horn_schunck(GOOD, GOOD, weight=0), r"weight must be a number above 0, got 0"),
        (lambda: horn_schunck(GOOD, GOOD, iterations=0), r"iterations must be an integer of at least 1, got 0"),
        (lambda: horn_schunck(GOOD, GOOD, warps=0.5), r"warps must be an integer of at least 1, got 0.5"),
        (lambda: horn_schunck(GOOD, GOOD, levels=3), r"levels must be an integer from 1 to 2 for frames of 16 x 16"),
        (lambda: horn_schunck(GOOD, GOOD, levels=0), r"levels must be an integer from 1 to 2"),
        (lambda: flow_loss(TinyFlow(), GOOD, GOOD[1:], GOOD), r"predicted must have shape"),
        (lambda: flow_loss(TinyFlow(), GOOD, GOOD, GOOD[1:]), r"real must have shape"),
        (lambda: flow_loss(TinyFlow(), GOOD, GOOD, None), r"real must be a Tensor of frames"),
        (lambda: flow_loss(TinyFlow(), GOOD, GOOD, None, flow_real=FLOW[:1]), r"flow_real must have shape"),
        (lambda: motion_pairs(0), r"n must be an integer of at least 1, got 0"),
        (lambda: motion_pairs(1, 64), r"size must be a pair \(H, W\), got 64"),
        (lambda: motion_pairs(1, (64, 31)), r"size must be an integer of at least 32, got 31"),
        (lambda: motion_pairs(1, channels=2), r"channels must be 1 or 3, got 2"),
        (lambda: motion_pairs(1, shapes=-1), r"shapes must be an integer of at least 0, got -1"),
        (lambda: motion_pairs(1, largest=-1), r"largest must be a number of at least 0, got -1"),
        (lambda: motion_pairs(1, noise=2), r"noise must be a number in \[0, 1\], got 2"),
        (lambda: motion_pairs(1, seed=-1), r"seed must be an integer of at least 0, got -1"),
        (lambda: motion_pairs(1, pictures=GOOD), r"pictures must have 3 channel"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
