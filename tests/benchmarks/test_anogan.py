"""AnoGAN's search of 256 pictures in one batch against the same search picture by picture, in one run.

Run by ``make bench``. Same detector, same function, same starts: only the number of pictures in a call differs.
"""

import time
from dataclasses import replace

import torch

from adlib.datasets import one_class
from adlib.reconstruction.anogan import AnoGAN, AnoGANConfig


def test_a_batch_of_searches_against_one_by_one(capsys):
    data = one_class("digits", 3)
    train, test = (part.repeat_interleave(4, 2).repeat_interleave(4, 3) for part in (data.train, data.test[:256]))
    detector = AnoGAN(replace(AnoGANConfig.quick(), epochs=10, steps=10)).fit(train, progress=False)
    detector.anomaly_score(test[:1])  # the first call has more to do than the others
    ratios = []
    for _ in range(3):  # in turn, so that a change of the machine's speed meets both
        start = time.perf_counter()
        together = detector.anomaly_score(test)
        middle = time.perf_counter()
        one_by_one = torch.cat([detector.anomaly_score(picture[None]) for picture in test])
        ratios.append(((time.perf_counter() - middle) / (middle - start), (middle - start) / len(test)))
    ratio, seconds = sorted(ratios)[1]
    apart = ((one_by_one - together) / together).abs().max().item()
    with capsys.disabled():
        print(
            f"\n256 pictures of 32 px, {detector.config.steps} steps, {torch.get_num_threads()} thread(s): "
            f"{1e3 * seconds:.2f} ms a picture together, {ratio:.1f} times as long one by one; "
            f"scores apart by {apart:.0e} of their value"
        )
    assert len(test) == 256
    assert apart < 1e-4
    assert ratio >= 5
