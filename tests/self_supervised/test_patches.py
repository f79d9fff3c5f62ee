"""The dense features against patch by patch, the upsampling against a loop, the densities against scikit-learn's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from torch import nn

from adlib.self_supervised.networks import PATCH, STRIDE, Classifier, PatchNet, ResNet18
from adlib.self_supervised.patches import PlaceDensities, patch_features, receptive_upsample


def trained_looking(network):
    """In eval mode, with statistics that differ from those of a fresh batch norm."""
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    return network.eval()


def slow_features(network, images, patch, stride):
    """Patch by patch, as the words say."""
    grid = [
        [
            network(images[:, :, top : top + patch, left : left + patch]).mean((2, 3))
            for left in range(0, images.shape[3] - patch + 1, stride)
        ]
        for top in range(0, images.shape[2] - patch + 1, stride)
    ]
    return torch.stack([torch.stack(row, 2) for row in grid], 2)


@pytest.mark.parametrize("network", [PatchNet(3, 4), ResNet18()], ids=["patchnet", "resnet18"])
def test_all_patches_at_once_equal_patch_by_patch(network):
    network = trained_looking(network).double()
    images = torch.rand(2, 3, 47, 40, dtype=torch.float64)
    with torch.no_grad():
        maps = patch_features(network, images)
        torch.testing.assert_close(maps, slow_features(network, images, PATCH, STRIDE))
    assert maps.shape == (2, network.features, 4, 3)
    with torch.no_grad():  # the upper left patch is the upper left of the picture, not a scrambled one
        torch.testing.assert_close(maps[:, :, 0, 0], network(images[:, :, :32, :32]).mean((2, 3)))


def test_an_output_of_the_small_network_sees_32_pixels():
    network = trained_looking(PatchNet(1, 4))
    images = torch.rand(1, 1, 64, 64, requires_grad=True)
    network(images)[0, :, 3, 5].sum().backward()
    rows, columns = np.nonzero(images.grad[0, 0].numpy())
    assert (rows.min(), rows.max()) == (12, 43) and (columns.min(), columns.max()) == (20, 51)


def test_blocks_do_not_show(monkeypatch):
    network = trained_looking(ResNet18())
    images = torch.rand(2, 3, 40, 40)
    with torch.no_grad():
        whole = patch_features(network, images)
        monkeypatch.setattr("adlib.self_supervised.patches.BLOCK", 4)
        torch.testing.assert_close(patch_features(network, images), whole, rtol=1e-4, atol=1e-5)


def test_too_small():
    with pytest.raises(ValueError, match=r"images must be at least 32 x 32 pixels, got shape \(1, 3, 31, 40\)"):
        patch_features(PatchNet(3), torch.rand(1, 3, 31, 40))


def test_logits_of_every_patch_are_those_of_the_patch_alone():
    model = trained_looking(Classifier(PatchNet(1, 4), classes=3))
    images = torch.rand(2, 1, 40, 36)
    with torch.no_grad():
        torch.testing.assert_close(model.each_patch(images)[:, :, 2, 1], model(images[:, :, 8:40, 4:36]))


# --- spreading over pixels


def test_upsampling_is_the_weighted_mean_over_the_patches_that_hold_a_pixel():
    rng = np.random.default_rng(0)
    maps = rng.random((2, 3, 2))
    size, patch, stride, sigma = (16, 13), 8, 4, 3.0  # one column beside the last patch
    result = receptive_upsample(torch.from_numpy(maps), size, patch=patch, stride=stride, sigma=sigma)
    for v in range(16):
        for u in range(12):
            weights, values = [], []
            for i in range(3):
                for j in range(2):
                    if i * stride <= v < i * stride + patch and j * stride <= u < j * stride + patch:
                        d = (v - i * stride - 3.5) ** 2 + (u - j * stride - 3.5) ** 2
                        weights.append(np.exp(-d / (2 * sigma**2)))
                        values.append(maps[:, i, j])
            expected = np.average(values, axis=0, weights=weights)
            np.testing.assert_allclose(result[:, v, u], expected)
    torch.testing.assert_close(result[:, :, 12], result[:, :, 11])


@settings(max_examples=30, deadline=None)
@given(st.integers(32, 70), st.integers(32, 70), st.floats(2, 30))
def test_a_constant_map_stays_constant_and_bounds_hold(height, width, sigma):
    h, w = (height - 32) // 4 + 1, (width - 32) // 4 + 1
    constant = receptive_upsample(torch.full((1, h, w), 2.5), (height, width), sigma=sigma)
    torch.testing.assert_close(constant, torch.full((1, height, width), 2.5))
    maps = torch.rand(1, h, w)
    spread = receptive_upsample(maps, (height, width), sigma=sigma)
    assert spread.min() >= maps.min() - 1e-5 and spread.max() <= maps.max() + 1e-5


def test_maps_of_another_size():
    with pytest.raises(ValueError, match=r"size \(64, 64\) does not belong to maps of shape \(1, 8, 9\)"):
        receptive_upsample(torch.rand(1, 8, 9), (64, 64))
    with pytest.raises(ValueError, match="sigma must be a number of at least 2 pixels, half the step, got 1"):
        receptive_upsample(torch.rand(1, 9, 9), (64, 64), sigma=1)


# --- densities on a grid


def correlated(n, features, h, w, seed=0):
    """Features (n, D, h, w) with another mean and another covariance at each place."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(h, w, features, features))
    return torch.from_numpy(np.einsum("nhwd,hwde->nehw", rng.normal(size=(n, h, w, features)), mixing) + 3).float()


def test_one_density_for_all_places_and_one_for_each():
    maps, new = correlated(40, 5, 2, 3), correlated(7, 5, 2, 3, seed=1)
    shared = PlaceDensities.fit(maps)(new)
    each = PlaceDensities.fit(maps, by_place=True)(new)
    rows = lambda m: m.permute(0, 2, 3, 1).reshape(-1, 5).double().numpy()  # noqa: E731
    expected = LedoitWolf().fit(rows(maps)).mahalanobis(rows(new)).reshape(7, 2, 3) / 2
    np.testing.assert_allclose(shared, expected, rtol=1e-3)
    for v in range(2):
        for u in range(3):
            density = LedoitWolf().fit(maps[:, :, v, u].double().numpy())
            expected = density.mahalanobis(new[:, :, v, u].double().numpy()) / 2
            np.testing.assert_allclose(each[:, v, u], expected, rtol=1e-3)
    assert not torch.allclose(shared, each, rtol=0.1)


def test_gradient_is_the_inverse_covariance_times_the_difference():
    densities = PlaceDensities.fit(correlated(60, 4, 1, 1)).double()
    new = correlated(3, 4, 1, 1, seed=1).double().requires_grad_()
    densities(new).sum().backward()
    sigma = densities.factor[0] @ densities.factor[0].T
    expected = torch.linalg.solve(sigma, (new.detach()[:, :, 0, 0] - densities.mean[0]).T).T
    torch.testing.assert_close(new.grad[:, :, 0, 0], expected)


def test_a_place_where_nothing_varies_takes_a_sphere():
    maps = correlated(30, 4, 2, 2)
    maps[:, :, 0, 0] = 1.0
    densities = PlaceDensities.fit(maps, by_place=True)
    variance = maps.double().var(0, correction=0).mean()
    energy = densities(maps + torch.tensor([1.0, 0, 0, 0])[:, None, None])
    np.testing.assert_allclose(energy[:, 0, 0], 1 / (2 * variance), rtol=1e-4)
    assert torch.isfinite(energy).all()


def test_round_trip_of_the_state():
    densities = PlaceDensities.fit(correlated(30, 4, 2, 2), by_place=True)
    copy = PlaceDensities(4, 4)
    copy.load_state_dict(densities.state_dict())
    new = correlated(5, 4, 2, 2, seed=2)
    torch.testing.assert_close(copy(new), densities(new))
