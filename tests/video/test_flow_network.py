"""The small flow network, its training, its weights, and RAFT with the same call."""

import itertools
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import optical_flow

from adlib.storage import save_state
from adlib.video import flow_network
from adlib.video.flow import end_point_error, flow_loss, horn_schunck
from adlib.video.flow_network import RAFT, SmallFlow, correlation, new_network, raft_small, train_flow
from adlib.video.motion import motion_pairs


@pytest.fixture
def tiny():
    return new_network(0, width=2, radius=1)


def frames(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=dtype), torch.rand(shape, generator=generator, dtype=dtype)


def test_correlation_is_the_slow_one():
    f_a, f_b = (part.numpy() for part in frames(2, 3, 4, 5))
    found = correlation(torch.as_tensor(f_a), torch.as_tensor(f_b), 1)
    assert found.shape == (2, 9, 4, 5)
    for n, row, column in itertools.product(range(2), range(4), range(5)):
        for k, (down, right) in enumerate(itertools.product((-1, 0, 1), repeat=2)):
            y, x = row + down, column + right
            inside = 0 <= y < 4 and 0 <= x < 5
            expected = np.dot(f_a[n, :, row, column], f_b[n, :, y, x]) if inside else 0
            assert found[n, k, row, column] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (2, 3, 33, 47), (1, 1, 158, 238)])
def test_any_size_from_32_pixels_on(tiny, shape):
    a, b = frames(*shape)
    assert tiny(a, b).shape == (shape[0], 2, *shape[2:])
    assert [flow.shape for flow in tiny.all_levels(a, b)] == [(shape[0], 2, *shape[2:])] * 3


def test_at_most_a_million_weights_and_four_megabytes(tmp_path):
    network = new_network()
    assert sum(p.numel() for p in network.parameters()) <= 1_000_000
    network.save(tmp_path / "flow.safetensors")
    assert (tmp_path / "flow.safetensors").stat().st_size <= 4 * 2**20


def test_a_grey_frame_is_one_of_three_equal_channels(tiny):
    a, b = frames(2, 1, 32, 40)
    torch.testing.assert_close(tiny(a, b), tiny(a.repeat(1, 3, 1, 1), b.repeat(1, 3, 1, 1)))


def test_brightness_and_contrast_of_the_pair_do_not_count(tiny):
    a, b = frames(1, 1, 32, 32)
    torch.testing.assert_close(tiny(0.5 * a + 0.3, 0.5 * b + 0.3), tiny(a, b), atol=5e-3, rtol=0)


def test_one_pair_does_not_see_its_neighbour(tiny):
    a, b = frames(3, 3, 32, 32)
    torch.testing.assert_close(tiny(a, b)[1:2], tiny(a[1:2], b[1:2]))


def test_flat_frames_give_finite_flow_and_gradient(tiny):
    a = torch.full((1, 1, 32, 32), 0.5, requires_grad=True)
    flow = tiny(a, torch.full_like(a, 0.5))
    flow.sum().backward()
    assert flow.isfinite().all() and a.grad.isfinite().all()


def test_the_gradient_in_both_frames_is_right(tiny):
    tiny = tiny.double()
    a, b = (x.requires_grad_() for x in frames(1, 1, 32, 32, dtype=torch.float64))
    assert torch.autograd.gradcheck(tiny, (a, b), fast_mode=True, eps=1e-8, atol=1e-4)


def test_the_flow_loss_reaches_the_prediction_and_no_weight(tiny):
    frame, predicted = frames(2, 3, 32, 32)
    real, _ = frames(2, 3, 32, 32, seed=1)
    flow_loss(tiny, frame, predicted.requires_grad_(), real).backward()
    assert predicted.grad.abs().max() > 0
    assert all(p.grad is None and p.requires_grad for p in tiny.parameters())
    assert flow_loss(tiny, frame, real, real) == 0


# --- training


def test_a_short_training_learns_what_holds_for_other_pairs():
    """Some seconds are not enough to be good: the error of the start falls, down to about that of no flow."""
    held_out = motion_pairs(16, (48, 48), largest=8, seed=10**9)
    network = new_network(0, width=8)

    def error():
        with torch.no_grad():
            return end_point_error(network(held_out.a, held_out.b), held_out.flow).mean()

    before = error()
    history = train_flow(network, epochs=2, steps=10, batch_size=4, size=(48, 48), learning_rate=4e-3, progress=False)
    assert [sorted(epoch) for epoch in history] == [["error", "loss"]] * 2
    assert error() < 0.95 * before


SHORT = {"steps": 2, "batch_size": 2, "size": (32, 32), "progress": False}


def test_training_repeats_itself_and_goes_on_from_a_checkpoint(tmp_path):
    whole, again = (new_network(0, width=2, radius=1) for _ in range(2))
    history = train_flow(whole, epochs=2, seed=3, **SHORT)
    assert train_flow(again, epochs=2, seed=3, checkpoint=tmp_path / "c", **SHORT) == history
    resumed = new_network(1, width=2, radius=1)
    assert train_flow(resumed, epochs=2, seed=3, checkpoint=tmp_path / "c", **SHORT) == history
    for p, q, r in zip(whole.parameters(), again.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q) and torch.equal(p, r)
    with pytest.raises(ValueError, match="another run"):
        train_flow(new_network(0, width=2, radius=1), epochs=2, seed=4, checkpoint=tmp_path / "c", **SHORT)


def test_the_start_comes_from_the_seed():
    one, same, other = (next(new_network(seed, width=2).parameters()) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


# --- weights


def test_saved_weights_come_back_frozen(tiny, tmp_path):
    a, b = frames(1, 3, 32, 32)
    tiny.save(tmp_path / "w")
    loaded = SmallFlow.load(tmp_path / "w")
    assert torch.equal(loaded(a, b), tiny(a, b))
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"no weights of SmallFlow at .*nowhere.*make weights"):
        SmallFlow.load(tmp_path / "nowhere")
    monkeypatch.setattr(flow_network, "weights_folder", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match="make weights"):
        SmallFlow.load()


@pytest.mark.parametrize("state", [{"width": 2}, {"width": 2, "radius": 1, "weights": {}}, [1]])
def test_weights_of_something_else_are_named(state, tmp_path):
    save_state(tmp_path / "w", state)
    with pytest.raises(ValueError, match="does not hold the weights of a SmallFlow"):
        SmallFlow.load(tmp_path / "w")


def test_the_committed_weights_beat_horn_schunck():
    pairs = motion_pairs(16, (64, 64), largest=8, seed=7 * 10**8)
    with torch.no_grad():
        network = end_point_error(SmallFlow.load()(pairs.a, pairs.b), pairs.flow).mean()
    classical = end_point_error(horn_schunck(pairs.a, pairs.b), pairs.flow).mean()
    assert network < 0.8 * classical < end_point_error(torch.zeros_like(pairs.flow), pairs.flow).mean()


# --- RAFT


@pytest.fixture(scope="module")
def raft():
    torch.manual_seed(0)
    return raft_small(None, updates=2)


def test_raft_takes_the_same_call_and_has_a_gradient(raft):
    frame, predicted = frames(1, 1, 40, 36)
    real, _ = frames(1, 1, 40, 36, seed=1)
    assert raft(frame, real).shape == (1, 2, 40, 36)
    flow_loss(raft, frame, predicted.requires_grad_(), real).backward()
    assert predicted.grad.abs().max() > 0
    assert all(p.grad is None for p in raft.parameters())


def test_raft_is_called_with_padded_frames_in_minus_one_to_one():
    seen = {}

    class Recorder(nn.Module):
        def forward(self, a, b, num_flow_updates):
            seen.update(a=a, b=b, updates=num_flow_updates)
            return [a[:, :2] * 0, a[:, :2]]

    a, b = frames(2, 1, 45, 150)
    flow = RAFT(Recorder(), updates=3)(a, b)
    assert seen["updates"] == 3
    assert seen["a"].shape == seen["b"].shape == (2, 3, 128, 152)
    torch.testing.assert_close(flow, (2 * a - 1).repeat(1, 2, 1, 1))  # the last of the list, cut back to its place
    assert seen["b"].min() >= -1 and seen["b"].max() <= 1


@pytest.mark.parametrize("error", [URLError("no route"), OSError("disc full"), RuntimeError("invalid hash value")])
def test_raft_without_a_network_says_what_to_do(monkeypatch, error):
    def fails(**_):
        raise error

    monkeypatch.setattr(optical_flow, "raft_small", fails)
    with pytest.raises(OSError, match=r"weights='things': .*Fetch https://.*raft_small.*SmallFlow.load"):
        raft_small()


# --- bad input

GOOD = torch.rand(1, 3, 32, 32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f(GOOD, GOOD[..., 1:]), r"b must have shape \(1, 3, 32, 32\)"),
        (lambda f: f(GOOD, GOOD[:, :1]), r"b must have 3 channel"),
        (lambda f: f(GOOD[:, :2], GOOD), r"a must have 1 or 3 channel"),
        (lambda f: f(GOOD[..., 1:], GOOD[..., 1:]), r"a must have sides of at least 32 pixels"),
        (lambda f: f(GOOD / 0, GOOD), r"a .* NaN"),
        (lambda f: f(GOOD.numpy(), GOOD), r"a must be a float Tensor \(N, C, H, W\), got ndarray"),
        (lambda f: SmallFlow(width=0), r"width must be an integer of at least 1, got 0"),
        (lambda f: SmallFlow(radius=1.5), r"radius must be an integer of at least 1, got 1.5"),
        (lambda f: train_flow(f, epochs=0), r"epochs must be an integer of at least 1, got 0"),
        (lambda f: train_flow(f, steps=0), r"steps must be an integer of at least 1, got 0"),
        (lambda f: train_flow(f, batch_size=0), r"batch_size must be an integer of at least 1, got 0"),
        (lambda f: train_flow(f, learning_rate=0), r"learning_rate must be a number above 0, got 0"),
        (lambda f: train_flow(f, size=(16, 64), progress=False), r"size must be an integer of at least 32, got 16"),
        (lambda f: raft_small("imagenet"), r"weights must be 'things' or None, got 'imagenet'"),
        (lambda f: raft_small(None, updates=0), r"updates must be an integer of at least 1, got 0"),
        (lambda f: RAFT(nn.Identity())(GOOD, GOOD[..., 1:]), r"b must have shape"),
    ],
)
def test_bad_input_is_named(tiny, call, message):
    with pytest.raises(ValueError, match=message):
        call(tiny)
