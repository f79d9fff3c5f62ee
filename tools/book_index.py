"""What a page can refer to: labels of the whole book with their numbers, terms, works, and the address of the book."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from docutils.nodes import make_id
from myst_blocks import Block, PageError, parse, walk
from pybtex.database import Entry, Person, parse_file
from pybtex.richtext import Text
from sphinx_external_toc.api import FileItem, GlobItem, SiteMap
from sphinx_external_toc.parsing import parse_toc_yaml

API_PAGE = "book/reference/api"
TABLES = {"table", "list-table", "csv-table"}
_NUMBERED = {"figure": "figure", "exercise": "exercise", "exercise-start": "exercise", **dict.fromkeys(TABLES, "table")}
_ADDRESS = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True)
class Target:
    """Where a label leads. title: the MyST of its heading or caption; number: as the rendered page shows it, or ""."""

    docname: str
    anchor: str
    kind: str
    title: str = ""
    number: str = ""


class Book:
    """The index of the book under ``root``, read from ``_config.yml``, ``_toc.yml``, the pages and the bibliography.

    Raises ValueError for a repository address that is not on GitHub, a page that is missing, and a label given twice.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config: dict[str, Any] = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8")) or {}
        repository = self.config.get("repository") or {}
        match = _ADDRESS.fullmatch(str(repository.get("url", "")))
        if match is None:
            raise ValueError(
                f"repository.url of _config.yml: got {repository.get('url')!r}, expected https://github.com/OWNER/NAME"
            )
        self.owner, self.repository = match.groups()
        self.branch = str(repository.get("branch", "main"))
        self.site = f"https://{self.owner}.github.io/{self.repository}/"
        sphinx = (self.config.get("sphinx") or {}).get("config") or {}
        self.equations_run_on = bool(sphinx.get("math_numfig", True))
        depth = sphinx.get("numfig_secnum_depth", 1)
        if depth not in (0, 1):
            raise ValueError(f"numfig_secnum_depth of _config.yml: got {depth!r}, expected 0 or 1")
        self.labels: dict[str, Target] = {}
        self.equations: dict[str, Target] = {}
        self.numbers: dict[tuple[str, int], str] = {}  # of the figure, table, exercise or equation on that line
        self.terms: dict[str, Target] = {}
        self.titles: dict[str, str] = {}
        self._counters: Counter[tuple[str, str]] = Counter()
        self.chapters = {name: number if depth else "" for name, number in _chapters(root / "_toc.yml")}
        for docname in self.chapters:
            self._read(docname)
        self.bibliography: dict[str, Entry] = {}
        for name in self.config.get("bibtex_bibfiles") or sphinx.get("bibtex_bibfiles") or ["book/references.bib"]:
            if (root / name).exists():
                self.bibliography.update(parse_file(str(root / name), bib_format="bibtex").entries)

    def url(self, docname: str, anchor: str = "") -> str:
        """The address of a rendered page."""
        return f"{self.site}{docname}.html" + (f"#{quote(anchor)}" if anchor else "")

    def resolve(self, name: str, docname: str) -> str:
        """A path on a page, from the root of the book where it starts with ``/``, else from the folder of the page."""
        return os.path.normpath(name.lstrip("/") if name.startswith("/") else f"{os.path.dirname(docname)}/{name}")

    def raw(self, path: str) -> str:
        """The address of a file of the repository, as it is."""
        return f"https://raw.githubusercontent.com/{self.owner}/{self.repository}/{self.branch}/{quote(path)}"

    def cite(self, keys: list[str], style: str) -> str:
        """``t``: "Tax and Duin (2004)"; ``p``: "(Tax and Duin, 2004)". Raises KeyError for an unknown work."""
        works = [_author_year(key, self.bibliography[key]) for key in keys]
        if style == "t":
            return ", ".join(f"{authors} ({year})" for authors, year in works)
        return "(" + "; ".join(f"{authors}, {year}" for authors, year in works) + ")"

    def _read(self, docname: str) -> None:
        path = self.root / f"{docname}.md"
        if not path.exists():
            raise ValueError(f"_toc.yml names {docname}, but {docname}.md does not exist")
        page, equations, waiting = f"{docname}.md", 0, list[Block]()
        for block in walk(parse(path.read_text(encoding="utf-8"), page)):
            if block.kind == "comment":
                continue
            if block.kind == "target":
                waiting.append(block)
                continue
            kind, title, number = "anonymous", "", ""
            if block.heading:
                kind, title = "section", re.sub(r"^#+\s*", "", block.content)
                self.titles.setdefault(docname, title)
            elif block.name in _NUMBERED:
                kind, title = _NUMBERED[block.name], caption(block)
                if (kind == "exercise" and "nonumber" not in block.options) or (kind != "exercise" and title):
                    number = self._number(kind, docname, block.line)
            elif block.name.startswith("solution"):
                kind, title = "solution", "Solution"
            elif block.name == "glossary":
                self._read_glossary(docname, block)
            label = equation_label(block)
            if label:
                equations += 1
                number = self._number("equation", docname, block.line, None if self.equations_run_on else equations)
                target = Target(docname, f"equation-{make_id(label)}", "equation", "", number)
                self._add(self.equations, label, target, page, block.line)
                number = ""
            for one in waiting:
                self._add(
                    self.labels, one.content, Target(docname, make_id(one.content), kind, title, number), page, one.line
                )
            waiting = []
            name = "" if label else str(block.options.get("label") or block.options.get("name") or "")
            if name and block.name != "code-cell":
                anchor = name if kind in ("exercise", "solution") else make_id(name)
                self._add(self.labels, name, Target(docname, anchor, kind, title, number), page, block.line)

    def _number(self, kind: str, docname: str, line: int, count: int | None = None) -> str:
        """The next number of its kind: within the chapter where chapters are numbered, else through the whole book."""
        chapter = self.chapters[docname]
        if count is None:
            self._counters[kind, chapter] += 1
            number = f"{chapter}.{self._counters[kind, chapter]}" if chapter else str(self._counters[kind, chapter])
        else:
            number = str(count)
        self.numbers[docname, line] = number
        return number

    def _read_glossary(self, docname: str, block: Block) -> None:
        for line in block.content.split("\n"):
            term = line.split(" : ")[0].strip()
            if term and not line[0].isspace() and not line.startswith(".."):
                self.terms.setdefault(term.lower(), Target(docname, _term_id(term), "term", term))

    def _add(self, labels: dict[str, Target], label: str, target: Target, page: str, line: int) -> None:
        if label in labels:
            raise PageError(page, line, f"the label {label} is given twice, first in {labels[label].docname}.md")
        labels[label] = target


def equation_label(block: Block) -> str:
    """The label of a block of mathematics, "" where it has none."""
    return block.label if block.kind == "math" else str(block.options.get("label", "")) if block.name == "math" else ""


def caption(block: Block) -> str:
    """The caption of a figure (its first paragraph), the title of a table or of an exercise."""
    return block.content.strip().split("\n\n")[0] if block.name == "figure" else block.argument


def _chapters(toc: Path) -> Iterator[tuple[str, str]]:
    """Every page in reading order with the number of its chapter, "" where chapters are not numbered."""
    site: SiteMap = parse_toc_yaml(toc)
    count = 0

    def below(docname: str, number: str) -> Iterator[tuple[str, str]]:
        nonlocal count
        name = docname.removesuffix(".md")
        yield name, number
        document = site.get(docname)
        for tree in document.subtrees if document else []:
            for item in tree.items:
                if isinstance(item, GlobItem):
                    raise ValueError(f"_toc.yml: {item}: name each page, so that the numbers follow from the order")
                if isinstance(item, FileItem):
                    inner = number
                    if tree.numbered and not number:
                        count += 1
                        inner = str(count)
                    yield from below(str(item), inner)

    yield from below(site.root.docname, "")


def _term_id(term: str) -> str:
    """The anchor Sphinx gives a term of a glossary; "" where nothing of the term is left in ASCII."""
    ascii_only = unicodedata.normalize("NFKD", f"term-{term}").encode("ascii", "ignore").decode()
    anchor = re.sub(r"-+$", "", re.sub(r"[^a-zA-Z0-9._]+", "-", " ".join(ascii_only.split())))
    return "" if anchor == "term" else anchor


def _author_year(key: str, entry: Entry) -> tuple[str, str]:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    if not people or "year" not in entry.fields:
        raise ValueError(f"{key} in the bibliography: a work needs an author or editor, and a year")
    names = [_family_name(person) for person in people]
    authors = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
    return authors, str(Text.from_latex(entry.fields["year"]))


def _family_name(person: Person) -> str:
    return str(Text.from_latex(" ".join([*person.prelast_names, *person.last_names])))
