"""The detector: it learns from pastes alone, scores by a density, localises, and keeps its promises."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch.nn.functional import cross_entropy

from adlib import load_detector
from adlib.metrics import auroc
from adlib.self_supervised.augmentation import three_way
from adlib.self_supervised.cutpaste import CutPaste, CutPasteConfig
from adlib.self_supervised.networks import ResNet18
from adlib.self_supervised.patches import receptive_upsample
from adlib.self_supervised.variation import varied
from adlib.storage import save_state

SMALL = {"width": 4, "epochs": 2, "steps": 3, "batch_size": 4}


def quick(**changes):
    return CutPasteConfig.quick(**SMALL | changes)


def stripes(n, seed=0, size=40):
    """Striped colour pictures, each with its own phase."""
    rng = np.random.default_rng(seed)
    u = np.arange(size)
    rows = 0.5 + 0.3 * np.sin(u / 2 + rng.uniform(0, 6.28, (n, 1)))
    pictures = np.broadcast_to(rows[:, None, :, None], (n, 3, size, size)) * np.array([1, 0.8, 0.6])[:, None, None]
    return torch.from_numpy(np.clip(pictures + rng.normal(0, 0.02, pictures.shape), 0, 1)).float()


def spotted(images, seed=1):
    """The same with a bright square, and the mask of it."""
    rng = np.random.default_rng(seed)
    images, masks = images.clone(), torch.zeros(len(images), *images.shape[2:])
    for picture, mask in zip(images, masks, strict=True):
        top, left = rng.integers(4, images.shape[2] - 14, 2)
        picture[:, top : top + 9, left : left + 9] = 0.95
        mask[top : top + 9, left : left + 9] = 1
    return images, masks


@pytest.fixture(scope="module")
def fitted():
    return CutPaste(CutPasteConfig.quick(width=8, epochs=4, steps=15, batch_size=8), seed=0).fit(
        stripes(30, size=64), progress=False
    )


def test_it_finds_and_locates_what_it_has_never_seen(fitted):
    normal = stripes(20, seed=5, size=64)
    anomalous, masks = spotted(stripes(20, seed=6, size=64))
    scores = fitted.anomaly_score(torch.cat([normal, anomalous]))
    assert auroc(np.repeat([0, 1], 20), scores.numpy()) > 0.95
    maps = fitted.anomaly_map(anomalous)
    assert maps.shape == (20, 64, 64)
    assert auroc(masks.numpy().ravel(), maps.numpy().ravel()) > 0.85
    history = fitted.history_[0]
    assert len(history) == 4 and history[-1]["loss"] < history[0]["loss"]


def test_score_is_the_worst_patch_and_the_map_spreads_them(fitted):
    images = stripes(3, seed=7, size=64)
    with torch.no_grad():
        energies = fitted._energies(images)
    assert energies.shape == (3, 9, 9)
    torch.testing.assert_close(fitted.anomaly_score(images), energies.amax((1, 2)))
    torch.testing.assert_close(fitted.anomaly_map(images), receptive_upsample(energies, (64, 64), sigma=4.0))


def test_score_of_a_whole_picture_is_half_the_squared_mahalanobis_distance():
    train, new = stripes(12), stripes(5, seed=3)
    detector = CutPaste(quick(level="image"), seed=0).fit(train, progress=False)
    model = detector.models_[0]
    with torch.no_grad():
        f, g = (model.backbone(detector._standard(x)).mean((2, 3)).double().numpy() for x in (train, new))
    expected = LedoitWolf().fit(f).mahalanobis(g) / 2
    np.testing.assert_allclose(detector.anomaly_score(new), expected, rtol=1e-2)


def test_map_of_a_whole_picture_is_gradcam_of_the_score():
    """For pooled features the gradient is known: w = Sigma^-1 (f - mu), spread evenly over the places."""
    detector = CutPaste(quick(level="image"), seed=0).fit(stripes(12), progress=False)
    images = stripes(2, seed=3)
    model, density = detector.models_[0], detector.densities_[0]
    with torch.no_grad():
        maps = model.backbone(detector._standard(images))
        sigma = density.factor[0] @ density.factor[0].T
        weights = torch.linalg.solve(sigma, (maps.mean((2, 3)) - density.mean[0]).T).T
        cam = (weights[:, :, None, None] * maps).sum(1).relu() / maps[0, 0].numel()
    expected = receptive_upsample(cam, (40, 40), sigma=4.0)
    torch.testing.assert_close(detector.anomaly_map(images), expected, rtol=1e-2, atol=1e-3 * expected.max().item())


def test_first_loss_is_the_cross_entropy_of_the_three_classes():
    """One step, worked out beside the detector: same draws, same pictures, same loss."""
    from adlib.training import epoch_batches, mix, seeded

    train = stripes(6)
    config = CutPasteConfig.quick(width=4, epochs=1, steps=1, batch_size=5, level="image")
    detector = CutPaste(config, seed=3).fit(train, progress=False)
    seed = mix(3, 0)
    with seeded(seed):
        model = detector._model((3, 40, 40)).train()
    with seeded(mix(seed, 1), 0, 0):
        (chosen,) = epoch_batches(5, 5, seed=mix(seed, 1), epoch=0)
        x = varied(train[chosen], generator=torch.default_generator)
        x, labels, _ = three_way(x, generator=torch.default_generator)
    assert labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    loss = cross_entropy(model(detector._standard(x)), labels)
    assert detector.history_[0][0]["loss"] == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("augmentation", ["cut_paste", "scar"])
def test_two_classes(augmentation):
    detector = CutPaste(quick(augmentation=augmentation, level="image"), seed=0).fit(stripes(6), progress=False)
    assert detector.models_[0].head[-1].out_features == 2
    assert detector.anomaly_score(stripes(2, seed=3)).shape == (2,)


def test_same_seed_same_score_another_seed_another():
    train, new = stripes(8), stripes(3, seed=3)
    scores = [CutPaste(quick(), seed=s).fit(train, progress=False).anomaly_score(new) for s in (0, 0, 1)]
    assert torch.equal(scores[0], scores[1]) and not torch.allclose(scores[0], scores[2])


def test_score_does_not_depend_on_the_batch(fitted):
    images = stripes(5, seed=8, size=64)
    one_by_one = torch.cat([fitted.anomaly_score(picture[None]) for picture in images])
    torch.testing.assert_close(fitted.anomaly_score(images), one_by_one, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(fitted.anomaly_score(images.flip(0)).flip(0), one_by_one, rtol=1e-3, atol=1e-3)


def test_an_ensemble_averages_the_scores():
    train, new = stripes(8), stripes(3, seed=3)
    detector = CutPaste(quick(networks=2), seed=0).fit(train, progress=False)
    assert len(detector.models_) == len(detector.densities_) == len(detector.history_) == 2
    with torch.no_grad():
        energies = [d(detector._features(m, new)) for m, d in zip(detector.models_, detector.densities_, strict=True)]
    assert not torch.allclose(*energies)
    torch.testing.assert_close(detector.anomaly_score(new), (sum(energies) / 2).amax((1, 2)))


@pytest.mark.parametrize("level, by_place", [("image", False), ("patch", False), ("patch", True)])
def test_save_and_load(tmp_path, level, by_place):
    new = stripes(3, seed=3)
    detector = CutPaste(quick(level=level, by_place=by_place), seed=0).fit(stripes(8), progress=False)
    detector.calibrate(stripes(30, seed=4))
    detector.save(tmp_path / "m.adlib")
    loaded = load_detector(tmp_path / "m.adlib", device="cpu")
    assert torch.equal(loaded.anomaly_score(new), detector.anomaly_score(new))
    assert torch.equal(loaded.anomaly_map(new), detector.anomaly_map(new))
    assert loaded.threshold_ == detector.threshold_ and loaded.history_ == detector.history_


def test_a_run_that_was_cut_off_goes_on_to_the_same_result(tmp_path, monkeypatch):
    train, new = stripes(8), stripes(3, seed=3)
    whole = CutPaste(quick(), seed=0).fit(train, progress=False)
    calls = []

    def save_once(*args):
        save_state(*args)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("adlib.training.save_state", save_once)
    file = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        CutPaste(quick(), seed=0).fit(train, checkpoint=file, progress=False)
    resumed = CutPaste(quick(), seed=0).fit(train, checkpoint=file, progress=False)
    assert torch.equal(resumed.anomaly_score(new), whole.anomaly_score(new))
    with pytest.raises(ValueError, match="is from another run"):  # other pictures
        CutPaste(quick(), seed=0).fit(stripes(8, seed=9), checkpoint=file, progress=False)


@pytest.mark.parametrize("level", ["image", "patch"])
def test_resnet18_runs_at_both_levels(level):
    config = CutPasteConfig(level=level, epochs=1, steps=1, batch_size=2, crop=36)
    detector = CutPaste(config, seed=0).fit(stripes(4), progress=False)
    images = stripes(2, seed=3)
    assert detector.anomaly_score(images).shape == (2,)
    assert detector.anomaly_map(images).shape == (2, 40, 40)


def test_grey_pictures_and_a_dataset():
    grey = stripes(8).mean(1, keepdim=True)
    tensor = CutPaste(quick(), seed=0).fit(grey, progress=False)
    dataset = CutPaste(quick(), seed=0).fit(torch.utils.data.TensorDataset(grey), progress=False)
    assert torch.equal(tensor.anomaly_score(grey), dataset.anomaly_score(grey))


def test_fewer_pictures_than_features():
    detector = CutPaste(quick(level="image", width=16), seed=0).fit(stripes(3), progress=False)  # 64 features
    assert torch.isfinite(detector.anomaly_score(stripes(2, seed=3))).all()


# --- bad input


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"augmentation": "cut"}, r"augmentation must be one of \('cut_paste', 'scar', 'three_way'\), got 'cut'"),
        ({"level": "pixel"}, "level must be one of"),
        ({"backbone": "vgg"}, "backbone must be one of"),
        ({"weights": "imagenet"}, "weights must be None for backbone='patchnet', got 'imagenet'"),
        ({"level": "image", "by_place": True}, "by_place must be False for level='image'"),
        ({"crop": 31}, "crop must be an integer of at least 32, got 31"),
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"momentum": 1.0}, r"momentum must be a number in \[0, 1\), got 1.0"),
        ({"jitter": 0.6}, r"jitter must be a number in \[0, 0.5\], got 0.6"),
        ({"translation": -0.1}, r"translation must be a number in \[0, 0.5\], got -0.1"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"weight_decay": -1}, "weight_decay must be a number of at least 0, got -1"),
    ],
)
def test_bad_constants(changes, message):
    with pytest.raises(ValueError, match=message):
        CutPasteConfig.quick(**changes)


@pytest.mark.parametrize(
    "normal, message",
    [
        (torch.rand(4, 3, 31, 40), r"normal must be at least 32 x 32 pixels, got shape \(3, 31, 40\)"),
        (
            torch.rand(4, 2, 40, 40),
            r"normal must have 1 or 3 channels for backbone='patchnet', got shape \(2, 40, 40\)",
        ),
        (torch.rand(1, 3, 40, 40), "normal must hold at least 2 pictures, got 1"),
        (torch.full((4, 3, 40, 40), 0.5), "normal must hold pictures that differ, got 4 times the same one"),
        (torch.stack([torch.zeros(3, 40, 40), torch.rand(3, 40, 40)]), "normal must hold no black picture"),
        (torch.full((4, 3, 40, 40), float("nan")), "normal must be a float Tensor .* got NaN or infinity"),
        (torch.randint(0, 256, (4, 3, 40, 40)), "normal must be a float Tensor .* got dtype torch.int64"),
        (2 * torch.rand(4, 3, 40, 40), "normal must be a float Tensor .* got values from"),
    ],
)
def test_bad_pictures(normal, message):
    with pytest.raises(ValueError, match=message):
        CutPaste(quick(), seed=0).fit(normal, progress=False)


def test_resnet18_takes_colour_and_scoring_the_size_of_the_fit(fitted):
    config = CutPasteConfig(epochs=1, steps=1, batch_size=2)
    with pytest.raises(ValueError, match="normal must have 3 channels for backbone='resnet18'"):
        CutPaste(config).fit(torch.rand(4, 1, 40, 40), progress=False)
    with pytest.raises(ValueError, match="images must be 64 x 64 pixels"):
        fitted.anomaly_score(torch.rand(2, 3, 64, 60))


def test_weights_that_cannot_be_had_say_what_to_do(monkeypatch):
    from urllib.error import URLError

    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models.resnet.ResNet18_Weights.get_state_dict", offline)
    with pytest.raises(OSError, match=r"weights='imagenet': torchvision could not get them .* or give weights=None"):
        ResNet18("imagenet")


def test_a_saved_model_never_fetches_weights(tmp_path, monkeypatch):
    config = CutPasteConfig(epochs=1, steps=1, batch_size=2)
    detector = CutPaste(config, seed=0).fit(stripes(4), progress=False)
    detector.config = dataclasses.replace(config, weights="imagenet")
    detector.save(tmp_path / "m.adlib")
    monkeypatch.setattr("torchvision.models.resnet.ResNet18_Weights.get_state_dict", pytest.fail)
    assert torch.equal(
        load_detector(tmp_path / "m.adlib", device="cpu").anomaly_score(stripes(2)), detector.anomaly_score(stripes(2))
    )
