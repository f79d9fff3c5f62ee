"""Train the flow network of the book on generated motion, and measure it on other motion: what `make weights` calls.

python tools/train_flow.py [--epochs N] [--steps N] [--seed N] [--out FILE] [--root DATA] [--checkpoint FILE]

Writes the weights, and beside them a ``.json`` with the command, the seed, the seconds and the end-point errors of no
flow, of Horn and Schunck and of the network on motion from another seed. With UCSD Ped1 under ``--root`` real frames
are measured too: moved by a known motion, and in pairs as they were filmed, where nobody knows the true flow and only
the frames can be compared. Nothing that is measured chooses anything: the last weights count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor

from adlib.datasets.files import read_picture
from adlib.storage import replacing
from adlib.video.flow import end_point_error, horn_schunck, warp
from adlib.video.flow_network import WEIGHTS, SmallFlow, new_network, train_flow
from adlib.video.motion import Motion, motion_pairs

ROOT = Path(__file__).resolve().parents[1]
HELD_OUT = (
    10**12
)  # seeds from here on: training draws its own from the whole range, so a meeting is out of the question
Flow = Callable[[Tensor, Tensor], Tensor]


def measured(flow: Flow, pairs: Motion) -> dict[str, float]:
    """The end-point errors of a flow on generated pairs, in pixels: of all pixels and of those that b shows too."""
    found = torch.cat([flow(a, b) for a, b in zip(pairs.a.split(8), pairs.b.split(8), strict=True)])
    everywhere = end_point_error(found, pairs.flow)
    return {
        "end_point_error": float(everywhere.mean()),
        "end_point_error_visible": float(end_point_error(found, pairs.flow, ~pairs.occluded).nanmean()),
    }


def ped1_frames(root: Path) -> list[list[Tensor]]:
    """Three frames in a row, (1, 1, H, W) each, from the middle of every test clip; none where the set is not there."""
    clips = sorted((root / "ucsd_ped1/testing/frames").glob("*"))
    return [
        [read_picture(path, channels=1)[None] for path in sorted(clip.glob("*.jpg"))[98:101]]
        for clip in clips
        if clip.is_dir()
    ]


def measured_as_filmed(flow: Flow, triples: list[list[Tensor]]) -> dict[str, float]:
    """How well a flow carries real frames over, as a mean difference in grey levels.

    warp_error: the flow from the first to the third frame fetches the first from the third. Horn and Schunck minimise
    that very error, so it favours them. middle_error: half of that flow fetches the first from the second frame, which
    the flow has not seen; linear motion over two frames is assumed.
    """
    warped, middle = [], []
    for first, second, third in triples:
        found = flow(first, third)
        warped.append((warp(third, found) - first).abs().mean())
        middle.append((warp(second, found / 2) - first).abs().mean())
    return {"warp_error": float(torch.stack(warped).mean()), "middle_error": float(torch.stack(middle).mean())}


def main() -> None:
    """Train, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=100, help="an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "data/weights" / WEIGHTS)
    parser.add_argument("--root", type=Path, default=os.environ.get("ADLIB_DATA"), help="folder of the real data")
    parser.add_argument(
        "--checkpoint", type=Path, help="a file that the training leaves its state in, and goes on from"
    )
    parser.add_argument("--pairs", type=int, default=96, help="held-out pairs")
    arguments = parser.parse_args()

    network = new_network(arguments.seed)
    start = time.perf_counter()
    history = train_flow(
        network, epochs=arguments.epochs, steps=arguments.steps, seed=arguments.seed, checkpoint=arguments.checkpoint
    )
    seconds = time.perf_counter() - start
    network.eval()
    network.save(arguments.out)
    with torch.no_grad():
        figures = evaluate(SmallFlow.load(arguments.out), arguments.pairs, arguments.root)

    options = f" --epochs {arguments.epochs} --steps {arguments.steps} --seed {arguments.seed}"
    record = {
        "method": "small_flow",
        "command": f"python tools/train_flow.py{options}",
        "seed": arguments.seed,
        "seconds": round(seconds, 1),
        "weights": sum(p.numel() for p in network.parameters()),
        "history": history,
        "figures": figures,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s)",
    }
    with replacing(arguments.out.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    json.dump(figures, sys.stdout, indent=1)
    print()


def evaluate(network: SmallFlow, pairs: int, root: Path | None) -> dict[str, dict[str, Any]]:
    """The figures of no flow, of Horn and Schunck and of the network on every kind of held-out motion."""
    flows: dict[str, Flow] = {
        "no flow": lambda a, b: a.new_zeros(len(a), 2, *a.shape[2:]),
        "Horn-Schunck": horn_schunck,
        "SmallFlow": network,
    }
    sets = {
        "generated, 64 x 64, up to 8 pixels": motion_pairs(pairs, (64, 64), largest=8, seed=HELD_OUT),
        "generated, 96 x 128, up to 4 pixels": motion_pairs(pairs // 2, (96, 128), largest=4, seed=HELD_OUT + 1),
    }
    triples = ped1_frames(root) if root else []
    if triples:
        frames = torch.cat([triple[0] for triple in triples])
        sets["frames of Ped1 in generated motion, 96 x 128, up to 4 pixels"] = motion_pairs(
            pairs // 2, (96, 128), channels=1, largest=4, pictures=frames, seed=HELD_OUT + 2
        )
    figures = {title: {name: measured(flow, pairs) for name, flow in flows.items()} for title, pairs in sets.items()}
    if triples:
        figures[f"Ped1 as filmed, {len(triples)} triples of frames, no true flow known"] = {
            name: measured_as_filmed(flow, triples) for name, flow in flows.items()
        }
    return figures


if __name__ == "__main__":
    main()
