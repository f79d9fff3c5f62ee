"""The loop: means by hand, cut-off runs, seeds, and two processes against one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from adlib.training import epoch_batches, mix, seeded, train


def setting(seed=0, dropout=0.0):
    """A linear model that learns y = sum(x), with momentum and a schedule, so that a checkpoint has much to hold."""
    with seeded(seed):
        net = nn.Sequential(nn.Dropout(dropout), nn.Linear(3, 1))
        x = torch.randn(50, 3)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 2, gamma=0.9)

    def step(batch):
        loss = (net(batch) - batch.sum(1, keepdim=True)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"loss": loss}

    state = {"net": net, "optimiser": optimiser, "schedule": schedule}
    return step, x, state, lambda epoch: schedule.step()


def run(epochs, *, step=None, **options):
    own_step, x, state, after = setting(**{k: options.pop(k) for k in ("dropout",) if k in options})
    history = train(
        (lambda b: step(b, own_step)) if step else own_step,
        x,
        state=state,
        epochs=epochs,
        batch_size=20,
        after_epoch=after,
        progress=False,
        **options,
    )
    return history, state["net"].state_dict()


def test_it_learns_and_reports_the_mean_weighted_by_the_batch():
    history, _ = run(30)
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    sizes = train(
        lambda batch: {"size": torch.tensor(float(len(batch))), "mean": batch.mean()},
        torch.arange(50.0),
        state={},
        epochs=1,
        batch_size=20,
        progress=False,
    )
    assert sizes == [pytest.approx({"size": (20 * 20 + 20 * 20 + 10 * 10) / 50, "mean": 24.5})]


def test_same_seed_same_result_other_seed_another():
    (first, net), (again, same), (other, _) = run(3, dropout=0.5), run(3, dropout=0.5), run(3, dropout=0.5, seed=1)
    assert first == again != other
    torch.testing.assert_close(net, same, rtol=0, atol=0)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(2, dropout=0.5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("cut_in_epoch", [1, 2, 4])
def test_a_run_that_was_cut_off_goes_on_to_the_same_result(tmp_path, cut_in_epoch):
    path = tmp_path / "checkpoint"
    expected, net = run(6, dropout=0.3)
    calls = 0

    def interrupted(batch, step):
        nonlocal calls
        calls += 1
        if calls == 3 * cut_in_epoch + 2:  # three batches an epoch: in the middle of one
            raise KeyboardInterrupt
        return step(batch)

    with pytest.raises(KeyboardInterrupt):
        run(6, step=interrupted, dropout=0.3, checkpoint=path)
    calls = -1000
    history, resumed = run(6, step=interrupted, dropout=0.3, checkpoint=path)
    assert calls == -1000 + 3 * (6 - cut_in_epoch)  # whole epochs are not repeated
    assert history == expected
    torch.testing.assert_close(resumed, net, rtol=0, atol=0)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    run(1, checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match="is from another run: seed 0 there, 1 here"):
        run(2, checkpoint=tmp_path / "c", seed=1)
    with pytest.raises(ValueError, match=r"is from another run: settings .*0.1.* there, .*9.0.* here"):
        run(2, checkpoint=tmp_path / "d", settings={"lr": 0.1})
        run(2, checkpoint=tmp_path / "d", settings={"lr": 9.0})
    for other in (torch.ones(4), torch.zeros(5), torch.zeros(4).double()):
        train(lambda b: {"n": b.sum()}, torch.zeros(4), state={}, epochs=1, batch_size=2, checkpoint=tmp_path / "e")
        with pytest.raises(ValueError, match=r"is from another run: .*data"):
            train(lambda b: {"n": b.sum()}, other, state={}, epochs=1, batch_size=2, checkpoint=tmp_path / "e")
    run(6, checkpoint=tmp_path / "f")
    with pytest.raises(ValueError, match="epochs: the checkpoint has 6 epochs already, more than the 2 asked for"):
        run(2, checkpoint=tmp_path / "f")
    from adlib.storage import save_state

    save_state(tmp_path / "other", [1])
    with pytest.raises(ValueError, match="holds no training state"):
        run(2, checkpoint=tmp_path / "other")


def test_every_item_once_an_epoch_in_another_order_each_time():
    first, second = (torch.cat(epoch_batches(103, 10, seed=0, epoch=e)) for e in (0, 1))
    assert first.sort().values.tolist() == list(range(103)) and not torch.equal(first, second)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_each_batch(world):
    whole = epoch_batches(100, 30, seed=0, epoch=0)
    shares = [epoch_batches(100, 30, seed=0, epoch=0, rank=r, world=world) for r in range(world)]
    for i, batch in enumerate(whole):
        got = torch.cat([share[i] for share in shares])
        assert len(got) == len(batch) // world * world
        assert len({len(share[i]) for share in shares}) == 1
        assert set(got.tolist()) <= set(batch.tolist()) and len(set(got.tolist())) == len(got)


def test_mixed_seeds_differ():
    assert len({mix(), mix(0), mix(1), mix(0, 0), mix(0, 1), mix(1, 0), mix(2**62, 1)}) == 7


def test_a_dataset_trains_as_its_tensor():
    x = torch.arange(50.0).reshape(25, 2)
    seen = {}
    for kind, data in {"tensor": x, "dataset": torch.utils.data.TensorDataset(x)}.items():
        seen[kind] = []
        step = lambda b, kind=kind: seen[kind].append(b if kind == "tensor" else b[0]) or {"n": torch.tensor(1.0)}  # noqa: E731
        train(step, data, state={}, epochs=2, batch_size=4, progress=False)
    for a, b in zip(seen["tensor"], seen["dataset"], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"epochs": 1.5}, {"batch_size": 0}, {"batch_size": True}])
def test_bad_numbers_are_named(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be an integer of at least 1"):
        train(lambda b: {}, torch.zeros(3), **({"state": {}, "epochs": 1, "batch_size": 1} | bad))


def test_other_bad_arguments_are_named():
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got -1"):
        train(lambda b: {}, torch.zeros(3), state={}, epochs=1, batch_size=1, seed=-1)
    with pytest.raises(ValueError, match="data must be a Tensor or a Dataset, got NoneType"):
        train(lambda b: {}, None, state={}, epochs=1, batch_size=1)
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1, got -1"):
        epoch_batches(10, -1, seed=0, epoch=0)


def test_no_data_is_named():
    with pytest.raises(ValueError, match="data must hold at least one item"):
        train(lambda b: {}, torch.zeros(0, 3), state={}, epochs=1, batch_size=1)


SCRIPT = """
import json, sys, torch
from accelerate import Accelerator
from adlib.training import seeded, train
accelerator = Accelerator(cpu=True)
with seeded(0):
    net, x = torch.nn.Linear(3, 1), torch.randn(60, 3)
net, optimiser = accelerator.prepare(net, torch.optim.SGD(net.parameters(), lr=0.05))
def step(batch):
    loss = (net(batch) - batch.sum(1, keepdim=True)).square().mean()
    optimiser.zero_grad(); accelerator.backward(loss); optimiser.step()
    return {"loss": loss}
history = train(step, x, state={"net": net, "optimiser": optimiser}, epochs=4, batch_size=20, accelerator=accelerator,
                checkpoint=sys.argv[1], progress=False)
if accelerator.is_main_process:
    print("RESULT", json.dumps([accelerator.num_processes, [h["loss"] for h in history]]))
"""


def test_two_processes_follow_one(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    results = {}
    for processes in (1, 2):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--log-dir", str(tmp_path)]
        command += ["--nproc-per-node", str(processes)]
        command += [str(script), str(tmp_path / f"checkpoint{processes}")]
        out = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=300)
        assert out.returncode == 0, out.stderr[-3000:]
        line = next(line for line in out.stdout.splitlines() if line.startswith("RESULT"))
        results[processes] = json.loads(line.removeprefix("RESULT "))
    assert (results[1][0], results[2][0]) == (1, 2)
    assert results[2][1] == pytest.approx(results[1][1], rel=1e-5)
