"""The corruptions of MNIST-C against slow loops, SciPy and what their definitions imply."""

import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from sklearn.datasets import load_digits

from adlib.datasets import one_class
from adlib.datasets.corruptions import _affine, _draws, _strokes
from adlib.datasets.corruptions._canny import canny
from adlib.datasets.corruptions._clouds import clouds
from adlib.datasets.corruptions._mnist_c import MNIST_C, mnist_c

REAL = Path(os.environ.get("ADLIB_DATA") or Path(__file__).parents[3] / "shared" / "data")
RELEASED = {  # names and severities of google-research/mnist-c
    **{"shot_noise": 5, "impulse_noise": 4, "glass_blur": 1, "motion_blur": 1, "shear": 2, "scale": 3, "rotate": 2},
    **{"brightness": 5, "translate": 3, "stripe": None, "fog": 5, "spatter": 4},
    **{"dotted_line": None, "zigzag": None, "canny_edges": None},
}
GRADED = [name for name, severity in RELEASED.items() if severity is not None]
FIXED = ["scale", "brightness", "stripe", "canny_edges"]  # nothing is drawn


def some_digits() -> torch.Tensor:
    if (REAL / "MNIST/raw").is_dir():
        return one_class("mnist", 0, root=REAL).test[:48]
    small = torch.tensor(load_digits().images[:48], dtype=torch.float32)[:, None] / 16
    return F.pad(F.interpolate(small, 20, mode="bilinear"), (4, 4, 4, 4))


DIGITS = some_digits()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fixed(monkeypatch, function: str, values) -> None:
    """Let the draws be these: every picture's in a row."""
    monkeypatch.setattr(_draws, function, lambda *_: torch.as_tensor(values))


# what holds for all of them


def test_names_and_released_severities():
    assert list(MNIST_C.items()) == list(RELEASED.items())


@pytest.mark.parametrize("name", [*RELEASED, "identity"])
def test_new_pictures_of_the_same_kind(name):
    before = DIGITS.clone()
    result = mnist_c(DIGITS, name, generator=seeded())
    assert result.shape == DIGITS.shape and result.dtype == torch.float32
    assert result.min() >= 0 and result.max() <= 1
    changed = (result != DIGITS).flatten(1).any(1)
    assert not changed.any() if name == "identity" else changed.all()
    result.fill_(0.5)
    assert torch.equal(DIGITS, before)


@pytest.mark.parametrize("name", RELEASED)
def test_the_generator_decides(name):
    first = mnist_c(DIGITS, name, generator=seeded(3))
    state = torch.get_rng_state()
    assert torch.equal(mnist_c(DIGITS, name, generator=seeded(3)), first)
    assert torch.equal(torch.get_rng_state(), state)  # torch's own was not touched
    other = mnist_c(DIGITS, name, generator=seeded(4))
    assert torch.equal(other, first) == (name in FIXED)
    torch.manual_seed(3)
    assert torch.equal(mnist_c(DIGITS, name), first)


@pytest.mark.parametrize("name", [name for name in RELEASED if name not in FIXED])
def test_every_picture_has_draws_of_its_own(name):
    same = DIGITS[:1].expand(40, -1, -1, -1)
    result = mnist_c(same, name, generator=seeded())
    kinds = len(result.flatten(1).unique(dim=0))
    assert kinds == {"shear": 2, "rotate": 2, "translate": 4}.get(name, kinds)
    assert kinds > (20 if name not in ("shear", "rotate", "translate") else 1)


@pytest.mark.parametrize("name", RELEASED)
@pytest.mark.parametrize("shape", [(28, 28), (21, 30)])
def test_a_batch_equals_its_parts(name, shape):
    pictures = F.interpolate(DIGITS[:7], shape, mode="bilinear")
    generator = seeded(5)
    parts = [mnist_c(part, name, generator=generator) for part in pictures.split([1, 1, 3, 2])]
    torch.testing.assert_close(mnist_c(pictures, name, generator=seeded(5)), torch.cat(parts), rtol=0, atol=1e-5)


def test_fog_goes_through_a_batch_in_parts():
    pictures = DIGITS[:1].expand(40, -1, -1, -1)  # more than are worked on at a time
    generator = seeded()
    parts = [mnist_c(part, "fog", generator=generator) for part in pictures.split(9)]
    torch.testing.assert_close(mnist_c(pictures, "fog", generator=seeded()), torch.cat(parts), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", RELEASED)
def test_floats_of_other_precision(name):
    single = mnist_c(DIGITS, name, generator=seeded())
    double = mnist_c(DIGITS.double(), name, generator=seeded())
    assert double.dtype == torch.float64
    off = (single - double).abs() > 1e-4
    assert off.float().mean() < 1e-3  # thresholds and rounding to whole pixels may turn over
    for dtype in (torch.float16, torch.bfloat16):
        coarse = DIGITS.to(dtype)
        result = mnist_c(coarse, name, generator=seeded())
        assert result.dtype == dtype
        assert torch.equal(result, mnist_c(coarse.float(), name, generator=seeded()).to(dtype))


@pytest.mark.parametrize("name", GRADED)
def test_none_is_the_released_severity(name):
    released = mnist_c(DIGITS, name, generator=seeded())
    for severity in range(1, 6):
        same = torch.equal(mnist_c(DIGITS, name, severity=severity, generator=seeded()), released)
        assert same == (severity == RELEASED[name])


@pytest.mark.parametrize("name", GRADED)
def test_severities_grow(name):
    """The harder, the less is left of the digit: the correlation with the clean pictures falls."""
    left = []
    for severity in range(1, 6):
        after = mnist_c(DIGITS, name, severity=severity, generator=seeded())
        pair = torch.stack([DIGITS, after]).flatten(2)
        pair = F.normalize(pair - pair.mean(2, keepdim=True), dim=2)
        left.append(float((pair[0] * pair[1]).sum(1).mean()))
    if name == "spatter":  # the constants have two kinds: coarse drops up to 3, fine ones from 4
        assert left[0] > left[1] > left[2] and left[3] > left[4]
    elif name == "glass_blur":  # 1 and 2 are equally hard: two rounds of short swaps, one of longer ones
        assert abs(left[0] - left[1]) < 0.03 and left[1] > left[2] > left[3] > left[4]
    else:
        assert left == sorted(left, reverse=True) and left[4] < left[0] - 0.02


@given(
    name=st.sampled_from([*RELEASED, "identity"]),
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_any_shape_stays_in_range(name, height, width, seed):
    pictures = torch.rand(2, 1, height, width, generator=seeded(seed))
    for severity in (1, 5) if name in GRADED else (None,):
        result = mnist_c(pictures, name, severity=severity, generator=seeded(seed))
        assert result.shape == pictures.shape
        assert result.min() >= 0 and result.max() <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", RELEASED)
def test_pictures_on_a_gpu(name):
    there = mnist_c(DIGITS.cuda(), name, generator=seeded())  # the generator stays on the CPU
    assert there.is_cuda
    off = (there.cpu() - mnist_c(DIGITS, name, generator=seeded())).abs() > 1e-4
    assert off.float().mean() < 1e-3
    assert mnist_c(DIGITS, name, generator=torch.Generator("cuda").manual_seed(0)).device.type == "cpu"


# noise


def test_shot_noise_counts_photons():
    for level in (0.0, 0.2, 0.5, 1.0):
        result = mnist_c(torch.full((60, 1, 28, 28), level), "shot_noise", generator=seeded())
        counts = result * 3
        torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-5)
        expected = np.array([stats.poisson.pmf(k, 3 * level) for k in range(3)])
        share = [float((counts.round() == k).float().mean()) for k in range(4)]
        np.testing.assert_allclose(share, [*expected, 1 - expected.sum()], atol=0.01)  # 3 and more are white


def test_impulse_noise_hits_its_share():
    grey = torch.full((60, 1, 28, 28), 0.3)
    for severity, share in enumerate((0.03, 0.06, 0.09, 0.17, 0.27), 1):
        result = mnist_c(grey, "impulse_noise", severity=severity, generator=seeded())
        assert set(result.unique().tolist()) == {0.0, float(torch.tensor(0.3)), 1.0}
        for value in (0, 1):  # 47,040 pixels: four standard deviations
            spread = 4 * math.sqrt(share / 2 / result.numel())
            assert abs(float((result == value).float().mean()) - share / 2) < spread


# blur


def test_glass_blur_without_swaps_smooths_the_height_twice(monkeypatch):
    fixed(monkeypatch, "integers", torch.zeros(len(DIGITS), 2 * 26**2, dtype=torch.long))
    twice = DIGITS.double().numpy()
    for _ in range(2):
        twice = ndimage.gaussian_filter1d(twice, 0.7, axis=2, mode="nearest")
    np.testing.assert_allclose(mnist_c(DIGITS, "glass_blur").numpy(), twice, atol=1e-6)


@pytest.mark.parametrize(("severity", "sigma", "reach", "rounds"), [(1, 0.7, 1, 2), (3, 1.0, 2, 3), (5, 1.5, 4, 2)])
def test_glass_blur_swaps_pixels_one_after_the_other(monkeypatch, severity, sigma, reach, rounds):
    side = 28 - 2 * reach
    drawn = np.random.default_rng(0).integers(0, 8 * reach**2, (3, rounds * side**2))
    fixed(monkeypatch, "integers", drawn)
    expected = []
    for picture, draws in zip(DIGITS[:3, 0].double().numpy(), drawn, strict=True):
        x = ndimage.gaussian_filter1d(picture, sigma, axis=0, mode="nearest")
        queue = iter(draws)
        for _ in range(rounds):
            for h in range(28 - reach, reach, -1):
                for w in range(28 - reach, reach, -1):
                    draw = next(queue) - 4 * reach**2  # the lower half of the draws leaves the pixel where it is
                    if draw >= 0:
                        h2, w2 = h + draw // (2 * reach) - reach, w + draw % (2 * reach) - reach
                        x[h, w], x[h2, w2] = x[h2, w2], x[h, w]
        expected.append(ndimage.gaussian_filter1d(x, sigma, axis=0, mode="nearest"))
    result = mnist_c(DIGITS[:3], "glass_blur", severity=severity)
    np.testing.assert_allclose(result[:, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("severity", "radius", "sigma"), [(1, 10, 3), (2, 15, 5), (5, 20, 15)])
def test_motion_blur_is_a_mean_along_a_ray(monkeypatch, severity, radius, sigma):
    angles = [-45, -30.1, -13.7, 0, 8, 22.5, 44.9]
    drawn = torch.tensor([[(angle + 45) / 90] for angle in angles], dtype=torch.float64)
    fixed(monkeypatch, "uniform", drawn)
    result = mnist_c(DIGITS[: len(angles)], "motion_blur", severity=severity)
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    for picture, angle, blurred in zip(DIGITS[:, 0].double().numpy(), angles, result[:, 0], strict=False):
        expected = np.zeros((28, 28))
        for i, weight in enumerate(weights / weights.sum()):
            down, right = (math.ceil(i * part(math.radians(angle)) - 0.5) for part in (math.sin, math.cos))
            for u in range(28):
                for v in range(28):
                    expected[u, v] += weight * picture[min(max(u + down, 0), 27), min(max(v + right, 0), 27)]
        np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-5)


def test_motion_blur_keeps_flat_pictures():
    flat = torch.full((9, 1, 28, 28), 0.6)
    torch.testing.assert_close(mnist_c(flat, "motion_blur", severity=5, generator=seeded()), flat)


# affine maps


def scipy_warp(picture: np.ndarray, matrix: list[list[float]]) -> np.ndarray:
    """matrix: for (row, column), from the new picture to the old one, about the middle."""
    middle = (np.array(picture.shape) - 1) / 2
    offset = middle - np.array(matrix) @ middle
    return ndimage.affine_transform(picture, matrix, offset, order=1, mode="grid-constant")


def both_ways(name: str, angle: float) -> list[list[list[float]]]:
    ways = []
    for a in (angle, -angle):
        c, s = math.cos(a), math.sin(a)
        ways.append([[c, 0], [-s, 1]] if name == "shear" else [[c, s], [-s, c]])
    return ways


@pytest.mark.parametrize("name", ["shear", "rotate"])
@pytest.mark.parametrize("severity", [1, 2, 5])
def test_shear_and_rotate_against_scipy(name, severity):
    result = mnist_c(DIGITS, name, severity=severity, generator=seeded())[:, 0].numpy()
    error = np.array(
        [
            [np.abs(scipy_warp(picture, way) - after).max() for way in both_ways(name, 0.2 * severity)]
            for picture, after in zip(DIGITS[:, 0].double().numpy(), result, strict=True)
        ]
    )
    assert error.min(axis=1).max() < 1e-5
    assert set(error.argmin(axis=1)) == {0, 1}


@pytest.mark.parametrize("severity", range(1, 6))
def test_scale_against_scipy(severity):
    size = 1 - severity / 10
    result = mnist_c(DIGITS, "scale", severity=severity)[:, 0].numpy()
    for picture, after in zip(DIGITS[:, 0].double().numpy(), result, strict=True):
        np.testing.assert_allclose(after, scipy_warp(picture, [[1 / size, 0], [0, 1 / size]]), atol=1e-5)


@pytest.mark.parametrize("severity", range(1, 6))
def test_translate_moves_whole_pixels_to_four_sides(severity):
    result = mnist_c(DIGITS, "translate", severity=severity, generator=seeded())
    ways = [(x * severity, y * severity) for x in (-1, 1) for y in (-1, 1)]
    found = set()
    for picture, after in zip(DIGITS[:, 0].numpy(), result[:, 0].numpy(), strict=True):
        match = [way for way in ways if np.array_equal(ndimage.shift(picture, way, order=0), after)]
        assert match
        found.update(match)
    assert found == set(ways)


def test_quarter_turns_and_mirrors_are_exact():
    turn = _affine.matrices(*(torch.full((48,), value) for value in (0.0, -1.0, 1.0, 0.0)))
    torch.testing.assert_close(_affine.warped(DIGITS, turn), DIGITS.rot90(1, (2, 3)), rtol=0, atol=1e-5)
    wide = DIGITS[..., 3:23, :]
    mirror = torch.tensor([[[-1.0, 0.0], [0.0, 1.0]]]).expand(48, 2, 2)
    torch.testing.assert_close(_affine.warped(wide, mirror), wide.flip(3), rtol=0, atol=1e-5)


# light and weather


def test_brightness_and_stripe():
    for severity in range(1, 6):
        result = mnist_c(DIGITS, "brightness", severity=severity)
        torch.testing.assert_close(result, (DIGITS + severity / 10).clamp(max=1))
    striped = mnist_c(DIGITS, "stripe")
    assert torch.equal(striped[..., 7:21], DIGITS[..., 7:21])
    for part in (slice(0, 7), slice(21, 28)):
        assert torch.equal(striped[..., part], 1 - DIGITS[..., part])


def slow_clouds(draws: np.ndarray, size: int, decay: float) -> np.ndarray:
    """Diamond-square point by point, on a torus."""
    field, queue = np.zeros((size, size)), iter(draws)
    step, noise = size, 100.0**2

    def mean(*places: tuple[int, int]) -> float:
        return np.mean([field[u % size, v % size] for u, v in places]) + noise * next(queue)

    while step > 1:
        half, points = step // 2, range(0, size, step)
        for u in points:
            for v in points:
                field[u + half, v + half] = mean((u, v), (u + step, v), (u, v + step), (u + step, v + step))
        for up, left in ((0, half), (half, 0)):
            for u in points:
                for v in points:
                    y, x = u + up, v + left
                    field[y, x] = mean((y - half, x), (y + half, x), (y, x - half), (y, x + half))
        step, noise = half, noise / decay**2
    return (field - field.min()) / (field.max() - field.min())


@pytest.mark.parametrize(("size", "decay"), [(2, 2.0), (16, 2.0), (32, 1.4)])
def test_clouds_against_a_slow_loop(size, decay):
    draws = np.random.default_rng(size).uniform(-1, 1, (3, size * size - 1))
    result = clouds(torch.from_numpy(draws), (size, size - 1), decay)
    expected = np.stack([slow_clouds(each, size, decay) for each in draws])
    np.testing.assert_allclose(result.numpy(), expected[:, :, :-1], atol=1e-12)


@pytest.mark.parametrize(("severity", "amount"), [(1, 1.5), (3, 2.5), (5, 3.0)])
def test_fog_lies_between_none_and_thick(severity, amount):
    result = mnist_c(DIGITS, "fog", severity=severity, generator=seeded())
    brightest = DIGITS.amax((1, 2, 3), keepdim=True)
    cloud = (result * (brightest + amount) / brightest - DIGITS) / amount
    assert cloud.min() > -1e-6 and cloud.max() < 1 + 1e-6
    assert cloud.flatten(1).std(1).max() < 0.15 < cloud.flatten(1).mean(1).std()  # 28 of 256 pixels: nearly even
    dark = mnist_c(torch.zeros(2, 1, 28, 28), "fog", generator=seeded())
    assert not dark.any()


@pytest.mark.parametrize(
    ("severity", "values"),
    [(1, (0.65, 0.3, 4, 0.69, 0.6)), (4, (0.65, 0.3, 1, 0.65, 1.5)), (5, (0.67, 0.4, 1, 0.65, 1.5))],
)
def test_spatter_against_scipy(monkeypatch, severity, values):
    mean, spread, smoothing, threshold, softness = values
    noise = np.random.default_rng(0).normal(size=(6, 1, 28, 28))
    fixed(monkeypatch, "normal", noise)
    result = mnist_c(DIGITS[:6].double(), "spatter", severity=severity)
    for picture, drawn, after in zip(DIGITS[:6, 0].double().numpy(), noise[:, 0], result[:, 0].numpy(), strict=True):
        liquid = ndimage.gaussian_filter(mean + spread * drawn, smoothing, mode="nearest")
        drops = ndimage.gaussian_filter((liquid > threshold).astype(float), softness, mode="nearest")
        drops[drops < 0.8] = 0
        np.testing.assert_allclose(after, picture * (1 - drops) + 63 / 255 * drops, atol=1e-9)


# lines


def slow_stroke(start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """start, end: column and row."""
    grey = np.zeros((28, 28))
    if end[0] <= start[0]:
        return grey
    for v in range(math.floor(start[0]), min(math.ceil(end[0]), 28)):
        line = start[1] + (v - start[0]) * (end[1] - start[1]) / (end[0] - start[0])
        for u in range(28):
            distance = abs(u - line)
            grey[u, v] = max(0.0, 1 + math.log(1 - distance / 2.3)) if distance < 2.3 else 0.0
    return grey


@given(
    st.tuples(st.floats(0, 20), st.floats(-10, 40)),
    st.tuples(st.floats(0, 40), st.floats(-10, 40)),
)
@example((0.0, 0.0), (2.2e-311, 1.0))  # a slope beyond the largest number
def test_a_stroke_against_a_slow_loop(start, end):
    ends = [tuple(torch.tensor([value], dtype=torch.float64) for value in point) for point in (start, end)]
    result = _strokes.segment((28, 28), *ends)[0]
    np.testing.assert_allclose(result.numpy(), slow_stroke(start, end), atol=1e-6)


def test_a_dotted_line_is_straight_and_dotted(monkeypatch):
    rows = torch.tensor([[0, 26], [13, 13], [26, 0], [5, 9]])
    fixed(monkeypatch, "integers", rows)
    result = mnist_c(torch.zeros(4, 1, 28, 28), "dotted_line")[:, 0].numpy()
    for (left, right), after in zip(rows.tolist(), result, strict=True):
        expected = slow_stroke((0, left), (27, right))
        for v in range(0, 28, 4):
            expected[:, v : v + 2] = 0
        np.testing.assert_allclose(after, expected, atol=1e-5)
        assert not after[:, 27].any() and after[:, 26].max() > 0.6


def test_a_zigzag_against_a_slow_loop(monkeypatch):
    draws = [(0, -5), (26, 4), (13, 0), (8, 3), (20, -2)]
    fixed(monkeypatch, "integers", torch.tensor([[10 * row + change + 5] for row, change in draws]))
    result = mnist_c(torch.zeros(5, 1, 28, 28, dtype=torch.float64), "zigzag")[:, 0].numpy()
    for (row, change), after in zip(draws, result, strict=True):
        length, angle = math.hypot(23, change), math.atan2(change, 23)
        teeth = [(0.0, 0.0), *((4 * i + 2, (-1) ** i * 2) for i in range(6)), (length, -1 / (length - 20))]
        points = [
            (
                2 + along * math.cos(angle) - aside * math.sin(angle),
                row + along * math.sin(angle) + aside * math.cos(angle),
            )
            for along, aside in teeth
        ]
        expected = sum(slow_stroke(start, end) for start, end in itertools.pairwise(points))
        np.testing.assert_allclose(after, np.minimum(expected, 1), atol=1e-6)


@pytest.mark.parametrize("name", ["dotted_line", "zigzag"])
def test_lines_only_brighten_and_lie_anywhere(name):
    result = mnist_c(DIGITS, name, generator=seeded())
    assert (result >= DIGITS).all()
    drawn = mnist_c(torch.zeros(400, 1, 28, 28), name, generator=seeded())
    first = drawn[:, 0, :, 2].argmax(1)  # the row in the first column that both draw
    assert first.min() <= 1 and first.max() >= 25 and len(first.unique()) > 20


# Canny


def slow_canny(picture: np.ndarray) -> np.ndarray:
    weight = ndimage.gaussian_filter(np.ones_like(picture), 1, mode="constant")
    smooth = ndimage.gaussian_filter(picture, 1, mode="constant") / weight
    down, right = ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)
    size = np.hypot(down, right)

    def at(u: float, v: float) -> float:
        """The gradient's size between pixels."""
        top, left = math.floor(u), math.floor(v)
        parts = ((top, left, (1 - u + top) * (1 - v + left)), (top, left + 1, (1 - u + top) * (v - left)))
        parts += ((top + 1, left, (u - top) * (1 - v + left)), (top + 1, left + 1, (u - top) * (v - left)))
        return sum(share * size[y, x] for y, x, share in parts if share)

    candidates = np.zeros(picture.shape, bool)
    for u in range(1, picture.shape[0] - 1):
        for v in range(1, picture.shape[1] - 1):
            if size[u, v] >= 0.1:
                longer = max(abs(down[u, v]), abs(right[u, v]))
                y, x = down[u, v] / longer, right[u, v] / longer
                candidates[u, v] = max(at(u + y, v + x), at(u - y, v - x)) <= size[u, v] * (1 + 1e-10)
    regions, _ = ndimage.label(candidates, np.ones((3, 3)))
    return candidates & np.isin(regions, np.unique(regions[candidates & (size >= 0.2)]))


def test_canny_against_a_slow_loop():
    noise = torch.rand(6, 1, 28, 28, generator=seeded())
    faint = 0.04 * noise + 0.072 * (torch.arange(28) > 14)  # around both thresholds
    discs = torch.stack(
        [torch.hypot(*torch.meshgrid(2 * [torch.arange(28.0) - 13.5], indexing="ij")) < r for r in (4, 9)]
    )
    for pictures in (DIGITS[:12], noise, faint, discs[:, None].float(), DIGITS[:4, :, 4:24, :]):
        result = canny(pictures)
        assert result.dtype == torch.bool
        for picture, edges in zip(pictures[:, 0].double().numpy(), result[:, 0].numpy(), strict=True):
            np.testing.assert_array_equal(edges, slow_canny(picture))
    assert 0 < canny(faint).float().mean() < canny(faint, high=0.1).float().mean()


def test_canny_edges_of_a_step_and_of_nothing():
    step = torch.zeros(1, 1, 28, 28)
    step[..., 10:] = 1
    edges = mnist_c(step, "canny_edges")[0, 0]
    assert set(edges.unique().tolist()) == {0.0, 1.0}
    assert edges[1:-1, 9:11].all() and edges.sum() == 2 * 26  # both sides of the step are equally steep
    assert not mnist_c(torch.full((1, 1, 28, 28), 0.7), "canny_edges").any()  # nor is the border of a picture one


def test_weak_edges_stay_where_strong_ones_touch_them():
    ramp = torch.linspace(0, 1, 28)[:, None] ** 3 * (torch.arange(28) > 13)  # a step that fades away
    both = canny(ramp[None, None])[0, 0]
    strong, weak = canny(ramp[None, None], low=0.2)[0, 0], canny(ramp[None, None], high=0.1)[0, 0]
    assert strong.sum() < both.sum() and torch.equal(both, weak)
    assert not canny(ramp[None, None], high=10)[0, 0].any()


@pytest.mark.parametrize("name", [*RELEASED, "identity"])
def test_the_order_of_pixels_in_memory_does_not_matter(name):
    expected = mnist_c(DIGITS, name, generator=seeded())
    turned = DIGITS.mT.contiguous().mT
    for pictures in (turned, DIGITS.contiguous(memory_format=torch.channels_last), DIGITS.clone().requires_grad_()):
        result = mnist_c(pictures, name, generator=seeded())
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)
        assert result.is_contiguous() and not result.requires_grad


# bad input


@pytest.mark.parametrize("name", ["Fog", "", "gaussian_noise", None, ["fog"]])
def test_an_unknown_corruption_lists_them(name):
    with pytest.raises(ValueError, match=r"name must be one of shot_noise, .*, canny_edges, identity; got"):
        mnist_c(DIGITS, name)


@pytest.mark.parametrize("severity", [0, 6, -1, 2.0, True, "3"])
def test_severities_are_1_to_5(severity):
    with pytest.raises(ValueError, match=r"severity must be an integer from 1 to 5, got"):
        mnist_c(DIGITS, "fog", severity=severity)


@pytest.mark.parametrize("name", ["stripe", "dotted_line", "zigzag", "canny_edges", "identity"])
def test_no_severity_where_there_is_none(name):
    with pytest.raises(ValueError, match=f"severity must be None for {name}, which has one strength only, got 3"):
        mnist_c(DIGITS, name, severity=3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 1, 28, 28)), "a torch.Tensor, got ndarray"),
        (torch.zeros(1, 1, 28, 28, dtype=torch.uint8), "dense tensor of floats in .0, 1., got torch.uint8"),
        (torch.zeros(1, 1, 28, 28, dtype=torch.float8_e5m2), "dense tensor of floats in .0, 1., got torch.float8"),
        (
            torch.zeros(1, 1, 28, 28, device="meta"),
            "dense tensor .* got torch.float32, without values",
        ),
        (torch.zeros(1, 28, 28), r"shape \(N, 1, H, W\), N at least 1, got \(1, 28, 28\)"),
        (torch.zeros(1, 3, 28, 28), r"shape \(N, 1, H, W\), N at least 1, got \(1, 3, 28, 28\)"),
        (torch.zeros(0, 1, 28, 28), r"N at least 1, got \(0, 1, 28, 28\)"),
        (torch.zeros(1, 1, 28, 7), r"at least 8 pixels high and wide, got \(28, 7\)"),
        (torch.full((1, 1, 28, 28), 255.0), r"lie in \[0, 1\] and be finite, got values from 255 to 255"),
        (torch.full((1, 1, 28, 28), -0.1), r"lie in \[0, 1\] and be finite, got values from -0.1"),
        (torch.full((1, 1, 28, 28), torch.nan), r"lie in \[0, 1\] and be finite, got values from nan"),
    ],
)
def test_bad_pictures(images, message):
    with pytest.raises(ValueError, match=f"images must .*{message}"):
        mnist_c(images, "fog")


def test_a_bad_generator():
    with pytest.raises(ValueError, match=r"generator must be a torch.Generator or None, got 3"):
        mnist_c(DIGITS, "fog", generator=3)
