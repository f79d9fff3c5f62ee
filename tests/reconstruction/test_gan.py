"""The losses against hand computations, the optimal discriminator, the networks, and the loop."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from adlib.reconstruction.dcgan import Discriminator, Encoder, Generator, frozen
from adlib.reconstruction.gan import (
    GANConfig,
    discriminator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minimax_loss,
    minimax_value,
    non_saturating_loss,
    train_gan,
)
from adlib.training import seeded

TINY = GANConfig(latent=3, width=2, epochs=2, batch_size=16)
logits = st.lists(st.floats(-30, 30), min_size=1, max_size=8)


def logit(probability):
    return torch.logit(torch.tensor(probability, dtype=torch.float64))


# --- losses


def test_losses_by_hand():
    real, fake = logit([0.9, 0.6]), logit([0.2, 0.5])
    value = (math.log(0.9) + math.log(0.6)) / 2 + (math.log(0.8) + math.log(0.5)) / 2
    assert minimax_value(real, fake).item() == pytest.approx(value)
    assert discriminator_loss(real, fake).item() == pytest.approx(-value)
    assert minimax_loss(fake).item() == pytest.approx((math.log(0.8) + math.log(0.5)) / 2)
    assert non_saturating_loss(fake).item() == pytest.approx(-(math.log(0.2) + math.log(0.5)) / 2)
    outputs, others = torch.tensor([0.5, 2.0]), torch.tensor([-1.0, 0.5, 1.0])
    assert least_squares_discriminator_loss(outputs, others).item() == pytest.approx(0.5 * 0.625 + 0.5 * 0.75)
    assert least_squares_generator_loss(others).item() == pytest.approx(0.5 * (4 + 0.25 + 0) / 3)


@settings(deadline=None)
@given(real=logits, fake=logits)
def test_the_discriminator_minimises_a_cross_entropy(real, fake):
    real, fake = torch.tensor(real, dtype=torch.float64), torch.tensor(fake, dtype=torch.float64)
    expected = binary_cross_entropy_with_logits(real, torch.ones_like(real)) + binary_cross_entropy_with_logits(
        fake, torch.zeros_like(fake)
    )
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(non_saturating_loss(fake), binary_cross_entropy_with_logits(fake, torch.ones_like(fake)))
    assert minimax_loss(fake) <= 0 <= non_saturating_loss(fake)


def test_losses_are_finite_where_a_sigmoid_is_not_told_from_0_or_1():
    for loss in (minimax_loss, non_saturating_loss):
        assert loss(torch.tensor([-1000.0])).isfinite()
        assert loss(torch.tensor([1000.0])).isfinite()
    assert non_saturating_loss(torch.tensor([-1000.0])).item() == 1000
    assert discriminator_loss(torch.tensor([-1000.0]), torch.tensor([1000.0])).item() == 2000


@pytest.mark.parametrize("d", [1e-6, 0.01, 0.5, 0.99])
def test_the_saturating_gradient_is_d_and_the_other_one_minus_d(d):
    gradients = []
    for loss in (minimax_loss, non_saturating_loss):
        x = logit([d]).requires_grad_()
        loss(x).backward()
        gradients.append(x.grad.item())
    assert gradients == pytest.approx([-d, -(1 - d)])  # same direction; only the second is large where D is sure


def test_the_value_at_the_optimal_discriminator_is_the_jensen_shannon_divergence():
    p, q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.3, 0.2, 0.4])
    middle = (p + q) / 2

    def kl(a, b):
        return sum(x * math.log(x / y) for x, y in zip(a, b, strict=True) if x > 0)

    js = (kl(p, middle) + kl(q, middle)) / 2
    # expectations as means over 10 pictures that occur as often as p and q say
    optimal = logit((p / (p + q)).tolist())
    value = minimax_value(
        optimal.repeat_interleave(torch.tensor(p * 10).round().long()),
        optimal.repeat_interleave(torch.tensor(q * 10).round().long()),
    )
    assert value.item() == pytest.approx(2 * js - math.log(4))
    same = logit([0.5] * 10)
    assert minimax_value(same, same).item() == pytest.approx(-math.log(4))  # p = q: the divergence is 0


@pytest.mark.parametrize("loss", [discriminator_loss, least_squares_discriminator_loss])
def test_the_optimal_discriminator_is_reached(loss):
    """Four kinds of picture, one free output each: both games make D(x) = p / (p + q)."""
    p, q = torch.tensor([5, 3, 1, 1]), torch.tensor([1, 3, 2, 4])
    free = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimiser.zero_grad()
        value = loss(free.repeat_interleave(p), free.repeat_interleave(q))
        value.backward()
        return value

    optimiser.step(closure)
    d = free if loss is least_squares_discriminator_loss else torch.sigmoid(free)
    torch.testing.assert_close(d.detach(), (p / (p + q)).double(), rtol=0, atol=1e-5)


# --- networks


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 64])
def test_shapes_and_range(size, channels):
    generator = Generator(size=size, channels=channels, latent=5, width=4)
    discriminator = Discriminator(size=size, channels=channels, width=4)
    made = generator(torch.randn(2, 5))
    assert made.shape == (2, channels, size, size)
    assert made.abs().max() <= 1
    assert discriminator(made).shape == (2,)
    assert discriminator.features(made).shape == (2, size // 2, 4, 4)
    assert Encoder(size=size, channels=channels, latent=5, width=4)(made).shape == (2, 5)


def test_the_default_widths_are_those_of_dcgan():
    generator = Generator()
    maps = [m.in_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert maps == [100, 512, 256, 128, 64]
    maps = [m.out_channels for m in Discriminator().modules() if isinstance(m, nn.Conv2d)]
    assert maps == [64, 128, 256, 512, 1]


def test_weights_are_drawn_as_dcgan_says():
    with seeded(0):
        network = Discriminator()
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 1e4:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
            assert (module.bias == 0).all()
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 3  # none on the first layer


def test_logits_are_a_linear_map_of_the_features():
    discriminator = Discriminator(size=32, width=2).eval()
    x = torch.rand(3, 1, 32, 32)
    expected = (discriminator.features(x) * discriminator.head.weight).flatten(1).sum(1) + discriminator.head.bias
    torch.testing.assert_close(discriminator(x), expected)


def test_frozen_gives_everything_back():
    network = Discriminator(size=32, width=2)
    network.layers[0].weight.requires_grad_(False)
    network.layers[3].eval()
    modes = [m.training for m in network.modules()]
    with pytest.raises(KeyError), frozen(network):
        assert not any(m.training for m in network.modules())
        assert not any(p.requires_grad for p in network.parameters())
        raise KeyError
    assert [m.training for m in network.modules()] == modes
    assert [p.requires_grad for p in network.parameters()] == [False] + [True] * (len(list(network.parameters())) - 1)


# --- the loop


def play(config=TINY, seed=0, n=40, **options):
    with seeded(seed):
        generator = Generator(size=32, latent=3, width=2)
        discriminator = Discriminator(size=32, width=2)
        data = torch.rand(n, 1, 32, 32) * 2 - 1
    return train_gan(generator, discriminator, data, config, seed=seed, progress=False, **options), generator


def test_a_training_reports_both_losses_and_both_judgements():
    history, generator = play(samples=4)
    assert [set(epoch) for epoch in history.epochs] == [
        {"generator_loss", "discriminator_loss", "d_real", "d_fake"}
    ] * 2
    assert all(0 < epoch[k] < 1 for epoch in history.epochs for k in ("d_real", "d_fake"))
    assert history.samples.shape == (3, 4, 1, 32, 32)
    assert not torch.equal(history.samples[0], history.samples[1])
    assert generator.training  # samples are drawn in eval mode and the training goes on


def test_an_epoch_of_one_step_by_hand():
    """One batch: the reports are those of the untrained networks, and G is judged by the D of after the step."""
    config = replace(TINY, epochs=1, batch_size=40, lr=1e-12)  # too small a step to change anything
    history, _ = play(config)
    with seeded(0):
        generator, discriminator = Generator(size=32, latent=3, width=2), Discriminator(size=32, width=2)
        data = torch.rand(40, 1, 32, 32) * 2 - 1
    with seeded(0, 0, 0):  # the loop's own draw of z
        fake = generator(torch.randn(40, 3))
    real_logits, fake_logits = discriminator(data), discriminator(fake)
    assert history.epochs[0] == pytest.approx(
        {
            "generator_loss": non_saturating_loss(fake_logits).item(),
            "discriminator_loss": discriminator_loss(real_logits, fake_logits).item(),
            "d_real": torch.sigmoid(real_logits).mean().item(),
            "d_fake": torch.sigmoid(fake_logits).mean().item(),
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "least_squares"])
def test_a_generator_of_points_moves_to_the_data(loss):
    """The loop serves other networks: points about (2, -1), from a generator that starts about 0."""
    with seeded(0):
        generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
        discriminator = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Flatten(0))
        data = torch.randn(256, 2) * 0.3 + torch.tensor([2.0, -1.0])
    config = GANConfig(latent=2, epochs=60, batch_size=64, lr=2e-3, loss=loss)
    history = train_gan(generator, discriminator, data, config, samples=200, progress=False)
    distance = (history.samples.mean(1) - torch.tensor([2.0, -1.0])).norm(dim=1)
    assert distance[0] > 1.5
    assert distance[-10:].mean() < 0.7


def test_same_seed_same_result_other_seed_another():
    (first, _), (again, _), (other, _) = play(), play(), play(seed=1)
    assert first.epochs == again.epochs != other.epochs
    assert torch.equal(first.samples, again.samples)


def test_a_training_that_goes_on_equals_one_that_was_not_cut_off(tmp_path):
    expected, generator = play(replace(TINY, epochs=3))
    play(replace(TINY, epochs=1), checkpoint=tmp_path / "c")
    history, resumed = play(replace(TINY, epochs=3), checkpoint=tmp_path / "c")
    assert history.epochs == expected.epochs
    assert torch.equal(history.samples, expected.samples)
    for a, b in zip(resumed.state_dict().values(), generator.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    play(checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match="is from another run: settings"):
        play(replace(TINY, loss="minimax"), checkpoint=tmp_path / "c")


# --- bad input


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"latent": 0}, "latent must be an integer of at least 1, got 0"),
        ({"width": 1.5}, "width must be an integer of at least 1, got 1.5"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"batch_size": -1}, "batch_size must be an integer of at least 1, got -1"),
        ({"lr": 0}, "lr must be a number above 0, got 0"),
        ({"beta1": 1}, r"beta1 must be a number in \[0, 1\), got 1"),
        ({"loss": "wasserstein"}, "loss must be one of .*'least_squares'.*, got 'wasserstein'"),
    ],
)
def test_a_bad_constant_is_named(bad, message):
    with pytest.raises(ValueError, match=message):
        GANConfig(**bad)


def test_bad_networks_are_named():
    for network in (Generator, Discriminator, Encoder):
        with pytest.raises(ValueError, match=r"size must be one of \(32, 64\), got 28"):
            network(size=28)
        with pytest.raises(ValueError, match="channels must be 1 or 3, got 2"):
            network(channels=2)
        with pytest.raises(ValueError, match="width must be an integer of at least 1, got 0"):
            network(width=0)
    with pytest.raises(ValueError, match=r"z must have shape \(N, 5\), got \(2, 4\)"):
        Generator(latent=5, width=2)(torch.zeros(2, 4))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.zeros(4, 1, 28, 28), r"items have shape \(1, 28, 28\), the generator makes \(1, 32, 32\)"),
        (torch.zeros(4, 1, 32, 32, dtype=torch.uint8), "data must be a float32 Tensor .*, got torch.uint8"),
        (torch.full((4, 1, 32, 32), float("nan")), "of finite numbers"),
        ([1.0], "data must be a Tensor or a Dataset, got list"),
    ],
)
def test_bad_data_are_named(data, message):
    with pytest.raises(ValueError, match=message):
        train_gan(Generator(size=32, latent=3, width=2), Discriminator(size=32, width=2), data, TINY)


def test_other_bad_arguments_of_the_loop_are_named():
    with pytest.raises(ValueError, match="samples must be an integer of at least 1, got 0"):
        play(samples=0)
    generator, discriminator = Generator(size=32, latent=3, width=2), Discriminator(size=32, width=2)
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got -1"):
        train_gan(generator, discriminator, torch.zeros(4, 1, 32, 32), TINY, seed=-1)
