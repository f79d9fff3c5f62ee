"""CutPaste: the laws of its sizes, what is pasted where, the jitter against torchvision, the turn against scipy."""

import math

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as V
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from adlib.self_supervised import _paste
from adlib.self_supervised._jitter import jitter_patches
from adlib.self_supervised.augmentation import cut_paste, cut_paste_scar, patch_sizes, scar_sizes, three_way

BOTH = pytest.mark.parametrize("augment", [cut_paste, cut_paste_scar])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.rand(shape, generator=seeded(seed), dtype=dtype)


def box_of(mask):
    """top, left, height, width of the True pixels."""
    rows, columns = mask.any(1).nonzero().flatten().tolist(), mask.any(0).nonzero().flatten().tolist()
    return rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def tilt(weights):
    """Counter-clockwise angle of the long axis from the vertical, in degrees, by the second moments."""
    rows, columns = np.indices(weights.shape)
    covariance = np.cov(np.stack([columns.ravel(), -rows.ravel()]), aweights=weights.ravel())
    x, y = np.linalg.eigh(covariance)[1][:, -1]
    return math.degrees(math.atan2(-x, y)) % 180


def aspect_law(r):
    """The paper's distribution function: uniform on (0.3, 1) or on (1, 3.3), with probability 1/2 each."""
    return np.where(r < 1, (r - 0.3) / 0.7, 1 + (r - 1) / 2.3) / 2


# --- the laws


def test_area_and_aspect_follow_the_law():
    h, w = patch_sizes(4000, 256, 256, generator=seeded()).double().numpy().T
    assert stats.kstest(h * w / 256**2, stats.uniform(0.02, 0.13).cdf).pvalue > 0.05
    h, w = patch_sizes(4000, 4096, 4096, generator=seeded(1)).double().numpy().T  # so that rounding is too small to see
    assert stats.kstest(h / w, aspect_law).pvalue > 0.05
    assert abs(np.corrcoef(h * w, h / w)[0, 1]) < 0.05


def test_masks_follow_the_law():
    _, masks = cut_paste(noise(600, 1, 64, 64), generator=seeded(2))
    h, w = np.array([box_of(mask)[2:] for mask in masks], dtype=float).T
    assert (masks.sum((1, 2)).numpy() == h * w).all()  # whole rectangles
    assert stats.kstest(h * w / 64**2, stats.uniform(0.02, 0.13).cdf).pvalue > 0.05
    assert (h * w / 64**2).min() >= 0.02 and (h * w / 64**2).max() <= 0.15
    assert abs((h > w).mean() - 0.5) < 0.06


def test_an_aspect_range_without_one_is_uniform():
    h, w = patch_sizes(3000, 4096, 4096, generator=seeded(), aspect=(2, 3)).double().numpy().T
    assert stats.kstest(h / w, stats.uniform(2, 1).cdf).pvalue > 0.05
    sizes = patch_sizes(50, 100, 100, generator=seeded(), area=(0.04, 0.04), aspect=(1, 1))
    assert (sizes == 20).all()


@given(
    height=st.integers(8, 300),
    width=st.integers(8, 300),
    low=st.floats(0.01, 0.9),
    more=st.floats(0, 0.09),
    aspect=st.sampled_from([(0.3, 3.3), (0.01, 0.02), (50, 100)]),
)
def test_a_patch_fits_and_keeps_its_area(height, width, low, more, aspect):
    sizes = patch_sizes(50, height, width, generator=seeded(), area=(low, low + more), aspect=aspect)
    assert (sizes >= 1).all() and (sizes <= torch.tensor([height, width])).all()
    pixels, slack = sizes.prod(1), sizes.max(1).values  # one row or column of pixels, by rounding
    assert (pixels >= low * height * width - slack).all()
    assert (pixels <= (low + more) * height * width + slack).all()


def test_a_patch_too_long_is_made_as_long_as_the_picture():
    sizes = patch_sizes(100, 16, 200, generator=seeded(), area=(0.15, 0.15), aspect=(3, 3))
    assert (sizes == torch.tensor([16, 30])).all()  # 480 pixels; by aspect 3 it would be 38 high


def test_scar_sizes_scale_with_the_picture():
    h, w = scar_sizes(5000, 256, generator=seeded()).double().numpy().T
    assert (h.min(), h.max(), w.min(), w.max()) == (10, 25, 2, 16)
    # rounded, so half a pixel of slack: the ends come half as often as the rest
    assert stats.kstest(h + noise(5000, seed=1).numpy() - 0.5, stats.uniform(10, 15).cdf).statistic < 0.04
    h, w = scar_sizes(5000, 1024, generator=seeded()).double().numpy().T
    assert (h.min(), h.max(), w.min(), w.max()) == (40, 100, 8, 64)
    h, w = scar_sizes(5000, 64, generator=seeded()).double().numpy().T
    assert (h.min(), h.max(), w.min(), w.max()) == (4, 6, 2, 4)
    assert (scar_sizes(9, 28, generator=seeded()) == torch.tensor([4, 2])).all()


# --- what is pasted where


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 5),
    channels=st.sampled_from([1, 3]),
    height=st.integers(16, 80),
    width=st.integers(16, 80),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    jitter=st.sampled_from([0, 0.1, 0.5]),
    augment=st.sampled_from([cut_paste, cut_paste_scar]),
    seed=st.integers(0, 99),
)
def test_only_the_mask_changes(n, channels, height, width, dtype, jitter, augment, seed):
    images = noise(n, channels, height, width, seed=seed, dtype=dtype)
    before = images.clone()
    result, masks = augment(images, generator=seeded(seed), jitter=jitter)
    assert torch.equal(images, before)
    assert result.shape == images.shape and result.dtype == dtype and masks.dtype == torch.bool
    assert result.min() >= 0 and result.max() <= 1
    differs = (result != images).any(1)
    assert not (differs & ~masks).any()
    assert differs.flatten(1).any(1).all()
    assert masks.shape == (n, height, width)
    assert differs[masks].float().mean() > 0.9  # noise differs nearly everywhere


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_without_jitter_the_patch_is_a_part_of_the_picture(channels, dtype):
    images = noise(20, channels, 32, 24).to(dtype)
    result, masks = cut_paste(images, generator=seeded(), jitter=0)
    for image, new, mask in zip(images, result, masks, strict=True):
        top, left, h, w = box_of(mask)
        patch = new[:, top : top + h, left : left + w]
        windows = image.unfold(1, h, 1).unfold(2, w, 1)
        assert (windows == patch[:, None, None]).all(-1).all(-1).all(0).sum() == 1


def test_every_place_is_as_likely():
    _, masks = cut_paste(noise(6000, 1, 12, 12), generator=seeded(3), area=(0.25, 0.25), aspect=(1, 1), jitter=0.5)
    places = torch.tensor([box_of(mask)[:2] for mask in masks])
    assert (places.min(), places.max()) == (0, 6)
    counts = torch.bincount(places[:, 0] * 7 + places[:, 1], minlength=49)
    assert stats.chisquare(counts.numpy()).pvalue > 0.01


def test_every_picture_has_its_own_patch():
    _, masks = cut_paste(noise(50, 1, 64, 64), generator=seeded())
    assert len(masks.flatten(1).unique(dim=0)) > 45


@BOTH
def test_the_generator_decides(augment):
    images = noise(4, 3, 40, 40)
    first, second, other = (augment(images, generator=seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[1], other[1])


def mostly_black(n):
    """Pictures of which many parts look the same, so that some pastes are drawn again."""
    return noise(n, 1, 28, 28) * (noise(n, 1, 28, 28, seed=1) > 0.985)


@BOTH
@pytest.mark.parametrize("images", [noise(30, 3, 70, 90), mostly_black(30)], ids=["noise", "mostly black"])
def test_no_picture_depends_on_its_neighbours(augment, images):
    together, masks = augment(images, generator=seeded(7))
    generator = seeded(7)
    for i in range(len(images)):
        alone, mask = augment(images[i : i + 1], generator=generator)
        assert torch.equal(alone[0], together[i]) and torch.equal(mask[0], masks[i])


def test_three_way():
    images = noise(6, 3, 32, 32)
    generator = seeded(4)
    cut, cut_masks = cut_paste(images, generator=generator, area=(0.1, 0.2), aspect=(1, 2), jitter=0.2)
    scar, scar_masks = cut_paste_scar(
        images, generator=generator, width=(20, 30), height=(60, 90), degrees=(0, 10), jitter=0.2
    )
    batch, labels, masks = three_way(
        images,
        generator=seeded(4),
        area=(0.1, 0.2),
        aspect=(1, 2),
        width=(20, 30),
        height=(60, 90),
        degrees=(0, 10),
        jitter=0.2,
    )
    assert torch.equal(batch, torch.cat([images, cut, scar]))
    assert labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6 and labels.dtype == torch.int64
    assert not masks[:6].any() and torch.equal(masks[6:], torch.cat([cut_masks, scar_masks]))


@BOTH
def test_other_memory_layouts(augment):
    images = noise(4, 3, 40, 48)
    expected, _ = augment(images, generator=seeded())
    assert torch.equal(augment(images.to(memory_format=torch.channels_last), generator=seeded())[0], expected)
    repeated = images[:1].expand(4, -1, -1, -1)
    result, masks = augment(repeated, generator=seeded())
    assert torch.equal(result, augment(repeated.clone(), generator=seeded())[0])
    assert len(masks.flatten(1).unique(dim=0)) == 4
    assert not augment(images.clone().requires_grad_(), generator=seeded())[0].requires_grad


@BOTH
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same(augment):
    images = noise(8, 3, 64, 64)
    expected, masks = augment(images, generator=seeded())
    result, on_gpu = augment(images.cuda(), generator=seeded())
    torch.testing.assert_close(result.cpu(), expected, rtol=0, atol=1e-5)
    assert torch.equal(on_gpu.cpu(), masks)


# --- the jitter


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("group", [1, 100, 2**17])
def test_jitter_is_torchvisions(channels, dtype, group, monkeypatch):
    monkeypatch.setattr("adlib.self_supervised._jitter.GROUP", group)
    sizes = [(9, 7), (1, 1), (4, 30), (12, 12), (2, 3), (5, 5)]
    patches = [noise(channels, *size, seed=i, dtype=dtype) for i, size in enumerate(sizes)]
    patches[3][:] = patches[3][:1]  # grey pixels have no hue
    patches[5] = patches[5].round()  # corners of the colour cube: ties between channels
    factors = torch.tensor(
        [
            [1.1, 0.9, 1.1, 0.1],
            [0.9, 1.1, 0.9, -0.1],
            [1.5, 1.5, 1.5, 0.5],
            [0.5, 0.5, 0.5, -0.5],
            [1, 1, 1, 0],
            [1, 1, 1, 0.37],
        ],
        dtype=torch.float64,
    )
    for patch, result, (b, c, s, h) in zip(patches, jitter_patches(patches, factors), factors.tolist(), strict=True):
        expected = V.adjust_contrast(V.adjust_brightness(patch, b), c)
        expected = V.adjust_hue(V.adjust_saturation(expected, s), h)
        torch.testing.assert_close(result, expected, rtol=0, atol=2e-6)
        assert result.dtype == dtype


def test_the_factors_are_uniform():
    """On a constant picture only brightness shows. Factors too near to 1 to be seen were drawn again."""
    result, masks = cut_paste(torch.full((3000, 1, 8, 8), 0.5), generator=seeded(), jitter=0.3)
    factors = torch.stack([new[0, mask].mean() for new, mask in zip(result, masks, strict=True)]).numpy() / 0.5
    gap = 2 / 510
    assert np.abs(factors - 1).min() > gap
    distances = np.where(factors < 1, factors + gap, factors - gap)
    assert stats.kstest(distances, stats.uniform(0.7 + gap, 0.6 - 2 * gap).cdf).pvalue > 0.05


def test_the_jitter_of_a_paste_is_torchvisions():
    """A row of numbers as the docstring tells it: two of the size, four of the places, four of the jitter."""
    images = noise(3, 3, 40, 40)
    result, masks = cut_paste(images, generator=seeded(8), jitter=0.2)
    rows = torch.rand(3, 2 + 8 * _paste.TRIALS, generator=seeded(8), dtype=torch.float64)
    for image, new, mask, row in zip(images, result, masks, rows, strict=True):
        top, left, h, w = box_of(mask)
        source = [int(u * (40 - size + 1)) for u, size in zip(row[2:4].tolist(), (h, w), strict=True)]
        assert [top, left] == [int(u * (40 - size + 1)) for u, size in zip(row[4:6].tolist(), (h, w), strict=True)]
        b, c, s, turn = (0.2 * (2 * row[6:10] - 1)).tolist()
        patch = image[:, source[0] : source[0] + h, source[1] : source[1] + w]
        patch = V.adjust_contrast(V.adjust_brightness(patch, 1 + b), 1 + c)
        patch = V.adjust_hue(V.adjust_saturation(patch, 1 + s), turn)
        torch.testing.assert_close(new[:, top : top + h, left : left + w], patch, rtol=0, atol=2e-6)


# --- the turn


def turned(patch, degrees, canvas=(40, 40)):
    """The patch times alpha, and alpha, by the module's own functions."""
    angle = torch.tensor([math.radians(degrees)], dtype=torch.float64)
    boxes = _paste._turned_sizes(torch.tensor([patch.shape[1:]]), angle)
    return _paste._turn([patch], angle, boxes, canvas)[0]


@pytest.mark.parametrize("size", [(25, 16), (10, 2), (25, 2), (11, 16), (4, 2)])
@pytest.mark.parametrize("degrees", [-45, -17, 0, 8, 30, 45, 90, 133, 180])
def test_turn_is_scipys(size, degrees):
    patch = noise(1, *size, dtype=torch.float64)
    layers = turned(patch, degrees)
    # scipy gives (output coordinate) -> (input coordinate); rows count downwards
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[cos, sin], [-sin, cos]])
    wide = [side + 6 for side in layers.shape[1:]]  # three pixels more all around, where nothing may be
    offset = (np.array(size) - 1) / 2 + 1 - matrix @ ((np.array(wide) - 1) / 2)
    for layer, source in zip(layers, (patch[0].numpy(), np.ones(size)), strict=True):
        expected = ndimage.affine_transform(np.pad(source, 1), matrix, offset, tuple(wide), order=1, cval=0)
        np.testing.assert_allclose(np.pad(layer.numpy(), 3), expected, atol=1e-9)


@pytest.mark.parametrize("degrees", [-45, -20, 0, 10, 30, 45])
def test_alpha_has_the_area_and_the_angle(degrees):
    for size in [(25, 16), (25, 5), (12, 4), (40, 2)]:
        alpha = turned(torch.ones(1, *size, dtype=torch.float64), degrees)[1].numpy()
        assert alpha.sum() == pytest.approx(math.prod(size), rel=0.04)  # the pixels sample a narrow tent coarsely
        assert alpha.max() <= 1 + 1e-12
        assert (tilt(alpha) - degrees + 90) % 180 - 90 == pytest.approx(0, abs=1)


def test_an_upright_scar_is_its_patch():
    patch = noise(3, 10, 4)
    layers = turned(patch, 0)
    torch.testing.assert_close(layers, torch.cat([patch, torch.ones(1, 10, 4)]), rtol=0, atol=1e-5)


def test_scars_in_pictures_have_size_and_angle():
    images = noise(40, 3, 128, 160)
    for degrees in (-45, -20, 30):
        _, masks = cut_paste_scar(
            images, generator=seeded(), width=(8, 8), height=(48, 48), degrees=(degrees, degrees)
        )  # at 128 px: 4 x 24
        for mask in masks.numpy():
            assert (tilt(mask.astype(float)) - degrees + 90) % 180 - 90 == pytest.approx(0, abs=2)
            assert 4 * 24 < mask.sum() < 6 * 26  # a pixel with a share beyond every edge


def test_degrees_are_uniform():
    _, masks = cut_paste_scar(noise(400, 1, 64, 64), generator=seeded(), width=(8, 8), height=(160, 160))
    angles = [(tilt(mask) + 90) % 180 - 90 for mask in masks.double().numpy()]
    assert stats.kstest(angles, stats.uniform(-45, 90).cdf).pvalue > 0.05


def test_no_dark_seam():
    images = 0.6 + 0.1 * noise(30, 3, 64, 64)
    result, _ = cut_paste_scar(images, generator=seeded(), jitter=0)
    assert result.min() >= 0.6 - 1e-5 and result.max() <= 0.7 + 1e-5


# --- pastes that change nothing


@BOTH
def test_a_paste_that_changes_nothing_is_drawn_again(augment):
    images = mostly_black(500)
    result, _ = augment(images, generator=seeded(), jitter=0)
    assert ((result - images).abs().flatten(1).amax(1) > 1 / 510).all()


@BOTH
@pytest.mark.parametrize("value", [0.2, 1.0])
def test_a_constant_picture_changes_by_jitter_alone(augment, value):
    images = torch.full((50, 3, 32, 32), value)
    result, _ = augment(images, generator=seeded())
    assert ((result - images).abs().flatten(1).amax(1) > 1 / 510).all()
    with pytest.raises(ValueError, match=r"images must change .*, got images\[0\].*constant and jitter=0 is too weak"):
        augment(images, generator=seeded(), jitter=0)


@BOTH
def test_a_black_picture_is_named(augment):
    images = noise(4, 1, 32, 32)
    images[2] = 0
    with pytest.raises(ValueError, match=r"images must change .*, got images\[2\].*after 32 pastes: it is black"):
        augment(images, generator=seeded())


# --- bad input


@BOTH
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 1, 16, 16)), "got ndarray"),
        (torch.zeros(2, 1, 16, 16, dtype=torch.uint8), "got dtype torch.uint8; for 8-bit pictures divide by 255"),
        (torch.zeros(1, 16, 16), r"got shape \(1, 16, 16\)"),
        (torch.zeros(0, 1, 16, 16), r"got shape \(0, 1, 16, 16\)"),
        (torch.full((1, 1, 16, 16), float("nan")), "got NaN"),
        (torch.full((1, 1, 16, 16), 1.5), "got values from 1.5 to 1.5"),
        (torch.zeros(2, 2, 16, 16), r"1 or 3 channels, got shape \(2, 2, 16, 16\)"),
        (torch.zeros(2, 4, 16, 16), r"1 or 3 channels, got shape \(2, 4, 16, 16\)"),
        (torch.zeros(2, 1, 16, 7), r"at least 8 pixels high and wide, got shape \(2, 1, 16, 7\)"),
    ],
)
def test_bad_pictures_are_named(augment, bad, message):
    with pytest.raises(ValueError, match=f"images must .*{message}"):
        augment(bad, generator=seeded())


@pytest.mark.parametrize("generator", [None, 3, np.random.default_rng(0)])
def test_a_bad_generator_is_named(generator):
    images = noise(1, 1, 16, 16)
    calls = [(cut_paste, [images]), (cut_paste_scar, [images]), (patch_sizes, [2, 16, 16]), (scar_sizes, [2, 16])]
    for function, arguments in calls:
        with pytest.raises(ValueError, match=r"generator must be a torch.Generator on the CPU, got"):
            function(*arguments, generator=generator)


PAIRS = [(0.2, 0.1), (0.1,), (0.1, 0.2, 0.3), 0.1, None, ("a", 0.1), (float("nan"), 0.1), (True, 2)]


@pytest.mark.parametrize(
    ("name", "augment", "bad"),
    [
        *(("area", cut_paste, bad) for bad in [*PAIRS, (0, 0.1), (0.1, 1)]),
        *(("aspect", cut_paste, bad) for bad in [*PAIRS, (0, 1), (1, math.inf)]),
        *(("width", cut_paste_scar, bad) for bad in [*PAIRS, (0, 1)]),
        *(("height", cut_paste_scar, bad) for bad in [*PAIRS, (-1, 1)]),
        *(("degrees", cut_paste_scar, bad) for bad in [*PAIRS, (-181, 0), (0, 181)]),
    ],
)
def test_bad_ranges_are_named(name, augment, bad):
    with pytest.raises(ValueError, match=rf"{name} must be two numbers \(least, most\) .*, got"):
        augment(noise(1, 1, 16, 16), generator=seeded(), **{name: bad})
    with pytest.raises(ValueError, match=f"{name} must be two numbers"):
        three_way(noise(1, 1, 16, 16), generator=seeded(), **{name: bad})


@BOTH
@pytest.mark.parametrize("jitter", [-0.1, 0.6, float("nan"), "0.1", None, True])
def test_a_bad_jitter_is_named(augment, jitter):
    with pytest.raises(ValueError, match=r"jitter must be a number in \[0, 0.5\], got"):
        augment(noise(1, 1, 16, 16), generator=seeded(), jitter=jitter)


def test_a_scar_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"width and height must leave a turned scar inside pictures of 64 px, got .*"):
        cut_paste_scar(noise(1, 1, 64, 80), generator=seeded(), height=(10, 256))
    cut_paste_scar(noise(200, 1, 8, 8), generator=seeded(), degrees=(-180, 180))  # the smallest picture holds any


def test_other_bad_arguments_are_named():
    for n in (0, 1.5, True):
        with pytest.raises(ValueError, match="n must be an integer of at least 1"):
            patch_sizes(n, 16, 16, generator=seeded())
        with pytest.raises(ValueError, match="n must be an integer of at least 1"):
            scar_sizes(n, 16, generator=seeded())
    for bad in (7, 16.0):
        with pytest.raises(ValueError, match="height must be an integer of at least 8"):
            patch_sizes(2, bad, 16, generator=seeded())
        with pytest.raises(ValueError, match="width must be an integer of at least 8"):
            patch_sizes(2, 16, bad, generator=seeded())
        with pytest.raises(ValueError, match="side must be an integer of at least 8"):
            scar_sizes(2, bad, generator=seeded())
