"""A page of MyST as cells of plain Markdown and code, for readers that know no directives and roles: Colab, JupyterLab.

Every directive a page may use is named here, every role in ``myst_inline``. Any other raises PageError: nothing is left
as it stands.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from book_index import Book, equation_label
from myst_blocks import BODY, WITHOUT_ARGUMENT, Block, Source, nested, parse
from myst_inline import Inline, table_cell, to_html

_BOX = frozenset({"class", "name"})
_LABELLED = frozenset({"class", "label"})
_PICTURE = frozenset({"alt", "name", "width", "height", "scale", "align", "class", "figclass", "figwidth"})
# Every directive a page may use, and the options it may carry.
DIRECTIVES: dict[str, frozenset[str]] = {
    **dict.fromkeys((*WITHOUT_ARGUMENT, "admonition", "dropdown"), _BOX),
    **dict.fromkeys(("figure", "image"), _PICTURE),
    **dict.fromkeys(("exercise", "exercise-start"), _LABELLED | {"nonumber"}),
    **dict.fromkeys(("solution", "solution-start"), _LABELLED),
    **dict.fromkeys(("exercise-end", "solution-end"), frozenset()),
    "list-table": _BOX | {"header-rows", "align", "widths", "width"},
    "math": frozenset({"label"}),
    "code-cell": frozenset({"tags", "mystnb"}),
}
TAGS = {"hide-input", "nbval-check-output", "nbval-skip", "raises-exception"}
CHECKED = "nbval-check-output"
SEPARATOR = "<!-- -->"


@dataclass
class Cell:
    """One cell of the exported notebook. title: of a code cell that is folded away, "" for one that is shown."""

    kind: str
    source: str
    line: int
    tags: list[str] = field(default_factory=list)
    title: str = ""


def convert(text: str, docname: str, book: Book) -> list[Cell]:
    """The cells of a page.

    Raises PageError with the page and the line for a directive, a role, an option or a tag that is not known, for a
    reference that leads nowhere, a picture without alt text, and MyST that Colab could not show.
    """
    return list(_Page(docname, book).cells(parse(text, f"{docname}.md")))


class _Output:
    """Lines of Markdown, with a blank line around every converted block."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.after_quote = False  # after a quote that was made here
        self.within_quote = ""  # after a block within a quote of the author's: the line that parts it from the next

    def copy(self, lines: list[str]) -> None:
        for line in lines:
            if not line.strip():
                self.gap()
                continue
            if self.after_quote and line.lstrip().startswith(">"):
                self.lines += [SEPARATOR, ""]
            if self.within_quote and line.startswith(self.within_quote) and line.strip(" >"):
                self.lines.append(self.within_quote)
            self.after_quote, self.within_quote = False, ""
            self.lines.append(line)

    def gap(self) -> None:
        if self.lines and self.lines[-1].strip():
            self.lines.append("")

    def block(self, text: str, prefix: str) -> None:
        """prefix: a list marker or ``>`` before the block; its further lines are indented to match."""
        rest = re.sub(r"[^>\s]", " ", prefix)
        if not prefix.strip():
            self.gap()
            if not text:  # a quote of nothing but comments
                return
        elif self.within_quote:
            self.lines.append(self.within_quote)
        before = next((line for line in reversed(self.lines) if line.strip()), "")
        if text.startswith(">") and before.lstrip().startswith(">") and not prefix.strip():
            self.lines += [f"{rest}{SEPARATOR}", ""]  # two quotes in a row would be shown as one
        first, *others = text.split("\n")
        self.lines += [prefix + first, *((rest + line).rstrip() for line in others)]
        self.after_quote, self.within_quote = text.startswith(">"), rest.rstrip()
        if not self.within_quote:
            self.gap()

    def text(self) -> str:
        return "\n".join(self.lines).strip("\n")


class _Page:
    def __init__(self, docname: str, book: Book) -> None:
        self.docname, self.book = docname, book
        self.inline = Inline(docname, book)
        self.error = self.inline.error
        self.gate = self.title = ""  # the exercise or solution that the cells stand in
        self.title_is_due = False

    def cells(self, source: Source) -> Iterator[Cell]:
        position = 0
        for block in source.blocks:
            is_gate = block.name.endswith(("-start", "-end"))
            if not block.top_level or not (
                is_gate or block.name == "code-cell" or block.kind in ("break", "front_matter")
            ):
                continue
            yield from self._text(source, position, block.start)
            position = block.end
            if is_gate:
                self._pass_gate(block)
            elif block.name == "code-cell":
                yield self._code(block)
        yield from self._text(source, position, len(source.lines))
        if self.gate:
            raise self.error(len(source.lines), f"{{{self.gate}-start}} without {{{self.gate}-end}}")

    def _pass_gate(self, block: Block) -> None:
        self._check(block)
        kind, edge = block.name.split("-")
        if self.gate != ("" if edge == "start" else kind):
            raise self.error(block.line, f"{{{block.name}}}: starts and ends do not pair up")
        if block.content.strip():
            raise self.error(block.line, f"{{{block.name}}}: the text belongs between the start and the end")
        self.gate, self.title_is_due = (kind, True) if edge == "start" else ("", False)
        if self.gate:
            self.title = self._title(block)

    def _text(self, source: Source, start: int, end: int) -> Iterator[Cell]:
        text = self.render(source, start, end, quoted=self.gate == "exercise")
        title = f"**{self.title}**" if self.title_is_due else ""
        if self.gate == "solution":
            name = self.title if title else f"{self.title}, continued"
            text = _details(name, text) if text else f"{title} (unfold the cell)" if title else ""
        elif self.gate:
            text = _quote(f"{title}\n\n{text}".strip())
        self.title_is_due = False
        if text:
            yield Cell("markdown", text, source.first_line + start)

    def _code(self, block: Block) -> Cell:
        self._check(block)
        if block.argument not in ("", "python", "python3", "ipython", "ipython3"):
            raise self.error(block.line, f"{{code-cell}} {block.argument}: the language is ipython3")
        tags = block.options.get("tags") or []
        for tag in tags:
            if tag not in TAGS:
                raise self.error(block.line, f"tag {tag}: not one of {', '.join(sorted(TAGS))}")
        for key in block.options.get("mystnb") or {}:
            if key != "image":
                raise self.error(block.line, f"mystnb: {key}: the export knows image only")
        source = block.content.rstrip()
        if CHECKED in tags and source.endswith(";"):
            line = block.body_line + source.count("\n")
            raise self.error(line, "a checked cell ends with ';', which hides what is to be checked")
        title = self.title if self.gate == "solution" else ""
        if "hide-input" in tags and not title:
            comment = re.match(r"#\s*(?:@title\s+)?([^\W\d].*)", source)
            title = comment[1] if comment else "Quiz: run this cell" if "display_quiz" in source else "Picture"
        if title and source.startswith("%%"):
            raise self.error(block.line, "a folded cell starts with its title, so it cannot start with a cell magic")
        return Cell("code", f"#@title {title}\n{source}" if title else source, block.line, list(tags), title)

    def render(self, source: Source, start: int = 0, end: int | None = None, quoted: bool = False) -> str:
        """Lines ``start`` to ``end`` as Markdown. quoted: the result goes into a block quote."""
        end = len(source.lines) if end is None else end
        output, position = _Output(), start
        for block in source.blocks:
            if not start <= block.start < end:
                continue
            output.copy(source.lines[position : block.start])
            position = block.end
            lines = source.lines[block.start : block.end]
            in_quote = quoted or ">" in block.prefix
            if block.kind == "text":
                text = self.inline.convert("\n".join(lines), block.line, block.inlines, block.is_row)
                output.copy(text.split("\n"))
            elif block.kind == "code":
                output.lines += lines
                output.after_quote, output.within_quote = False, ""
            elif block.kind == "math":
                output.block(self.math(block, in_quote), block.prefix)
            elif block.kind == "directive":
                output.block(self.directive(block, in_quote), block.prefix)
            elif block.kind == "html" and not block.content.lstrip().startswith("<!--"):
                raise self.error(block.line, f"{lines[0].strip()}: HTML, write it as MyST")
            elif block.kind == "rule" or block.content.strip() == SEPARATOR:
                output.copy(lines)
            else:  # targets and comments go
                output.gap()
        output.copy(source.lines[position:end])
        return output.text()

    def directive(self, block: Block, quoted: bool) -> str:
        """A directive as Markdown: a table, a picture, a block quote, or a fold."""
        self._check(block)
        if block.name == "code-cell" or block.name.endswith(("-start", "-end")):
            raise self.error(block.line, f"{{{block.name}}} stands within another block")
        if block.name == "math":
            return self.math(block, quoted)
        if block.name in ("figure", "image"):
            return self.picture(block)
        if block.name == "list-table":
            return self.list_table(block)
        folded = block.name in ("solution", "dropdown") or "dropdown" in str(block.options.get("class", ""))
        body = self.render(nested(block, self.inline.page), quoted=quoted or not folded)
        if block.name == "epigraph":
            return _quote(re.sub(r"^--+ ?", "— ", body, flags=re.MULTILINE))
        title = self._title(block)
        return _details(title, body) if folded else _quote(f"**{title}**\n\n{body}".rstrip())

    def _check(self, block: Block) -> None:
        if block.name not in DIRECTIVES:
            raise self.error(block.line, f"{{{block.name}}}: a directive the export does not know")
        for option in block.options:
            if option not in DIRECTIVES[block.name]:
                raise self.error(block.line, f"{{{block.name}}} :{option}: an option the export does not know")

    def _title(self, block: Block) -> str:
        if block.name in WITHOUT_ARGUMENT:
            return "See also" if block.name == "seealso" else block.name.capitalize()
        if block.name.startswith("solution"):
            target = self.book.labels.get(block.argument)
            if target is None or target.kind != "exercise":
                raise self.error(block.line, f"{{{block.name}}} {block.argument}: no exercise has this label")
            return f"Solution to Exercise {target.number}".rstrip()
        title = self.inline.fragment(block.argument, block.line) if block.argument else ""
        if block.name.startswith("exercise"):
            number = "Exercise" if "nonumber" in block.options else f"Exercise {self._number(block)}"
            return f"{number} ({title})" if title else number
        if not title:
            raise self.error(block.line, f"{{{block.name}}} without a title")
        return title

    def _number(self, block: Block) -> str:
        return self.book.numbers[self.docname, block.line]

    def math(self, block: Block, quoted: bool) -> str:
        """Display mathematics, with the number of the rendered page where it has a label."""
        content = "\n".join(line.strip() for line in block.content.strip().split("\n"))
        environment = re.match(r"\\begin\{(align|equation|gather|multline|eqnarray)\*?\}", content)
        if environment:
            raise self.error(block.line, f"\\begin{{{environment[1]}}} between $$: write aligned or gathered")
        if not content or "\n\n" in content or "\\label{" in content:
            raise self.error(block.line, "display mathematics that is empty, or holds a blank line or a \\label")
        if quoted and re.search(r"(?<!\\)%", content):
            raise self.error(block.line, "a LaTeX comment in mathematics within a box")
        if "\\\\" in content and not re.fullmatch(
            r"\\begin\{(aligned|gathered|split)\}.*\\end\{\1\}", content, re.DOTALL
        ):
            content = f"\\begin{{split}}\n{content}\n\\end{{split}}"  # as Sphinx does
        tag = [f"\\tag{{{self._number(block)}}}"] if equation_label(block) else []
        text = "\n".join(["$$", content, *tag, "$$"])
        # JupyterLab takes the ">" before a quote's second line for a part of the formula.
        return text.replace("\n", " ") if quoted else text

    def picture(self, block: Block) -> str:
        """A figure or an image by its address in the repository, with its alt text and its caption."""
        alt, address = str(block.options.get("alt", "")).strip(), block.argument
        if not alt:
            raise self.error(block.line, f"{{{block.name}}} {address}: no alt text")
        if not address.startswith("https://"):
            path = self.book.resolve(address, self.docname)
            if not (self.book.root / path).is_file():
                raise self.error(block.line, f"{{{block.name}}} {address}: there is no file {path}")
            address = self.book.raw(path)
        width = html.escape(str(block.options.get("width", "")).removesuffix("px"))
        if width:
            picture = f'<img src="{address}" alt="{html.escape(alt)}" width="{width}">'
        else:
            picture = "![{}]({})".format(re.sub(r"([\[\]\\])", r"\\\1", alt), address)
        if block.name == "image" or not block.content.strip():
            return picture
        text = self.render(nested(block, self.inline.page))
        return f"{picture}\n\n**Fig. {self._number(block)}.** {text}"

    def list_table(self, block: Block) -> str:
        """A table whose rows and cells are items of a list; a cell holds one paragraph."""
        rows: list[list[str]] = []
        depth = 0
        for token in BODY.parse(block.content):
            depth += token.nesting if token.type.startswith("list_item") else 0
            if token.type == "list_item_open":
                if depth == 1:
                    rows.append([])
                else:
                    rows[-1].append("")
            elif token.type == "inline" and depth == 2 and not rows[-1][-1]:
                assert token.map is not None
                text = " ".join(token.content.split())
                line = block.body_line + token.map[0]
                rows[-1][-1] = table_cell(self.inline.convert(text, line, token.children or []))
            elif token.type == "inline" or not token.nesting:
                raise self.error(block.line, "{list-table}: a cell holds one paragraph")
        if len({len(row) for row in rows}) != 1 or not rows[0]:
            raise self.error(block.line, "{list-table}: rows of different length")
        if str(block.options.get("header-rows", 0)) == "0":
            rows.insert(0, [""] * len(rows[0]))
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        if block.argument:
            title = self.inline.fragment(block.argument, block.line)
            lines = [f"**Table {self._number(block)}.** {title}", "", *lines]
        return "\n".join(lines)


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n")) if text else ""


def _details(title: str, text: str) -> str:
    return f"<details>\n<summary><b>{to_html(title)}</b></summary>\n\n{text}\n\n</details>"
