# SPDX-License-Identifier: Apache-2.0
"""Puts what a command measured into a page of the documents."""

import pathlib
import re

DOCS = pathlib.Path(__file__).parents[2] / "docs"


def replace_block(page, name, text):
    """Replaces what stands in docs/`page` between the comments `begin NAME` and `end NAME`."""
    path = DOCS / page
    old = path.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- begin {name}[^\n]*-->\n).*?(<!-- end {name} -->)", re.DOTALL)
    new, found = block.subn(lambda match: f"{match[1]}\n{text.strip()}\n\n{match[2]}", old)
    if found != 1:
        raise ValueError(f"{path}: {found} blocks named '{name}' instead of one")
    path.write_text(new, encoding="utf-8")


def table(head, rows):
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
