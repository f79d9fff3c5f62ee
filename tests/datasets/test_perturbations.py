"""ImageNet-P: sequences of frames, each perturbation against scipy, torchvision, matplotlib or numpy."""

import inspect
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from scipy import ndimage

from adlib.datasets.corruptions import IMAGENET_P, IMAGENET_P_EXTRA, _filters, _perturbations, _spatter, imagenet_p
from adlib.datasets.corruptions._streams import Streams

ALL = IMAGENET_P + IMAGENET_P_EXTRA
NOISE = ("gaussian_noise", "shot_noise", "speckle_noise")
RANDOM = (*NOISE, "snow", "spatter")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    """Smooth pictures, in [0, 1]."""
    coarse = torch.rand(*shape[:2], 7, 7, generator=seeded(seed))
    return torch.nn.functional.interpolate(coarse, size=shape[2:], mode="bilinear", align_corners=True)


def close(ours: torch.Tensor, theirs: np.ndarray | torch.Tensor, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(ours.double().numpy(), np.asarray(theirs), rtol=0, atol=atol)


def test_there_are_ten_and_four():
    assert len(IMAGENET_P) == 10 and len(IMAGENET_P_EXTRA) == 4 and len(set(ALL)) == 14
    assert set(ALL) == {*_perturbations._WITHIN, *_perturbations._BEYOND}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(2, 3, 40, 40), (1, 1, 28, 35), (3, 3, 16, 16)])
def test_shape_type_and_range(name, shape):
    images = some(*shape)
    before = images.clone()
    result = imagenet_p(images, name, generator=seeded())
    assert result.shape == (shape[0], 31, *shape[1:]) and result.dtype == torch.float32
    assert torch.isfinite(result).all() and result.min() >= 0 and result.max() <= 1
    assert torch.equal(images, before)
    half = imagenet_p(images.half(), name, frames=3, generator=seeded())
    assert half.dtype == torch.float16 and half.shape[1] == 3
    with torch.inference_mode():
        inside = imagenet_p(images.clone(), name, generator=seeded())
    assert torch.equal(inside, result)


@pytest.mark.parametrize("name", ALL)
def test_the_generator_decides(name):
    images = some(2, 3, 64, 64)
    first = imagenet_p(images, name, frames=4, generator=seeded(1))
    assert torch.equal(first, imagenet_p(images, name, frames=4, generator=seeded(1)))
    assert torch.equal(first, imagenet_p(images, name, frames=4, generator=seeded(2))) == (name not in RANDOM)
    torch.manual_seed(3)
    unnamed = imagenet_p(images, name, frames=4)
    torch.manual_seed(3)
    assert torch.equal(unnamed, imagenet_p(images, name, frames=4))


@pytest.mark.parametrize("name", ALL)
def test_a_batch_is_what_its_pictures_are_one_by_one(name):
    images = some(3, 3, 48, 56)
    whole = imagenet_p(images, name, frames=5, margin=4, generator=seeded())
    generator = seeded()
    single = [imagenet_p(image[None], name, frames=5, margin=4, generator=generator) for image in images]
    torch.testing.assert_close(whole, torch.cat(single), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ALL)
def test_the_first_frames_of_a_longer_sequence_of_those_that_start_somewhere(name):
    images = some(1, 3, 64, 64)
    short, long = (imagenet_p(images, name, frames=frames, generator=seeded()) for frames in (7, 11))
    centred = name in ("brightness", "translate", "rotate", "tilt", "shear")
    torch.testing.assert_close(short, long[:, 2:9] if centred else long[:, :7], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_noise_is_new_in_each_frame_and_the_rest_drifts(name):
    images = some(1, 3, 224, 224)
    frames = imagenet_p(images, name, generator=seeded())[0]
    step = (frames[1:] - frames[:-1]).abs().mean((1, 2, 3))
    if name in NOISE:
        assert torch.equal(frames[0], images[0])
        assert all(not torch.equal(frames[i], frames[j]) for i in range(31) for j in range(i))
        assert step[1:].std() < 0.02 * step[1:].mean()
    else:
        assert (step > 0).all() and step.max() < 0.05
        far = (frames[30] - frames[0]).abs().mean()
        assert far > 2 * step.median()


# noise

STRENGTHS = [("gaussian_noise", 0.03), ("shot_noise", math.sqrt(0.4 / 300)), ("speckle_noise", 0.4 * 0.05)]


@pytest.mark.parametrize(("name", "deviation"), STRENGTHS)
def test_moments_of_the_noise(name, deviation):
    noise = imagenet_p(torch.full((2, 3, 64, 64), 0.4), name, frames=10, generator=seeded())[:, 1:] - 0.4
    assert abs(float(noise.mean())) < 0.02 * deviation
    assert float(noise.std()) == pytest.approx(deviation, rel=0.02)
    frame_to_frame = np.corrcoef(noise[0].flatten(1).numpy())
    assert np.abs(frame_to_frame - np.eye(9)).max() < 0.05


# blur and weather


def test_motion_blur_turns_by_four_degrees_a_frame():
    images = some(1, 3, 224, 224)
    frames = imagenet_p(images, "motion_blur")[0]
    for t in (0, 11, 30):
        kernel = np.zeros((41, 41))
        for i in range(21):
            at = [math.ceil(i * side(math.radians(4 * (t - 30))) - 0.5) + 20 for side in (math.sin, math.cos)]
            kernel[tuple(at)] += math.exp(-0.5 * (i / 3) ** 2)
        kernel /= kernel.sum()
        expected = [ndimage.correlate(plane, kernel, mode="nearest") for plane in images[0].double().numpy()]
        close(frames[t], np.stack(expected))


def test_gaussian_blur_grows():
    images = some(1, 3, 224, 240)
    frames = imagenet_p(images, "gaussian_blur")[0]
    for t in (0, 13, 30):
        sigma = 0.25 + 0.035 * t
        expected = [ndimage.gaussian_filter(p, sigma, mode="nearest", truncate=6) for p in images[0].double().numpy()]
        close(frames[t], np.stack(expected))


def test_zoom_blur_is_a_running_mean():
    images = some(1, 3, 60, 60)
    frames = imagenet_p(images, "zoom_blur", frames=12)[0]
    close(frames[0], images[0], 1e-5)
    rows, columns = np.mgrid[:60, :60] - 29.5
    total = np.zeros((3, 60, 60))
    for t in range(12):
        at = [29.5 + rows / (1 + 0.004 * t), 29.5 + columns / (1 + 0.004 * t)]
        total += np.stack([ndimage.map_coordinates(p, at, order=1) for p in images[0].double().numpy()])
        close(frames[t], total / (t + 1), 1e-4)


def test_brightness_goes_from_dark_to_bright():
    images = some(1, 3, 20, 20)
    frames = imagenet_p(images, "brightness")[0]
    close(frames[15], images[0], 1e-6)
    for t in range(31):
        hsv = rgb_to_hsv(images[0].double().numpy().transpose(1, 2, 0))
        hsv[..., 2] = np.clip(hsv[..., 2] + (t - 15) * 2 / 100, 0, 1)
        close(frames[t], hsv_to_rgb(hsv).transpose(2, 0, 1))


def test_snow_keeps_its_flakes_while_the_wind_turns():
    """On black the sequence is 0.075 + layer + turned layer; turned by half a turn it is itself, frame by frame."""
    frames = imagenet_p(torch.zeros(1, 1, 224, 224), "snow", generator=seeded())[0, :, 0] - 0.15 * 0.5
    torch.testing.assert_close(frames, frames.flip(1, 2), rtol=0, atol=1e-5)
    assert frames.min() > -1e-5
    light = frames.clamp(max=0.9).mean((1, 2))
    assert light.std() < 0.05 * light.mean()  # as many flakes in every frame
    steps = [float(torch.corrcoef(torch.stack([frames[0].flatten(), frames[t].flatten()]))[0, 1]) for t in (1, 5, 20)]
    assert steps[0] > 0.6 and steps == sorted(steps, reverse=True)


def test_the_water_runs_down(monkeypatch):
    """Frame after frame the layer is np.convolve(..., 'same') of its columns, as in the reference."""
    layers = []
    original = _spatter.rain

    def recorded(x, layer, strength, scale):
        layers.append(layer.clone())
        return original(x, layer, strength, scale)

    monkeypatch.setattr(_spatter, "rain", recorded)
    imagenet_p(torch.full((1, 3, 224, 224), 0.5), "spatter", frames=5, generator=seeded())
    assert float((layers[0] > 0).float().mean()) > 0.002
    for before, after in pairwise(layers):
        columns = before[0].double().numpy().T
        expected = np.stack([np.convolve(column, [0.05, 0.1, 0.15, 0.7], mode="same") for column in columns]).T
        close(after[0], expected)
    noise = Streams(1, seeded(), torch.device("cpu")).normal(224, 224)[0].double().numpy()
    smooth = ndimage.gaussian_filter(0.65 + 0.27 * noise, 3.7, mode="nearest")
    assert (np.abs(layers[0][0].numpy() - np.where(smooth < 0.69, 0, smooth)) > 1e-4).mean() < 1e-4


# geometry

TORCHVISION = {
    "rotate": lambda steps, t: {"angle": steps, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]},
    "scale": lambda steps, t: {"angle": 0, "translate": [0, 0], "scale": (40 + 2.5 * t) / 100, "shear": [0.0, 0.0]},
    "shear": lambda steps, t: {"angle": 0, "translate": [0, 0], "scale": 1.0, "shear": [float(steps), 0.0]},
    "translate": lambda steps, t: {"angle": 0, "translate": [steps, 0], "scale": 1.0, "shear": [0.0, 0.0]},
}


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.parametrize("shape", [(224, 224), (224, 260)])
def test_maps_are_torchvisions(name, shape):
    images = some(2, 3, *shape)
    frames = imagenet_p(images, name)
    for t in (0, 8, 15, 24, 30):
        options = TORCHVISION[name](t - 15, t)
        expected = TF.affine(images, interpolation=TF.InterpolationMode.BILINEAR, **options)
        close(frames[:, t], expected, 2e-3)


def test_translation_by_whole_pixels_and_the_reference_s_41_frames():
    images = some(1, 3, 224, 224)
    frames = imagenet_p(images, "translate")[0]
    close(frames[15], images[0], 1e-4)
    close(frames[30][..., 15:], images[0][..., :-15], 1e-4)
    assert frames[30][..., :15].max() < 1e-4  # black comes in
    longer = imagenet_p(images, "translate", frames=41)[0]
    close(longer[0][..., :-20], images[0][..., 20:], 1e-4)
    close(longer[40][..., 20:], images[0][..., :-20], 1e-4)


def test_tilt_is_a_pinhole_camera_s_view():
    """Project corners of a tilted square with matrices as the reference writes them, follow where they go."""
    height, width = 90, 120
    images = some(1, 1, height, width)
    frames = imagenet_p(images, "tilt")[0, :, 0]
    f = math.hypot(width, height)
    rows, columns = np.mgrid[:height, :width]
    # Untilted, the picture is one pixel further away than the camera's focal length, and so a little smaller.
    at = [(each - middle) * (f + 1) / f + middle for each, middle in ((rows, 44.5), (columns, 59.5))]
    close(frames[15], ndimage.map_coordinates(images[0, 0].double().numpy(), at, order=1, mode="grid-constant"), 1e-3)
    for t in (0, 9, 30):
        a = math.radians(t - 15)
        lift = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1], [0, 0, 1]])
        about_x = np.eye(4)
        about_x[1:3, 1:3] = [[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]
        about_y = np.eye(4)
        about_y[0, [0, 2]], about_y[2, [0, 2]] = [math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]
        away = np.eye(4)
        away[2, 3] = f
        camera = np.array([[f, 0, (width - 1) / 2, 0], [0, f, (height - 1) / 2, 0], [0, 0, 1, 0]])
        forward = camera @ away @ about_x @ about_y @ lift
        back = np.linalg.inv(forward) @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
        at = (back[:2] / back[2])[::-1].reshape(2, height, width)
        expected = ndimage.map_coordinates(images[0, 0].double().numpy(), at, order=1, mode="grid-constant")
        close(frames[t], expected, 1e-3)


@pytest.mark.parametrize("name", ALL)
def test_a_margin_comes_into_the_frame_and_is_cut_off(name):
    images = some(1, 3, 72, 80)
    inner = images[..., 8:-8, 8:-8].contiguous()
    result = imagenet_p(images, name, margin=8, generator=seeded())
    assert result.shape == (1, 31, 3, 56, 64)
    without = imagenet_p(inner, name, generator=seeded())
    if name in _perturbations._WITHIN:
        assert torch.equal(result, without)
    elif name == "zoom_blur":  # looks at the inside only
        torch.testing.assert_close(result, without, rtol=0, atol=1e-4)
    else:
        assert (result - without).abs().max() > 0.05
    if name in ("translate", "rotate", "shear"):  # by 3.75 pixels and 15 degrees: the margin suffices for that
        assert result[:, 10:20].min() > 0.9 * float(images.min()) > 0 or float(images.min()) < 0.02


def test_the_reference_s_protocol_of_256_and_224():
    images = some(1, 3, 256, 300)
    frames = imagenet_p(images, "translate", margin=16)
    assert frames.shape == (1, 31, 3, 224, 268)
    close(frames[0, 0], images[0, :, 16:-16, 31:-1], 1e-4)  # a pixel is a pixel: 224 is what counts
    close(frames[0, 30], images[0, :, 16:-16, 1:-31], 1e-4)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(ALL),
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    frames=st.sampled_from([2, 3, 8, 101]),
    level=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_plain_pictures_of_any_size(name, height, width, frames, level):
    images = torch.full((1, 3, height, width), level)
    result = imagenet_p(images, name, frames=frames, generator=seeded())
    assert torch.isfinite(result).all() and result.min() >= 0 and result.max() <= 1
    if name in ("motion_blur", "zoom_blur", "gaussian_blur"):
        close(result, images[:, None].expand_as(result), 1e-5)


# bad input

GOOD = torch.full((2, 3, 32, 32), 0.5)


@pytest.mark.parametrize("name", ["impulse_noise", "", None, 1])
def test_an_unknown_name_lists_the_names(name):
    with pytest.raises(ValueError, match=r"name must be one of gaussian_noise, .*, shear; got"):
        imagenet_p(GOOD, name)


@pytest.mark.parametrize("frames", [0, 1, 102, -3, 2.0, True, None, "31"])
def test_a_number_of_frames_that_makes_no_sense(frames):
    with pytest.raises(ValueError, match="frames must be an integer from 2 to 101, got"):
        imagenet_p(GOOD, "scale", frames=frames)


@pytest.mark.parametrize("margin", [-1, 9, 1.0, True, None])
def test_a_margin_that_leaves_too_little(margin):
    with pytest.raises(ValueError, match="margin must be an integer from 0 to 8, got"):
        imagenet_p(GOOD, "scale", margin=margin)


def test_pictures_and_generators_are_checked():
    for images in (GOOD.byte(), GOOD * 3, GOOD[0], GOOD[:, :2], GOOD * float("nan"), GOOD[..., :10], GOOD.numpy()):
        with pytest.raises(ValueError, match="images must"):
            imagenet_p(images, "scale")
    with pytest.raises(ValueError, match=r"generator must be a torch.Generator or None, got 3"):
        imagenet_p(GOOD, "scale", generator=3)


def test_options_are_by_keyword():
    kinds = [each.kind for each in inspect.signature(imagenet_p).parameters.values()]
    assert kinds[2:] == [inspect.Parameter.KEYWORD_ONLY] * 3


def test_line_kernels_are_normalised():
    kernel = _filters.line_kernel(torch.linspace(-180, 180, 37), 7, 3)
    torch.testing.assert_close(kernel.sum((1, 2)), torch.ones(37))
