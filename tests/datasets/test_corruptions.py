"""ImageNet-C: what holds for all nineteen corruptions, and what is refused. Each against a reference: next file."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_images

from adlib.datasets.corruptions import IMAGENET_C, IMAGENET_C_EXTRA, _frost, _pictures, imagenet_c

ALL = IMAGENET_C + IMAGENET_C_EXTRA
DETERMINISTIC = {
    *("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"),
    *("gaussian_blur", "saturate"),
}


def photographs(size: int = 224) -> torch.Tensor:
    """The two photographs of scikit-learn, the middle of each: (2, 3, size, size)."""
    middles = []
    for pixels in load_sample_images().images:
        picture = Image.fromarray(pixels[:420, 100:520]).resize((size, size), Image.Resampling.BOX)
        middles.append(torch.from_numpy(np.asarray(picture) / np.float32(255)).movedim(-1, 0))
    return torch.stack(middles)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    """Pictures with structure at several scales, in [0, 1]."""
    coarse = torch.rand(*shape[:2], 6, 6, generator=seeded(seed))
    smooth = F.interpolate(coarse, size=shape[2:], mode="bicubic", align_corners=True).clamp(0, 1)
    return (0.8 * smooth + 0.2 * torch.rand(shape, generator=seeded(seed + 1))).clamp(0, 1)


def test_there_are_fifteen_and_four():
    assert len(IMAGENET_C) == 15 and len(IMAGENET_C_EXTRA) == 4 and len(set(ALL)) == 19
    assert IMAGENET_C[0] == "gaussian_noise" and IMAGENET_C[-1] == "jpeg_compression"


# shape, type, range


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (2, 1, 28, 28), (1, 3, 225, 170), (1, 1, 16, 40), (1, 3, 70, 16)])
def test_shape_type_and_range_stay(name, shape):
    images = some(*shape)
    before = images.clone()
    for severity in (1, 5):
        result = imagenet_c(images, name, severity, generator=seeded())
        assert result.shape == images.shape and result.dtype == torch.float32 and result.is_contiguous()
        assert torch.isfinite(result).all() and result.min() >= 0 and result.max() <= 1
        assert torch.equal(images, before)
        assert result.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_are_computed_in_float32(name, dtype):
    images = some(2, 3, 32, 32).to(dtype)
    result = imagenet_c(images, name, 3, generator=seeded())
    assert result.dtype == dtype
    expected = imagenet_c(images.float(), name, 3, generator=seeded())
    torch.testing.assert_close(result, expected.to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_layout_gradients_and_inference_mode_do_not_matter(name):
    images = some(2, 3, 40, 32)
    expected = imagenet_c(images, name, 4, generator=seeded())
    strided = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(imagenet_c(strided, name, 4, generator=seeded()), expected, rtol=0, atol=0)
    tracked = imagenet_c(images.clone().requires_grad_(), name, 4, generator=seeded())
    assert not tracked.requires_grad and torch.equal(tracked, expected)
    with torch.inference_mode():
        torch.testing.assert_close(imagenet_c(images.clone(), name, 4, generator=seeded()), expected, rtol=0, atol=0)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(ALL),
    severity=st.integers(1, 5),
    height=st.integers(16, 50),
    width=st.integers(16, 50),
    channels=st.sampled_from([1, 3]),
    extreme=st.sampled_from(["black", "white", "checks"]),
)
def test_extreme_pictures_of_any_size(name, severity, height, width, channels, extreme):
    if extreme == "checks":
        images = ((torch.arange(height)[:, None] + torch.arange(width)) % 2).float().expand(2, channels, -1, -1)
    else:
        images = torch.full((2, channels, height, width), float(extreme == "white"))
    result = imagenet_c(images, name, severity, generator=seeded())
    assert result.shape == images.shape
    assert torch.isfinite(result).all() and result.min() >= 0 and result.max() <= 1


# random numbers


@pytest.mark.parametrize("name", ALL)
def test_the_generator_decides(name):
    images = some(3, 3, 48, 48)
    first = imagenet_c(images, name, 3, generator=seeded(1))
    assert torch.equal(first, imagenet_c(images, name, 3, generator=seeded(1)))
    assert torch.equal(first, imagenet_c(images, name, 3, generator=seeded(2))) == (name in DETERMINISTIC)
    torch.manual_seed(5)
    unnamed = imagenet_c(images, name, 3)
    again = imagenet_c(images, name, 3)
    torch.manual_seed(5)
    assert torch.equal(unnamed, imagenet_c(images, name, 3))
    assert torch.equal(unnamed, again) == (name in DETERMINISTIC)


@pytest.mark.parametrize("name", ALL)
def test_a_batch_is_what_its_pictures_are_one_by_one(name, monkeypatch):
    images = some(7, 3, 48, 64)
    whole = imagenet_c(images, name, 5, generator=seeded())
    generator = seeded()
    single = torch.cat([imagenet_c(image[None], name, 5, generator=generator) for image in images])
    torch.testing.assert_close(whole, single, rtol=0, atol=2e-5)
    monkeypatch.setattr(_pictures, "CHUNK", 3 * images[0].numel())
    torch.testing.assert_close(imagenet_c(images, name, 5, generator=seeded()), whole, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", sorted(set(ALL) - DETERMINISTIC))
def test_every_picture_has_draws_of_its_own(name):
    images = some(1, 3, 64, 64).expand(6, -1, -1, -1)
    result = imagenet_c(images, name, 5, generator=seeded(3))
    assert all(not torch.equal(result[i], result[j]) for i in range(6) for j in range(i))


def test_threads_do_not_matter():
    images = some(6, 3, 48, 48)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append([imagenet_c(images, name, 2, generator=seeded()) for name in ALL])
    finally:
        torch.set_num_threads(before)
    for name, one, three in zip(ALL, *results, strict=True):
        torch.testing.assert_close(one, three, rtol=0, atol=2e-5, msg=name)


# severity

# With the reference's parameters the distance to the picture does not grow throughout. Within these runs it does;
# between them the kind of change differs (elastic waves, paler or more vivid colours), or one parameter stays or goes
# back (frost has the same ice on less of the picture, glass has fewer rounds).
RUNS = {
    "glass_blur": ((1, 2, 3), (4, 5)),
    "snow": ((1, 2), (3, 4, 5)),
    "frost": ((1, 2, 3), (4, 5)),
    "fog": ((1, 2, 3), (4, 5)),
    "elastic_transform": ((1, 2), (3, 4, 5)),
    "saturate": ((1, 2), (3, 4, 5)),
}


@pytest.mark.parametrize("name", ALL)
def test_severity_takes_photographs_further_away(name):
    images = photographs().repeat(3, 1, 1, 1)
    distance = [0.0] + [
        float((imagenet_c(images, name, severity, generator=seeded(3)) - images).abs().mean())
        for severity in (1, 2, 3, 4, 5)
    ]
    for run in RUNS.get(name, ((0, 1, 2, 3, 4, 5),)):
        values = [distance[severity] for severity in run]
        assert values == sorted(values) and len(set(values)) == len(values), distance
    if name != "elastic_transform":
        assert distance[5] > distance[1]
    assert min(distance[1:]) > 0.002 and max(distance) < 0.4


def test_corruptions_look_alike_at_every_size():
    """The same distance on a photograph of 448 and of 224 pixels, shrunk after that: lengths follow the size."""
    large = photographs(448).repeat(3, 1, 1, 1)
    small = F.avg_pool2d(large, 2)
    for name in ("defocus_blur", "motion_blur", "gaussian_blur", "zoom_blur", "snow", "spatter", "elastic_transform"):
        for severity in (1, 3, 5):
            at_448 = F.avg_pool2d(imagenet_c(large, name, severity, generator=seeded()), 2)
            at_224 = imagenet_c(small, name, severity, generator=seeded())
            ratio = float((at_448 - small).abs().mean() / (at_224 - small).abs().mean())
            assert 0.6 < ratio < 1.5, (name, severity, ratio)


# limits


@pytest.mark.parametrize("name", [each for each in ALL if each.endswith("blur")] + ["elastic_transform", "pixelate"])
@pytest.mark.parametrize("severity", [1, 5])
def test_a_plain_picture_stays(name, severity):
    images = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(2, -1, 40, 50)
    torch.testing.assert_close(imagenet_c(images, name, severity, generator=seeded()), images, rtol=0, atol=1e-5)


def test_contrast_keeps_the_mean_and_brightness_moves_black():
    images = some(2, 3, 32, 32)
    torch.testing.assert_close(imagenet_c(images, "contrast", 5).mean((2, 3)), images.mean((2, 3)), rtol=0, atol=1e-6)
    assert torch.equal(imagenet_c(torch.zeros(1, 3, 16, 16), "brightness", 3), torch.full((1, 3, 16, 16), 0.3))


def test_no_light_no_noise_of_light():
    black = torch.zeros(2, 3, 32, 32)
    for name in ("shot_noise", "speckle_noise"):
        assert torch.equal(imagenet_c(black, name, 5, generator=seeded()), black)


def test_one_channel_has_no_saturation():
    images = some(2, 1, 32, 32)
    assert torch.equal(imagenet_c(images, "saturate", 5), images)


# the ice


def test_frost_lays_one_of_six_sheets_over_the_picture():
    """Take the picture away again: what is left is a part of a sheet, mirrored or not, and each sheet comes up."""
    images = torch.full((60, 3, 32, 40), 0.1)
    result = imagenet_c(images, "frost", 5, generator=seeded())
    ice = (result - 0.6 * images) / 0.75
    sheets = [_frost.sheet(number, 32, 40) for number in range(6)]
    assert [tuple(sheet.shape) for sheet in sheets] == [(3, 64, 64)] * 6
    rows, columns = torch.arange(0, 32, 5)[:, None], torch.arange(0, 40, 5)  # some pixels tell the parts apart
    found = []
    for part in ice:
        for number, sheet in enumerate(sheets):
            windows = sheet.unfold(1, 32, 1).unfold(2, 40, 1)[..., rows, columns]
            for axes in ([], [1], [2], [1, 2]):
                away = (windows - part.flip(axes)[:, None, None, rows, columns]).abs().amax((0, 3, 4))
                if away.min() < 1e-4:
                    found.append(number)
    assert len(found) == 60 and set(found) == set(range(6))


def test_the_sheets_look_like_ice():
    """As bright and as contrasty as the reference's photographs, bluish, with structure at the scale of a crystal."""
    sheets = torch.stack([_frost.sheet(number, 224, 224) for number in range(6)])
    assert sheets.shape == (6, 3, 448, 448) and sheets.min() >= 0 and sheets.max() <= 1
    mean, deviation = sheets.mean((1, 2, 3)), sheets.mean(1).std((1, 2))
    assert 0.3 < mean.min() < mean.max() < 0.85
    assert 0.05 < deviation.min() < deviation.max() < 0.2
    red, _, blue = sheets.mean((2, 3)).unbind(1)
    assert (blue > red).all()
    fine = (sheets - F.avg_pool2d(sheets, 5, 1, 2, count_include_pad=False)).mean(1).std((1, 2))
    assert (fine > 0.02).all()  # a mist would have next to nothing there
    assert torch.equal(sheets[2], _frost.sheet(2, 224, 224))


def test_frost_covers_long_pictures():
    assert _frost.sheet(0, 32, 200).shape == (3, 64, 216)
    assert imagenet_c(torch.zeros(2, 3, 32, 200), "frost", 1, generator=seeded()).amin((1, 2)).min() > 0


# bad input

GOOD = torch.full((2, 3, 32, 32), 0.5)


@pytest.mark.parametrize("name", ["gaussian", "Fog", "", None, 3, ["fog"]])
def test_an_unknown_name_lists_the_names(name):
    with pytest.raises(ValueError, match=r"name must be one of gaussian_noise, .*, saturate; got"):
        imagenet_c(GOOD, name, 1)


@pytest.mark.parametrize("severity", [0, 6, -1, 2.5, 3.0, True, None, "3", float("nan")])
def test_an_unknown_severity(severity):
    with pytest.raises(ValueError, match="severity must be an integer from 1 to 5, got"):
        imagenet_c(GOOD, "fog", severity)


def test_numpy_integers_are_severities():
    result = imagenet_c(GOOD, "brightness", np.int64(2))
    assert torch.equal(result, imagenet_c(GOOD, "brightness", 2))


@pytest.mark.parametrize("generator", [0, "cpu", np.random.default_rng(0), torch.Generator])
def test_a_generator_that_is_none(generator):
    with pytest.raises(ValueError, match=r"generator must be a torch.Generator or None, got"):
        imagenet_c(GOOD, "fog", 1, generator=generator)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GOOD.numpy(), "images must be a torch.Tensor, got ndarray"),
        ((GOOD * 255).byte(), "images must be a dense tensor of floats in .*, got torch.uint8"),
        (GOOD.to(torch.complex64), "images must be a dense tensor of floats"),
        (GOOD.to_sparse(), "images must be a dense tensor of floats in .*torch.sparse_coo"),
        (GOOD.to("meta"), "images must be a dense tensor of floats in .*without values"),
        (GOOD[0], r"images must have shape \(N, 3, H, W\) or \(N, 1, H, W\), N at least 1, got \(3, 32, 32\)"),
        (GOOD[:, :2], r"got \(2, 2, 32, 32\)"),
        (GOOD.movedim(1, -1), r"got \(2, 32, 32, 3\)"),
        (GOOD[:0], r"got \(0, 3, 32, 32\)"),
        (GOOD[..., :15], r"images must be at least 16 pixels high and wide, got \(32, 15\)"),
        (GOOD[..., :4, :], r"got \(4, 32\)"),
        (GOOD * 2 + 0.1, r"images must lie in \[0, 1\] and be finite, got values from 1.1 to 1.1"),
        (GOOD - 0.6, "got values from -0.1 to -0.1"),
        (GOOD * float("nan"), "got values from nan"),
        (torch.where(torch.arange(32) == 3, float("nan"), GOOD), "got values from nan"),
        (torch.where(torch.arange(32) == 3, float("inf"), GOOD), "got values from 0.5 to inf"),
    ],
)
def test_pictures_that_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        imagenet_c(images, "contrast", 1)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested_pictures_are_refused():
    with pytest.raises(ValueError, match=r"images must be a dense tensor of floats in .*nested"):
        imagenet_c(torch.nested.nested_tensor([GOOD[0]]), "contrast", 1)
