"""The fifteen corruptions of ImageNet-C on 256 pictures of 224 px, as a batch and one by one, in one run.

Run by ``make bench``. "One by one" can mean two things, and both are measured:

- *calls*: adlib's own function, called with one picture at a time. The work is the same: little can be gained.
- *loop*: each picture as the reference treats it, with numpy, scipy and Pillow, 64-bit floats, and its loop over the
  pixels for glass blur. scipy stands in for OpenCV, and a loop over the taps for ImageMagick; the disc goes through the
  Fourier transform, scipy's fastest way. A few pictures, scaled to 256.

Nothing else may run meanwhile: two threads that wait for each other on busy cores are many times slower than one.
"""

import io
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage, signal

from adlib.datasets.corruptions import IMAGENET_C, _frost, imagenet_c

COUNT, SIZE, SEVERITY = 256, 224, 3
CALLED, LOOPED = 64, 4  # pictures, of which the time is scaled to COUNT

# one picture, (224, 224, 3) float64 in [0, 1], at severity 3


def loop_gaussian_noise(x, rng):
    return x + rng.normal(0, 0.18, x.shape)


def loop_shot_noise(x, rng):
    return rng.poisson(x * 12) / 12


def loop_impulse_noise(x, rng):
    hit, salt = rng.random(x.shape) < 0.09, rng.random(x.shape) < 0.5
    return np.where(hit, salt, x)


def loop_defocus_blur(x, rng):
    at = np.arange(-8, 9)
    disc = (at[:, None] ** 2 + at**2 <= 36).astype(float)
    disc = ndimage.gaussian_filter(disc / disc.sum(), 0.5, truncate=2)
    return signal.fftconvolve(np.pad(x, ((8, 8), (8, 8), (0, 0)), "reflect"), disc[..., None], "valid", axes=(0, 1))


def loop_glass_blur(x, rng):
    x = ndimage.gaussian_filter(x, (1, 1, 0), mode="nearest")
    for _ in range(3):
        for h in range(SIZE - 2, 2, -1):
            for w in range(SIZE - 2, 2, -1):
                dx, dy = rng.integers(-2, 2, size=2)
                x[h, w], x[h + dy, w + dx] = x[h + dy, w + dx], x[h, w]
    return ndimage.gaussian_filter(x, (1, 1, 0), mode="nearest")


def streak(x, angle, radius, sigma):
    taps = 2 * radius + 1
    weights = np.exp(-0.5 * (np.arange(taps) / sigma) ** 2)
    padded, result = np.pad(x, ((taps, taps), (taps, taps), (0, 0)), "edge"), np.zeros_like(x)
    for i, weight in enumerate(weights / weights.sum()):
        row, column = (taps + math.ceil(i * side(math.radians(angle)) - 0.5) for side in (math.sin, math.cos))
        result += weight * padded[row : row + SIZE, column : column + SIZE]
    return result


def loop_motion_blur(x, rng):
    return streak(x, rng.uniform(-45, 45), 15, 8)


def clipped_zoom(x, factor):
    inner = math.ceil(SIZE / factor)
    top = (SIZE - inner) // 2
    x = ndimage.zoom(x[top : top + inner, top : top + inner], (factor, factor, 1), order=1)
    trim = (len(x) - SIZE) // 2
    return x[trim : trim + SIZE, trim : trim + SIZE]


def loop_zoom_blur(x, rng):
    factors = np.arange(1, 1.21, 0.02)
    return (x + sum(clipped_zoom(x, factor) for factor in factors)) / (len(factors) + 1)


def loop_snow(x, rng):
    layer = clipped_zoom(rng.normal(0.55, 0.3, (SIZE, SIZE, 1)), 4)
    layer = streak(np.where(layer < 0.9, 0, layer).clip(0, 1), rng.uniform(-135, -45), 12, 8)
    pale = np.maximum(x, (x @ [0.299, 0.587, 0.114])[..., None] * 1.5 + 0.5)
    return 0.7 * x + 0.3 * pale + layer + np.rot90(layer, 2)


SHEETS = [np.ascontiguousarray(_frost.sheet(number, SIZE, SIZE).movedim(0, -1)) for number in range(6)]


def loop_frost(x, rng):
    sheet = SHEETS[rng.integers(6)]
    top, left = rng.integers(0, 2 * SIZE - SIZE, 2)
    return 0.7 * x + 0.7 * sheet[top : top + SIZE, left : left + SIZE]


def loop_fog(x, rng):
    field, step, wobble = np.zeros((256, 256)), 256, 100.0
    while step > 1:
        half = step // 2
        corners = field[::step, ::step]
        squares = corners + np.roll(corners, -1, 0)
        squares = squares + np.roll(squares, -1, 1)
        middles = squares / 4 + wobble * rng.uniform(-wobble, wobble, squares.shape)
        field[half::step, half::step] = middles
        around = middles + np.roll(middles, 1, 0) + corners + np.roll(corners, -1, 1)
        field[::step, half::step] = around / 4 + wobble * rng.uniform(-wobble, wobble, around.shape)
        around = middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 0)
        field[half::step, ::step] = around / 4 + wobble * rng.uniform(-wobble, wobble, around.shape)
        step, wobble = half, wobble / 1.7
    haze = (field - field.min()) / (field.max() - field.min())
    return (x + 2.5 * haze[:SIZE, :SIZE, None]) * x.max() / (x.max() + 2.5)


def loop_brightness(x, rng):
    hsv = rgb_to_hsv(x)
    hsv[..., 2] = (hsv[..., 2] + 0.3).clip(0, 1)
    return hsv_to_rgb(hsv)


def loop_contrast(x, rng):
    mean = x.mean((0, 1), keepdims=True)
    return (x - mean) * 0.2 + mean


def loop_elastic_transform(x, rng):
    strength, sigma, shift = 244 * 0.05, 244 * 0.01, 244 * 0.02
    start = SIZE // 2 + SIZE // 3 * np.array([[1.0, 1], [1, -1], [-1, -1]])
    moved = start + rng.uniform(-shift, shift, (3, 2))
    back = np.linalg.solve(np.c_[moved, np.ones(3)], start).T[::-1, [1, 0, 2]]  # rows before columns
    x = np.stack([ndimage.affine_transform(x[..., c], back, order=1, mode="mirror") for c in range(3)], -1)
    dx, dy = (
        ndimage.gaussian_filter(rng.uniform(-1, 1, (SIZE, SIZE)), sigma, mode="reflect", truncate=3) * strength
        for _ in range(2)
    )
    rows, columns, channels = np.meshgrid(np.arange(SIZE), np.arange(SIZE), np.arange(3), indexing="ij")
    places = rows + dy[..., None], columns + dx[..., None], channels
    return ndimage.map_coordinates(x, places, order=1, mode="reflect")


def loop_pixelate(x, rng):
    small = Image.fromarray(np.uint8(x * 255)).resize((int(SIZE * 0.4),) * 2, Image.Resampling.BOX)
    return np.asarray(small.resize((SIZE, SIZE), Image.Resampling.BOX)) / 255


def loop_jpeg_compression(x, rng):
    file = io.BytesIO()
    Image.fromarray(np.uint8(x * 255)).save(file, "JPEG", quality=15)
    return np.asarray(Image.open(file)) / 255


def looped(name, images, seed=0):
    """The reference's way: 8 bits in, one picture after the other, cut to [0, 1] and stacked."""
    function, rng = globals()[f"loop_{name}"], np.random.default_rng(seed)
    pixels = [np.uint8(image.movedim(0, -1).numpy() * 255 + 0.5) for image in images]
    return np.stack([np.clip(function(each / 255, rng), 0, 1).transpose(2, 0, 1) for each in pixels])


def pictures(count):
    coarse = torch.rand(count, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic").clamp_(0, 1)
    return images.mul_(255).round_().div_(255)


def best_of(repeats, function, *arguments):
    seconds, value = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        value = function(*arguments)
        seconds.append(time.perf_counter() - start)
    return min(seconds), value


def one_by_one(name, images):
    return torch.cat([imagenet_c(image[None], name, SEVERITY) for image in images])


def test_256_pictures_of_224_px():
    images = pictures(COUNT)
    total = {"batch": 0.0, "calls": 0.0, "loop": 0.0}
    print(
        f"\nImageNet-C at severity {SEVERITY}, {COUNT} pictures of {SIZE} px, "
        f"{torch.get_num_threads()} thread(s), seconds"
    )
    print(f"{'':20}{'batch':>8}{'calls':>8}{'loop':>9}  times faster than calls, loop")
    for name in IMAGENET_C:
        imagenet_c(images[:8], name, SEVERITY)
        batch, ours = best_of(2, imagenet_c, images, name, SEVERITY)
        calls, _ = best_of(2, one_by_one, name, images[:CALLED])
        loop, theirs = best_of(1 if name == "glass_blur" else 2, looped, name, images[:LOOPED])
        calls, loop = calls * COUNT / CALLED, loop * COUNT / LOOPED
        for kind, seconds in (("batch", batch), ("calls", calls), ("loop", loop)):
            total[kind] += seconds
        print(f"{name:20}{batch:8.2f}{calls:8.2f}{loop:9.2f}  {calls / batch:6.1f}{loop / batch:8.1f}")
        # the same corruption: as far away from the pictures, and equal where nothing is random
        away = float((ours[:LOOPED] - images[:LOOPED]).abs().mean())
        assert np.abs(theirs - images[:LOOPED].numpy()).mean() == pytest.approx(away, rel=0.35), name
        if name in ("zoom_blur", "brightness", "contrast", "defocus_blur"):
            np.testing.assert_allclose(ours[:LOOPED], theirs, rtol=0, atol=3e-3)
        if name == "glass_blur":
            glass = batch, calls, loop
    batch, calls, loop = total.values()
    print(f"{'total':20}{batch:8.2f}{calls:8.2f}{loop:9.2f}  {calls / batch:6.1f}{loop / batch:8.1f}")
    rest = [whole - part for whole, part in zip(total.values(), glass, strict=True)]
    print("{:20}{:8.2f}{:8.2f}{:9.2f}".format("without glass blur", *rest), end="")
    print(f"  {rest[1] / rest[0]:6.1f}{rest[2] / rest[0]:8.1f}")
    assert loop / batch >= 5
    assert calls / batch >= 0.8  # a batch is at least no slower


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux' /proc")
def test_memory_stays_bounded():
    """Peak of a process that runs all fifteen: the pictures, the result, and less than once more."""
    program = f"""
import re, torch
from adlib.datasets.corruptions import IMAGENET_C, imagenet_c
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
images = torch.rand({COUNT}, 3, {SIZE}, {SIZE})
for name in IMAGENET_C:
    imagenet_c(images[:1], name, {SEVERITY})  # what libraries load and keep
before = peak()
for name in IMAGENET_C:
    result = None
    result = imagenet_c(images, name, {SEVERITY})
print((peak() - before) / (images.numel() * 4))
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    print(f"\nPeak memory of a call above its pictures: {float(out):.2f} times the pictures, the result included")
    assert 0.9 < float(out) <= 2
