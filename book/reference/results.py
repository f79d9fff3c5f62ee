# ---
# jupyter:
#   jupytext:
#     default_lexer: ipython3
#     formats: md:myst,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Results
#
# Every measured figure in this book comes from a record in `data/results`, and every record was written by a command. This page shows
# them all, in short. `adlib.benchmark.load_results` gives the whole of each: configuration, hash of the data, versions, machine, commit.

# %% tags=["hide-input"]
# All records
import json

import numpy as np
from IPython.display import display

from adlib import plots
from adlib.benchmark import results_folder

TITLES = {
    "auroc": "AUROC, %",
    "micro_auroc": "micro AUROC, %",
    "macro_auroc": "macro AUROC, %",
    "micro_auroc_per_video": "micro, stretched, %",
    "average_precision": "average precision, %",
    "pixel_auroc": "pixel AUROC, %",
    "aupro": "AUPRO, %",
}

for path in sorted(results_folder().glob("*.json")):
    records = json.loads(path.read_text(encoding="utf-8"))
    measured = [
        name
        for name in TITLES
        if all(name in record["metrics"] for record in records)
    ]
    rows = []
    for variant in dict.fromkeys(record["variant"] for record in records):
        chosen = [record for record in records if record["variant"] == variant]
        mean = lambda metric: (
            100 * np.mean([record["metrics"][metric] for record in chosen])
        )
        rows.append(
            [
                variant,
                len({r["category"] for r in chosen}),
                len({r["seed"] for r in chosen}),
                *[mean(metric) for metric in measured],
                sum(r["seconds_fit"] for r in chosen),
                sum(r["seconds_score"] for r in chosen),
            ]
        )
    first = records[0]
    versions = ", ".join(
        f"{name} {number}" for name, number in first["versions"].items()
    )
    commands = ", ".join(sorted({f"`{r['command']}`" for r in records}))
    display(
        plots.table(
            [
                f"{first['method']} on {first['dataset']}",
                "classes",
                "seeds",
                *[TITLES[metric] for metric in measured],
                "s to fit",
                "s to score",
            ],
            rows,
            digits=1,
        )
    )
    display(
        plots.table(
            ["commands", "machine", "versions"],
            [[commands, first["machine"], versions]],
        )
    )

# %% [markdown]
# All but seconds are means over classes and seeds; seconds are sums, and depend on what else the machine did. Average
# precision depends on the share of anomalies, see {doc}`/book/foundations/what_is_an_anomaly`. Micro and macro AUROC are
# those of frames, see {doc}`/book/video/autoencoder`; *stretched* means that the scores of each video were first
# stretched to $[0, 1]$, which takes the whole video.
#
# To measure again, remove a record and run its command. What is still there is not measured twice.
