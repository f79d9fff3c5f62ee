"""Deep SVDD: each formula against a slow reference, the training against a plain loop, and every pitfall."""

import copy
import dataclasses
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from adlib import DeepSVDD, load_detector
from adlib.classification import deep_svdd
from adlib.classification.deep_svdd import (
    CollapseWarning,
    DeepSVDDConfig,
    best_radius,
    centre_of,
    contrast_normalised,
    one_class_loss,
    relative_spread,
    soft_boundary_loss,
    squared_distance,
)
from adlib.datasets import one_class
from adlib.metrics import auroc
from adlib.training import epoch_batches, mix, seeded

REAL = Path(os.environ.get("ADLIB_DATA") or Path(__file__).parents[3] / "shared" / "data")
SHORT = {"epochs": 3, "drop": 2, "pretrain_epochs": 2, "pretrain_drop": 1, "warm_up": 1, "batch_size": 16}


def config(**changes):
    return DeepSVDDConfig(**{**SHORT, **changes})


def pictures(n, seed=0, shape=(1, 12, 12)):
    """Soft blobs near the middle, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[1], : shape[2]]
    centre = rng.normal(6, 1, (n, 2, 1, 1))
    blob = np.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / 8)
    return torch.tensor(blob[:, None] * rng.uniform(0.5, 1, (n, shape[0], 1, 1))).float()


def fit(normal=None, seed=0, checkpoint=None, **changes):
    normal = pictures(50) if normal is None else normal
    return DeepSVDD(config(**changes), seed=seed, device="cpu").fit(normal, checkpoint=checkpoint, progress=False)


# --- the formulas


def test_contrast_normalisation_against_a_slow_loop():
    images = torch.rand(4, 3, 5, 6, dtype=torch.float64)
    for picture, got in zip(images, contrast_normalised(images), strict=True):
        values = picture.flatten().tolist()
        mean = sum(values) / len(values)
        scale = sum(abs(v - mean) for v in values) / len(values)
        torch.testing.assert_close(got.flatten(), torch.tensor([(v - mean) / scale for v in values]).double())


@given(st.floats(0.1, 5), st.floats(-1, 1))
def test_contrast_normalisation_forgets_brightness_and_contrast(contrast, brightness):
    images = torch.rand(3, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(contrast_normalised(contrast * images + brightness), contrast_normalised(images))


def test_a_constant_picture_is_normalised_to_zero():
    assert (contrast_normalised(torch.full((2, 1, 7, 7), 0.3)) == 0).all()


def test_losses_by_hand():
    features = torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 0.0]])
    distance = squared_distance(features, torch.tensor([1.0, 0.0]))
    assert distance.tolist() == [4, 1, 4]
    assert one_class_loss(distance) == 3
    # R = 1.5: R² = 2.25 and outside by 1.75, 0, 1.75; nu n = 1.5
    assert soft_boundary_loss(distance, torch.tensor(1.5), 0.5).item() == pytest.approx(2.25 + 3.5 / 1.5)


def test_gradients_of_the_losses():
    features = torch.rand(6, 3, dtype=torch.float64, requires_grad=True)
    centre = torch.full((3,), 0.3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: one_class_loss(squared_distance(f, centre)), features)
    radius = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda f, r: soft_boundary_loss(squared_distance(f, centre), r, 0.3), (features, radius)
    )


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 100)), st.floats(0.01, 1))
def test_the_radius_minimises_the_soft_boundary(distance, nu):
    distance = torch.tensor(distance)
    best = best_radius(distance, nu)
    loss = soft_boundary_loss(distance, best, nu).item()
    # The loss is convex and piecewise linear in R², so its minimum is at 0 or at one of the distances
    corners = [soft_boundary_loss(distance, d.sqrt(), nu).item() for d in [torch.zeros(()).double(), *distance]]
    assert loss == pytest.approx(min(corners), abs=1e-9)
    outside = (distance > best.square() * (1 + 1e-12)).sum().item()
    assert outside <= nu * len(distance) + 1e-9


def test_the_radius_leaves_a_tenth_outside():
    assert best_radius(torch.arange(1.0, 201), 0.1).square().item() == pytest.approx(180)  # 20 of 200 lie beyond
    assert best_radius(torch.tensor([4.0]), 0.1) == 2 and best_radius(torch.tensor([4.0]), 1.0) == 0


def test_centre_rule():
    features = torch.tensor([[0.05, -0.05, 0.0, 0.5, -0.5], [0.05, -0.05, 0.0, 0.7, -0.7]])
    torch.testing.assert_close(centre_of(features), torch.tensor([0.1, -0.1, 0.1, 0.6, -0.6]))  # an exact 0 moves too


def test_relative_spread_by_hand():
    features = torch.tensor([[1.0, 0.0], [3.0, 0.0]])  # 1 from their mean
    assert relative_spread(features, torch.tensor([0.0, 4.0])) == 0.25
    assert relative_spread(features[:1].repeat(3, 1), torch.ones(2)) == 0


# --- training against a plain loop


class Plain(nn.Module):
    """The network of the paper for 28 x 28, written out, activation before pooling."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(8, eps=1e-4, affine=False)
        self.conv2 = nn.Conv2d(8, 4, 5, padding=2, bias=False)
        self.bn2 = nn.BatchNorm2d(4, eps=1e-4, affine=False)
        self.fc = nn.Linear(196, 32, bias=False)

    def forward(self, x):
        x = F.max_pool2d(F.leaky_relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.leaky_relu(self.bn2(self.conv2(x))), 2)
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("objective", ["one-class", "soft-boundary"])
def test_the_same_as_a_plain_loop(objective):
    """Of adlib only the initial weights and the order of the batches; all else is written anew."""
    normal = F.interpolate(one_class("digits", 3).train, 28, mode="bilinear")
    test = F.interpolate(one_class("digits", 3).test[:60], 28, mode="bilinear")
    settings = DeepSVDDConfig(
        objective=objective, pretrain_epochs=0, epochs=4, drop=2, warm_up=2, learning_rate=1e-3, batch_size=32
    )
    ours = DeepSVDD(settings, seed=5, device="cpu").fit(normal, progress=False)

    net = Plain()
    with seeded(mix(5, 0)):
        start = deep_svdd.lenet.encoder((1, 28, 28))
    weights = [p.detach().clone() for p in start.parameters()]
    net.load_state_dict({"conv1.weight": weights[0], "conv2.weight": weights[1], "fc.weight": weights[2]}, strict=False)

    def gcn(x):
        x = x - x.mean((1, 2, 3), keepdim=True)
        return x / x.abs().mean((1, 2, 3), keepdim=True)

    low, high = gcn(normal).min(), gcn(normal).max()
    x = (gcn(normal) - low) / (high - low)
    net.eval()
    with torch.no_grad():
        c = net(x).mean(0)
    for i in range(32):
        if abs(c[i]) < 0.1:
            c[i] = -0.1 if c[i] < 0 else 0.1
    net.train()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=0.5e-6)
    R = 0.0
    for epoch in range(4):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 if epoch < 2 else 1e-4
        for indices in epoch_batches(len(x), 32, seed=mix(mix(5, 0), 1), epoch=epoch):
            d = ((net(x[indices]) - c) ** 2).sum(1)
            if objective == "one-class":
                loss = d.mean()
            else:
                loss = R**2 + torch.relu(d - R**2).mean() / 0.1
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if epoch >= 2:
                ordered = sorted(d.tolist())
                R = ordered[int(np.ceil(0.9 * len(ordered) - 1e-9)) - 1] ** 0.5
    net.eval()
    with torch.no_grad():
        inner = ((net(x) - c) ** 2).sum(1)
        expected = ((net((gcn(test) - low) / (high - low)) - c) ** 2).sum(1)
    if objective == "soft-boundary":
        expected = expected - sorted(inner.tolist())[int(np.ceil(0.9 * len(x))) - 1]
    torch.testing.assert_close(ours.anomaly_score(test), expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


def test_pretraining_starts_the_network_from_the_autoencoder(monkeypatch):
    """The encoder that the sphere starts from is the one that the autoencoder left, not the random one."""
    seen = []
    real = deep_svdd.centre_of
    monkeypatch.setattr(deep_svdd, "centre_of", lambda f: seen.append(f) or real(f))
    fit()
    fit(pretrain_epochs=0)
    fit(pretrain_epochs=1)
    assert not torch.allclose(seen[0], seen[1]) and not torch.allclose(seen[0], seen[2])


def test_the_autoencoder_learns(monkeypatch):
    histories = {}
    real = deep_svdd.train

    def spy(step, data, **options):
        histories[options["label"]] = real(step, data, **options)
        return histories[options["label"]]

    monkeypatch.setattr(deep_svdd, "train", spy)
    fit(pretrain_epochs=40, pretrain_drop=40, pretrain_learning_rate=1e-2)
    history = [epoch["reconstruction"] for epoch in histories["autoencoder"]]
    # against the mean picture, the best constant answer: it has learnt the pictures, not their mean
    x = contrast_normalised(pictures(50))
    x = (x - x.min()) / (x.max() - x.min())
    assert history[-1] < 0.5 * (x - x.mean(0)).square().flatten(1).sum(1).mean() < history[0]


def test_learning_rate_drops_after_epoch_50(monkeypatch):
    """Epochs 0 to 49 at the full rate, 50 on at a tenth, in both trainings."""
    rates = {}
    real = deep_svdd.train

    def spy(step, data, *, state, label, **options):
        record = rates.setdefault(label, [])

        def watched(batch):
            record.append(state["optimiser"].param_groups[0]["lr"])
            return step(batch)

        return real(watched, data, state=state, label=label, **options)

    monkeypatch.setattr(deep_svdd, "train", spy)
    # The paper's schedule, on so few pictures that an epoch is one step
    settings = DeepSVDDConfig(epochs=52, pretrain_epochs=52)
    DeepSVDD(settings, device="cpu").fit(pictures(8), progress=False)
    for label in ("autoencoder", "sphere"):
        assert rates[label] == pytest.approx([1e-4] * 50 + [1e-5] * 2)


def test_defaults_are_those_of_the_authors_code():
    c = DeepSVDDConfig()
    assert (c.nu, c.epochs, c.drop, c.pretrain_epochs, c.pretrain_drop) == (0.1, 150, 50, 150, 50)
    assert (c.learning_rate, c.batch_size, c.weight_decay, c.pretrain_weight_decay) == (1e-4, 200, 0.5e-6, 0.5e-3)


def test_weight_decay_is_the_gradient_of_half_its_square():
    """What the docstring says of the two conventions: lambda / 2 ||W||² in the loss equals weight_decay = lambda."""
    w = torch.randn(4, 3, dtype=torch.float64)
    found = []
    for decay in (0.3, 0.0):
        p = nn.Parameter(w.clone())
        optimiser = torch.optim.Adam([p], lr=0.1, weight_decay=decay)
        loss = p.sin().sum() + (0.0 if decay else 0.3 / 2 * p.square().sum())
        loss.backward()
        optimiser.step()
        found.append(p.detach())
    torch.testing.assert_close(*found)


# --- the sphere


def test_centre_and_radius_are_never_trained():
    detector = fit(objective="soft-boundary")
    (sphere,) = detector.spheres_
    assert {name for name, _ in sphere.named_buffers()} >= {"centre", "radius"}
    assert all("encoder" in name for name, _ in sphere.named_parameters())
    assert (sphere.centre.abs() >= 0.1).all()


@pytest.mark.parametrize("radius", ["batch", "epoch"])
@pytest.mark.parametrize("nu", [0.1, 0.5])
def test_a_fraction_nu_of_the_normal_pictures_lies_outside(radius, nu):
    normal = pictures(100)
    detector = fit(normal, objective="soft-boundary", radius=radius, nu=nu, epochs=6)
    radius_squared = detector.spheres_[0].radius.square()
    # one picture lies on the sphere, and rounding puts it on either side
    outside = (detector.anomaly_score(normal) > 1e-4 * radius_squared).double().mean().item()
    assert nu - 0.02 <= outside <= nu and radius_squared > 0


def test_the_soft_score_is_the_squared_distance_minus_the_squared_radius():
    normal = pictures(40)
    detector = fit(normal, objective="soft-boundary", contrast=False)
    (sphere,) = detector.spheres_
    x = (normal - normal.min()) / (normal.max() - normal.min())
    with torch.no_grad():
        expected = ((sphere.encoder(x) - sphere.centre) ** 2).sum(1) - sphere.radius.item() ** 2
    torch.testing.assert_close(detector.anomaly_score(normal), expected)


def test_the_one_class_score_has_no_radius():
    detector = fit()
    assert detector.spheres_[0].radius == 0 and (detector.anomaly_score(pictures(40)) >= 0).all()


@pytest.mark.parametrize("radius", ["batch", "epoch"])
def test_the_radius_waits_for_the_warm_up(radius):
    detector = fit(objective="soft-boundary", radius=radius, epochs=5, warm_up=3)
    radii = [epoch["radius"] for epoch in detector.history_[0]]
    # the radius used in an epoch: of the batch it moves within the epoch after the warm-up, of the epoch at its end
    assert radii[:3] == [0, 0, 0] and min(radii[3:]) > 0


def test_within_the_warm_up_soft_is_one_class_times_1_over_nu():
    """Why a short run must shorten the warm-up: Adam does not see a factor."""
    one, soft = (fit(objective=o, warm_up=3, weight_decay=0.0) for o in ("one-class", "soft-boundary"))
    test = pictures(20, seed=1)
    shift = soft.spheres_[0].radius.square()
    torch.testing.assert_close(one.anomaly_score(test), soft.anomaly_score(test) + shift, rtol=1e-3, atol=1e-5)


def test_normalised_by_the_normal_class_alone():
    normal, test = pictures(30), 1 - pictures(10, seed=1)
    detector = fit(normal)
    x = contrast_normalised(normal)
    assert (detector.low_, detector.high_) == (x.min().item(), x.max().item())
    scaled = detector._scaled(contrast_normalised(test))
    assert scaled.min() < 0 or scaled.max() > 1  # other pictures may leave [0, 1]


@pytest.mark.skipif(not (REAL / "MNIST/raw").is_dir(), reason="the real MNIST is not in ADLIB_DATA")
@pytest.mark.parametrize(
    ("digit", "low", "high"),
    [(0, -0.8826568, 9.0015459), (3, -0.7645773, 12.8950520)],
)
def test_the_constants_of_the_published_code_are_found_again(digit, low, high):
    x = contrast_normalised(one_class("mnist", digit, root=REAL).train.double())
    assert (x.min().item(), x.max().item()) == (pytest.approx(low, rel=1e-5), pytest.approx(high, rel=1e-5))


# --- collapse


def test_collapse_is_reported():
    nearly_one = pictures(1) + 1e-6 * pictures(50, seed=1)
    with pytest.warns(CollapseWarning, match="features of the normal pictures spread over"):
        detector = fit(nearly_one / nearly_one.max())
    assert detector.feature_spread_ < 1e-4


def test_weights_of_zero_are_a_collapse():
    detector = fit()
    with torch.no_grad():
        for p in detector.spheres_[0].parameters():
            p.zero_()
    with pytest.warns(CollapseWarning):
        detector._look_for_collapse(pictures(50))
    assert detector.feature_spread_ == 0 and detector.score_spread_ == 0


def test_a_sound_run_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        detector = fit()
    assert detector.feature_spread_ > 0.01 and detector.score_spread_ > 0


def test_the_zero_solution_exists_without_the_centre_rule():
    """With c = 0 a bias-free network reaches loss 0 at W = 0; with the rule it cannot: all weights 0 costs ||c||²."""
    sphere = fit().spheres_[0]
    zero = copy.deepcopy(sphere)
    with torch.no_grad():
        for p in zero.parameters():
            p.zero_()
    images = pictures(5)
    torch.testing.assert_close(zero(images), sphere.centre.square().sum().expand(5))
    zero.centre.zero_()
    assert (zero(images) == 0).all()


# --- the contract


def test_it_finds_digits():
    data = one_class("digits", 0)
    detector = DeepSVDD(DeepSVDDConfig.quick(), device="cpu").fit(F.interpolate(data.train, 28), progress=False)
    assert auroc(data.test_labels, detector.anomaly_score(F.interpolate(data.test, 28))) > 0.9


def test_same_seed_same_scores_other_seed_others():
    test = pictures(10, seed=1)
    a, b, c = fit(seed=1), fit(seed=1), fit(seed=2)
    assert torch.equal(a.anomaly_score(test), b.anomaly_score(test))
    assert not torch.allclose(a.anomaly_score(test), c.anomaly_score(test))


def test_several_networks_average_their_scores():
    test = pictures(10, seed=1)
    together = fit(networks=3, objective="soft-boundary")
    assert len(together.spheres_) == len(together.history_) == 3
    assert not torch.allclose(together.spheres_[0].encoder[0].weight, together.spheres_[1].encoder[0].weight)
    alone = fit(networks=1, objective="soft-boundary")
    torch.testing.assert_close(alone.spheres_[0].encoder[0].weight, together.spheres_[0].encoder[0].weight)
    assert together.anomaly_score(test).shape == (10,)


def test_scores_do_not_depend_on_batch_or_order():
    detector, test = fit(), pictures(300, seed=1)
    expected = detector.anomaly_score(test)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(detector.anomaly_score(test[order]), expected[order])
    torch.testing.assert_close(torch.cat([detector.anomaly_score(x) for x in test.split(7)]), expected)


def test_scoring_leaves_the_networks_as_they_are():
    detector = fit()
    before = copy.deepcopy(detector.spheres_[0].state_dict())
    detector.anomaly_score(pictures(30, seed=1))
    assert not detector.spheres_[0].training
    for name, value in detector.spheres_[0].state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("shape", [(3, 12, 12), (1, 28, 28), (3, 32, 32), (3, 64, 48)])
def test_other_pictures(shape):
    normal = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0))
    detector = fit(normal, epochs=1, pretrain_epochs=1)
    assert torch.isfinite(detector.anomaly_score(normal)).all()


def test_a_dataset_gives_what_its_tensor_gives():
    normal, test = pictures(40), pictures(10, seed=1)
    a, b = fit(normal), fit(TensorDataset(normal))
    assert torch.equal(a.anomaly_score(test), b.anomaly_score(TensorDataset(test)))


@pytest.mark.parametrize("changes", [{}, {"objective": "soft-boundary", "networks": 2}])
def test_saved_and_loaded(tmp_path, changes):
    detector, test = fit(**changes).calibrate(pictures(40, seed=2)), pictures(10, seed=1)
    detector.save(tmp_path / "x.adlib")
    again = load_detector(tmp_path / "x.adlib", device="cpu")
    assert torch.equal(again.anomaly_score(test), detector.anomaly_score(test))
    assert torch.equal(again.predict(test), detector.predict(test))
    assert again.config == detector.config and again.feature_spread_ == detector.feature_spread_
    again.save(tmp_path / "y.adlib")  # a loaded one can be saved
    assert (tmp_path / "y.adlib").read_bytes() == (tmp_path / "x.adlib").read_bytes()


@pytest.mark.parametrize("stop", [1, 3, 6, 8])  # in the first autoencoder, in the first sphere, in the second ones
def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path, monkeypatch, stop):
    changes = {"objective": "soft-boundary", "networks": 2, "radius": "epoch"}
    expected = fit(**changes).anomaly_score(pictures(10, seed=1))
    real, count = deep_svdd.train, []

    def interrupted(step, data, *, after_epoch, **options):
        def after(epoch):
            count.append(epoch)
            if len(count) == stop:
                raise KeyboardInterrupt
            after_epoch(epoch)

        return real(step, data, after_epoch=after, **options)

    monkeypatch.setattr(deep_svdd, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(checkpoint=tmp_path / "run", **changes)
    count.clear()
    monkeypatch.setattr(deep_svdd, "train", real)
    again = fit(checkpoint=tmp_path / "run", **changes)
    assert torch.equal(again.anomaly_score(pictures(10, seed=1)), expected)
    with pytest.raises(ValueError, match=r"checkpoint: .* is from another run"):
        fit(checkpoint=tmp_path / "run", **{**changes, "nu": 0.2})


# --- mistakes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nu": 0.0}, r"nu must be a number in \(0, 1\], got 0.0"),
        ({"nu": 1.5}, r"nu must be a number in \(0, 1\], got 1.5"),
        ({"objective": "two-class"}, r"objective must be one of \('one-class', 'soft-boundary'\), got 'two-class'"),
        ({"radius": "step"}, r"radius must be one of \('batch', 'epoch'\), got 'step'"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"pretrain_learning_rate": -1}, "pretrain_learning_rate must be a number above 0, got -1"),
        ({"weight_decay": -1}, "weight_decay must be a number of at least 0, got -1"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"pretrain_epochs": -1}, "pretrain_epochs must be an integer of at least 0, got -1"),
        ({"batch_size": 2.5}, "batch_size must be an integer of at least 1, got 2.5"),
        ({"networks": 0}, "networks must be an integer of at least 1, got 0"),
        ({"contrast": "yes"}, "contrast must be True or False, got 'yes'"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        DeepSVDDConfig(**changes)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(DeepSVDDConfig.quick(), **changes)


@pytest.mark.parametrize(
    ("normal", "message"),
    [
        (torch.rand(1, 1, 12, 12), "normal must hold at least 2 pictures, got 1"),
        (torch.full((5, 1, 12, 12), 0.5), "normal must hold pictures with some contrast, got only constant ones"),
        (torch.rand(1, 1, 12, 12).repeat(4, 1, 1, 1), "normal must hold pictures that differ, got 4 times the same"),
        (torch.linspace(0, 1, 5).reshape(5, 1, 1, 1).expand(5, 1, 12, 12), "normal must hold pictures with some contr"),
        (torch.rand(5, 1, 7, 12), "normal must be at least 8 x 8 pixels"),
        (torch.full((5, 1, 12, 12), float("nan")), "normal must be a float Tensor .* got NaN"),
        (torch.full((5, 1, 12, 12), 3.0), "normal must be a float Tensor .* got values from 3 to 3"),
        (torch.rand(5, 12, 12), "normal must be a float Tensor"),
    ],
)
def test_bad_pictures_are_named(normal, message):
    with pytest.raises(ValueError, match=message):
        fit(normal)


def test_other_pictures_at_scoring_time_are_refused():
    detector = fit()
    for images, message in [
        (torch.rand(2, 1, 14, 14), "images must be 12 x 12 pixels"),
        (torch.rand(2, 3, 12, 12), r"images must have 1 channel"),
        (torch.full((2, 1, 12, 12), float("nan")), "got NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            detector.anomaly_score(images)
    assert torch.isfinite(detector.anomaly_score(torch.zeros(2, 1, 12, 12))).all()  # constant ones have a score
    with pytest.raises(TypeError, match="DeepSVDD judges pictures, it gives no anomaly map"):
        detector.anomaly_map(pictures(2))
    with pytest.raises(ValueError, match="config must be a DeepSVDDConfig"):
        DeepSVDD({"nu": 0.1})
