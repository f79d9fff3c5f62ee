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

for path in sorted(results_folder().glob("*.json")):
    records = json.loads(path.read_text(encoding="utf-8"))
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
                mean("auroc"),
                mean("average_precision"),
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
                "AUROC, %",
                "average precision, %",
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
# AUROC and average precision are means over classes and seeds; seconds are sums. Average precision depends on the share of anomalies, here about 90 %, see
# {doc}`/book/foundations/what_is_an_anomaly`.
#
# To measure again, remove a record and run its command. What is still there is not measured twice.
