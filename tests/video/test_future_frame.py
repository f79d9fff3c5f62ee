"""Future frame prediction: losses and scores against slow references, the stream, the training, what it learns."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d
from toy_videos import Recorded, street

from adlib import FutureFramePredictor, load_detector
from adlib.metrics import auroc, micro_macro_auroc, psnr
from adlib.storage import load_state
from adlib.video import future_frame
from adlib.video.flow import flow_loss
from adlib.video.flow_network import SmallFlow
from adlib.video.frame_networks import PatchCritic, UNet
from adlib.video.future_frame import FLOOR, FutureFrameConfig, gradient_loss

SHORT = {"context": 3, "width": 4, "critic": (4, 6), "flow": 0.0, "epochs": 2, "steps": 3, "batch_size": 4}
SHORT |= {"learning_rate": 2e-3, "critic_rate": 2e-4}


def fit(videos=None, seed=0, checkpoint=None, **changes):
    videos = [street(12), street(9, 1)] if videos is None else videos
    config = FutureFrameConfig(**{**SHORT, **changes})
    return FutureFramePredictor(config, seed=seed, device="cpu").fit(videos, checkpoint=checkpoint, progress=False)


@pytest.fixture(scope="module")
def fitted():
    return fit()


# --- losses


def slow_gradient_loss(predicted, real):
    n, channels, height, width = predicted.shape
    across, down = [], []
    for i in range(n):
        for c in range(channels):
            a, b = predicted[i, c], real[i, c]
            for y in range(height):
                for x in range(width):
                    if x:
                        across.append(abs(abs(a[y, x] - a[y, x - 1]) - abs(b[y, x] - b[y, x - 1])))
                    if y:
                        down.append(abs(abs(a[y, x] - a[y - 1, x]) - abs(b[y, x] - b[y - 1, x])))
    return torch.stack(across).mean() + torch.stack(down).mean()


def test_the_gradient_loss_against_loops():
    a, b = torch.rand(2, 2, 3, 5, 4, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(gradient_loss(a, b), slow_gradient_loss(a, b))


def test_the_gradient_loss_by_hand():
    """An edge of height 1 between columns 1 and 2 of four, foreseen half as high, three differences a row."""
    real = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4, 4)
    assert float(gradient_loss(real / 2, real)) == pytest.approx(0.5 / 3)


def test_the_gradient_loss_forgives_brightness_and_sign_but_no_blur():
    real = street(1, shape=(1, 16, 16))
    assert float(gradient_loss(real, real)) == 0
    assert float(gradient_loss(real + 0.05, real)) == pytest.approx(0, abs=1e-7)
    assert float(gradient_loss(1 - real, real)) == pytest.approx(0, abs=1e-7)
    assert float(gradient_loss(torch.full_like(real, float(real.mean())), real)) > 0.01
    assert float(gradient_loss(avg_pool2d(real, 3, 1, 1, count_include_pad=False), real)) > 0.01
    flat = torch.full_like(real, 0.7)
    assert float(gradient_loss(flat, torch.full_like(real, 0.1))) == 0  # no border term


def test_the_gradient_of_the_gradient_loss():
    a, b = torch.rand(2, 1, 1, 4, 5, dtype=torch.double, generator=torch.Generator().manual_seed(3))
    assert torch.autograd.gradcheck(lambda x: gradient_loss(x, b), a.requires_grad_())


def test_the_flow_loss_alone_teaches_the_unet_and_leaves_the_flow_network():
    """A published port detaches the flow of the prediction, and its flow loss teaches nothing."""
    torch.manual_seed(0)
    frames, network, flow_network = torch.rand(2, 5, 1, 32, 32), UNet(4, 1, 4), SmallFlow.load()
    flow_loss(flow_network, frames[:, 3], network(frames[:, :4]), frames[:, 4]).backward()
    gradients = [float(p.grad.abs().max()) for p in network.parameters()]
    assert min(gradients) > 0
    assert all(p.grad is None for p in flow_network.parameters())


# --- scores


@pytest.mark.parametrize("frames", [4, 5, 16, 17, 40])
@pytest.mark.parametrize("patch", [0, 5])
def test_the_scores_against_one_frame_after_the_other(frames, patch):
    detector, video = fit(patch=patch), street(frames, 5, jump=7)
    model = detector.model_
    with torch.no_grad():
        foreseen = torch.cat([model(video[None, t - 3 : t]) for t in range(3, frames)])
    error = (foreseen - video[3:]).square()[:, 0]
    torch.testing.assert_close(detector.predictions(video), foreseen, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(detector.anomaly_map(video)[3:], error, atol=1e-6, rtol=1e-4)
    if patch:
        places = [
            [error[t, y : y + 5, x : x + 5].mean() for y in range(12) for x in range(12)] for t in range(frames - 3)
        ]
        expected = 10 * torch.tensor(places).amax(1).log10()
    else:
        expected = torch.from_numpy(-psnr(foreseen, video[3:])).float()
    scores = detector.anomaly_score(video)
    assert scores.shape == (frames,) and detector.anomaly_map(video).shape == (frames, 16, 16)
    torch.testing.assert_close(scores[3:], expected, atol=1e-4, rtol=1e-5)


def test_nothing_foresees_the_first_frames(fitted):
    video = street(9)
    scores, maps = fitted.anomaly_score(video), fitted.anomaly_map(video)
    assert scores[:3].tolist() == [scores[3]] * 3
    assert (maps[:3] == maps[3]).all()
    assert len(fitted.predictions(video)) == 6


def test_the_score_of_a_frame_needs_none_that_comes_later(fitted):
    video = street(30)
    later = video.clone()
    later[20:] = 0.5
    torch.testing.assert_close(fitted.anomaly_score(video)[:20], fitted.anomaly_score(later)[:20])


def test_a_perfect_prediction_has_a_score(fitted):
    """10 log10 of 0 would be minus infinity, and a min-max of scores that are all the same 0 / 0."""
    detector = fit()
    detector.model_ = LastFrame()
    still = torch.full((8, 1, 16, 16), 0.5)
    scores = detector.anomaly_score(still)
    assert scores.tolist() == [pytest.approx(10 * np.log10(FLOOR))] * 8
    labels = [np.array([0, 0, 0, 1, 1, 0, 0, 0])]
    assert micro_macro_auroc(labels, [scores], normalise="per_video")[:2] == (0.5, 0.5)


class LastFrame(torch.nn.Module):
    """Foresees that nothing changes."""

    def forward(self, past):
        return past[:, -1]


@pytest.mark.parametrize("patch", [0, 4, 100])
def test_a_square_that_is_larger_than_the_frame_is_the_frame(patch):
    detector = fit(patch=patch)
    detector.model_ = LastFrame()
    video = street(6)
    changed = (video[1:] - video[:-1]).square()[:, 0]
    mean = changed.mean((1, 2))[2:] if patch != 4 else avg_pool2d(changed, 4, 1).flatten(1).amax(1)[2:]
    torch.testing.assert_close(detector.anomaly_score(video)[3:], 10 * mean.log10())


# --- the stream


@pytest.mark.parametrize("patch", [0, 5])
def test_the_stream_gives_the_scores_of_the_video(patch):
    detector, video = fit(patch=patch), street(25, 3, jump=6)
    stream = detector.stream()
    scores, maps, foreseen = [], [], []
    for frame in video:
        scores.append(stream.push(frame))
        maps.append(stream.error)
        foreseen.append(stream.prediction)
    assert scores[:3] == maps[:3] == foreseen[:3] == [None] * 3
    torch.testing.assert_close(torch.tensor(scores[3:]), detector.anomaly_score(video)[3:], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(torch.stack(maps[3:]), detector.anomaly_map(video)[3:], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(torch.stack(foreseen[3:]), detector.predictions(video), atol=1e-6, rtol=1e-5)


def test_two_streams_do_not_mix(fitted):
    one, other = fitted.stream(), fitted.stream()
    first, second = street(8, 1), street(8, 2)
    mixed = [(one.push(a), other.push(b)) for a, b in zip(first, second, strict=True)]
    for video, got in zip((first, second), zip(*mixed, strict=True), strict=True):
        torch.testing.assert_close(torch.tensor(got[3:]), fitted.anomaly_score(video)[3:], atol=1e-4, rtol=1e-5)


def test_a_frame_that_is_written_over_afterwards_does_no_harm(fitted):
    """A camera's driver hands out the same memory each time."""
    video, stream, memory = street(8), fitted.stream(), torch.empty(1, 16, 16)
    scores = []
    for frame in video:
        memory.copy_(frame)
        scores.append(stream.push(memory))
    torch.testing.assert_close(torch.tensor(scores[3:]), fitted.anomaly_score(video)[3:], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    "frame, message",
    [
        (torch.rand(1, 1, 16, 16), r"frame must be a float Tensor \(C, H, W\) in \[0, 1\], got \(1, 1, 16, 16\)"),
        (np.zeros((1, 16, 16)), r"frame must be a float Tensor .* got ndarray"),
        (torch.rand(3, 16, 16), "frame must have 1 channel"),
        (torch.rand(1, 16, 17), "frame must be 16 x 16 pixels"),
        (torch.full((1, 16, 16), 1.5), "frame must be a float Tensor .* values from 1.5"),
        (torch.full((1, 16, 16), float("nan")), "NaN"),
        (torch.zeros(1, 16, 16, dtype=torch.uint8), "divide by 255"),
    ],
)
def test_a_bad_frame_is_refused_and_not_kept(fitted, frame, message):
    stream, video = fitted.stream(), street(8)
    for good in video[:4]:
        stream.push(good)
    with pytest.raises(ValueError, match=message):
        stream.push(frame)
    assert stream.push(video[4]) == pytest.approx(float(fitted.anomaly_score(video)[4]), abs=1e-4)


def test_each_frame_is_read_once(fitted):
    video = Recorded(street(50))
    fitted.anomaly_score(video)
    assert video.asked == list(range(50))


# --- training


def test_same_seed_same_result():
    torch.manual_seed(1)
    one = fit()
    torch.manual_seed(2)
    other, third = fit(), fit(seed=1)
    video = street(8)
    assert one.history_ == other.history_
    torch.testing.assert_close(one.anomaly_score(video), other.anomaly_score(video), rtol=0, atol=0)
    assert (one.anomaly_score(video) - third.anomaly_score(video)).abs().max() > 1e-6


@pytest.mark.parametrize("adversarial", [0.05, 0.0])
def test_an_interrupted_training_goes_on_to_the_same_result(tmp_path, adversarial):
    whole = fit(epochs=3, drop=4, adversarial=adversarial)
    partial = tmp_path / "partial"
    interrupted(partial, adversarial)
    assert len(load_state(partial)["history"]) == 2
    resumed = fit(epochs=3, drop=4, adversarial=adversarial, checkpoint=partial)
    assert resumed.history_ == whole.history_
    for name, value in whole.model_.state_dict().items():
        torch.testing.assert_close(resumed.model_.state_dict()[name], value, rtol=0, atol=0)


def interrupted(file, adversarial):
    """The same training, cut off in the third epoch."""
    original, calls = future_frame.mse_loss, 0

    def counted(*arguments):
        nonlocal calls
        calls += 1
        if calls > 7:
            raise KeyboardInterrupt
        return original(*arguments)

    future_frame.mse_loss = counted
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(epochs=3, drop=4, adversarial=adversarial, checkpoint=file)
    finally:
        future_frame.mse_loss = original


def test_a_checkpoint_of_other_videos_or_weights_is_refused(tmp_path):
    fit(checkpoint=tmp_path / "state")
    with pytest.raises(ValueError, match="from another run"):
        fit([street(12, 7)], checkpoint=tmp_path / "state")
    with pytest.raises(ValueError, match="from another run"):
        fit(gradient=0.5, checkpoint=tmp_path / "state")


def test_a_loss_of_weight_0_is_not_computed():
    names = set(fit().history_[0])
    assert names == {"intensity", "gradient", "adversarial", "critic"}
    plain = fit(adversarial=0.0)
    assert set(plain.history_[0]) == {"intensity", "gradient"} and plain.critic_ is None
    videos = [street(8, shape=(1, 32, 32))]
    assert set(fit(videos, flow=1.0, adversarial=0.0).history_[0]) == {"intensity", "gradient", "flow"}


def test_one_step_written_out():
    """The first step of G and of D against the losses by hand, with an optimiser that cannot hide a factor."""
    videos = [street(4)]  # one clip only, so every batch is the same
    rate = 1e-3
    config = dataclasses.replace(
        FutureFrameConfig(**SHORT), epochs=1, steps=1, batch_size=1, learning_rate=rate, critic_rate=rate, gradient=0.7
    )
    detector = FutureFramePredictor(config, device="cpu")
    start, judge = {}, {}
    new_model, new_critic = detector._new_model, detector._new_critic

    def kept_model(channels):
        model = new_model(channels)
        start.update({k: v.clone() for k, v in model.state_dict().items()})
        return model

    def kept_critic(shape):
        critic = new_critic(shape)
        judge.update({k: v.clone() for k, v in critic.state_dict().items()})
        return critic

    detector._new_model, detector._new_critic = kept_model, kept_critic
    detector.fit(videos, progress=False)

    model, critic = UNet(3, 1, 4), PatchCritic(1, (4, 6))
    model.load_state_dict(start)
    critic.load_state_dict(judge)
    clip = (videos[0] * 255).round() / 255
    past, real = clip[None, :3], clip[3:4]
    optimiser, other = (torch.optim.Adam(network.parameters(), rate) for network in (model, critic))
    predicted = model(past)
    loss_d = ((critic(real) - 1) ** 2).mean() / 2 + (critic(predicted.detach()) ** 2).mean() / 2
    other.zero_grad()
    loss_d.backward()
    other.step()
    a, b = 2 * predicted - 1, 2 * real - 1
    loss_int = ((a - b) ** 2).mean()
    loss_gd = gradient_loss(a, b)
    loss_adv = ((critic(predicted) - 1) ** 2).mean() / 2
    optimiser.zero_grad()
    (loss_int + 0.7 * loss_gd + 0.05 * loss_adv).backward()
    optimiser.step()
    expected = {"critic": loss_d, "intensity": loss_int, "gradient": loss_gd, "adversarial": loss_adv}
    assert detector.history_ == [pytest.approx({name: v.item() for name, v in expected.items()}, rel=1e-5)]
    for name, value in model.state_dict().items():
        torch.testing.assert_close(detector.model_.state_dict()[name], value, atol=2e-5, rtol=1e-4)
    for name, value in critic.state_dict().items():
        torch.testing.assert_close(detector.critic_.state_dict()[name], value, atol=2e-5, rtol=1e-4)


def test_the_rates_fall_to_a_tenth_after_drop():
    def moved(drop):
        before, after = (fit(epochs=epochs, steps=4, drop=drop, adversarial=0.0).model_ for epochs in (1, 2))
        pairs = zip(before.parameters(), after.parameters(), strict=True)
        return sum((a - b).abs().sum().item() for a, b in pairs)

    assert moved(4) < 0.3 * moved(1000)


def test_saved_and_loaded_it_scores_alike(tmp_path):
    for changes in ({}, {"adversarial": 0.0}):
        detector = fit(**changes).calibrate([street(40, 2)])
        detector.save(tmp_path / "model")
        loaded = load_detector(tmp_path / "model", device="cpu")
        video = street(12, 3, jump=4)
        torch.testing.assert_close(loaded.anomaly_score(video), detector.anomaly_score(video), rtol=0, atol=0)
        assert loaded.threshold_ == detector.threshold_ and loaded.history_ == detector.history_
        assert (loaded.critic_ is None) == (detector.critic_ is None)


def test_what_jumps_is_not_foreseen():
    """Squares that walk on, in training; in the test one that skips every ten frames."""
    walking = [street(24, seed) for seed in range(4)]
    detector = fit(walking, context=4, width=8, adversarial=0.0, epochs=4, steps=40, batch_size=8, drop=140)
    scores, labels = [], []
    for seed in range(4, 8):
        skips = torch.arange(34) % 10 == 0
        scores.append(detector.anomaly_score(street(34, seed, jump=10))[4:])
        labels.append(skips[4:])
    assert auroc(torch.cat(labels).long().numpy(), torch.cat(scores).numpy()) > 0.97


# --- bad input


@pytest.mark.parametrize(
    "videos, message",
    [
        ([street(3)], r"videos\[0\] must have at least 4 frames"),
        ([street(8), street(3)], r"videos\[1\] must have at least 4 frames"),
        ([street(8), street(8, shape=(1, 16, 17))], r"videos\[1\].*16 x 16 pixels"),
        ([street(8), street(8, shape=(3, 16, 16))], r"videos\[1\].*1 channel"),
        ([], "videos must hold at least one video"),
        (street(8), "put one video into a list"),
        ([street(8) * 255], "values from"),
    ],
)
def test_bad_videos_are_refused(videos, message):
    with pytest.raises(ValueError, match=message):
        fit(videos)


def test_frames_too_small_for_a_loss_are_refused():
    with pytest.raises(ValueError, match="at least 32 x 32 pixels for the flow loss, got 16 x 16; flow=0"):
        fit(flow=1.0)
    with pytest.raises(ValueError, match="larger frames for a critic of 2 layers, got 2 x 2 pixels; adversarial=0"):
        fit([street(8)[..., :2, :2]])


def test_other_frames_than_trained_on_are_refused(fitted):
    with pytest.raises(ValueError, match="16 x 16 pixels"):
        fitted.anomaly_score(street(8, shape=(1, 16, 18)))
    with pytest.raises(ValueError, match="at least 4 frames"):
        fitted.anomaly_score(street(3))


def test_the_shortest_video_has_one_clip():
    assert fit([street(4)]).anomaly_score(street(4)).shape == (4,)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"context": 0}, "context"),
        ({"width": 1.5}, "width"),
        ({"critic": [4, 8]}, "critic must be a tuple"),
        ({"critic": (4,)}, "critic must be a tuple of two"),
        ({"critic": (4, 0)}, "critic"),
        ({"flow": -1}, "flow"),
        ({"adversarial": float("nan")}, "adversarial"),
        ({"intensity": 0.0, "gradient": 0.0}, "intensity or gradient must be above 0"),
        ({"flow_network": "flownet2"}, 'flow_network must be "small" or "raft"'),
        ({"patch": -1}, "patch"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"critic_rate": -1.0}, "critic_rate"),
        ({"epochs": 0}, "epochs"),
        ({"steps": True}, "steps"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_a_bad_constant_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        FutureFrameConfig(**changes)


def test_the_papers_constants():
    """Read off the authors' hyper_params.ini."""
    avenue = FutureFrameConfig.paper("avenue")
    assert (avenue.intensity, avenue.gradient, avenue.flow, avenue.adversarial) == (0.001, 1, 2, 0.05)
    assert (avenue.learning_rate, avenue.critic_rate, avenue.drop) == (2e-4, 2e-5, 100_000)
    ped1 = FutureFrameConfig.paper("ped1")
    assert (ped1.intensity, ped1.gradient, ped1.flow, ped1.adversarial) == (1, 1, 0.01, 0.05)
    assert FutureFrameConfig.paper("ped2") == FutureFrameConfig()
    assert FutureFrameConfig.paper("shanghaitech", width=8).width == 8
    with pytest.raises(ValueError, match=r"dataset must be one of .*'ped1'.* got 'mnist'"):
        FutureFrameConfig.paper("mnist")
