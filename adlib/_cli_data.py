"""The commands about data: ``python -m adlib data list | check | make | download``."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from adlib.datasets._layouts import present
from adlib.datasets.catalogue import CATALOGUE, data_folder
from adlib.datasets.check import check as check_folder
from adlib.datasets.download import REMOTE
from adlib.datasets.download import download as fetch
from adlib.datasets.factory import CATEGORIES, make_factory
from adlib.datasets.fundus import make_fundus
from adlib.datasets.plaza import make_plaza

app = typer.Typer(no_args_is_help=True, help="What data sets there are, what a folder holds; draw sets, fetch sets.")
make = typer.Typer(no_args_is_help=True, help="Draw a set that needs no download, in the layout of a real one.")
app.add_typer(make, name="make")

Root = Annotated[Path | None, typer.Option(help="the data folder; else ADLIB_DATA, else data/cache")]
Size = Annotated[int, typer.Option(help="height and width of a picture, in pixels")]
Seed = Annotated[int, typer.Option(help="another seed, other pictures")]


def _echo(result: Callable[[], object]) -> None:
    """Print the result, or an error of the user's in its own words, without a traceback."""
    try:
        typer.echo(result())
    except (ValueError, RuntimeError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None


@app.command("list")
def list_sets(root: Root = None) -> None:
    """Every set adlib reads: what it holds, who may use it, and whether it is in the data folder."""
    width = max(60, shutil.get_terminal_size().columns)

    def told() -> str:
        lines = []
        for name, entry in CATALOGUE.items():
            place = present(name, root)
            facts = {
                "holds": f"{entry.kind}, {entry.pixels}; {entry.counts}",
                "labels": f"{entry.labels}; masks: {entry.masks}",
                "licence": entry.licence,
                "page": entry.page,
            }
            lines.append(f"{name} ({entry.title})")
            for label, text in facts.items():
                margin = f"  {label:<9}"
                lines.append(
                    textwrap.fill(
                        text,
                        width,
                        initial_indent=margin,
                        subsequent_indent=" " * len(margin),
                        break_long_words=False,
                        break_on_hyphens=False,
                    )
                )
            here = "yes, with scikit-learn" if name == "digits" else place or f"no; {entry.obtain}"
            lines.append(f"  {'here':<9}{here}")  # in one line: a path with spaces is to be copied
        return "\n".join([*lines, f"data folder: {data_folder(root)}"])

    _echo(told)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="a folder with one data set, or with several")],
    read: Annotated[bool, typer.Option("--read", help="decode every file as well, to find broken ones")] = False,
) -> None:
    """Tell what a folder is, how many pictures each split has, and what is missing. Exit code 1 if anything is."""
    complete = True

    def told() -> str:
        nonlocal complete
        reports = check_folder(path, read=read)
        complete = not any(report.problems for report in reports)
        return "\n\n".join(str(report) for report in reports)

    _echo(told)
    if not complete:
        raise typer.Exit(1)


@make.command()
def factory(
    root: Root = None,
    categories: Annotated[str, typer.Option(help="names, separated by commas")] = ",".join(CATEGORIES),
    size: Size = 128,
    train: Annotated[int, typer.Option(help="flawless pictures to train")] = 60,
    good: Annotated[int, typer.Option(help="flawless pictures to test")] = 20,
    defective: Annotated[int, typer.Option(help="pictures to test for each kind of defect")] = 10,
    seed: Seed = 0,
) -> None:
    """Products with defects and their masks, in the layout of MVTec AD."""
    names = [name.strip() for name in categories.split(",")]
    _echo(
        lambda: make_factory(root, categories=names, size=size, train=train, good=good, defective=defective, seed=seed)
    )


@make.command()
def fundus(
    root: Root = None,
    size: Size = 128,
    healthy: Annotated[int, typer.Option(help="healthy eyes")] = 160,
    glaucoma: Annotated[int, typer.Option(help="eyes with glaucoma")] = 80,
    seed: Seed = 0,
) -> None:
    """Photographs of the eye's ground, healthy and with glaucoma, in the layout of LAG."""
    _echo(lambda: make_fundus(root, size=size, healthy=healthy, glaucoma=glaucoma, seed=seed))


@make.command()
def plaza(
    root: Root = None,
    train: Annotated[int, typer.Option(help="videos in which all is normal")] = 15,
    test: Annotated[int, typer.Option(help="videos with an anomaly")] = 15,
    frames: Annotated[int, typer.Option(help="frames in each video")] = 60,
    height: Annotated[int, typer.Option(help="of a frame, in pixels")] = 96,
    width: Annotated[int, typer.Option(help="of a frame, in pixels")] = 128,
    seed: Seed = 0,
) -> None:
    """Videos of people on a square, and of what does not belong there, in the layout of ShanghaiTech."""
    _echo(lambda: make_plaza(root, train=train, test=test, frames=frames, size=(height, width), seed=seed))


@app.command()
def download(
    name: Annotated[str, typer.Argument(help=", ".join(REMOTE))],
    root: Root = None,
) -> None:
    """Fetch a set that anyone may fetch: checked by SHA-256, and resumed if an earlier call broke off."""
    if name in REMOTE:
        typer.echo(f"licence of {CATALOGUE[name].title}: {CATALOGUE[name].licence}")
    _echo(lambda: fetch(name, root))
