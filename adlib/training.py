"""What every training loop shares: seeds, batches, a progress bar, checkpoints, one process or many.

One epoch is the unit of everything: its order and its random draws come from (seed, epoch) alone, so a run that was cut
off and goes on from the last whole epoch gives the result of one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import Dataset, default_collate
from tqdm import tqdm

from adlib import _checks
from adlib.storage import load_state, save_state


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Draw from torch as the numbers say inside, and leave the outside generators as they were.

    numbers: integers of at least 0, such as (seed, epoch); other numbers give other draws.
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(mix(*numbers))
        yield


def mix(*numbers: int) -> int:
    """One seed in [0, 2**63) from several integers; (1, 0), (0, 1) and (1,) give different ones."""
    seed = 0
    for number in numbers:  # a linear congruential generator, fed a number at each turn
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed


def epoch_batches(n: int, batch_size: int, *, seed: int, epoch: int, rank: int = 0, world: int = 1) -> list[Tensor]:
    """The indices of one epoch in random order, batch by batch: this process's share of each batch.

    n: items. batch_size: items in a batch over all processes. rank, world: number of this process and of all. With
    several processes a batch whose size they do not divide loses the rest, so that the mean over processes is the mean
    over the batch. Returns int64 Tensors of at most ceil(batch_size / world) indices.
    """
    _checks.integer("n", n, 1)
    _checks.integer("batch_size", batch_size, 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(mix(seed, epoch)))
    shares = [batch[: len(batch) - len(batch) % world][rank::world] for batch in order.split(batch_size)]
    return [share for share in shares if len(share)]


def train(
    step: Callable[[Any], Mapping[str, Tensor]],
    data: Tensor | Dataset,
    *,
    state: Mapping[str, Any],
    epochs: int,
    batch_size: int,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    accelerator: Accelerator | None = None,
    after_epoch: Callable[[int], None] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    label: str = "training",
) -> list[dict[str, float]]:
    """Run epochs of steps over the data; returns for each epoch the mean of what the steps reported.

    step: takes a batch on the device, does forward, backward and the optimiser's step, and returns scalars to report.
    With an accelerator it calls ``accelerator.backward`` on modules that ``accelerator.prepare`` has wrapped.
    data: a Tensor (N, ...), held whole and moved to the device once, or a Dataset, read item by item. state: name to
    whatever has state_dict and load_state_dict (modules, optimisers, schedulers): what a checkpoint holds.
    settings: what else makes this run another one than its neighbour, such as the method's configuration.
    after_epoch: called with the number of the epoch just done, for schedulers. checkpoint: a file written after every
    epoch; if it exists, training goes on from it. If it is from a run with another seed, data, batch size, state or
    settings, or is past ``epochs``, ``ValueError`` says so.
    """
    epochs, batch_size = _checks.integer("epochs", epochs, 1), _checks.integer("batch_size", batch_size, 1)
    seed = _checks.seed(seed)
    if not isinstance(data, Tensor | Dataset):
        raise ValueError(f"data must be a Tensor or a Dataset, got {type(data).__name__}")
    n = len(data)  # type: ignore[arg-type]
    if n == 0:
        raise ValueError("data must hold at least one item, got none")
    rank, world = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
    if min(n, batch_size) < world:
        raise ValueError(
            f"data and batch_size must have at least one item for each of {world} processes, got {n}, {batch_size}"
        )
    device = accelerator.device if accelerator else _device_of(state)
    run: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "items": n, "state": sorted(state)}
    if checkpoint:
        run |= {"settings": repr(sorted((settings or {}).items())), "data": fingerprint(data)}
    if isinstance(data, Tensor):
        data = data.to(device)
    plain = {k: accelerator.unwrap_model(v) if accelerator and _is_module(v) else v for k, v in state.items()}
    history = _resume(checkpoint, run, plain)
    if len(history) > epochs:
        raise ValueError(f"epochs: the checkpoint has {len(history)} epochs already, more than the {epochs} asked for")

    bar = tqdm(total=epochs, initial=len(history), desc=label, unit="epoch", disable=not progress or rank > 0)
    with bar:
        for epoch in range(len(history), epochs):
            reports: list[dict[str, Tensor]] = []
            weights: list[int] = []
            with seeded(seed, epoch, rank):
                for indices in epoch_batches(n, batch_size, seed=seed, epoch=epoch, rank=rank, world=world):
                    batch = data[indices.to(device)] if isinstance(data, Tensor) else _collate(data, indices, device)
                    reports.append({k: v.detach() for k, v in step(batch).items()})
                    weights.append(len(indices))
            history.append(_mean(reports, weights, accelerator))
            if after_epoch:
                after_epoch(epoch)
            if checkpoint and rank == 0:
                states = {k: v.state_dict() for k, v in plain.items()}
                save_state(checkpoint, {"run": run, "history": history, "states": states})
            bar.set_postfix({k: f"{v:.4g}" for k, v in history[-1].items()})
            bar.update()
    return history


def _resume(checkpoint: str | Path | None, run: dict[str, Any], state: Mapping[str, Any]) -> list[dict[str, float]]:
    if not checkpoint or not Path(checkpoint).exists():
        return []
    saved = load_state(checkpoint)
    if not isinstance(saved, dict) or "run" not in saved:
        raise ValueError(f"checkpoint: {str(checkpoint)!r} holds no training state")
    differing = [f"{k} {saved['run'].get(k)!r} there, {run[k]!r} here" for k in run if saved["run"].get(k) != run[k]]
    if differing:
        raise ValueError(f"checkpoint: {str(checkpoint)!r} is from another run: {'; '.join(differing)}")
    for name, part in state.items():
        part.load_state_dict(saved["states"][name])
    return saved["history"]


def _mean(reports: list[dict[str, Tensor]], weights: list[int], accelerator: Accelerator | None) -> dict[str, float]:
    share = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    means = {k: sum(w * r[k].double().cpu() for w, r in zip(share, reports, strict=True)) for k in reports[0]}
    if accelerator:  # every process has as many items, so the mean of means is the mean
        means = {
            k: accelerator.reduce(torch.as_tensor(v, dtype=torch.float32, device=accelerator.device), "mean")
            for k, v in means.items()
        }
    return {k: float(v) for k, v in means.items()}


def _collate(data: Dataset, indices: Tensor, device: torch.device) -> Any:
    batch = default_collate([data[i] for i in indices.tolist()])
    return batch.to(device) if isinstance(batch, Tensor) else [part.to(device) for part in batch]


def fingerprint(data: Tensor | Dataset) -> str:
    """A text that is another for other data: of a Tensor its type, shape and bytes hashed; of a Dataset its type alone,
    since reading it all would take too long.
    """
    if not isinstance(data, Tensor):
        return type(data).__name__
    plain = data.detach().cpu().contiguous()
    return hashlib.sha256(
        f"{plain.dtype} {tuple(plain.shape)}".encode() + plain.view(torch.uint8).numpy().tobytes()
    ).hexdigest()


def _is_module(value: Any) -> bool:
    return isinstance(value, torch.nn.Module)


def _device_of(state: Mapping[str, Any]) -> torch.device:
    for value in state.values():
        if _is_module(value):
            for parameter in value.parameters():
                return parameter.device
    return torch.device("cpu")
