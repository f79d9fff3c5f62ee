"""Each corruption of ImageNet-C against a second implementation in numpy, scipy, matplotlib or Pillow.

Where a corruption is random both get the same draws, or the moments of the noise are compared.
"""

import io

import numpy as np
import pytest
import torch
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage
from scipy.stats import norm, poisson

from adlib.datasets.corruptions import _blur, _digital, _filters, _spatter, _weather, imagenet_c
from adlib.datasets.corruptions._streams import Streams


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=seeded(seed))


def close(ours: torch.Tensor, theirs: np.ndarray, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(ours.double().numpy(), theirs, rtol=0, atol=atol)


def planes(images: torch.Tensor, function) -> np.ndarray:
    """function of every channel of every picture, as float64."""
    return np.stack([[function(plane) for plane in image] for image in images.double().numpy()])


class Given:
    """Draws that are given, in the order they are asked for."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def _next(self, *_):
        return self.draws.pop(0)

    normal = uniform = integers = _next


# noise: moments. 2 x 3 x 128 x 128 values, so that 5 standard errors of a mean are 0.016 deviations.


@pytest.mark.parametrize(("severity", "deviation"), list(enumerate((0.08, 0.12, 0.18, 0.26, 0.38), 1)))
def test_gaussian_noise(severity, deviation):
    noise = imagenet_c(torch.full((2, 3, 128, 128), 0.5), "gaussian_noise", severity, generator=seeded()) - 0.5
    kept = noise[noise.abs() < 0.5]  # cut off at 0 and 1
    assert abs(float(kept.mean())) < 0.016 * deviation
    inside = norm.cdf(0.5 / deviation) - norm.cdf(-0.5 / deviation)
    cut = 0.5 / deviation
    expected = deviation * np.sqrt(1 - 2 * cut * norm.pdf(cut) / inside)
    assert float(kept.std()) == pytest.approx(expected, rel=0.02)
    assert kept.numel() / noise.numel() == pytest.approx(inside, abs=0.01)
    assert abs(np.corrcoef(noise[0, 0].flatten(), noise[0, 1].flatten())[0, 1]) < 0.03


@pytest.mark.parametrize(("severity", "photons"), list(enumerate((60, 25, 12, 5, 3), 1)))
def test_shot_noise(severity, photons):
    result = imagenet_c(torch.full((2, 3, 128, 128), 0.3), "shot_noise", severity, generator=seeded())
    counts = (result * photons).round()
    torch.testing.assert_close(counts / photons, result, rtol=0, atol=1e-6)
    for count in range(photons):
        share = float((counts == count).double().mean())
        assert share == pytest.approx(poisson.pmf(count, 0.3 * photons), abs=0.01)
    dark = imagenet_c(torch.full((2, 3, 128, 128), 0.1), "shot_noise", severity, generator=seeded())
    assert float(dark.mean()) == pytest.approx(0.1, rel=0.02)
    assert float(dark.var()) == pytest.approx(0.1 / photons, rel=0.05)


@pytest.mark.parametrize(("severity", "share"), list(enumerate((0.03, 0.06, 0.09, 0.17, 0.27), 1)))
def test_impulse_noise(severity, share):
    result = imagenet_c(torch.full((2, 3, 128, 128), 0.5), "impulse_noise", severity, generator=seeded())
    assert set(result.unique().tolist()) == {0, 0.5, 1}
    for value in (0, 1):
        assert float((result == value).double().mean()) == pytest.approx(share / 2, abs=0.005)
    hit = result != 0.5
    assert float((hit[:, 0] & hit[:, 1]).double().mean()) == pytest.approx(share**2, abs=0.01)  # channels independently


@pytest.mark.parametrize(("severity", "deviation"), list(enumerate((0.15, 0.2, 0.35, 0.45, 0.6), 1)))
def test_speckle_noise(severity, deviation):
    for light in (0.1, 0.2):
        result = imagenet_c(torch.full((2, 3, 128, 128), light), "speckle_noise", severity, generator=seeded())
        factor = (result / light)[result > 0]
        if severity < 3:  # hardly anything is cut off
            assert float(factor.mean()) == pytest.approx(1, abs=0.01)
            assert float(factor.std()) == pytest.approx(deviation, rel=0.02)
        assert float((result / light).median()) == pytest.approx(1, abs=0.02)
        assert float(((result / light - 1).abs() < 0.6745 * deviation).double().mean()) == pytest.approx(0.5, abs=0.01)


# blur


@pytest.mark.parametrize(("severity", "sigma"), list(enumerate((1, 2, 3, 4, 6), 1)))
def test_gaussian_blur(severity, sigma):
    images = some(2, 3, 224, 230)
    expected = planes(images, lambda plane: ndimage.gaussian_filter(plane, sigma, mode="nearest", truncate=4))
    close(imagenet_c(images, "gaussian_blur", severity), expected)


@pytest.mark.parametrize("sigma", [0.3, 2.44, 17.0, 60.0])
@pytest.mark.parametrize(("border", "truncate"), [("nearest", 4.0), ("reflect", 3.0), ("nearest", 6.0)])
def test_the_gaussian_filter_at_both_borders(sigma, border, truncate):
    images = some(2, 1, 40, 33)
    expected = planes(images, lambda plane: ndimage.gaussian_filter(plane, sigma, mode=border, truncate=truncate))
    close(_filters.gaussian_blur(images, sigma, truncate=truncate, border=border), expected)


@pytest.mark.parametrize(("severity", "disc"), list(enumerate(((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)), 1)))
def test_defocus_blur(severity, disc):
    radius, softness = disc
    at = np.arange(-radius - 2, radius + 3)
    kernel = (at[:, None] ** 2 + at**2 <= radius**2).astype(float)
    kernel = ndimage.gaussian_filter(kernel, softness, mode="constant", truncate=4)
    kernel /= kernel.sum()
    images = some(2, 3, 224, 224)
    expected = planes(images, lambda plane: ndimage.correlate(plane, kernel, mode="mirror"))
    close(imagenet_c(images, "defocus_blur", severity), expected)


def test_the_disc_shrinks_smoothly_with_the_picture():
    """A pixel of a small picture counts by how much of it the disc covers: its area is close to pi r^2."""
    for radius in (0.75, 1.0, 1.25, 2.3):
        kernel = _blur.disc_kernel(radius, 0.0, 1 / 8)
        assert float(1 / kernel.max()) == pytest.approx(np.pi * radius**2, rel=0.12)
        torch.testing.assert_close(kernel, kernel.T)
        torch.testing.assert_close(kernel, kernel.flip(0))
    spread = [float((_blur.disc_kernel(r / 8, 0.5, 1 / 8) ** 2).sum()) for r in (3, 4, 6, 8, 10)]
    assert spread[1:] == sorted(spread[1:], reverse=True)


def imagemagick(image: np.ndarray, angle: float, radius: int, sigma: float) -> np.ndarray:
    """Motion blur tap by tap, on a picture (C, H, W) whose border pixels go on for ever."""
    height, width = image.shape[1:]
    taps = 2 * int(np.ceil(radius)) + 1
    weights = np.exp(-0.5 * (np.arange(taps) / sigma) ** 2)
    weights /= weights.sum()
    result = np.zeros_like(image)
    for i in range(taps):
        column = int(np.ceil(i * np.cos(np.radians(angle)) - 0.5))
        row = int(np.ceil(i * np.sin(np.radians(angle)) - 0.5))
        rows = np.clip(np.arange(height) + row, 0, height - 1)
        columns = np.clip(np.arange(width) + column, 0, width - 1)
        result += weights[i] * image[:, rows][:, :, columns]
    return result


@pytest.mark.parametrize(("radius", "sigma"), [(10, 3), (15, 5), (15, 12), (20, 15), (1.3, 0.4)])
def test_motion_blur(radius, sigma):
    images = some(4, 3, 60, 70)
    angles = torch.tensor([-45.0, -3.0, 17.5, 44.0])
    expected = [
        imagemagick(image, float(a), radius, sigma) for image, a in zip(images.double().numpy(), angles, strict=True)
    ]
    close(_blur.motion_blur(images, Given(angles), radius, sigma), np.stack(expected))
    turned = _filters.motion_blur(images, [-120.0], radius, sigma)
    close(turned, np.stack([imagemagick(image, -120, radius, sigma) for image in images.double().numpy()]))


def test_motion_goes_within_45_degrees_to_the_right():
    """A white dot leaves a streak to its left: a pixel looks up those to its right."""
    images = torch.zeros(40, 1, 101, 101)
    images[..., 50, 50] = 1
    result = imagenet_c(images, "motion_blur", 5, generator=seeded())[:, 0]
    rows, columns = torch.meshgrid(torch.arange(101.0) - 50, torch.arange(101.0) - 50, indexing="ij")
    mass = result.sum((1, 2))
    row, column = ((result * at).sum((1, 2)) / mass for at in (rows, columns))
    angle = torch.rad2deg(torch.atan2(row, -column))
    assert (column < -1).all() and angle.abs().max() < 48
    assert angle.min() < -30 and angle.max() > 30 and abs(float(angle.mean())) < 15


def clipped_zoom(plane: np.ndarray, factor: float) -> np.ndarray:
    size = plane.shape[0]
    inner = int(np.ceil(size / factor))
    top = (size - inner) // 2
    zoomed = ndimage.zoom(plane[top : top + inner, top : top + inner], factor, order=1)
    trim = (zoomed.shape[0] - size) // 2
    return zoomed[trim : trim + size, trim : trim + size]


ZOOMS = ((1, 1.11, 0.01), (1, 1.16, 0.01), (1, 1.21, 0.02), (1, 1.26, 0.02), (1, 1.31, 0.03))


@pytest.mark.parametrize(("severity", "factors"), list(enumerate(ZOOMS, 1)))
def test_zoom_blur(severity, factors):
    images = some(2, 3, 224, 224)
    factors = np.arange(*factors)
    expected = planes(images, lambda p: (p + sum(clipped_zoom(p, factor) for factor in factors)) / (len(factors) + 1))
    close(imagenet_c(images, "zoom_blur", severity), expected, 2e-5)


def glass_loop(pixels: np.ndarray, jumps: np.ndarray, reach: int) -> np.ndarray:
    """The loop of the reference, with its exchange through views of one array. pixels: (H, W, C). jumps: (h, w, 2)."""
    pixels = pixels.copy()
    height, width = pixels.shape[:2]
    for h in range(height - reach, reach, -1):
        for w in range(width - reach, reach, -1):
            dy, dx = jumps[h - reach - 1, w - reach - 1]
            pixels[h, w], pixels[h + dy, w + dx] = pixels[h + dy, w + dx], pixels[h, w]
    return pixels


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
def test_glass_blur_copies_pixel_for_pixel_what_the_loop_copies(reach):
    rng = np.random.default_rng(reach)
    height, width = 37, 44
    jumps = rng.integers(-reach, reach, (3, height - 2 * reach, width - 2 * reach, 2))
    numbers = np.arange(height * width).reshape(height, width, 1).repeat(3, -1)
    flat = torch.from_numpy(jumps[..., 0] * width + jumps[..., 1])
    source = _blur.displacements(flat, reach)
    for picture in range(3):
        expected = glass_loop(numbers, jumps[picture], reach)[..., 0]
        np.testing.assert_array_equal(source[picture].view(height, width).numpy(), expected)


def test_glass_blur_with_its_smoothing():
    images = some(2, 3, 30, 34)
    rng = np.random.default_rng(0)
    codes = [torch.from_numpy(rng.integers(0, 16, (2, 26, 30))) for _ in range(3)]
    ours = _blur.glass_blur(images, Given(*codes), 0.9, 2, 3)
    smooth = planes(images, lambda p: ndimage.gaussian_filter(p, 0.9, mode="nearest")).transpose(0, 2, 3, 1)
    shuffled = []
    for picture in range(2):
        pixels = smooth[picture]
        for code in codes:
            each = code[picture].numpy()
            pixels = glass_loop(pixels, np.stack([each // 4 - 2, each % 4 - 2], -1), 2)
        shuffled.append(pixels.transpose(2, 0, 1))
    expected = planes(torch.from_numpy(np.stack(shuffled)), lambda p: ndimage.gaussian_filter(p, 0.9, mode="nearest"))
    close(ours, expected)


def test_displacements_have_the_distribution_of_the_loops():
    """Through the public function: rows and columns as grey levels. Their changes are how far pixels came."""
    reach, size = 4, 64
    rng = np.random.default_rng(1)
    loops = []
    for _ in range(12):
        pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1)
        where = pixels
        for _ in range(2):
            where = glass_loop(where, rng.integers(-reach, reach, (size - 2 * reach, size - 2 * reach, 2)), reach)
        loops.append((where - pixels)[12:-12, 12:-12].reshape(-1, 2))
    loops = np.concatenate(loops)
    ramp = torch.arange(size, dtype=torch.float32) / (size - 1)
    images = torch.stack([ramp[:, None].expand(size, size), ramp.expand(size, size), torch.zeros(size, size)])
    images = images.expand(12, -1, -1, -1)
    ours = _blur.glass_blur(images, _streams(12), 1e-6, reach, 2) - images
    ours = (ours[:, :2, 12:-12, 12:-12] * (size - 1)).round().movedim(1, -1).reshape(-1, 2).numpy()
    np.testing.assert_allclose(ours.mean(0), loops.mean(0), atol=0.15)
    np.testing.assert_allclose(ours.std(0), loops.std(0), rtol=0.03)
    for axis in (0, 1):
        bins = np.arange(-12.5, 13)
        histograms = [np.histogram(each[:, axis], bins)[0] / len(each) for each in (ours, loops)]
        np.testing.assert_allclose(*histograms, atol=0.012)


def _streams(count: int, seed: int = 0):
    return Streams(count, seeded(seed), torch.device("cpu"))


# weather


def luma(image: np.ndarray) -> np.ndarray:
    return np.tensordot([0.299, 0.587, 0.114], image, 1)[None] if len(image) == 3 else image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "values",
    [(0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55)],
)
def test_snow(values, channels):
    mean, deviation, size, threshold, radius, sigma, kept = values
    images, noise = some(2, channels, 80, 80), torch.randn(2, 80, 80, generator=seeded(1))
    angles = torch.tensor([-130.0, -61.0])
    ours = _weather.snow(images.clone(), Given(noise, angles), (mean, deviation, size, threshold), radius, sigma, kept)
    for image, normal, angle, result in zip(images.double().numpy(), noise.double().numpy(), angles, ours, strict=True):
        layer = clipped_zoom(mean + deviation * normal, size)
        layer = np.clip(np.where(layer < threshold, 0, layer), 0, 1)
        layer = imagemagick(layer[None], float(angle), radius, sigma)
        pale = np.maximum(image, luma(image) * 1.5 + 0.5)
        close(result, kept * image + (1 - kept) * pale + layer + np.rot90(layer, 2, (1, 2)), 1e-4)


def plasma(size: int, decay: float, draw) -> np.ndarray:
    """Diamond and square, point by point."""
    field = np.zeros((size, size))
    step, wobble = size, 100.0
    while step > 1:
        half = step // 2
        for r in range(0, size, step):
            for c in range(0, size, step):
                corners = [field[(r + i) % size, (c + j) % size] for i in (0, step) for j in (0, step)]
                field[r + half, c + half] = np.mean(corners) + wobble * draw() * wobble
        for rows, columns in ((0, half), (half, 0)):
            for r in range(rows, size, step):
                for c in range(columns, size, step):
                    around = ((half, 0), (-half, 0), (0, half), (0, -half))
                    corners = [field[(r + i) % size, (c + j) % size] for i, j in around]
                    field[r, c] = np.mean(corners) + wobble * draw() * wobble
        step, wobble = half, wobble / decay
    return (field - field.min()) / (field.max() - field.min())


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 1, 20, 30), (1, 3, 16, 16)])
@pytest.mark.parametrize(("amount", "decay"), [(1.5, 2), (3, 1.4)])
def test_fog(shape, amount, decay):
    images = some(*shape)
    size = 16 if shape[-1] == 16 else 32
    draws = 2 * some(shape[0], size * size - 1, seed=1) - 1
    ours = _weather.fog(images.clone(), Given(draws), amount, decay)
    for image, numbers, result in zip(images.double().numpy(), draws.double().numpy(), ours, strict=True):
        haze = plasma(size, decay, iter(numbers).__next__)[: shape[2], : shape[3]]
        close(result, (image + amount * haze) * image.max() / (image.max() + amount), 1e-4)


@pytest.mark.parametrize("furthest", [3, 20])
def test_distances_are_euclidean(furthest):
    outline = some(3, 40, 50) > 0.99
    outline[2] = False  # nothing is near
    outline[1] = some(40, 50, seed=4) > 0.7
    ours = _spatter.distance(outline, furthest)
    assert (ours[2] == furthest).all()
    for mask, result in zip(outline[:2].numpy(), ours[:2], strict=True):
        close(result, np.minimum(ndimage.distance_transform_edt(~mask), furthest))


def rain(image: np.ndarray, layer: np.ndarray, strength: float) -> np.ndarray:
    """Water, one picture, with scipy's erosion, distances and filters. layer: (H, W)."""
    wet = layer > layer.max() / 2
    outline = wet & ~ndimage.binary_erosion(wet, np.ones((3, 3)), border_value=1)
    depth = np.minimum(ndimage.distance_transform_edt(~outline), 20) if outline.any() else np.full(wet.shape, 20.0)
    levels = np.floor(ndimage.uniform_filter(depth, 3, mode="mirror") + 1e-4).astype(int)
    counts = np.bincount(levels.ravel(), minlength=21)
    first = counts[counts.nonzero()[0][0]]
    ranks = np.round(255 * (counts.cumsum() - first) / max(levels.size - first, 1)).clip(0)
    lit = ndimage.correlate(ranks[levels], np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]), mode="mirror").clip(0, 255)
    mask = layer * ndimage.uniform_filter(lit, 3, mode="mirror")
    colour = np.array([175, 238, 238])[:, None, None] / 255
    return image + strength * mask / max(mask.max(), 1e-12) * (colour if len(image) == 3 else luma(colour))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("drops", [(0.65, 0.3, 4, 0.69, 0.6), (0.65, 0.3, 2, 0.68, 0.5)])
def test_spatter_of_water(drops, channels):
    mean, deviation, sigma, threshold, strength = drops
    images, noise = some(2, channels, 90, 100), torch.randn(2, 90, 100, generator=seeded(3))
    ours = _spatter.spatter(images.clone(), Given(noise), (mean, deviation, sigma, threshold), strength, False, 1.0)
    for image, normal, result in zip(images.double().numpy(), noise.double().numpy(), ours, strict=True):
        layer = ndimage.gaussian_filter(mean + deviation * normal, sigma, mode="nearest")
        layer = np.where(layer < threshold, 0, layer)
        assert 0.005 < (layer > 0).mean() < 0.3
        away = np.abs(result.double().numpy() - rain(image, layer, strength))
        assert away.mean() < 1e-3  # ranks jump where a mean of distances is a whole number up to rounding
        assert (away > 0.01).mean() < 0.01


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("drops", [(0.65, 0.3, 1, 0.65, 1.5), (0.67, 0.4, 1, 0.65, 1.5)])
def test_spatter_of_mud(drops, channels):
    mean, deviation, sigma, threshold, smooth = drops
    images, noise = some(2, channels, 60, 70), torch.randn(2, 60, 70, generator=seeded(3))
    ours = _spatter.spatter(images.clone(), Given(noise), (mean, deviation, sigma, threshold), smooth, True, 1.0)
    brown = np.array([63, 42, 20])[:, None, None] / 255
    for image, normal, result in zip(images.double().numpy(), noise.double().numpy(), ours, strict=True):
        layer = ndimage.gaussian_filter(mean + deviation * normal, sigma, mode="nearest")
        mask = ndimage.gaussian_filter((layer > threshold).astype(float), smooth, mode="nearest")
        mask[mask < 0.8] = 0
        expected = image * (1 - mask) + mask * (brown if channels == 3 else luma(brown))
        assert (np.abs(result.double().numpy() - expected) > 1e-4).mean() < 2e-3  # at a threshold, rounding decides


def test_smaller_pictures_get_drops_as_large_for_their_size():
    """A third of the size, the same share of the picture wet."""
    noise = torch.randn(40, 224, 224, generator=seeded())
    drops = (0.65, 0.3, 4, 0.69)
    large = _spatter.liquid(noise, *drops, 1.0) > 0
    small = _spatter.liquid(noise[:, :75, :75], *drops, 1 / 3) > 0
    assert float(small.float().mean()) == pytest.approx(float(large.float().mean()), rel=0.2)


# colours


@pytest.mark.parametrize(("severity", "added"), list(enumerate((0.1, 0.2, 0.3, 0.4, 0.5), 1)))
def test_brightness(severity, added):
    images = some(2, 3, 20, 20)
    images[0, :, :5] = images[0, :1, :5]  # grey
    images[1, :, 0] = 0
    hsv = rgb_to_hsv(images.double().numpy().transpose(0, 2, 3, 1))
    hsv[..., 2] = np.clip(hsv[..., 2] + added, 0, 1)
    close(imagenet_c(images, "brightness", severity), hsv_to_rgb(hsv).transpose(0, 3, 1, 2))
    grey = some(2, 1, 20, 20)
    close(imagenet_c(grey, "brightness", severity), np.clip(grey.double().numpy() + added, 0, 1))
    close(_digital.brightness(grey, -added), np.clip(grey.double().numpy() - added, 0, 1))


@pytest.mark.parametrize(("severity", "change"), list(enumerate(((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)), 1)))
def test_saturate(severity, change):
    images = some(2, 3, 20, 20)
    images[0, :, :5] = images[0, :1, :5]  # grey: hue 0 stands for red
    images[1, :, 0] = 0
    hsv = rgb_to_hsv(images.double().numpy().transpose(0, 2, 3, 1))
    hsv[..., 1] = np.clip(hsv[..., 1] * change[0] + change[1], 0, 1)
    close(imagenet_c(images, "saturate", severity), hsv_to_rgb(hsv).transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("severity", "kept"), list(enumerate((0.4, 0.3, 0.2, 0.1, 0.05), 1)))
def test_contrast(severity, kept):
    images = some(2, 3, 20, 30)
    x = images.double().numpy()
    mean = x.mean((2, 3), keepdims=True)
    close(imagenet_c(images, "contrast", severity), (x - mean) * kept + mean)


# places


@pytest.mark.parametrize("shape", [(64, 64), (50, 77)])
@pytest.mark.parametrize(
    ("strength", "sigma", "shift"), [(488.0, 170.8, 24.4), (488.0, 19.52, 48.8), (29.28, 2.44, 4.88)]
)
def test_elastic_transform(strength, sigma, shift, shape):
    height, width = shape
    images = some(2, 3, height, width)
    corners, moves = 2 * some(2, 3, 2, seed=1) - 1, 2 * some(2, 2, height, width, seed=2) - 1
    shift = shift / 8  # on pictures this small
    ours = _digital.elastic(images.clone(), Given(corners * shift, moves), strength, sigma, shift, 1.0)
    reach, middle = min(shape) // 3, np.array([width // 2, height // 2])
    start = middle + reach * np.array([[1, 1], [1, -1], [-1, -1]])
    rows, columns = np.mgrid[:height, :width].astype(float)
    for image, jitter, move, result in zip(images.double().numpy(), corners, moves, ours, strict=True):
        moved = start + jitter.double().numpy() * shift
        # the map with moved -> start, from differences of the corners
        turn = np.linalg.solve(np.diff(moved, axis=0), np.diff(start.astype(float), axis=0)).T
        back = np.einsum("ij,jhw->ihw", turn, np.stack([columns - moved[0, 0], rows - moved[0, 1]]))
        back += start[0][:, None, None]
        warped = np.stack([ndimage.map_coordinates(p, back[::-1], order=1, mode="mirror") for p in image])
        dx, dy = (
            ndimage.gaussian_filter(each.double().numpy(), sigma, mode="reflect", truncate=3) * strength
            for each in move
        )
        expected = [ndimage.map_coordinates(p, [rows + dy, columns + dx], order=1, mode="reflect") for p in warped]
        close(result, np.stack(expected), 2e-3)


def test_elastic_waves_shrink_with_the_picture():
    """Displacements in proportion to the size: a third of it, a third of them."""
    for sigma in (2.44, 19.52):
        spread = {}
        for scale, side in ((1.0, 224), (1 / 3, 75)):
            noise = 2 * torch.rand(20, side, side, generator=seeded()) - 1
            moves = _filters.smooth_noise(noise, sigma, scale, truncate=3, border="reflect") * scale
            spread[side] = float(moves.std())
        assert spread[75] == pytest.approx(spread[224] / 3, rel=0.12)


@pytest.mark.parametrize("border", ["reflect", "mirror", "zeros"])
def test_look_up_far_outside(border):
    images = some(2, 2, 17, 23)
    rng = np.random.default_rng(0)
    column, row = rng.uniform(-40, 60, (2, 2, 30, 31))
    ours = _filters.look_up(images, torch.from_numpy(column).float(), torch.from_numpy(row).float(), border)
    mode = {"reflect": "reflect", "mirror": "mirror", "zeros": "grid-constant"}[border]
    for picture in range(2):
        expected = [
            ndimage.map_coordinates(plane, [row[picture], column[picture]], order=1, mode=mode)
            for plane in images[picture].double().numpy()
        ]
        close(ours[picture], np.stack(expected), 1e-4)


@pytest.mark.parametrize("shape", [(224, 224), (225, 170), (28, 28), (97, 33)])
@pytest.mark.parametrize(("severity", "share"), list(enumerate((0.6, 0.5, 0.4, 0.3, 0.25), 1)))
def test_pixelate(severity, share, shape):
    height, width = shape
    images = some(1, 3, height, width)

    def resized(plane):
        small = Image.fromarray(plane.astype(np.float32)).resize((int(width * share), int(height * share)), Image.BOX)
        return np.asarray(small.resize((width, height), Image.BOX))

    close(imagenet_c(images, "pixelate", severity), planes(images, resized))


# codec


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("severity", "quality"), list(enumerate((25, 18, 15, 10, 7), 1)))
def test_jpeg_compression(severity, quality, channels):
    images = some(3, channels, 45, 30)
    ours = imagenet_c(images, "jpeg_compression", severity)
    for image, result in zip(images.numpy(), ours, strict=True):
        pixels = (image * 255).round().astype(np.uint8).transpose(1, 2, 0)
        file = io.BytesIO()
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(file, "JPEG", quality=quality)
        decoded = np.asarray(Image.open(file)).reshape(45, 30, channels).transpose(2, 0, 1)
        close(result, decoded / 255, 1e-6)
