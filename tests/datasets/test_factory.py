"""The factory: layout, exact masks, determinism, and that it is neither trivial nor impossible."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from scipy.interpolate import BSpline

from adlib.baselines import MeanPicture
from adlib.datasets import factory
from adlib.datasets._factory.photograph import noise, photograph, reduced
from adlib.datasets.factory import CATEGORIES, DEFECTS, OBJECTS, TEXTURES, make_factory, sample
from adlib.datasets.inspection import mvtec, picture_folder
from adlib.metrics import auroc

KINDS = [(category, defect) for category in CATEGORIES for defect in DEFECTS[category]]
SMALL = {"size": 64, "train": 3, "good": 2, "defective": 2, "progress": False}


def draw(category, defect, size, seed):
    """The scene before the camera, and its mask."""
    return factory._DRAW[category](np.random.default_rng(seed), size, defect)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# what there is


def test_there_are_textures_and_objects_with_three_kinds_of_defect_or_more():
    assert (*TEXTURES, *OBJECTS) == CATEGORIES and len(TEXTURES) >= 3 and len(OBJECTS) >= 3
    assert set(DEFECTS) == set(CATEGORIES) == set(factory._DRAW)
    for defects in DEFECTS.values():
        assert len(defects) >= 3 and list(defects) == sorted(set(defects)) and "good" not in defects


# scenes and masks


@pytest.mark.parametrize(("category", "defect"), KINDS)
def test_the_mask_is_exact(category, defect):
    for seed in range(4):
        good, none = draw(category, None, 64, seed)
        bad, mask = draw(category, defect, 64, seed)
        assert good.shape == bad.shape == (64, 64, 3) and mask.shape == none.shape == (64, 64)
        assert good.dtype == bad.dtype == np.float32 and mask.dtype == none.dtype == bool
        assert min(good.min(), bad.min()) >= 0 and max(good.max(), bad.max()) <= 1
        assert not none.any()
        change = np.abs(bad - good).max(axis=2)
        assert change[~mask].max() == 0
        assert 0.001 <= mask.mean() <= 0.25
        # Most of the mask is really changed, and a part of it so much that one sees it.
        assert (change[mask] > 0.015).mean() > 0.5
        assert np.quantile(change[mask], 0.9) > 0.06


@pytest.mark.parametrize("category", CATEGORIES)
def test_defects_are_in_many_places_and_of_many_sizes(category):
    areas = []
    for defect in DEFECTS[category]:
        masks = [draw(category, defect, 64, seed)[1] for seed in range(5)]
        centres = np.array([ndimage.center_of_mass(mask) for mask in masks])
        assert np.linalg.norm(centres - centres.mean(axis=0), axis=1).max() > 2
        areas += [mask.mean() for mask in masks]
    assert max(areas) > 3 * min(areas)


@pytest.mark.parametrize("category", CATEGORIES)
def test_features_scale_with_the_size(category):
    """The same generator draws the same scene at every size."""
    defect = DEFECTS[category][0]
    small, mask = draw(category, defect, 64, 5)
    for size in (128, 256):
        large, large_mask = draw(category, defect, size, 5)
        again = reduced(large, size // 64)
        assert large.shape == (size, size, 3)
        assert np.corrcoef(small.ravel(), again.ravel())[0, 1] > 0.8
        share = reduced(large_mask[..., None].astype(np.float32), size // 64)[..., 0] > 0.5
        assert (share & mask).sum() > 0.6 * (share | mask).sum()


# the camera


def test_the_camera_moves_nothing_and_keeps_the_light():
    scene = np.full((64, 64, 3), 0.2, np.float32)
    scene[20:28, 40:52] = 0.8
    seen = np.stack([photograph(np.random.default_rng(seed), scene) for seed in range(40)])
    assert seen.dtype == np.float32 and seen.min() >= 0 and seen.max() <= 1
    mean = seen.mean(axis=0)
    np.testing.assert_array_equal(mean > 0.5, scene > 0.5)
    assert np.abs(mean - scene)[:18].max() < 0.03
    exposure = seen[:, :16].mean(axis=(1, 2, 3))
    assert 0.003 < exposure.std() < 0.02
    grain = (seen[0] - ndimage.gaussian_filter(seen[0], (2, 2, 0)))[:16, :36]
    assert 0.001 < grain.std() < 0.01


def test_random_fields():
    field = noise(np.random.default_rng(0), (200, 300), (4.0, 20.0), octaves=2)
    assert field.shape == (200, 300) and field.dtype == np.float32
    assert abs(field.mean()) < 0.1 and 0.9 < field.std() < 1.1
    steps = [np.abs(np.diff(field, axis=axis)).mean() for axis in (0, 1)]
    assert 3 < steps[0] / steps[1] < 7  # five times as long along columns

    rng = np.random.default_rng(3)
    knots = rng.standard_normal((14, 14), dtype=np.float32)
    down, right = ((np.arange(20) + 0.5) / 2 + rng.uniform(1, 2) for _ in range(2))
    spline = BSpline(  # SciPy's, by the recursion of Cox and de Boor
        np.arange(-2, 16), np.eye(14), 3
    )
    expected = spline(down) @ knots @ spline(right).T / 0.479
    np.testing.assert_allclose(noise(np.random.default_rng(3), (20, 20), 2.0), expected, atol=1e-4)


# neither trivial nor impossible


@cache
def shots(category):
    """60 + 80 flawless and 80 or so defective photographs at 64 px, (N, 3, H, W) in steps of 1/255, and the labels."""
    defects = DEFECTS[category]
    each = -(-80 // len(defects))
    jobs = [(None, i) for i in range(140)] + [(defect, 200 + i) for defect in defects for i in range(each)]
    pictures = np.stack([factory._picture(category, defect, 64, 11, i)[0] for defect, i in jobs])
    pictures = torch.from_numpy((pictures * 255).round() / 255).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor([int(defect is not None) for defect, _ in jobs[60:]])
    return pictures[:60], pictures[60:], labels


@pytest.mark.parametrize("category", CATEGORIES)
def test_plain_pixel_differences_do_not_solve_it(category):
    train, test, labels = shots(category)
    detector = MeanPicture()
    detector.fit(train)
    scores = {
        "in standard deviations": detector.anomaly_score(test),
        "squared": (test - train.mean(dim=0)).square().flatten(1).mean(1),
    }
    for name, score in scores.items():
        assert 0.5 <= auroc(labels, score) <= 0.85, name


def patches(pictures):
    """(N, 3, 64, 64) to (L, N, 75): 5 x 5 patches at half the resolution, the picture's mean and contrast removed."""
    pictures = pictures - pictures.mean(dim=(1, 2, 3), keepdim=True)
    pictures = pictures / pictures.std(dim=(1, 2, 3), keepdim=True)
    columns = torch.nn.functional.unfold(torch.nn.functional.avg_pool2d(pictures, 2), 5)
    return columns.permute(2, 0, 1)


def nearest(memory, queries, side, reach=2):
    """Distance of each patch (L, M, D) to the nearest in memory (L, N, D) at most reach steps away: (M, side, side)."""
    memory = memory.unflatten(0, (side, side))
    rows = []
    for i, line in enumerate(queries.unflatten(0, (side, side))):
        for j, query in enumerate(line):
            near = memory[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
            rows.append(torch.cdist(query, near.flatten(0, 2)).amin(1))
    return torch.stack(rows, dim=1).unflatten(1, (side, side))


@pytest.mark.parametrize("category", CATEGORIES)
def test_small_patches_solve_it(category):
    """Nearest neighbours among whitened patches of flawless pictures, in units of how far those are from each other."""
    train, test, labels = shots(category)
    known, held, asked = patches(train[:40]), patches(train[40:]), patches(test)
    mean = known.mean(dim=(0, 1))
    power, axes = torch.linalg.eigh(torch.cov((known - mean).flatten(0, 1).T))
    white = axes[:, -30:] / (power[-30:] + 1e-3 * power.mean()).sqrt()
    side = round(len(known) ** 0.5)
    usual, maps = (nearest((known - mean) @ white, (part - mean) @ white, side) for part in (held, asked))
    blurred = (ndimage.gaussian_filter(values.numpy(), 1) for values in (usual.mean(dim=0), usual.std(dim=0)))
    middle, spread = map(torch.from_numpy, blurred)
    score = ((maps - middle) / spread).flatten(1).topk(5).values.mean(1)
    assert auroc(labels, score) >= 0.85


# on disk


def test_the_layout_is_that_of_mvtec_ad(tmp_path):
    folder = make_factory(tmp_path, categories=["carpet", "nut"], **SMALL)
    assert folder == tmp_path.resolve() / "factory"
    assert sorted(path.name for path in folder.iterdir()) == ["carpet", "nut"]
    for category in ("carpet", "nut"):
        expected = {f"train/good/{i:03d}.png" for i in range(3)} | {f"test/good/{i:03d}.png" for i in range(2)}
        for defect in DEFECTS[category]:
            expected |= {f"test/{defect}/{i:03d}.png" for i in range(2)}
            expected |= {f"ground_truth/{defect}/{i:03d}_mask.png" for i in range(2)}
        assert set(contents(folder / category)) == expected | {"readme.txt"}
        for name in expected:
            with Image.open(folder / category / name) as file:
                pixels = np.asarray(file)
                assert file.size == (64, 64) and file.mode == ("L" if "ground_truth" in name else "RGB")
            if "ground_truth" in name:
                assert set(np.unique(pixels)) == {0, 255}
        settings = json.loads((folder / category / "readme.txt").read_text().splitlines()[-1])
        assert settings["train"] == 3 and settings["seed"] == 0


def test_the_loader_of_mvtec_ad_reads_it(tmp_path):
    folder = make_factory(tmp_path, categories=["leather"], **SMALL)
    for data in (mvtec("leather", root=folder, size=64), picture_folder(folder / "leather", size=64)):
        assert len(data.train) == 3 and len(data.test) == 2 + 2 * len(DEFECTS["leather"])
        assert data.test_labels.sum() == 2 * len(DEFECTS["leather"])
        assert set(data.test_kinds) == {"good", *DEFECTS["leather"]}
        assert data.train[0].shape == (3, 64, 64) and data.train[0].dtype == torch.float32
        for label, mask in zip(data.test_labels, data.test_masks, strict=True):
            assert mask.any() == bool(label)


def test_same_seed_same_bytes(tmp_path):
    first, again, other = (
        contents(make_factory(tmp_path / name, categories=["wood", "bottle"], seed=seed, **SMALL))
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert first == again
    assert first.keys() == other.keys()
    assert not [name for name in first if name.endswith(".png") and first[name] == other[name]]
    pictures = [name for name in first if name.endswith(".png") and "mask" not in name]
    assert len({first[name] for name in pictures}) == len(pictures)


def test_asking_for_more_changes_none(tmp_path):
    few = contents(make_factory(tmp_path / "few", categories=["grid"], **SMALL))
    more = {**SMALL, "train": 5, "good": 4, "defective": 3}
    many = contents(make_factory(tmp_path / "many", categories=["carpet", "grid"], **more))
    assert all(many[name] == data for name, data in few.items() if name.endswith(".png"))


def test_an_interrupted_run_keeps_whole_categories_only(tmp_path, monkeypatch):
    draw_one, count = factory._picture, 0

    def tired(category, *arguments):
        nonlocal count
        count += category == "wood"
        if count > 4:
            raise KeyboardInterrupt
        return draw_one(category, *arguments)

    call = {"categories": ["grid", "wood"], **SMALL}
    monkeypatch.setattr(factory, "_picture", tired)
    with pytest.raises(KeyboardInterrupt):
        make_factory(tmp_path, **call)
    folder = tmp_path / "factory"
    assert [path.name for path in folder.iterdir()] == ["grid"]
    before = contents(folder)

    monkeypatch.setattr(factory, "_picture", draw_one)
    make_factory(tmp_path, **call)
    after = contents(folder)
    assert {name: data for name, data in after.items() if name.startswith("grid")} == before
    assert after == contents(make_factory(tmp_path / "whole", **call))

    monkeypatch.setattr(factory, "_picture", None)  # nothing is drawn that is there already
    assert make_factory(tmp_path, **call) == folder.resolve()


def test_what_is_there_is_not_written_over(tmp_path):
    make_factory(tmp_path, categories=["grid"], **SMALL)
    with pytest.raises(ValueError, match="generated with other settings"):
        make_factory(tmp_path, categories=["grid"], **{**SMALL, "train": 4})
    (tmp_path / "factory" / "wood").mkdir()
    (tmp_path / "factory" / "wood" / "mine.txt").write_text("precious")
    with pytest.raises(ValueError, match="holds something else"):
        make_factory(tmp_path, categories=["wood"], **SMALL)
    assert (tmp_path / "factory" / "wood" / "mine.txt").read_text() == "precious"


def test_a_bar_for_each_category(tmp_path, capsys):
    make_factory(tmp_path, categories=["grid"], **{**SMALL, "progress": True})
    assert "grid: 100%" in capsys.readouterr().err
    make_factory(tmp_path / "silent", categories=["grid"], **SMALL)
    assert capsys.readouterr().err == ""


# single pictures


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_sample_and_its_twin(category):
    defect = DEFECTS[category][-1]
    picture, mask = sample(category, defect, size=64, seed=3)
    twin, none = sample(category, size=64, seed=3)
    assert picture.shape == (64, 64, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert mask.shape == (64, 64) and mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1}
    assert not none.any()
    far = ndimage.distance_transform_edt(mask == 0) > 4  # the lens blurs the edge of the mask
    np.testing.assert_allclose(picture[far], twin[far], atol=1e-5)
    assert np.abs(picture - twin)[mask == 1].mean() > 0.02
    np.testing.assert_array_equal(sample(category, defect, size=64, seed=3)[0], picture)
    assert not np.allclose(sample(category, defect, size=64, seed=4)[0], picture, atol=0.05)


# arguments


def test_unknown_names_list_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"category must be one of carpet, grid, leather, wood, .*; got 'sofa'"):
        sample("sofa")
    with pytest.raises(ValueError, match=r"defect of wood must be None or one of hole, liquid, .*; got 'bent'"):
        sample("wood", "bent")
    for categories in (["carpet", "sofa"], "carpet", [], [None], 3):
        with pytest.raises(ValueError, match=r"categories must be a list of names from carpet, grid, .*; got"):
            make_factory(tmp_path, categories=categories)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [63, 0, -64, 513, 64.0, True, "128", None])
def test_sizes_that_are_not_drawn(tmp_path, size):
    for call in (lambda: sample("wood", size=size), lambda: make_factory(tmp_path, size=size)):
        with pytest.raises(ValueError, match="size must be a whole number of pixels from 64 to 512, got"):
            call()


@pytest.mark.parametrize("name", ["train", "good", "defective"])
@pytest.mark.parametrize("count", [0, -1, 2.5, True, "3"])
def test_counts_start_at_one(tmp_path, name, count):
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got"):
        make_factory(tmp_path, **{name: count})
    assert not list(tmp_path.iterdir())


def test_seeds_and_switches(tmp_path):
    for seed in (-1, 0.5, None):
        with pytest.raises(ValueError, match="seed must be an integer of at least 0"):
            sample("wood", seed=seed)
        with pytest.raises(ValueError, match="seed must be an integer of at least 0"):
            make_factory(tmp_path, seed=seed)
    with pytest.raises(ValueError, match="progress must be True or False, got 1"):
        make_factory(tmp_path, progress=1)
    with pytest.raises(ValueError, match="root must be the path of a folder, got 3"):
        make_factory(3)
