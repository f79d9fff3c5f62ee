"""The 3-D autoencoder: network and errors against slow references, its training, and what it learns of a toy street."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F
from toy_videos import Recorded, street

from adlib import ConvAutoencoder, load_detector
from adlib.metrics import auroc, regularity_score
from adlib.training import epoch_batches, mix, seeded
from adlib.video.autoencoder import ConvAutoencoderConfig, SpaceTimeAutoencoder
from adlib.video.clips import Clips

SHORT = {"clip": 4, "widths": (4, 6), "epochs": 2, "steps": 3, "batch_size": 4}


def fit(videos=None, seed=0, checkpoint=None, **changes):
    videos = [street(12), street(9, 1)] if videos is None else videos
    config = ConvAutoencoderConfig(**{**SHORT, **changes})
    return ConvAutoencoder(config, seed=seed, device="cpu").fit(videos, checkpoint=checkpoint, progress=False)


@pytest.fixture(scope="module")
def fitted():
    return fit()


# --- the network


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 16, 24), (4, 13, 9), (1, 1, 1), (7, 8, 31)])
def test_any_size_comes_back_as_it_went_in(size, channels):
    length, height, width = size
    clips = torch.rand(2, length, channels, height, width)
    out = SpaceTimeAutoencoder(channels, (4, 5, 6))(clips)
    assert out.shape == clips.shape and out.min() > 0 and out.max() < 1


def test_the_network_written_out():
    """Padded by hand, and pooled after LeakyReLU as in the paper."""
    torch.manual_seed(0)
    network = SpaceTimeAutoencoder(1, (4, 5)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            for value in (module.running_mean, module.weight.data, module.bias.data):
                value.normal_()
    clips = torch.rand(2, 3, 1, 6, 8)
    x = torch.cat([clips, clips[:, -1:]], 1)
    x = torch.cat([x, x[:, :, :, -1:], x[:, :, :, -1:]], 3).permute(0, 2, 1, 3, 4)  # (2, 1, 4, 8, 8)

    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv3d | torch.nn.ConvTranspose3d)]
    norms = iter(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm3d))
    first, second, middle, up, again, last = convolutions

    def normed(x):
        m = next(norms)
        scale = (m.weight / (m.running_var + m.eps).sqrt()).reshape(1, -1, 1, 1, 1)
        return F.leaky_relu((x - m.running_mean.reshape(1, -1, 1, 1, 1)) * scale + m.bias.reshape(1, -1, 1, 1, 1), 0.2)

    for convolution in (first, second):
        x = F.max_pool3d(normed(F.conv3d(x, convolution.weight, convolution.bias, padding=1)), 2)
    x = F.conv3d(x, middle.weight, middle.bias, padding=1)
    assert x.shape == (2, 5, 1, 2, 2)
    for convolution in (up, again):
        x = normed(F.conv_transpose3d(x, convolution.weight, convolution.bias, 2, 1, 1))
    x = torch.sigmoid(F.conv3d(x, last.weight, last.bias, padding=1))
    torch.testing.assert_close(network(clips), x.permute(0, 2, 1, 3, 4)[:, :3, :, :6])


def test_the_sizes_of_the_default_are_those_of_pyanomaly():
    network = SpaceTimeAutoencoder(1, ConvAutoencoderConfig().widths)
    shapes = [tuple(p.shape[:2]) for p in network.parameters() if p.ndim == 5]
    # a transposed convolution names what comes in first
    assert shapes == [(32, 1), (48, 32), (64, 48), (64, 64), (64, 48), (48, 32), (32, 32), (1, 32)]
    assert network.encoder(torch.rand(1, 1, 16, 32, 32)).shape == (1, 64, 2, 4, 4)


@pytest.mark.parametrize("shape", [(8, 1, 16, 16), (5, 3, 11, 7)])
def test_the_gradient_reaches_all_weights(shape):
    network = SpaceTimeAutoencoder(shape[1], (4, 6, 8))
    clips = torch.rand(2, *shape)
    F.mse_loss(network(clips), clips).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-7, name  # more than rounding


# --- the errors


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 9, 14)])
@pytest.mark.parametrize("frames", [4, 7, 23])
def test_errors_equal_a_slow_loop(shape, frames):
    detector = fit([street(9, 0, shape=shape)])
    detector.batch_size = 5
    video, clip = street(frames, 3, shape=shape), 4
    sums, counts = torch.zeros(frames, *shape[1:]), torch.zeros(frames)
    with torch.no_grad():
        for start in range(frames - clip + 1):
            x = video[start : start + clip][None]
            squared = (detector.model_(x) - x).square()[0].mean(1)
            for j in range(clip):
                sums[start + j] += squared[j]
                counts[start + j] += 1
    expected = sums / counts[:, None, None]
    torch.testing.assert_close(detector.anomaly_map(video), expected)
    torch.testing.assert_close(detector.anomaly_score(video), expected.mean((1, 2)))


@pytest.mark.parametrize("extra", range(6))
def test_as_many_scores_as_frames(fitted, extra):
    video = street(4 + extra, 2)
    assert fitted.anomaly_score(video).shape == (4 + extra,)
    assert fitted.anomaly_map(video).shape == (4 + extra, 16, 16)


def test_the_block_does_not_matter(fitted, monkeypatch):
    video = Recorded(street(40, 2))
    whole = fitted.anomaly_score(video)
    assert video.largest == 16
    for size in (1, 3, 100):
        monkeypatch.setattr(fitted, "batch_size", size, raising=False)
        torch.testing.assert_close(fitted.anomaly_score(video), whole)


def test_a_score_needs_no_frame_far_ahead(fitted):
    """Three frames after a frame its score is known, and nothing that comes later changes it."""
    early, late = street(12, 2), street(12, 2)
    late[8:] = 1 - late[8:]
    changed = (fitted.anomaly_score(early) - fitted.anomaly_score(late)).abs() > 1e-6
    assert changed.tolist() == [False] * 5 + [True] * 7


@pytest.mark.parametrize("denominator", ["max", "range"])
def test_regularity_is_that_of_the_errors(fitted, denominator):
    video = street(9, 2)
    expected = regularity_score(fitted.anomaly_score(video), denominator)
    assert fitted.regularity(video, denominator).tolist() == expected.tolist()
    assert fitted.regularity(video).tolist() == fitted.regularity(video, "max").tolist()


# --- training


def test_training_equals_a_plain_loop():
    videos = [street(12), street(9, 1)]
    clips = torch.stack([v[i : i + 4] for v in videos for i in range(len(v) - 3)])
    clips = (clips * 255).round() / 255
    detector = fit(videos)
    with seeded(0):
        network = SpaceTimeAutoencoder(1, (4, 6)).to(memory_format=torch.channels_last_3d)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
    for epoch in range(2):
        losses = []
        with seeded(mix(0, 1), epoch, 0):
            for batch in epoch_batches(12, 4, seed=mix(0, 1), epoch=epoch):
                x = clips[torch.randint(len(clips), (len(batch),))]
                loss = ((network(x) - x) ** 2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
        assert detector.history_[epoch]["loss"] == pytest.approx(sum(losses) / 3, rel=1e-4)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(detector.model_.state_dict()[key], value, rtol=1e-3, atol=1e-4)


def test_the_seed_decides_all():
    video = street(9, 2)
    torch.manual_seed(5)
    first = fit(seed=3).anomaly_score(video)
    torch.manual_seed(6)
    assert torch.equal(fit(seed=3).anomaly_score(video), first)
    assert not torch.allclose(fit(seed=4).anomaly_score(video), first)


def test_a_run_that_was_cut_off_equals_a_whole_one(tmp_path, monkeypatch):
    whole = fit(epochs=3)
    calls, batch = [], Clips.batch

    def cut(self, numbers):
        calls.append(1)
        if len(calls) == 5:  # in the second epoch of 3 steps
            raise KeyboardInterrupt
        return batch(self, numbers)

    monkeypatch.setattr(Clips, "batch", cut)
    with pytest.raises(KeyboardInterrupt):
        fit(epochs=3, checkpoint=tmp_path / "run")
    again = fit(epochs=3, checkpoint=tmp_path / "run")
    assert len(calls) == 5 + 6 and again.history_ == whole.history_
    assert torch.equal(again.anomaly_score(street(9, 2)), whole.anomaly_score(street(9, 2)))
    for other in ({"videos": [street(12), street(9, 2)]}, {"weight_decay": 0.0}, {"seed": 1}):
        with pytest.raises(ValueError, match=r"checkpoint: .* is from another run"):
            fit(**{"epochs": 3, **other}, checkpoint=tmp_path / "run")


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 10, 7)])
def test_save_and_load(tmp_path, shape):
    videos = [street(12, 0, shape=shape)]
    detector = fit(videos).calibrate([street(40, 1, shape=shape)])
    detector.save(tmp_path / "model.adlib")
    loaded = load_detector(tmp_path / "model.adlib", device="cpu")
    assert isinstance(loaded, ConvAutoencoder)
    assert (loaded.config, loaded.threshold_, loaded.shape_) == (detector.config, detector.threshold_, shape)
    assert loaded.history_ == detector.history_
    video = street(9, 2, shape=shape)
    assert torch.equal(loaded.anomaly_map(video), detector.anomaly_map(video))
    assert torch.equal(loaded.predict(video), detector.predict(video))


def test_tensors_and_datasets_give_the_same():
    videos = [street(12), street(9, 1)]
    video = street(9, 2)
    expected = fit(videos).anomaly_score(video)
    assert torch.equal(fit(tuple(Recorded(v) for v in videos)).anomaly_score(Recorded(video)), expected)


def test_what_moves_otherwise_is_rebuilt_worse():
    detector = fit([street(24, s) for s in range(8)], widths=(8, 16), epochs=6, steps=25, batch_size=8)
    assert detector.history_[-1]["loss"] < detector.history_[0]["loss"] / 2

    def errors(**how):
        return torch.cat([detector.anomaly_score(street(24, seed, **how)) for seed in range(100, 106)])

    normal = errors()
    for anomalous in (errors(speed=2), errors(jump=6)):
        assert anomalous.mean() > normal.mean()
        assert auroc([0] * len(normal) + [1] * len(anomalous), torch.cat([normal, anomalous])) > 0.5


# --- bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip": 0}, "clip must be an integer of at least 1, got 0"),
        ({"widths": [4, 6]}, r"widths must be a tuple of one integer or more, got \[4, 6\]"),
        ({"widths": ()}, r"widths must be a tuple of one integer or more, got \(\)"),
        ({"widths": (4, 0.5)}, "widths must be an integer of at least 1, got 0.5"),
        ({"epochs": 0}, "epochs must be"),
        ({"steps": True}, "steps must be"),
        ({"batch_size": -1}, "batch_size must be"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"weight_decay": -1}, "weight_decay must be a number of at least 0, got -1"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ConvAutoencoderConfig(**changes)


def test_quick_changes_what_it_says():
    quick = ConvAutoencoderConfig.quick(epochs=1)
    assert (quick.clip, quick.epochs) == (8, 1)
    assert dataclasses.replace(quick, clip=16).clip == 16
    with pytest.raises(TypeError):
        ConvAutoencoderConfig.quick(nope=1)


def test_bad_videos_are_named(fitted):
    with pytest.raises(ValueError, match=r"videos\[1\] must have at least 4 frames, the length of a clip, got 3"):
        fit([street(9), street(3)])
    with pytest.raises(ValueError, match=r"videos\[1\]\[0:9\] must be 16 x 16 pixels"):
        fit([street(9), Recorded(street(9, shape=(1, 16, 18)))])
    with pytest.raises(ValueError, match="video must have at least 4 frames"):
        fitted.anomaly_score(street(3))
    with pytest.raises(ValueError, match=r"video\[0:9\] must be 16 x 16 pixels"):
        fitted.anomaly_map(street(9, shape=(1, 18, 16)))
    with pytest.raises(ValueError, match=r"video\[0:9\] must have 1 channel\(s\)"):
        fitted.regularity(street(9, shape=(3, 16, 16)))
    with pytest.raises(ValueError, match="denominator must be"):
        fitted.regularity(street(9), "mean")
