"""Drawn fundus photographs: the layout of LAG, true outlines, classes that overlap, neither trivial nor impossible."""

import csv
import inspect
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from adlib.baselines import MeanPicture
from adlib.datasets import fundus
from adlib.datasets._fundus import eye as _eye
from adlib.datasets._fundus import retina as _retina
from adlib.datasets._fundus import vessels as _vessels
from adlib.datasets.fundus import KINDS, make_fundus, sample
from adlib.datasets.medical import lag
from adlib.metrics import auroc


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make_fundus(tmp_path_factory.mktemp("data"), healthy=80, glaucoma=40, seed=3, progress=False)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "eyes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def mask(folder: Path, part: str, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / "outlines" / part / f"{name}.png"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tall(region: np.ndarray) -> int:
    """Rows from the first to the last pixel of a region."""
    return int(np.ptp(np.flatnonzero(region.any(1)))) + 1


# files


def test_the_layout_is_that_of_lag(made):
    assert made.name == "fundus"
    odd, even = [f"{2 * i + 1:04d}" for i in range(80)], [f"{2 * i + 2:04d}" for i in range(40)]
    expected = {"readme.txt", "eyes.csv"}
    for kind, names in zip(KINDS, (odd, even), strict=True):
        expected |= {f"{kind}/image/{name}.jpg" for name in names} | {f"{kind}/label/{name}.txt" for name in names}
    expected |= {f"outlines/{part}/{name}.png" for part in ("disc", "cup") for name in odd + even}
    found = contents(made)
    assert set(found) == expected
    for label, kind in enumerate(KINDS):
        assert {found[name].strip() for name in found if name.startswith(f"{kind}/label")} == {b"%d" % label}
        for path in (made / kind / "image").iterdir():
            with Image.open(path) as picture:
                assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (128, 128))


def test_lag_reads_it(made):
    data = lag(root=made, size=128)
    assert len(data.train) == 64 and len(data.test) == 16 + 40
    assert data.test_labels.tolist() == [0] * 16 + [1] * 40
    assert all(f"/{kind}/" in file.as_posix() for file, kind in zip(data.test.files, data.test_kinds, strict=True))
    assert data.train[0].shape == (3, 128, 128) and data.train[0].max() > 0.4
    assert {Path(told.rsplit(":", 1)[0]).name for told in data.skipped} <= {"outlines", "eyes.csv", "readme.txt"}


def test_the_table_tells_what_was_drawn(made):
    rows = table(made)
    assert list(rows[0]) == ["picture", "glaucoma", "eye", "cup_to_disc", "age", "notch", "haemorrhage", "fibre_defect"]
    assert len({row["picture"] for row in rows}) == 120
    for row in rows:
        assert int(row["picture"]) % 2 == 1 - int(row["glaucoma"])
        assert (made / KINDS[int(row["glaucoma"])] / "image" / f"{row['picture']}.jpg").is_file()
        disc, cup = mask(made, "disc", row["picture"]), mask(made, "cup", row["picture"])
        assert set(np.unique(disc)) == set(np.unique(cup)) == {0, 255}
        assert abs(tall(cup > 0) - float(row["cup_to_disc"]) * tall(disc > 0)) < 2
        if row["glaucoma"] == "0":
            assert row["notch"] == row["fibre_defect"] == "0"
        assert 0 <= float(row["age"]) <= 1
    assert {row["notch"] for row in rows} == {row["fibre_defect"] for row in rows} == {"0", "1"}


@pytest.mark.parametrize("glaucoma", [False, True])
def test_sample_is_the_first_picture_of_its_class(made, glaucoma):
    one = sample(glaucoma, seed=3)
    name = "0002" if glaucoma else "0001"
    written = np.asarray(Image.open(made / KINDS[glaucoma] / "image" / f"{name}.jpg")) / 255
    assert np.abs(written - one.picture).max() < 0.12 and np.abs(written - one.picture).mean() < 0.01
    np.testing.assert_array_equal(mask(made, "disc", name) > 0, one.disc)
    np.testing.assert_array_equal(mask(made, "cup", name) > 0, one.cup)
    row = next(row for row in table(made) if row["picture"] == name)
    assert abs(float(row["cup_to_disc"]) - one.cup_to_disc) < 1e-4


def test_equal_seeds_give_equal_files_and_more_pictures_change_none(tmp_path):
    small, again, more, other = (
        contents(make_fundus(tmp_path / str(number), size=64, progress=False, **asked))
        for number, asked in enumerate(
            (
                {"healthy": 2, "glaucoma": 1},
                {"healthy": 2, "glaucoma": 1},
                {"healthy": 3, "glaucoma": 4},
                {"healthy": 2, "glaucoma": 1, "seed": 1},
            )
        )
    )
    assert small == again
    kept = set(small) - {"readme.txt", "eyes.csv"}
    assert all(more[name] == small[name] for name in kept) and len(more) > len(small)
    assert set(small["eyes.csv"].splitlines()) < set(more["eyes.csv"].splitlines())
    pictures = [name for name in small if name.endswith(".jpg")]
    assert not any(other[name] == small[name] for name in pictures)
    assert len({small[name] for name in pictures}) == 3


def test_a_set_is_whole_or_not_there(tmp_path, monkeypatch):
    asked = {"size": 64, "healthy": 2, "glaucoma": 1, "progress": False}
    drawn = []

    def failing(*arguments):
        drawn.append(1)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return _retina.draw(*arguments)

    monkeypatch.setattr(fundus, "draw", failing)
    with pytest.raises(KeyboardInterrupt):
        make_fundus(tmp_path, **asked)
    assert list(tmp_path.iterdir()) == []
    folder = make_fundus(tmp_path, **asked)
    assert len(drawn) == 6
    before = contents(folder)
    assert make_fundus(tmp_path, **asked) == folder and len(drawn) == 6
    with pytest.raises(ValueError, match="other settings"):
        make_fundus(tmp_path, **{**asked, "glaucoma": 2})
    assert contents(folder) == before and len(drawn) == 6


def test_it_goes_to_the_data_folder_and_shows_a_bar_if_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ADLIB_DATA", str(tmp_path))
    assert make_fundus(size=64, healthy=1, glaucoma=1, progress=False) == tmp_path.resolve() / "fundus"
    assert capsys.readouterr().err == ""
    make_fundus(tmp_path / "other", size=64, healthy=1, glaucoma=1)
    assert "2/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("size", value) for value in (63, 513, 128.0, True, "128", None, (128, 128))),
        *((name, value) for name in ("healthy", "glaucoma") for value in (0, -1, 2.0, True, None)),
        *(("seed", value) for value in (-1, 0.5, True, None, 2**63)),
        *(("progress", value) for value in (1, None, "yes")),
        ("root", 5),
    ],
)
def test_a_bad_argument_is_named(tmp_path, name, value):
    with pytest.raises(ValueError, match=name):
        make_fundus(**{"root": tmp_path, "progress": False, name: value})
    assert list(tmp_path.iterdir()) == []
    if name in inspect.signature(sample).parameters and name != "glaucoma":
        with pytest.raises(ValueError, match=name):
            sample(True, **{name: value})


@pytest.mark.parametrize("value", [1, 0, None, "glaucoma"])
def test_the_class_of_a_sample_is_true_or_false(value):
    with pytest.raises(ValueError, match="glaucoma"):
        sample(value)


# pictures


@settings(max_examples=25, deadline=None)
@given(st.booleans(), st.sampled_from([64, 97, 128, 200]), st.integers(0, 2**63 - 1))
def test_every_picture_keeps_its_promises(glaucoma, size, seed):
    picture, disc, cup, ratio = sample(glaucoma, size=size, seed=seed)
    assert picture.shape == (size, size, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert disc.shape == cup.shape == (size, size) and disc.dtype == cup.dtype == bool
    assert cup.any() and not (cup & ~disc).any() and disc.sum() > cup.sum()
    for region in (disc, cup):
        filled = ndimage.binary_fill_holes(region)
        assert ndimage.label(region)[1] == 1 and (filled == region).all()
    assert isinstance(ratio, float) and 0 < ratio < 1
    assert abs(tall(cup) - ratio * tall(disc)) < 2
    # a round field of view in the dark, with the whole disc in it
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    outside = np.hypot(rows, columns) > 0.53 * size
    assert picture[outside].max() < 0.2 and picture[outside].mean() < 0.02
    assert np.hypot(rows, columns)[disc].max() < 0.5 * size
    red, green, blue = picture[np.hypot(rows, columns) < 0.3 * size].mean(0)
    assert red > 1.3 * green > 1.3 * blue and red > 0.15


@pytest.mark.parametrize("glaucoma", [False, True])
def test_a_seed_is_the_same_eye_at_every_size(glaucoma):
    for seed in range(3):
        small, large = sample(glaucoma, size=64, seed=seed), sample(glaucoma, size=256, seed=seed)
        assert small.cup_to_disc == large.cup_to_disc
        fewer = large.picture.reshape(64, 4, 64, 4, 3).mean((1, 3))
        assert np.abs(fewer - small.picture).mean() < 0.015
        assert np.abs(fewer - sample(glaucoma, size=64, seed=seed + 1).picture).mean() > 0.04
        overlap = (large.disc.reshape(64, 4, 64, 4).mean((1, 3)) >= 0.5) == small.disc
        assert overlap.mean() > 0.995


def test_the_disc_is_bright_the_cup_brighter_the_fovea_dark():
    cup, rim, ring, fovea, beside = [], [], [], [], []
    for seed in range(24):
        rng = np.random.default_rng([seed, seed % 2, 0])
        eye = _eye.eye(rng, bool(seed % 2))
        picture, disc, inner = _retina.draw(eye, rng, 128)
        green = picture[..., 1]
        near = ndimage.binary_dilation(disc, iterations=6) & ~ndimage.binary_dilation(disc, iterations=2)
        cup.append(green[inner].mean())
        rim.append(green[disc & ~ndimage.binary_dilation(inner)].mean())
        ring.append(green[near].mean())
        # Where the fovea lies follows from the disc: so many millimetres away, on the temporal side.
        temporal = -1 if eye.right else 1
        rows, columns = np.nonzero(disc)
        scale = math.sqrt(disc.sum() / (np.pi * np.mean(eye.disc**2)))  # pixels a millimetre
        angle = math.atan2(eye.fovea[1], eye.fovea[0]) + eye.tilt
        distance = math.hypot(*eye.fovea) * scale
        row = rows.mean() + distance * math.sin(angle)
        column = columns.mean() + temporal * distance * math.cos(angle)
        if math.hypot(row - 63.5, column - 63.5) < 40:
            away = np.hypot(*(np.mgrid[:128, :128] - np.array([row, column])[:, None, None])) / scale
            fovea.append(green[away < 0.4].mean())
            beside.append(green[(away > 1.6) & (away < 2.2)].mean())
    assert np.mean(np.array(cup) > np.array(rim)) > 0.9
    assert np.mean(np.array(rim) > np.array(ring)) > 0.9
    assert len(fovea) > 8 and np.mean(np.array(fovea) < np.array(beside)) > 0.9


def test_right_eyes_have_the_disc_on_the_right(made):
    """As a photograph shows them: the disc lies nasal of the middle, and the nose is on the right of a right eye."""
    place = {"left": [], "right": []}
    for row in table(made):
        place[row["eye"]].append(np.nonzero(mask(made, "disc", row["picture"]))[1].mean() / 128)
    assert len(place["left"]) > 40 and len(place["right"]) > 40
    assert np.mean(place["left"]) < 0.35 and np.mean(place["right"]) > 0.65


# eyes


@pytest.fixture(scope="module")
def eyes() -> tuple[list[_eye.Eye], list[_eye.Eye]]:
    healthy, glaucoma = (
        [_eye.eye(np.random.default_rng([7, label, index]), bool(label)) for index in range(600)] for label in (0, 1)
    )
    return healthy, glaucoma


def test_the_classes_overlap_a_little_in_the_ratio(eyes):
    healthy, glaucoma = (np.array([eye.cup_to_disc for eye in group]) for group in eyes)
    assert healthy.mean() == pytest.approx(0.4, abs=0.02) and healthy.std() == pytest.approx(0.11, abs=0.015)
    assert glaucoma.mean() == pytest.approx(0.7, abs=0.02) and glaucoma.std() == pytest.approx(0.11, abs=0.015)
    labels = np.repeat([0, 1], 600)
    assert 0.95 < auroc(labels, np.concatenate([healthy, glaucoma])) < 0.985
    assert healthy.max() > 0.6 > glaucoma.min()  # a class, not a threshold
    disc = np.array([_eye.height(eye.disc, eye.tilt) for eye in eyes[0]])
    assert 0.15 < np.polyfit(disc, healthy, 1)[0] < 0.45  # large discs have large cups: 0.3 a millimetre


def test_anatomy_has_the_sizes_of_the_literature(eyes):
    both = eyes[0] + eyes[1]
    area = [0.5 * np.sum(eye.disc**2) * 2 * np.pi / len(eye.disc) for eye in both]
    distance = [math.hypot(*eye.fovea) for eye in both]
    angle = [math.degrees(math.atan2(eye.fovea[1], eye.fovea[0])) for eye in both]
    assert np.mean(area) == pytest.approx(2.65, abs=0.06) and np.std(area) == pytest.approx(0.5, abs=0.05)
    assert np.mean(distance) == pytest.approx(4.76, abs=0.04) and np.std(distance) == pytest.approx(0.34, abs=0.03)
    assert np.mean(angle) == pytest.approx(5.6, abs=0.4) and np.std(angle) == pytest.approx(3.3, abs=0.3)
    for eye in both:
        assert (eye.cup <= 0.951 * eye.disc).all() and (eye.cup > 0).all()
        assert math.hypot(*eye.centre) + eye.disc.max() < eye.field


def test_glaucoma_takes_the_rim_at_the_poles(eyes):
    """ISNT: the rim is widest below, then above, nasal, temporal, in most healthy eyes and few with glaucoma."""

    def follows(eye: _eye.Eye) -> bool:
        rim = eye.disc - eye.cup
        at = [np.argmin(np.abs(np.exp(1j * _eye.ANGLES) - 1j**turn)) for turn in (1, 3, 2, 0)]
        inferior, superior, nasal, temporal = rim[at]
        return bool(inferior > superior > nasal > temporal)

    healthy, glaucoma = (np.mean([follows(eye) for eye in group]) for group in eyes)
    assert 0.7 < healthy < 0.92 and 0.08 < glaucoma < 0.35
    for eye in eyes[1]:
        if eye.notch is not None:
            assert 0.9 < abs(eye.notch) < 1.4  # at a pole, on its temporal side


def test_signs_of_glaucoma_are_rare_or_absent_in_healthy_eyes(eyes):
    for sign in ("notch", "defect"):
        assert all(getattr(eye, sign) is None for eye in eyes[0])
        assert 0.2 < np.mean([getattr(eye, sign) is not None for eye in eyes[1]]) < 0.7
    bleeding = [np.mean([eye.haemorrhage is not None for eye in group]) for group in eyes]
    assert 0 <= bleeding[0] < 0.03 and 0.06 < bleeding[1] < 0.16
    assert np.mean([eye.nasal for eye in eyes[1]]) > np.mean([eye.nasal for eye in eyes[0]]) + 0.08
    assert not any(eye.bayonet for eye in eyes[0]) and any(eye.bayonet for eye in eyes[1])


def test_vessels_arch_around_the_fovea_and_taper():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        vessels = _vessels.Tree(rng, (4.7, 0.5), (3.0, 0.0, 7.0), 0.15, None).grow((-0.1, 0.0), 0.9, 0.09, 0.13)
        main = [vessel for vessel in vessels if vessel.main]
        for vein in (True, False):
            points = np.concatenate([vessel.points for vessel in main if vessel.vein == vein])
            over = points[np.abs(points[:, 0] - 4.7) < 0.4, 1] - 0.5
            assert (over > 1.8).any() and (over < -1.8).any()
            assert (points[:, 0] < -2).any()  # and to the nose
        width = {vein: max(vessel.width.max() for vessel in main if vessel.vein == vein) for vein in (True, False)}
        assert 0.55 < width[False] / width[True] < 0.8
        assert all(vessel.width[-1] < 0.8 * vessel.width[0] for vessel in main)
        twigs = [vessel for vessel in vessels if not vessel.main and len(vessel.points) > 4]
        assert np.mean([vessel.width.max() for vessel in twigs]) < 0.6 * width[True]
        # none in the middle of the macula
        points = np.concatenate([vessel.points for vessel in vessels])
        assert np.hypot(points[:, 0] - 4.7, points[:, 1] - 0.5).min() > 0.2


def test_painted_vessels_cover_their_area():
    """A straight vessel, twice as wide at its start, against its area; less than a pixel wide, too."""
    points = np.stack([np.linspace(1, 11, 50), np.linspace(2, 8, 50)], 1)
    for width in (0.06, 0.3, 0.8):
        vessel = _vessels.Vessel(points, np.linspace(width, width / 2, 50), True, True)
        for side in (128, 256, 512):
            scale = side / 12
            covered = _vessels.paint([vessel], lambda place, scale=scale: place * scale, side, scale)
            area = np.hypot(10, 6) * 0.75 * width
            assert covered.min() >= 0 and covered.max() <= 1
            assert covered.sum() / scale**2 == pytest.approx(area, rel=0.06)


# neither trivial nor impossible


def measured(picture: np.ndarray) -> float:
    """Height of the bright cup over that of the disc, from pixels alone, around the brightest blob of the picture."""
    size = picture.shape[1]
    bright = ndimage.grey_closing(picture[1] + picture[2], size=(1, max(3, round(0.04 * size))))  # vessels away
    blob = ndimage.gaussian_filter(bright, 0.035 * size) - ndimage.gaussian_filter(bright, 0.12 * size)
    rows, columns = np.mgrid[:size, :size]
    blob[np.hypot(rows - size / 2, columns - size / 2) > 0.43 * size] = -1  # away from the edge of the field
    row, column = np.unravel_index(blob.argmax(), blob.shape)
    away = np.hypot(rows - row, columns - column) / size
    smooth = ndimage.gaussian_filter(bright, 0.008 * size)
    low = np.median(smooth[(away > 0.12) & (away < 0.2)])
    high = np.quantile(smooth[away < 0.05], 0.97)
    cup, disc = (
        ((smooth > low + part * (high - low)) & (away < 0.11)).any(1).sum() for part in (0.75, 0.35)
    )  # rows with cup, rows with disc
    return float(cup / disc)


def test_it_is_neither_trivial_nor_impossible(made, tmp_path):
    small = make_fundus(tmp_path, size=64, healthy=80, glaucoma=40, seed=1, progress=False)
    for folder, size in ((made, 128), (small, 64)):
        data = lag(root=folder, size=size, test_share=0.5)
        drawn = {row["picture"]: float(row["cup_to_disc"]) for row in table(folder)}
        plain = auroc(data.test_labels, MeanPicture().fit(data.train).anomaly_score(data.test))
        seen = auroc(data.test_labels, [measured(picture.numpy()) for picture in data.test])
        known = auroc(data.test_labels, [drawn[file.stem] for file in data.test.files])
        assert 0.5 < plain < 0.85
        assert 0.92 < known < 1
        assert plain + 0.05 < seen < known  # the picture holds what the mean picture misses
