"""GradCAM against other ways to compute it, cases in closed form, and what it must leave alone."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18

from adlib import GaussianDensity, GradCAM


def log_odds(logits):
    return logits[:, 1]


def enlarged(maps, size):
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def random_resnet(seed=0):
    """A ResNet-18 whose batch norms have statistics other than 0 and 1, in train mode."""
    torch.manual_seed(seed)
    network = resnet18(weights=None, num_classes=3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def split_resnet(network, after):
    """The features up to and with layer number ``after``, and the head from there, by hand."""
    stages = [network.layer1, network.layer2, network.layer3, network.layer4]
    front = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool, *stages[:after])
    head = nn.Sequential(*stages[after:], network.avgpool, nn.Flatten(), network.fc)
    return front.eval(), head.eval()


# against independent implementations


@pytest.mark.parametrize("after", [2, 3, 4])
def test_resnet_split_by_hand(images, after):
    network = random_resnet()
    maps = GradCAM(network, getattr(network, f"layer{after}"))(images, log_odds)
    front, head = split_resnet(network, after)
    with torch.no_grad():
        activations = front(images)
    expected = []
    for A in activations:  # one by one
        A = A.clone().requires_grad_()
        head(A[None])[0, 1].backward()
        expected.append(torch.relu(torch.einsum("kij,k->ij", A.detach(), A.grad.mean((1, 2)))))
    expected = enlarged(torch.stack(expected), (64, 96))
    assert maps.shape == (3, 64, 96) and (maps.amax((1, 2)) > 0).any()
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))


def test_resnet_by_finite_differences(images):
    """w_k = (1/hw) d/dε y(A + ε on the whole of channel k): no autograd at all."""
    network = random_resnet().double()
    images = images[:2].double()
    maps = GradCAM(network, network.layer4)(images, log_odds)
    front, head = split_resnet(network, 4)
    with torch.no_grad():
        A = front(images)
        _, K, h, w = A.shape
        expected = torch.zeros(2, h, w, dtype=torch.float64)
        for k in range(K):
            step = torch.zeros(K, 1, 1, dtype=torch.float64)
            step[k] = 1e-3
            slope = (head(A + step)[:, 1] - head(A - step)[:, 1]) / 2e-3
            expected += slope[:, None, None] / (h * w) * A[:, k]
    torch.testing.assert_close(maps, enlarged(expected.relu(), (64, 96)), rtol=1e-7, atol=1e-12)


def test_a_linear_case_by_hand():
    """y = 3 Σ A_1 − 2 A_2 at one place, on a feature map of 2 x 2: w_1 = 3, w_2 = −2/4."""
    layer = nn.Conv2d(1, 2, 1, bias=False)
    layer.weight.data = torch.tensor([1.0, 4.0]).view(2, 1, 1, 1)  # A_1 = x, A_2 = 4 x
    picture = torch.tensor([[[[1.0, -1.0], [0.0, 2.0]]]])

    def target(A):
        return 3 * A[:, 0].sum((1, 2)) - 2 * A[:, 1, 0, 1]

    # Σ_k w_k A_k = 3 x − ½ · 4 x = x, and the negative place goes to 0
    torch.testing.assert_close(GradCAM(layer, layer)(picture, target), torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]))


def test_enlarged_bilinearly_by_hand():
    network = nn.Sequential(nn.AvgPool2d(2), nn.Identity())
    picture = torch.tensor([[0.0, 0.0, 4.0, 4.0]]).expand(2, 4)[None, None]  # pooled to 1 x 2: 0 and 4
    maps = GradCAM(network, network[0])(picture, lambda A: A.sum((1, 2, 3)))
    # weight 1; pixel centres at −¼, ¼, ¾, 1¼ between the two places
    torch.testing.assert_close(maps, torch.tensor([[[0.0, 1.0, 3.0, 4.0]]]).expand(1, 2, 4))


def test_equals_cam_where_average_pooling_and_a_linear_layer_follow():
    """CAM of Zhou et al., 2016: Σ_k W_ck A_k. There Grad-CAM's weights are those over hw."""
    network = small_network().eval()
    images = torch.randn(5, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    for c in range(2):
        maps = GradCAM(network, network[2])(images, lambda logits, c=c: logits[:, c])
        with torch.no_grad():
            cam = torch.einsum("k,nkij->nij", network[5].weight[c], network[:3](images))
        torch.testing.assert_close(maps, enlarged(cam.relu(), (10, 12)) / (8 * 10))


def test_density_score_of_pooled_features():
    """∂/∂f ½ ‖L⁻¹ (f − μ)‖² = L⁻ᵀ L⁻¹ (f − μ), and ∂f/∂A = 1/hw everywhere."""
    network = small_network()[:5].eval().double()
    generator = torch.Generator().manual_seed(0)
    normal, images = (torch.randn(n, 3, 10, 12, generator=generator).double() for n in (40, 6))
    with torch.no_grad():
        density = GaussianDensity().fit(network(normal).numpy())
        A = network[:3](images)
    mu, L = torch.from_numpy(density.mean_), torch.from_numpy(density.cholesky_)

    def score(f):
        return torch.linalg.solve_triangular(L, (f - mu).T, upper=False).square().sum(0) / 2

    np.testing.assert_allclose(score(A.mean((2, 3))), density.anomaly_score(A.mean((2, 3)).numpy()))
    maps = GradCAM(network, network[2])(images, score)
    weights = np.linalg.solve(density.covariance_, (A.mean((2, 3)).numpy() - density.mean_).T).T / (8 * 10)
    expected = torch.from_numpy(np.einsum("nk,nkij->nij", weights, A.numpy())).relu()
    torch.testing.assert_close(maps, enlarged(expected, (10, 12)), rtol=1e-9, atol=1e-15)


# one by one, and what is left alone


def test_a_batch_equals_one_by_one_in_train_mode_too(images):
    network = random_resnet().train()
    cam = GradCAM(network, network.layer3)
    single = torch.cat([cam(picture[None], log_odds) for picture in images])
    torch.testing.assert_close(cam(images, log_odds), single, rtol=1e-4, atol=1e-6 * float(single.max()))


def test_the_network_is_left_as_it_was(images):
    network = random_resnet().train()
    network.layer2.eval()
    network.conv1.requires_grad_(False)
    network.fc.bias.grad = torch.ones(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    needs = [p.requires_grad for p in network.parameters()]
    images.requires_grad_()
    maps = GradCAM(network, network.layer4)(images, log_odds)
    assert [module.training for module in network.modules()] == modes
    assert [p.requires_grad for p in network.parameters()] == needs
    assert images.grad is None and not maps.requires_grad
    assert [name for name, p in network.named_parameters() if p.grad is not None] == ["fc.bias"]
    torch.testing.assert_close(network.fc.bias.grad, torch.ones(3))
    for name, value in network.state_dict().items():  # the statistics of batch norm too
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert not network.layer4._forward_hooks


def test_the_network_is_left_as_it_was_after_an_error(images):
    network = random_resnet().train()

    def fails(logits):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        GradCAM(network, network.layer4)(images, fails)
    assert all(module.training for module in network.modules()) and not network.layer4._forward_hooks


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_works_where_gradients_are_off(mode):
    network = small_network()
    for p in network.parameters():
        p.requires_grad_(False)
    pictures = torch.randn(2, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    for layer in (network[0], network[2]):
        expected = GradCAM(network, layer)(pictures, log_odds)
        with mode():
            maps = GradCAM(network, layer)(pictures.clone(), log_odds)
            assert not torch.is_grad_enabled()
        assert (expected > 0).any()
        torch.testing.assert_close(maps, expected, rtol=0, atol=0)


def test_what_follows_in_place_does_not_spoil_the_activation():
    network = small_network().eval()
    plain = small_network().eval()
    plain[2] = nn.ReLU()
    pictures = torch.randn(2, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        GradCAM(network, network[1])(pictures, log_odds), GradCAM(plain, plain[1])(pictures, log_odds), rtol=0, atol=0
    )


def test_not_normalised():
    network = small_network().eval()
    pictures = torch.randn(2, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    cam = GradCAM(network, network[2])
    torch.testing.assert_close(cam(pictures, lambda y: 7 * y[:, 1]), 7 * cam(pictures, log_odds))
    assert (cam(pictures, lambda y: y[:, 1] * 0) == 0).all()


# bad input


def test_a_layer_of_another_network():
    network = small_network()
    with pytest.raises(ValueError, match="layer must be a module of the network, got a Conv2d that is none of it"):
        GradCAM(network, nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match="layer must be a module of the network, got a str"):
        GradCAM(network, "layer4")
    with pytest.raises(ValueError, match=r"network must be a torch.nn.Module, got function"):
        GradCAM(log_odds, network)


class Odd(nn.Module):
    """Runs one layer twice, one never, and one that gives a pair."""

    def __init__(self):
        super().__init__()
        self.twice, self.never, self.pair = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.LSTM(4, 4)

    def forward(self, x):
        return self.twice(self.twice(x)).flatten(1) + self.pair(x[:, 0])[0].flatten(1)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("twice", "layer must run once in a pass of the network, it ran 2 times"),
        ("never", "layer must run once in a pass of the network, it ran 0 times"),
        ("pair", r"layer must give a float Tensor \(N, K, h, w\) for N = 2 pictures, it gave a tuple"),
    ],
)
def test_a_layer_that_gives_no_single_map(layer, message):
    network = Odd()
    with pytest.raises(ValueError, match=message):
        GradCAM(network, getattr(network, layer))(torch.zeros(2, 1, 4, 4), lambda y: y[:, 0])
    assert not getattr(network, layer)._forward_hooks


def test_a_layer_that_gives_vectors():
    network = small_network()
    with pytest.raises(
        ValueError, match=r"layer must give .* \(N, K, h, w\) for N = 2 pictures, it gave shape \(2, 4\)"
    ):
        GradCAM(network, network[4])(torch.zeros(2, 3, 8, 8), log_odds)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda y: y, r"target must return a Tensor \(N,\) for N = 2 pictures, it returned shape \(2, 2\)"),
        (lambda y: y.sum(), r"target must return a Tensor \(N,\) for N = 2 pictures, it returned shape \(\)"),
        (lambda y: [1.0, 2.0], r"target must return a Tensor \(N,\) for N = 2 pictures, it returned a list"),
        (lambda y: y[:, 1].detach(), "target must be differentiable and depend on the layer's output"),
        (lambda y: y.argmax(1), "target must be differentiable and depend on the layer's output"),
        (lambda y: torch.ones(2, requires_grad=True), "target must depend on the layer's output"),
    ],
)
def test_bad_targets(target, message):
    network = small_network()
    with pytest.raises(ValueError, match=message):
        GradCAM(network, network[2])(torch.zeros(2, 3, 8, 8), target)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 3, 8, 8), np.float32), "got ndarray"),
        (torch.zeros(3, 8, 8), r"got shape \(3, 8, 8\) of torch.float32"),
        (torch.zeros(0, 3, 8, 8), r"got shape \(0, 3, 8, 8\) of torch.float32"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), r"got shape \(2, 3, 8, 8\) of torch.uint8"),
        (torch.full((2, 3, 8, 8), float("nan")), "got NaN or infinity in it"),
    ],
)
def test_bad_pictures(bad, message):
    network = small_network()
    with pytest.raises(ValueError, match=rf"images must be a finite float Tensor \(N, C, H, W\), {message}"):
        GradCAM(network, network[2])(bad, log_odds)
