"""A page of MyST, parted into the blocks that the export and the index of the book look at.

The block structure comes from markdown-it with the extensions that ``_config.yml`` switches on, so that a page is read
here as the book reads it: what stands in a code fence, an indented code block or mathematics is never taken for a role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

# A word after the name of one of these is the first word of its body, not a title.
WITHOUT_ARGUMENT = {"note", "tip", "hint", "warning", "important", "caution", "attention", "seealso", "epigraph"}
# The bodies of these are not MyST.
OPAQUE = {"code-cell", "code-block", "code", "math", "eval-rst", "glossary", "image", "raw", "toctree", "mermaid"}

_DIRECTIVE = re.compile(r"\{([^{}\s]+)\}\s*(.*)", re.DOTALL)
_OPTION = re.compile(r"\s*:([\w-]+):\s*(.*)")


class PageError(ValueError):
    """Something on a page that the export cannot read; names the page, the line and the construct."""

    def __init__(self, page: str, line: int, message: str) -> None:
        super().__init__(f"{page}:{line}: {message}")


@dataclass(frozen=True)
class Block:
    """One leaf of the page: the lines ``start`` to ``end`` (exclusive, from 0) of the text it was parsed from.

    kind: ``text`` (a paragraph, a heading, a table row), ``directive``, ``math``, ``code``, ``target``, ``comment``,
    ``break``, ``html``, ``front_matter`` or ``rule``. line: the first line in the file, from 1.
    prefix: what stands before the block on its first line, a list marker or ``>``. content: the body of a directive,
    the inside of mathematics, the words of a text. inlines: what MyST reads in a text. is_row: the text is a table row.
    """

    kind: str
    line: int
    start: int
    end: int
    top_level: bool = True
    prefix: str = ""
    content: str = ""
    heading: int = 0
    label: str = ""
    name: str = ""
    argument: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    body_line: int = 0
    inlines: tuple[Token, ...] = ()
    is_row: bool = False


@dataclass(frozen=True)
class Source:
    """A text with its blocks in order. page: the name that errors carry."""

    page: str
    first_line: int
    lines: list[str]
    blocks: list[Block]


def _parser(front_matter: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    if front_matter:
        parser.use(front_matter_plugin)
    parser.use(myst_block_plugin).use(myst_role_plugin).use(dollarmath_plugin)
    return parser.use(colon_fence_plugin).use(amsmath_plugin)


_PAGE, BODY = _parser(front_matter=True), _parser(front_matter=False)
_KINDS = {
    "code_block": "code",
    "math_block": "math",
    "math_block_label": "math",
    "myst_target": "target",
    "myst_line_comment": "comment",
    "myst_block_break": "break",
    "html_block": "html",
    "front_matter": "front_matter",
    "hr": "rule",
}


def parse(text: str, page: str, first_line: int = 1) -> Source:
    """The blocks of a page, or of the body of a directive that starts on line ``first_line`` of the page.

    Raises PageError for a fence that is never closed, options that are no YAML, and LaTeX outside ``$$``.
    """
    lines = text.split("\n")
    blocks: dict[tuple[int, int], Block] = {}
    opened = ""
    for token in (_PAGE if first_line == 1 else BODY).parse(text):
        if token.nesting or token.map is None:
            opened = token.tag
            continue
        start, end = token.map
        line = first_line + start
        if token.type == "inline":
            earlier = blocks.get((start, end))  # the cells of a table row share their line
            inlines = (*(earlier.inlines if earlier else ()), *(token.children or ()))
            heading = int(opened[1]) if re.fullmatch(r"h[1-6]", opened) else 0
            blocks[start, end] = Block(
                "text", line, start, end, False, content=token.content,
                heading=heading, inlines=inlines, is_row=opened in ("td", "th"),
            )  # fmt: skip
        elif token.type in ("fence", "colon_fence"):
            blocks[start, end] = _fence(token, lines, page, line)
        elif token.type == "amsmath":
            raise PageError(page, line, f"{lines[start].strip()}: display mathematics stands between $$ and $$")
        else:
            prefix = lines[start][: lines[start].index("$$")] if token.type.startswith("math") else ""
            blocks[start, end] = Block(
                _KINDS[token.type], line, start, end, token.level == 0, prefix, token.content, label=token.info
            )
    return Source(page, first_line, lines, [blocks[key] for key in sorted(blocks)])


def nested(block: Block, page: str) -> Source:
    """The body of a directive."""
    return parse(block.content, page, block.body_line)


def walk(source: Source) -> Iterator[Block]:
    """Every block of a page in reading order, the bodies of directives included."""
    for block in source.blocks:
        yield block
        if block.kind == "directive" and block.name not in OPAQUE:
            yield from walk(nested(block, source.page))


def _fence(token: Token, lines: list[str], page: str, line: int) -> Block:
    assert token.map is not None
    start, end = token.map
    if end - start < 2 or not re.fullmatch(rf"[\s>]*{token.markup[0]}{{{len(token.markup)},}}\s*", lines[end - 1]):
        raise PageError(page, line, f"{lines[start].strip()}: this fence is never closed")
    match = _DIRECTIVE.fullmatch(token.info.strip())
    if match is None:
        if token.type == "colon_fence":
            raise PageError(page, line, f"{lines[start].strip()}: a directive without a name")
        return Block("code", line, start, end, token.level == 0)
    name, argument = match.groups()
    content = token.content.removesuffix("\n").split("\n")
    try:
        options, used = _options(content)
    except yaml.YAMLError as error:
        raise PageError(page, line, f"{{{name}}}: its options are no YAML: {error}") from None
    if used and used < len(content) and not content[used].strip():
        used += 1  # the blank line between options and body
    body, body_line = content[used:], line + 1 + used
    if name in WITHOUT_ARGUMENT and argument:
        body, body_line, argument = [argument, *body], body_line - 1, ""
    prefix = lines[start][: lines[start].index(token.markup)]
    return Block(
        "directive", line, start, end, token.level == 0, prefix, "\n".join(body),
        name=name, argument=argument.strip(), options=options, body_line=body_line,
    )  # fmt: skip


def _options(content: list[str]) -> tuple[dict[str, Any], int]:
    """The options at the head of a directive, and how many of its lines they take."""
    if content and content[0].startswith("---"):
        end = next((i for i, text in enumerate(content) if i and text.startswith("---")), len(content))
        options = yaml.safe_load("\n".join(content[1:end])) or {}
        if not isinstance(options, dict):
            raise yaml.YAMLError("not a mapping")
        return options, min(end + 1, len(content))
    options, used = {}, 0
    for used, text in enumerate(content):
        match = _OPTION.fullmatch(text)
        if match is None:
            return options, used
        key, value = match.groups()
        typed = key in ("tags", "mystnb") or value[:1] in ("'", '"')
        options[key] = yaml.safe_load(value) if typed else value.strip()
    return options, used + 1
