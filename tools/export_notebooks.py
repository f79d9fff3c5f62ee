"""Write what goes with each page of the book: the paired script, and the notebook that Colab opens and nbval checks.

python tools/export_notebooks.py [PAGE.md ...] [--check] [--no-run]

A notebook page is a ``.md`` in ``book/`` whose front matter has ``jupytext:``. Without pages named, all of them are
written, and the addresses between ``<!-- address:begin -->`` and ``<!-- address:end -->`` in README.md are brought into
line with ``_config.yml``.
Cells tagged ``nbval-check-output`` keep what they print, so a page that has some is run. ``--no-run`` keeps the earlier
outputs of cells that did not change. ``--check`` writes and runs nothing; it names each stale file and exits with 1.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from book_index import Book
from myst_blocks import PageError
from myst_inline import Inline
from myst_to_markdown import CHECKED, Cell, convert
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
INSTALL = """\
import sys

if "google.colab" in sys.modules:  # what Colab has installed stays as it is
    %pip install --quiet git+https://github.com/{owner}/{repository}@{branch} jupyterquiz"""
HEAD = "*This notebook is a copy of a page of the book, which has its figures and its quiz ready: [{title}]({url}).*"

_BETWEEN = re.compile(r"(<!-- address:begin -->)(.*?)(<!-- address:end -->)", re.DOTALL)
_NAME = r"[\w-]+(?:\.(?!git\b)[\w-]+)*"
_ADDRESSES = (
    (rf"https://github\.com/{_NAME}/{_NAME}", "https://github.com/{owner}/{repository}"),
    (rf"https://{_NAME}\.github\.io/{_NAME}", "https://{owner}.github.io/{repository}"),
    (rf"colab\.research\.google\.com/github/{_NAME}/{_NAME}", "colab.research.google.com/github/{owner}/{repository}"),
    (
        rf"raw\.githubusercontent\.com/{_NAME}/{_NAME}/{_NAME}",
        "raw.githubusercontent.com/{owner}/{repository}/{branch}",
    ),
    (rf"/blob/{_NAME}/", "/blob/{branch}/"),
)
# What a checked cell may not print, because it differs elsewhere: colours, objects in memory, files of one machine.
_ELSEWHERE = re.compile(r"\x1b|\bat 0x[0-9a-f]+|(?<![\w.])/(?:home|root|tmp|usr|opt|var|mnt|Users)/\S*|\b[A-Z]:\\\S+")


def notebook_pages(root: Path) -> list[Path]:
    """The pages of the book that are notebooks, in order of their names."""
    return [path for path in sorted((root / "book").rglob("*.md")) if is_notebook(path)]


def is_notebook(page: Path) -> bool:
    """Whether the front matter of a page has ``jupytext:``."""
    match = re.match(r"---\n(.*?)\n---\n", page.read_text(encoding="utf-8"), re.DOTALL)
    return match is not None and re.search(r"^jupytext:", match[1], re.MULTILINE) is not None


def paired_script(text: str) -> str:
    """The page as a percent script; without the version of jupytext, which would differ from machine to machine."""
    script = jupytext.writes(jupytext.reads(text, fmt="md:myst"), fmt="py:percent")
    return re.sub(r"^# +jupytext_version: .*\n", "", script, count=1, flags=re.MULTILINE)


def build_notebook(page: Path, book: Book) -> NotebookNode:
    """The exported notebook of a page, without outputs. Raises PageError, see ``myst_to_markdown.convert``."""
    text = page.read_text(encoding="utf-8")
    docname = page.relative_to(book.root).with_suffix("").as_posix()
    if docname not in book.titles:
        raise PageError(f"{docname}.md", 1, "the page is not in _toc.yml, or has no title")
    address = {"owner": book.owner, "repository": book.repository, "branch": book.branch}
    title = Inline(docname, book).fragment(book.titles[docname], 1)
    cells = [
        Cell("markdown", HEAD.format(title=title, url=book.url(docname)), 1),
        Cell("code", INSTALL.format(**address), 1),
        *convert(text, docname, book),
    ]
    notebook = new_notebook(metadata=METADATA, nbformat_minor=5)
    seen: Counter[str] = Counter()
    for cell in cells:
        name = hashlib.sha256(f"{cell.kind}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] += 1
        name = name if seen[name] == 1 else f"{name}-{seen[name]}"
        if cell.kind == "markdown":
            notebook.cells.append(new_markdown_cell(cell.source, id=name))
            continue
        metadata: dict[str, Any] = {"tags": cell.tags} if cell.tags else {}
        if cell.title:
            metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
        notebook.cells.append(new_code_cell(cell.source, id=name, metadata=metadata))
    return notebook


def checked_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """The cells whose output is compared, each with its place among the code cells, from 1."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(place, cell) for place, cell in enumerate(code, 1) if CHECKED in cell.metadata.get("tags", [])]


def store_outputs(notebook: NotebookNode, outputs: dict[str, list[Any]], root: Path, page: str) -> list[str]:
    """Give the checked cells their outputs, by cell id; returns the ids of those that have none.

    nbval never compares a cell without execution_count, so it is set: to the place of the cell, the same in every run.
    Raises ValueError for an output that is not plain text or that would differ on another machine.
    """
    missing = []
    for place, cell in checked_cells(notebook):
        kept: list[NotebookNode] = []
        for output in outputs.get(cell.id, []):
            _portable(output, root, f"{page}: the checked cell that starts with {cell.source.splitlines()[0]!r}")
            if kept and kept[-1].output_type == output.output_type == "stream":
                kept[-1]["text"] += output["text"]
                continue
            kept.append(nbformat.from_dict(output))
            if output.output_type == "execute_result":
                kept[-1]["execution_count"] = place
        cell["outputs"], cell["execution_count"] = kept, place if kept else None
        if not kept:
            missing.append(cell.id)
    return missing


def _portable(output: NotebookNode, root: Path, where: str) -> None:
    kind = output.get("name", output.output_type)
    if kind not in ("stdout", "execute_result", "display_data") or set(output.get("data", {})) - {"text/plain"}:
        found = ", ".join(sorted(output.get("data", {}))) or kind
        raise ValueError(
            f"{where} gives {found}: it may give plain text only, show pictures and tables in another cell"
        )
    text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
    match = _ELSEWHERE.search(text)
    if match or str(root) in text or sys.prefix in text:
        raise ValueError(f"{where} prints {match[0] if match else 'a path'!r}, which differs on another machine")


def run(notebook: NotebookNode, folder: Path) -> dict[str, list[Any]]:
    """Execute a notebook where nbval executes it, in its own folder; returns the outputs by cell id."""
    running = nbformat.from_dict(notebook)
    client = NotebookClient(running, timeout=600, record_timing=False, resources={"metadata": {"path": str(folder)}})
    client.execute(stderr=subprocess.DEVNULL)  # the words of the kernel itself, not those of the cells
    return {cell.id: cell.outputs for cell in running.cells if cell.cell_type == "code"}


def earlier_outputs(path: Path) -> dict[str, list[Any]]:
    """The outputs that an exported notebook holds, by cell id; none where it cannot be read."""
    try:
        notebook = nbformat.read(path, as_version=4)
        return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    except (OSError, AttributeError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return {}


def notebook_text(notebook: NotebookNode) -> str:
    """The file of a notebook, the same on every machine."""
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"


def readme_text(text: str, book: Book) -> str:
    """README.md with the repository's addresses between the markers brought into line with ``_config.yml``."""
    address = {"owner": book.owner, "repository": book.repository, "branch": book.branch}

    def between(match: re.Match[str]) -> str:
        inside = match[2]
        for pattern, form in _ADDRESSES:
            inside = re.sub(pattern, form.format(**address), inside)
        return match[1] + inside + match[3]

    return _BETWEEN.sub(between, text)


def stale_files(page: Path, book: Book) -> list[str]:
    """What of a page's two files is not as the export would write it, each with the reason; runs nothing."""
    script, exported = page.with_suffix(".py"), page.with_suffix(".ipynb")
    notebook = build_notebook(page, book)
    stale = [] if _text(script) == paired_script(page.read_text(encoding="utf-8")) else [f"{script.name} is stale"]
    try:
        missing = store_outputs(notebook, earlier_outputs(exported), book.root, page.name)
        if _text(exported) != notebook_text(notebook):
            stale.append(f"{exported.name} is stale")
        elif missing:
            stale.append(f"{exported.name}: no output of the checked cells {', '.join(missing)}")
    except ValueError as error:
        stale.append(f"{exported.name}: {error}")
    return [f"{page.parent.relative_to(book.root).as_posix()}/{reason}" for reason in stale]


def export(page: Path, book: Book, execute: bool = True) -> None:
    """Write the script and the notebook of a page. Raises ValueError where a checked cell prints nothing."""
    started = time.perf_counter()
    notebook, exported = build_notebook(page, book), page.with_suffix(".ipynb")
    execute = execute and bool(checked_cells(notebook))
    outputs = run(notebook, page.parent) if execute else earlier_outputs(exported)
    missing = store_outputs(notebook, outputs, book.root, page.name)
    if missing and execute:
        raise ValueError(f"{page.name}: the checked cells {', '.join(missing)} print nothing")
    _write(page.with_suffix(".py"), paired_script(page.read_text(encoding="utf-8")))
    _write(exported, notebook_text(notebook))
    note = f", no output of {len(missing)} checked cells" if missing else ""
    print(f"{exported.relative_to(book.root).as_posix()}: {time.perf_counter() - started:.1f} s{note}", flush=True)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _write(path: Path, text: str) -> None:
    if _text(path) != text:  # an untouched file keeps its date, and what depends on it is not made again
        path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line. Returns 1 where a file is stale or a page cannot be exported."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, help="pages to export (default: all of them)")
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    parser.add_argument("--no-run", action="store_true", help="keep earlier outputs instead of running the pages")
    options = parser.parse_args(arguments)
    problems: list[str] = []
    try:
        book = Book(root)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for page in [path.resolve() for path in options.pages] or notebook_pages(root):
        try:
            if not (page.exists() and is_notebook(page)):
                raise ValueError(f"{page.name}: not a page of the book with jupytext: in its front matter")
            if options.check:
                problems += stale_files(page, book)
            else:
                export(page, book, execute=not options.no_run)
        except CellExecutionError as error:
            problems.append(f"{page.name}: a cell fails\n" + re.sub(r"\x1b\[[\d;]*m", "", str(error)))
        except ValueError as error:
            problems.append(str(error))
    readme = root / "README.md"
    if not options.pages and readme.exists():
        text = readme_text(_text(readme), book)
        if not options.check:
            _write(readme, text)
        elif text != _text(readme):
            problems.append("README.md: its addresses are not those of _config.yml")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems and options.check:
        print("Run: make notebooks", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
