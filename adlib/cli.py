"""The command line: ``python -m adlib`` or ``adlib``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adlib import _cli_data
from adlib.benchmark import DATASETS, METHODS, mean_metric
from adlib.benchmark import benchmark as run_benchmark

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Visual anomaly detection from the command line.")
app.add_typer(_cli_data.app, name="data")


@app.callback()
def main() -> None:
    """Visual anomaly detection from the command line."""


@app.command()
def benchmark(
    method: Annotated[str, typer.Argument(help=f"the method: {', '.join(METHODS)}")],
    dataset: Annotated[str, typer.Argument(help=f"the data set: {', '.join(DATASETS)}")],
    seeds: Annotated[int, typer.Option(help="how many seeds, from 0 on", min=1)] = 1,
    variant: Annotated[list[str] | None, typer.Option(help="only this variant; may be given again")] = None,
    category: Annotated[list[str] | None, typer.Option(help="only this category; may be given again")] = None,
    root: Annotated[Path | None, typer.Option(help="folder of the data; else ADLIB_DATA, else data/cache")] = None,
    out: Annotated[
        Path | None, typer.Option(help="folder of the records; else data/results, or results where adlib is installed")
    ] = None,
) -> None:
    """Measure a method on the classes of a data set and keep the record. What is measured already is not repeated."""
    try:
        records = run_benchmark(
            method,
            dataset,
            seeds=range(seeds),
            variants=variant or (),
            categories=category or (),
            root=root,
            out=out,
        )
    except (ValueError, FileNotFoundError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    for name in dict.fromkeys(record["variant"] for record in records):
        micro = "micro_auroc" in records[0]["metrics"]  # of videos: over the frames of all together
        typer.echo(
            f"{mean_metric(records, name, 'micro_auroc' if micro else 'auroc'):.4f}  "
            f"mean {'micro ' if micro else ''}AUROC, {name}"
        )
