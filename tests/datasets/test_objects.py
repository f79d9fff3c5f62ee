"""Drawn objects: a defect and its clean twin differ exactly on the mask, at every size, and what varies varies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from adlib.datasets._factory.objects import DEFECTS, DRAW, shapes

FLAWS = [(name, defect) for name, defects in DEFECTS.items() for defect in defects]


def draw(name: str, seed: int, size: int, defect: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    return DRAW[name](np.random.default_rng(seed), size, defect)


def test_every_object_has_at_least_three_defects():
    assert set(DRAW) == set(DEFECTS) == {"nut", "bottle", "capsule", "cable"}
    for defects in DEFECTS.values():
        assert len(defects) == len(set(defects)) >= 3


@pytest.mark.parametrize("size", [64, 100, 128, 256])
@pytest.mark.parametrize("name", DRAW)
def test_a_scene_is_a_picture_with_an_empty_mask(name, size):
    picture, mask = draw(name, 1, size)
    assert picture.shape == (size, size, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert picture.std() > 0.05
    assert mask.shape == (size, size) and mask.dtype == bool and not mask.any()


@pytest.mark.parametrize(("name", "defect"), FLAWS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([64, 96, 128]))
def test_the_mask_is_what_the_defect_changed(name, defect, seed, size):
    clean, _ = draw(name, seed, size)
    picture, mask = draw(name, seed, size, defect)
    assert picture.shape == clean.shape and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert mask.shape == (size, size) and mask.dtype == bool
    np.testing.assert_array_equal(picture[~mask], clean[~mask])

    # neither a speck nor the whole picture, and a person sees it
    change = np.abs(picture - clean).max(2)
    assert 0.001 <= mask.mean() <= 0.25
    assert change[mask].mean() > 0.05
    # compact: most of the mask changed visibly, and no gap of a pixel or two is left
    assert (change[mask] > shapes.VISIBLE).mean() > 0.5
    np.testing.assert_array_equal(ndimage.binary_fill_holes(mask), mask)


@pytest.mark.parametrize(("name", "defect"), FLAWS)
def test_no_defect_is_ever_lost(name, defect):
    masks = [draw(name, 1000 + seed, 64, defect)[1] for seed in range(40)]
    areas = [mask.mean() for mask in masks]
    assert min(areas) >= 0.001 and max(areas) <= 0.25
    assert len({mask.tobytes() for mask in masks}) == 40  # another seed, another defect


@pytest.mark.parametrize(("name", "defect"), [*FLAWS, *((name, None) for name in DRAW)])
def test_the_generator_alone_decides(name, defect):
    first, second, other = (draw(name, seed, 64, defect) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert np.abs(first[0] - other[0]).mean() > 0.002


@pytest.mark.parametrize("name", DRAW)
def test_a_picture_at_another_size_is_the_same_scene(name):
    """Features scale: the large picture, reduced, is the small one but for the sharpness of its edges."""
    small, large = draw(name, 3, 64)[0], draw(name, 3, 128)[0]
    reduced = large.reshape(64, 2, 64, 2, 3).mean((1, 3))
    other = draw(name, 4, 64)[0]
    assert np.abs(reduced - small).mean() < 0.5 * np.abs(other - small).mean()
    assert np.abs(reduced - small).mean() < 0.02


@pytest.mark.parametrize("name", DRAW)
def test_normal_pictures_vary(name):
    """Pose, light and batch: the deviation of a pixel over pictures lies well above a camera's noise of 0.01."""
    pictures = np.stack([draw(name, seed, 64)[0] for seed in range(20)])
    assert pictures.std(0).mean() > 0.02
    assert pictures.mean((1, 2)).std(0).min() > 0.002


# what they are drawn with


def test_a_mask_is_compact_and_what_lies_outside_is_taken_back():
    clean = np.full((64, 64, 3), 0.5, np.float32)
    flawed = clean.copy()
    flawed[20:30, 20:30] = 0.8
    flawed[24, 24] = 0.5  # a gap inside
    flawed[26, 21:28] = 0.5  # and a slit
    flawed[50, 50] = 0.9  # a speck apart
    flawed[5:15, 5:15] += 0.01  # too faint to be seen
    picture, mask = shapes.changed(clean, flawed)
    expected = np.zeros((64, 64), bool)
    expected[20:30, 20:30] = True
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(picture[~expected], clean[~expected])
    np.testing.assert_array_equal(picture[expected], flawed[expected])


def test_nothing_changed_gives_an_empty_mask():
    clean = np.full((32, 32, 3), 0.5, np.float32)
    picture, mask = shapes.changed(clean, clean.copy())
    assert not mask.any()
    np.testing.assert_array_equal(picture, clean)


def test_a_mask_reaches_the_edge_of_the_picture():
    clean = np.zeros((64, 64, 3), np.float32)
    flawed = clean.copy()
    flawed[:10, 30:40] = 1
    np.testing.assert_array_equal(shapes.changed(clean, flawed)[1], flawed[..., 0] > 0)


@pytest.mark.parametrize(("cells", "stretch"), [(4, 1), (40, 1), (90, 8)])
def test_noise_has_mean_0_and_deviation_1(cells, stretch):
    fields = np.stack([shapes.noise(np.random.default_rng(seed), 64, cells, stretch) for seed in range(60)])
    assert fields.shape == (60, 128, 128) and fields.dtype == np.float32
    assert abs(fields.mean()) < 0.1
    assert fields.std() == pytest.approx(1, abs=0.12)


def test_stretched_noise_is_longer_along_y():
    field = shapes.noise(np.random.default_rng(0), 64, 64, 8)
    assert np.abs(np.diff(field, axis=1)).mean() > 4 * np.abs(np.diff(field, axis=0)).mean()


def test_noise_is_the_spline_of_scipy():
    """Row by row: a cubic B-spline whose coefficients are the random lattice."""
    size, cells = 32, 7
    lattice = np.random.default_rng(2).standard_normal((cells + 3, cells + 3), dtype=np.float32) * 2.1
    at = (np.arange(2 * size) + 0.5) / (2 * size) * cells + 1
    expected = ndimage.map_coordinates(lattice, np.meshgrid(at, at, indexing="ij"), order=3, prefilter=False)
    np.testing.assert_allclose(shapes.noise(np.random.default_rng(2), size, cells), expected, atol=1e-4)


def test_normals_of_a_tilted_plane():
    x, y = shapes.grid(64)
    nx, ny, nz = (field[5:-5, 5:-5] for field in shapes.normals(0.5 * x - 0.25 * y, 64))
    length = np.sqrt(1 + 0.5**2 + 0.25**2)
    for field, expected in ((nx, -0.5), (ny, 0.25), (nz, 1)):
        np.testing.assert_allclose(field, expected / length, atol=1e-3)


def test_a_mirror_that_faces_halfway_shows_the_lamp():
    """A lamp at elevation 60 degrees lies 30 degrees off the zenith: a mirror tilted by 15 degrees shows it."""
    lamp = [(0.0, np.pi / 3, 1.0, 50.0)]
    tilts = np.deg2rad(np.arange(-40, 41)).astype(np.float32)
    light = shapes.mirror((np.sin(tilts), np.zeros_like(tilts), np.cos(tilts)), lamp, 0.0, 0.0)
    assert np.rad2deg(tilts[light.argmax()]) == pytest.approx(15, abs=1e-3)
    assert light.max() == pytest.approx(1, abs=1e-4)


def test_a_shadow_falls_away_from_the_lamp():
    x, y = shapes.grid(64)
    disc = shapes.cover(np.hypot(x, y) - 0.3, 0.02)
    cast = shapes.shadow(disc, 64, 0.0, 0.2, 0.02)  # the lamp stands to the right
    assert (cast * x).sum() / cast.sum() == pytest.approx(-0.2, abs=0.02)
    assert (cast * y).sum() / cast.sum() == pytest.approx(0, abs=0.01)


def test_linear_light_is_developed_under_the_gamma():
    light = np.full((3, 8, 8), 0.5, np.float32)
    np.testing.assert_allclose(shapes.developed(light), 0.5 ** (1 / 2.2), rtol=1e-5)
    bright = shapes.developed(np.full((3, 8, 8), 50, np.float32))
    assert bright.shape == (4, 4, 3) and 0.99 < bright.min() <= bright.max() <= 1
    assert shapes.developed(np.full((3, 8, 8), -1, np.float32)).max() == 0
