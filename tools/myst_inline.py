"""The inside of a paragraph: roles become plain text or links, and what Colab could not show is refused."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from book_index import API_PAGE, Book, Target
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from myst_blocks import BODY, PageError

API_ROLES = {"class", "func", "meth", "mod", "attr", "data", "exc"}
_FORMS = {"figure": "Fig. %s", "table": "Table %s", "exercise": "Exercise %s"}
_ABSOLUTE = ("https://", "http://", "mailto:")

_INLINE = re.compile(
    r"\\[!-/:-@\[-`{-~]"  # an escape
    r"|\{(?P<role>[\w:+-]+)\}(?P<ticks>`+)(?P<content>.+?)(?P=ticks)"
    r"|(?<!`)(?P<run>`+)(?!`)(?P<code>.+?)(?<!`)(?P=run)(?!`)"
    r"|\$(?P<math>(?:[^$\\]|\\.)+)\$"
    r"|(?P<display>\$\$)",
    re.DOTALL,
)
_MATH = re.compile(r"((?<!\\)\$(?:[^$\\]|\\.)+\$)")
_EXPLICIT = re.compile(r"(.+?)\s*(?<!\\)<([^<]*)>", re.DOTALL)
_UNKNOWN = re.compile(r"\[\^[^\]\s]+\]|:::|```")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")


class Inline:
    """The paragraphs of one page."""

    def __init__(self, docname: str, book: Book) -> None:
        self.docname, self.book, self.page = docname, book, f"{docname}.md"

    def error(self, line: int, message: str) -> PageError:
        """An error on this page."""
        return PageError(self.page, line, message)

    def fragment(self, text: str, line: int) -> str:
        """A title, a caption or the cell of a table, on one line."""
        text = " ".join(text.split())
        return self.convert(text, line, BODY.parseInline(text)[0].children or [])

    def convert(self, text: str, line: int, tokens: Sequence[Token], is_row: bool = False) -> str:
        """A paragraph, as it stands in the file from ``line`` on, with its roles replaced.

        tokens: what MyST reads in it; found must be what MyST finds, or the paragraph is refused. is_row: a table row.
        """
        found: list[tuple[str, str]] = []

        def replace(match: re.Match[str]) -> str:
            if match["role"]:
                found.append((match["role"], match["content"]))
                return self.role(match["role"], _joined(match["content"]), line + text.count("\n", 0, match.start()))
            if match["math"]:
                found.append(("$", match["math"]))
                math = _joined(match["math"])
                math = math.replace("\\|", "\\vert ") if is_row else math
                return f"${math}$"
            if match["display"]:
                at = line + text.count("\n", 0, match.start())
                raise self.error(at, "$$ within a paragraph: display mathematics stands between blank lines")
            if match["code"]:
                found.append(("`", match["code"]))
            return match[0]

        result = _INLINE.sub(replace, text)
        read = list(self._read(tokens, line))
        if [(kind, _bare(words)) for kind, words in found] != [(kind, _bare(words)) for kind, words in read]:
            raise self.error(line, f"read as {found} here, as {read} by MyST: write it more plainly")
        return result

    def _read(self, tokens: Sequence[Token], line: int) -> Iterator[tuple[str, str]]:
        """The roles, the mathematics and the code that MyST reads."""
        before = ""
        for token in tokens:
            if token.type == "myst_role":
                yield token.meta["name"], token.content
            elif token.type in ("math_inline", "code_inline"):
                yield "$" if token.type == "math_inline" else "`", token.content
            elif token.type == "link_open" and not str(token.attrs.get("href")).startswith(_ABSOLUTE):
                raise self.error(line, f"a link to {token.attrs.get('href')}: write {{doc}} or {{ref}}")
            elif token.type == "image":
                raise self.error(line, f"a picture {token.attrs.get('src')}: write {{figure}} or {{image}}")
            elif token.type == "html_inline":
                raise self.error(line, f"{token.content}: HTML, write it as MyST")
            elif token.type == "text" and _UNKNOWN.search(token.content):
                raise self.error(line, f"{token.content.strip()}: a footnote, or a fence that MyST takes for text")
            elif token.type == "text" and before == "softbreak" and re.match(r":\s", token.content):
                raise self.error(line, f"{token.content.strip()}: a definition list, write {{list-table}} or a list")
            elif token.type == "text" and before in ("code_inline", "link_close") and token.content.startswith("{"):
                raise self.error(line, f"{token.content.strip()}: attributes of a piece of text")
            before = token.type

    def role(self, name: str, content: str, line: int) -> str:
        """What stands for a role: citations and references within the page are text, all others links to the book."""
        kind = name.removeprefix("py:")
        explicit = _EXPLICIT.fullmatch(content)
        text, label = (explicit[1], explicit[2].strip()) if explicit else ("", content.strip())
        if kind in ("abbr", "math"):
            return content if kind == "abbr" else f"${content}$"
        if kind in ("cite", "cite:t", "cite:p"):
            return self._citation(name, content, line)
        if kind in API_ROLES:
            return self._api(kind, text, label)
        if kind == "doc":
            docname = self.book.resolve(label, self.docname)
            if docname not in self.book.titles:
                raise self.error(line, f"{{{name}}}`{content}`: _toc.yml has no page {docname}")
            return f"[{text or self._title(self.book.titles[docname], line)}]({self.book.url(docname)})"
        if kind not in ("eq", "ref", "numref", "term"):
            raise self.error(line, f"{{{name}}}`{content}`: a role the export does not know")
        labels = {"eq": self.book.equations, "term": self.book.terms}.get(kind, self.book.labels)
        target = labels.get(label.lower() if kind == "term" else label)
        if target is None:
            raise self.error(line, f"{{{name}}}`{content}`: nothing has this label")
        shown = self._shown(kind, text, label, target, line)
        if not shown:
            raise self.error(line, f"{{{name}}}`{content}`: its target has no title or number to show")
        if target.docname == self.docname:
            return shown
        return f"[{shown}]({self.book.url(target.docname, target.anchor)})"

    def _shown(self, kind: str, text: str, label: str, target: Target, line: int) -> str:
        """The words of a reference, as on the rendered page; "" where there are none."""
        if kind == "eq":
            return text or f"({target.number})"
        if kind == "term":
            return text or label
        if kind == "numref" or (target.kind == "exercise" and target.number and not text):
            form = (text or _FORMS.get(target.kind, "")).replace("{number}", "%s").replace("%s", target.number)
            return form.replace("{name}", self._title(target.title, line)) if target.number else ""
        return text or self._title(target.title, line)

    def _title(self, title: str, line: int) -> str:
        return _LINK.sub(r"\1", self.fragment(title, line)) if title else ""

    def _api(self, kind: str, text: str, label: str) -> str:
        """A name of the library; ``~`` shows its last part alone, ``!`` makes no link."""
        name = label.lstrip("~!.")
        shown = name.rpartition(".")[2] if label.startswith("~") else name
        shown = text or f"`{shown}()`" if kind in ("func", "meth") else text or f"`{shown}`"
        if name.partition(".")[0] != "adlib" or label.startswith("!"):
            return shown
        return f"[{shown}]({self.book.url(API_PAGE, f'module-{name}' if kind == 'mod' else name)})"

    def _citation(self, name: str, content: str, line: int) -> str:
        try:
            return self.book.cite([key.strip() for key in content.split(",")], "t" if name == "cite:t" else "p")
        except KeyError as error:
            raise self.error(line, f"{{{name}}}`{content}`: the bibliography has no {error}") from None


def table_cell(text: str) -> str:
    """Text in a table: a bar is escaped; within mathematics it is a command, which every reader takes alike."""
    parts = _MATH.split(text)
    parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
    parts[1::2] = [part.replace("\\|", "\\Vert ").replace("|", "\\vert ") for part in parts[1::2]]
    return "".join(parts)


def to_html(text: str) -> str:
    """A title as HTML, its mathematics left to the reader's MathJax."""
    return str(_HTML.renderInline(text))


def _joined(text: str) -> str:
    return re.sub(r"\s*\n[\s>]*", " ", text)


def _bare(text: str) -> str:
    return re.sub(r"[\s>]|\\(?=\|)", "", text)


_HTML = MarkdownIt("commonmark").use(dollarmath_plugin)
_HTML.add_render_rule("math_inline", lambda _, tokens, at, *rest: f"${html.escape(tokens[at].content)}$")
