"""The two losses, the search and its independence, the encoder, and the detector."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch.utils.data import Dataset

from adlib import load_detector
from adlib.datasets import one_class
from adlib.metrics import auroc
from adlib.reconstruction.anogan import AnoGAN, AnoGANConfig, from_generator, lower, to_generator
from adlib.reconstruction.dcgan import Discriminator, Encoder, Generator
from adlib.reconstruction.latent import (
    Found,
    discrimination_loss,
    f_anogan_terms,
    latent_search,
    residual_loss,
    train_encoder,
)
from adlib.training import seeded

TINY = AnoGANConfig(latent=4, width=2, epochs=1, batch_size=16, steps=5, z_lr=0.1, encoder_epochs=1, encoder_lr=1e-3)


def pictures(n, seed=0, shape=(1, 32, 32)):
    return torch.rand((n, *shape), generator=torch.Generator().manual_seed(seed))


def fitted(config=TINY, seed=0, shape=(1, 32, 32)):
    detector = AnoGAN(config, seed=seed).fit(pictures(32, 5, shape), progress=False)
    awaken(detector.generator_)
    if detector.encoder_ is not None:
        awaken(detector.encoder_)
    detector._freeze()  # what it holds of the generator's pictures is that of the new weights
    return detector


def awaken(network):
    """Away from the small weights of the start, so that so small a network answers to its input."""
    for parameter in network.parameters():
        parameter.data *= 10


@cache
def shared(search="gradient"):
    """A detector that no test changes."""
    return fitted(replace(TINY, search=search))


def networks(dtype=torch.float64):
    with seeded(0):
        generator = Generator(size=32, latent=4, width=2).to(dtype)
        discriminator = Discriminator(size=32, width=2).to(dtype)
        x = torch.rand(6, 1, 32, 32, dtype=dtype) * 2 - 1
        for _ in range(3):  # statistics that are not the initial ones
            discriminator(generator(torch.randn(8, 4, dtype=dtype)))
    awaken(generator)
    return generator, discriminator, x


def search(x, start=None, **options):
    generator, discriminator, _ = networks(x.dtype)
    start = torch.linspace(-1, 1, 4, dtype=x.dtype).expand(len(x), -1) if start is None else start
    return latent_search(generator, discriminator, x, start, **{"steps": 10, "lr": 0.1, **options})


class Lazy(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], 0


# --- the losses


def test_losses_by_hand():
    x, made = torch.tensor([[0.5, -1.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.25]])
    x, made = x.reshape(2, 1, 1, 2), made.reshape(2, 1, 1, 2)
    torch.testing.assert_close(residual_loss(x, made), torch.tensor([2.5, 0.25]))
    torch.testing.assert_close(discrimination_loss(3 * x, 3 * made), torch.tensor([7.5, 0.75]))
    residual, discrimination = f_anogan_terms(x, made, 3 * x, 3 * made)
    torch.testing.assert_close(residual, torch.tensor([(0.25 + 4) / 2, 0.0625 / 2]))
    torch.testing.assert_close(discrimination, 9 * residual)


def test_losses_refuse_to_broadcast():
    for loss in (residual_loss, discrimination_loss):
        with pytest.raises(ValueError, match=r"one shape are compared, got \(3, 1, 2, 2\) and \(1, 1, 2, 2\)"):
            loss(torch.zeros(3, 1, 2, 2), torch.zeros(1, 1, 2, 2))


# --- the search


def test_one_step_by_hand():
    """Adam's first step is lr * g / (|g| + eps), whatever the size of the gradient g."""
    generator, discriminator, x = networks()
    generator.eval(), discriminator.eval()
    z = torch.linspace(-1, 1, 4, dtype=torch.float64).expand(6, -1).clone().requires_grad_()
    made = generator(z)
    loss = 0.7 * (x - made).abs().flatten(1).sum(1) + 0.3 * (
        discriminator.features(x) - discriminator.features(made)
    ).abs().flatten(1).sum(1)
    gradient = torch.autograd.grad(loss.sum(), z)[0]
    found = search(x, steps=1, weights=(0.7, 0.3), keep_path=True)
    torch.testing.assert_close(found.z, (z - 0.1 * gradient / (gradient.abs() + 1e-8)).detach())
    torch.testing.assert_close(found.losses[:, 0], loss.detach())
    torch.testing.assert_close(found.path, torch.stack([z.detach(), found.z], 1))


def test_what_is_found_fits_together():
    generator, discriminator, x = networks()
    found = search(x, lr=0.01, keep_path=True)
    generator.eval(), discriminator.eval()
    with torch.no_grad():
        made = generator(found.z)
        torch.testing.assert_close(found.reconstruction, made)
        torch.testing.assert_close(found.residual, residual_loss(x, made))
        features, of_made = discriminator.features(x), discriminator.features(made)
        torch.testing.assert_close(found.discrimination, discrimination_loss(features, of_made))
    torch.testing.assert_close(found.losses[:, -1], 0.9 * found.residual + 0.1 * found.discrimination)
    assert found.losses.shape == (6, 11)
    assert found.path.shape == (6, 11, 4)
    assert torch.equal(found.path[:, -1], found.z)
    assert (found.losses[:, -1] < found.losses[:, 0]).all()


def test_no_step_is_the_start():
    _, _, x = networks()
    start = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = search(x, start, steps=0)
    assert torch.equal(found.z, start)
    assert found.losses.shape == (6, 1)
    assert found.path is None


def test_the_start_is_not_changed_and_the_search_may_stand_where_gradients_are_off():
    _, _, x = networks()
    start = torch.zeros(6, 4, dtype=torch.float64)
    with torch.no_grad():
        found = search(x, start)
    assert (start == 0).all()
    assert not found.z.requires_grad
    assert not found.losses.requires_grad
    torch.testing.assert_close(search(x, start).z, found.z, rtol=0, atol=0)


def test_a_batch_of_searches_equals_separate_ones():
    _, _, x = networks()
    whole = search(x, steps=30, keep_path=True)
    for i in range(6):
        alone = search(x[i : i + 1], steps=30, keep_path=True)
        torch.testing.assert_close(alone.path[0], whole.path[i], rtol=0, atol=1e-9)
        torch.testing.assert_close(alone.losses[0], whole.losses[i])


def test_permuting_the_queries_permutes_the_result():
    _, _, x = networks()
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    torch.testing.assert_close(search(x[order], steps=30).z, search(x, steps=30).z[order], rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", [True, False])
def test_no_gradient_reaches_the_networks_and_no_buffer_moves(mode):
    generator, discriminator, x = networks()
    generator.train(mode), discriminator.train(mode)
    before = [v.clone() for n in (generator, discriminator) for v in n.state_dict().values()]
    latent_search(generator, discriminator, x, torch.zeros(6, 4, dtype=torch.float64), steps=3, lr=0.1)
    for network in (generator, discriminator):
        assert all(p.grad is None for p in network.parameters())
        assert all(p.requires_grad for p in network.parameters())
        assert all(m.training is mode for m in network.modules())
    after = [v for n in (generator, discriminator) for v in n.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_picture_that_the_generator_made_is_found_again():
    generator, _, _ = networks()
    true = torch.tensor([[0.5, -0.4, 0.3, 0.8]], dtype=torch.float64)
    x = generator.eval()(true).detach()
    found = search(x, true + 0.2, steps=300, lr=0.02)
    assert found.residual.item() < 0.1 * found.losses[0, 0].item()
    assert (found.z - true).abs().max() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": -1}, "steps must be an integer of at least 0, got -1"),
        ({"lr": 0}, "lr must be a number above 0, got 0"),
        ({"start": torch.zeros(2, 4)}, r"start must have shape \(6, latent\), got \(2, 4\)"),
        ({"start": torch.zeros(6)}, r"start must have shape \(6, latent\), got \(6,\)"),
    ],
)
def test_bad_arguments_of_the_search_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        search(networks()[2], **options)


# --- the encoder


def test_the_encoder_learns_to_undo_a_fixed_generator():
    generator, discriminator, _ = networks(torch.float32)
    with seeded(1):
        encoder = Encoder(size=32, latent=4, width=4)
        with torch.no_grad():
            data = generator.eval()(torch.randn(64, 4))
    generator.train()
    before = [v.clone() for n in (generator, discriminator) for v in n.state_dict().values()]
    history = train_encoder(
        encoder, generator, discriminator, data, epochs=10, batch_size=16, lr=1e-3, kappa=0.5, progress=False
    )
    assert history[-1]["residual"] < 0.3 * history[0]["residual"]
    assert history[0]["loss"] == pytest.approx(history[0]["residual"] + 0.5 * history[0]["discrimination"])
    after = [v for n in (generator, discriminator) for v in n.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.grad is None for n in (generator, discriminator) for p in n.parameters())
    assert generator.training


def test_bad_arguments_of_the_encoder_are_named():
    generator, discriminator, x = networks(torch.float32)
    encoder = Encoder(size=32, latent=4, width=2)
    with pytest.raises(ValueError, match="lr must be a number above 0, got -1"):
        train_encoder(encoder, generator, discriminator, x, epochs=1, lr=-1)
    with pytest.raises(ValueError, match="kappa must be a number of at least 0, got -1"):
        train_encoder(encoder, generator, discriminator, x, epochs=1, kappa=-1)
    with pytest.raises(ValueError, match="epochs must be an integer of at least 1, got 0"):
        train_encoder(encoder, generator, discriminator, x, epochs=0)


# --- the detector


@pytest.mark.parametrize("mode", ["gradient", "encoder"])
def test_scores_do_not_depend_on_the_batch(mode):
    detector, test = shared(mode), pictures(9, 1)
    order = torch.tensor([4, 8, 1, 0, 2, 7, 3, 6, 5])
    whole = detector.anomaly_score(test)
    torch.testing.assert_close(detector.anomaly_score(test[order]), whole[order], rtol=1e-5, atol=0)
    torch.testing.assert_close(torch.cat([detector.anomaly_score(x[None]) for x in test]), whole, rtol=0.01, atol=0)
    torch.testing.assert_close(detector.anomaly_map(test)[order], detector.anomaly_map(test[order]))


def test_two_queries_have_different_reconstructions():
    for mode in ("gradient", "encoder"):
        made = shared(mode).reconstruct(pictures(2, 1))
        assert not torch.allclose(made.pictures[0], made.pictures[1], rtol=0, atol=1e-4)
        assert not torch.allclose(made.z[0], made.z[1], rtol=0, atol=1e-2)


@pytest.mark.parametrize(("mode", "steps"), [("gradient", "steps"), ("encoder", "encoder_steps")])
def test_the_score_moves_with_the_number_of_steps(mode, steps):
    detector, test = fitted(replace(TINY, search=mode, z_lr=0.02)), pictures(5, 1)
    scores = []
    for number in (1, 10, 60):
        detector.config = replace(detector.config, **{steps: number})
        scores.append(detector.anomaly_score(test))
    assert scores[2].mean() < scores[1].mean() < scores[0].mean()
    assert (scores[1] != scores[0]).all()
    assert (scores[2] != scores[1]).all()


def test_score_and_map_are_those_of_the_equation():
    test = pictures(5, 1)
    for mode in ("gradient", "encoder"):
        detector = shared(mode)
        made = detector.reconstruct(test)
        x, again = 2 * test - 1, 2 * made.pictures - 1
        with torch.no_grad():
            torch.testing.assert_close(again, detector.generator_(made.z))
            features, of_made = detector.discriminator_.features(x), detector.discriminator_.features(again)
            if mode == "gradient":
                residual, discrimination = residual_loss(x, again), discrimination_loss(features, of_made)
                expected = 0.9 * residual + 0.1 * discrimination
            else:
                torch.testing.assert_close(made.z, detector.encoder_(x))
                residual, discrimination = f_anogan_terms(x, again, features, of_made)
                expected = residual + discrimination
        torch.testing.assert_close(made.residual, residual)
        torch.testing.assert_close(made.discrimination, discrimination)
        torch.testing.assert_close(made.score, expected)
        torch.testing.assert_close(made.map, (x - again).abs().sum(1))
        torch.testing.assert_close(detector.anomaly_score(test), made.score)
        torch.testing.assert_close(detector.anomaly_map(test), made.map)


def test_lambda_weighs_the_two_losses():
    detector, test = fitted(replace(TINY, lambda_=1.0)), pictures(3, 1)
    made = detector.reconstruct(test)
    torch.testing.assert_close(made.score, made.discrimination)
    detector.config = replace(detector.config, lambda_=0)
    made = detector.reconstruct(test)
    torch.testing.assert_close(made.score, made.residual)


def test_every_query_starts_from_the_same_vector_of_the_seed():
    detector, other = shared(), fitted(seed=1)
    assert detector.starts_.shape == (1, 1, 4)
    assert torch.equal(detector.starts_, fitted().starts_)
    assert not torch.equal(detector.starts_, other.starts_)
    torch.manual_seed(9)  # the global generator has no part in it
    first = detector.anomaly_score(pictures(3, 1))
    assert torch.equal(detector.anomaly_score(pictures(3, 1)), first)


def test_restarts_take_the_lowest_loss():
    detector, test = fitted(replace(TINY, restarts=3)), pictures(8, 1)
    made = detector.reconstruct(test)
    x = 2 * test - 1
    runs = [
        latent_search(detector.generator_, detector.discriminator_, x, s.expand(8, -1), steps=5, lr=0.1)
        for s in detector.starts_[:, 0]
    ]
    scores = torch.stack([run.losses[:, -1] for run in runs])
    torch.testing.assert_close(made.score, scores.min(0).values, rtol=1e-5, atol=0)
    best = scores.argmin(0)
    assert len(best.unique()) > 1  # else the test says little
    torch.testing.assert_close(made.z, torch.stack([run.z for run in runs])[best, torch.arange(8)])


def test_lower_takes_whole_rows_and_the_first_of_equals():
    def found(last, value):
        losses = torch.tensor(last)[:, None]
        rows = torch.full((3, 2), value)
        return Found(rows, rows[:, None, None], rows[:, 0], rows[:, 1], losses, None)

    result = lower(found([1.0, 2.0, 3.0], 0.0), found([1.0, 1.0, 4.0], 1.0))
    assert result.z.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert result.losses[:, 0].tolist() == [1, 1, 3]
    assert result.reconstruction.shape == (3, 1, 1, 2)
    assert result.path is None


def test_a_query_starts_from_the_candidate_that_fits_it_best():
    detector, test = fitted(replace(TINY, candidates=16)), pictures(8, 1)
    x = 2 * test - 1
    with torch.no_grad():
        made = detector.generator_(detector.starts_[0])
    nearest = torch.stack([(x - m).abs().flatten(1).sum(1) for m in made]).argmin(0)
    torch.testing.assert_close(detector._start(x, 0), detector.starts_[0][nearest])
    whole = detector.anomaly_score(test)
    torch.testing.assert_close(torch.cat([detector.anomaly_score(a[None]) for a in test]), whole, rtol=0.01, atol=0)


def test_pictures_of_28_pixels_are_framed_in_black_and_the_map_is_cut_back():
    x = pictures(3, shape=(1, 28, 28))
    framed = to_generator(x)
    assert framed.shape == (3, 1, 32, 32)
    torch.testing.assert_close(framed[:, :, 2:30, 2:30], 2 * x - 1)
    border = torch.ones(32, 32, dtype=torch.bool)
    border[2:30, 2:30] = False
    assert (framed[..., border] == -1).all()
    torch.testing.assert_close(from_generator(framed, 28), x)

    detector = fitted(shape=(1, 28, 28))
    made = detector.reconstruct(x)
    assert made.pictures.shape == (3, 1, 28, 28)
    assert detector.anomaly_map(x).shape == (3, 28, 28)
    with torch.no_grad():
        residual = (framed - detector.generator_(made.z)).abs().sum(1)
    torch.testing.assert_close(made.map, residual[:, 2:30, 2:30])
    torch.testing.assert_close(made.residual, residual.flatten(1).sum(1))  # the frame counts in the loss


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 64, 64), (3, 64, 64)])
@pytest.mark.parametrize("mode", ["gradient", "encoder"])
def test_colour_and_64_pixels(shape, mode):
    detector = fitted(replace(TINY, search=mode, steps=2), shape=shape)
    made = detector.reconstruct(pictures(3, 1, shape))
    assert made.pictures.shape == (3, *shape)
    assert made.pictures.min() >= 0
    assert made.pictures.max() <= 1
    assert made.map.shape == (3, *shape[1:])
    assert made.score.isfinite().all()
    assert detector.samples_.shape == (2, 16, *shape)


def test_the_networks_of_a_fitted_detector_are_frozen():
    detector = fitted(replace(TINY, search="encoder", encoder_steps=2))
    parts = (detector.generator_, detector.discriminator_, detector.encoder_)
    before = [v.clone() for part in parts for v in part.state_dict().values()]
    detector.anomaly_map(pictures(4, 1))
    assert not any(m.training for part in parts for m in part.modules())
    assert not any(p.requires_grad for part in parts for p in part.parameters())
    after = [v for part in parts for v in part.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_dataset_gives_what_its_tensor_gives():
    normal, test = pictures(32, 5, (1, 28, 28)), pictures(5, 1, (1, 28, 28))
    detectors = [AnoGAN(TINY).fit(data, progress=False) for data in (normal, Lazy(normal))]
    scores = [d.anomaly_score(data) for d, data in zip(detectors, (test, Lazy(test)), strict=True)]
    torch.testing.assert_close(*scores, rtol=1e-5, atol=0)
    torch.testing.assert_close(detectors[1].reconstruct(Lazy(test)).score, scores[0], rtol=1e-5, atol=0)


def test_batches_are_joined_in_order(monkeypatch):
    test = pictures(7, 1)
    whole = shared().reconstruct(test)
    monkeypatch.setattr(AnoGAN, "batch_size", 3)
    parts = shared().reconstruct(test)
    for name in ("pictures", "score", "residual", "discrimination", "map", "z", "losses"):
        # A batch of another size is summed in another order, and Adam makes a small gradient as large as any
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=0.05, atol=0.05)
    assert parts.losses.shape == (7, 6)


@pytest.mark.parametrize("mode", ["gradient", "encoder"])
def test_save_and_load(tmp_path, mode):
    config = replace(TINY, search=mode, restarts=2, candidates=3)
    detector = fitted(config, seed=3).calibrate(pictures(19, 2))
    detector.save(tmp_path / "a.adlib")
    loaded = load_detector(tmp_path / "a.adlib")
    assert isinstance(loaded, AnoGAN)
    assert (loaded.config, loaded.threshold_) == (config, detector.threshold_)
    assert (loaded.history_, loaded.encoder_history_) == (detector.history_, detector.encoder_history_)
    test = pictures(5, 1)
    torch.testing.assert_close(loaded.anomaly_score(test), detector.anomaly_score(test), rtol=0, atol=0)
    assert torch.equal(loaded.predict(test), detector.predict(test))
    assert not any(p.requires_grad for p in loaded.generator_.parameters())


def test_same_seed_same_scores_other_seed_others():
    test = pictures(3, 1)
    assert torch.equal(fitted().anomaly_score(test), shared().anomaly_score(test))
    assert not torch.allclose(fitted(seed=1).anomaly_score(test), shared().anomaly_score(test))


def test_a_fit_that_goes_on_equals_one_that_was_not_cut_off(tmp_path):
    config = replace(TINY, search="encoder", epochs=2, encoder_epochs=2)
    normal, test = pictures(32, 5), pictures(4, 1)
    expected = AnoGAN(config).fit(normal, progress=False)
    cut = replace(config, encoder_epochs=1)  # cut off after the first epoch of the encoder
    AnoGAN(cut).fit(normal, checkpoint=tmp_path / "c", progress=False)
    resumed = AnoGAN(config).fit(normal, checkpoint=tmp_path / "c", progress=False)
    assert (resumed.history_, resumed.encoder_history_) == (expected.history_, expected.encoder_history_)
    assert torch.equal(resumed.samples_, expected.samples_)
    torch.testing.assert_close(resumed.anomaly_score(test), expected.anomaly_score(test), rtol=0, atol=0)


def test_an_encoder_of_another_generator_is_not_gone_on_with(tmp_path):
    config = replace(TINY, search="encoder")
    AnoGAN(config).fit(pictures(32, 5), checkpoint=tmp_path / "c", progress=False)
    with pytest.raises(ValueError, match=r"c.encoder' is from another run: settings"):
        AnoGAN(replace(config, epochs=2)).fit(pictures(32, 5), checkpoint=tmp_path / "c", progress=False)


def test_the_search_may_change_without_another_training(tmp_path):
    """What only the search reads is no setting of the training: its checkpoint serves."""
    AnoGAN(TINY).fit(pictures(32, 5), checkpoint=tmp_path / "c", progress=False)
    AnoGAN(replace(TINY, lambda_=0.5, steps=2)).fit(pictures(32, 5), checkpoint=tmp_path / "c", progress=False)


def test_digits_are_told_apart():
    """Zeros normal, other digits not, 8 x 8 enlarged to 32: far better than chance after a few seconds."""
    data = one_class("digits", 0)
    train, test = (part.repeat_interleave(4, 2).repeat_interleave(4, 3) for part in (data.train, data.test[:150]))
    config = AnoGANConfig(
        latent=8, width=8, epochs=60, batch_size=32, lr=1e-3, steps=30, z_lr=0.1, encoder_epochs=30, encoder_lr=2e-3
    )
    for mode in ("gradient", "encoder"):
        detector = AnoGAN(replace(config, search=mode)).fit(train, progress=False)
        assert auroc(data.test_labels[:150], detector.anomaly_score(test)) > 0.9


def test_the_threshold_comes_from_normal_pictures():
    detector = fitted().calibrate(pictures(39, 2), false_positive_rate=0.1)
    held_out = detector.anomaly_score(pictures(39, 2))
    assert (held_out > detector.threshold_).sum() == 3  # 40 - 36 - 1


# --- bad input


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"lambda_": 1.1}, r"lambda_ must be a number in \[0, 1\], got 1.1"),
        ({"lambda_": -0.1}, r"lambda_ must be a number in \[0, 1\], got -0.1"),
        ({"lambda_": float("nan")}, r"lambda_ must be a number in \[0, 1\], got nan"),
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"steps": 2.5}, "steps must be an integer of at least 1, got 2.5"),
        ({"restarts": 0}, "restarts must be an integer of at least 1, got 0"),
        ({"candidates": 0}, "candidates must be an integer of at least 1, got 0"),
        ({"encoder_steps": -1}, "encoder_steps must be an integer of at least 0, got -1"),
        ({"encoder_epochs": 0}, "encoder_epochs must be an integer of at least 1, got 0"),
        ({"z_lr": 0}, "z_lr must be a number above 0, got 0"),
        ({"encoder_lr": -1}, "encoder_lr must be a number above 0, got -1"),
        ({"kappa": -1}, "kappa must be a number of at least 0, got -1"),
        ({"search": "random"}, "search must be 'gradient' or 'encoder', got 'random'"),
        ({"latent": 0}, "latent must be an integer of at least 1, got 0"),
    ],
)
def test_a_bad_constant_is_named(bad, message):
    with pytest.raises(ValueError, match=message):
        AnoGANConfig(**bad)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(4, 2, 32, 32), r"normal must have 1 or 3 channels, got shape \(2, 32, 32\)"),
        (
            torch.zeros(4, 1, 30, 30),
            r"normal must be square pictures of \(28, 32, 64\) pixels, got shape \(1, 30, 30\)",
        ),
        (torch.zeros(4, 1, 32, 64), r"normal must be square pictures of .*, got shape \(1, 32, 64\)"),
        (torch.full((4, 1, 32, 32), 2.0), r"normal must be .* in \[0, 1\], got values from 2 to 2"),
        (torch.full((4, 1, 32, 32), -1.0), r"normal must be .* in \[0, 1\], got values from -1 to -1"),
        (torch.full((4, 1, 32, 32), float("nan")), "normal must be .*, got NaN or infinity"),
        (torch.zeros(4, 1, 32, 32, dtype=torch.uint8), "got dtype torch.uint8; for 8-bit pictures divide by 255"),
        (torch.zeros(0, 1, 32, 32), r"got shape \(0, 1, 32, 32\)"),
    ],
)
def test_bad_normal_pictures_are_named(bad, message):
    with pytest.raises(ValueError, match=message):
        AnoGAN(TINY).fit(bad, progress=False)


def test_bad_queries_are_named():
    for use in (shared().anomaly_score, shared().anomaly_map, shared().reconstruct):
        with pytest.raises(ValueError, match=r"images must have 1 channel\(s\), got shape \(1, 3, 32, 32\)"):
            use(torch.zeros(1, 3, 32, 32))
        with pytest.raises(ValueError, match=r"images must be 32 x 32 pixels, got shape \(1, 1, 28, 28\)"):
            use(torch.zeros(1, 1, 28, 28))
        with pytest.raises(ValueError, match=r"images must be .* in \[0, 1\], got values from -1 to -1"):
            use(torch.full((1, 1, 32, 32), -1.0))
        with pytest.raises(ValueError, match=r"images must be .*, got NaN or infinity"):
            use(torch.full((1, 1, 32, 32), float("nan")))


def test_a_late_bad_picture_of_a_dataset_is_named():
    late = pictures(20)
    late[19] = 7.0
    with pytest.raises(ValueError, match=r"normal must be .* to 7"):
        AnoGAN(TINY).fit(Lazy(late), progress=False)


@pytest.mark.parametrize("use", ["anomaly_score", "anomaly_map", "predict", "calibrate", "save", "reconstruct"])
def test_an_untrained_detector_says_so(use):
    with pytest.raises(NotFittedError, match="this AnoGAN is not fitted yet: call fit first"):
        getattr(AnoGAN(), use)("anything")


def test_another_config_is_named():
    with pytest.raises(ValueError, match="config must be a AnoGANConfig, got dict"):
        AnoGAN({"steps": 3})
