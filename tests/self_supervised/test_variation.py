"""Shift, jitter and crop of whole pictures."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adlib.self_supervised.variation import varied


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(n, height, width):
    """Grey pictures of which every pixel has its own value."""
    values = torch.arange(height * width, dtype=torch.float64).view(1, 1, height, width) / (height * width)
    return values.expand(n, -1, -1, -1)


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 40), st.integers(8, 40), st.floats(0, 0.5), st.integers(0, 99))
def test_a_shift_mirrors_at_the_edges(height, width, translation, seed):
    images = numbered(3, height, width)
    out = varied(images, generator=generator(seed), translation=translation, jitter=0)
    limits = round(translation * height), round(translation * width)
    padded = torch.nn.functional.pad(images, (limits[1],) * 2 + (limits[0],) * 2, mode="reflect")
    for i in range(3):
        found = [
            (dy, dx)
            for dy in range(2 * limits[0] + 1)
            for dx in range(2 * limits[1] + 1)
            if torch.allclose(out[i], padded[i, :, dy : dy + height, dx : dx + width])
        ]
        assert found


def test_shifts_are_uniform_in_whole_pixels():
    out = varied(numbered(4000, 20, 20), generator=generator(), translation=0.1, jitter=0)
    middle = (out[:, 0, 10, 10] * 400).round().long()
    rows, columns = middle // 20 - 10, middle % 20 - 10
    for shifts in (rows, columns):
        counts = torch.bincount(shifts + 2, minlength=5)  # -2 .. 2; the ends are rounded from half an interval
        expected = torch.tensor([500.0, 1000, 1000, 1000, 500])
        assert ((counts - expected).square() / expected).sum() < 18.5  # chi squared, 4 degrees, 0.1 %
    assert abs(torch.corrcoef(torch.stack([rows, columns]).double())[0, 1]) < 0.06


def test_without_shift_and_jitter_nothing_changes_and_the_input_never_does():
    images = torch.rand(4, 3, 16, 12)
    before = images.clone()
    assert torch.equal(varied(images, generator=generator(), translation=0, jitter=0), images)
    moved = varied(images, generator=generator())
    assert torch.equal(images, before) and not torch.equal(moved, images)
    assert moved.shape == images.shape and moved.dtype == images.dtype
    assert moved.min() >= 0 and moved.max() <= 1


def test_jitter_is_torchvisions_on_the_whole_picture():
    from torchvision.transforms import functional as T

    images = torch.rand(5, 3, 9, 9, dtype=torch.float64)
    out = varied(images, generator=generator(3), translation=0, jitter=0.3)
    factors = 1 + 0.3 * (2 * torch.rand(5, 8, generator=generator(3), dtype=torch.float64)[:, 4:] - 1)
    for picture, result, (b, c, s, h) in zip(images, out, factors.tolist(), strict=True):
        expected = T.adjust_saturation(T.adjust_contrast(T.adjust_brightness(picture, b), c), s)
        torch.testing.assert_close(result, T.adjust_hue(expected, h - 1), atol=1e-6, rtol=0)


def test_crops_lie_inside_and_reach_every_corner():
    out = varied(numbered(500, 12, 10), generator=generator(), translation=0, jitter=0, crop=8)
    corners = {divmod(round(v * 120), 10) for v in out[:, 0, 0, 0].tolist()}
    assert out.shape == (500, 1, 8, 8)
    assert corners == {(row, column) for row in range(5) for column in range(3)}
    assert varied(numbered(1, 12, 10), generator=generator(), crop=11).shape == (1, 1, 11, 10)


def test_same_generator_same_result():
    images = torch.rand(3, 1, 16, 16)
    assert torch.equal(varied(images, generator=generator(1)), varied(images, generator=generator(1)))
    assert not torch.equal(varied(images, generator=generator(1)), varied(images, generator=generator(2)))


@pytest.mark.parametrize("name", ["translation", "jitter"])
def test_bad_ranges(name):
    with pytest.raises(ValueError, match=rf"{name} must be a number in \[0, 0.5\], got 0.6"):
        varied(torch.rand(1, 1, 9, 9), generator=generator(), **{name: 0.6})
