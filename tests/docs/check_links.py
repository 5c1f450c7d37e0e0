#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_links.py ROOT: does everything that the documents name exist?

- A relative link of a Markdown file leads to a file, and its #anchor to a heading there.
- A path in backticks, such as `kernels/core/checks.hpp`, is one of the repository's.
- A path of a document in any source file, such as docs/numerics.md, is one too.

Prints each that does not, with file and line, and then ends with 1.
"""
import pathlib
import re
import sys

DIRECTORIES = "bench|cmake|docs|examples|include|io|kernels|layers|packaging|tests|tools"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED_PATH = re.compile(rf"`((?:\./)?(?:{DIRECTORIES})/[\w./-]*\w/?)`")
DOCUMENT = re.compile(r"(?<![\w./-])(docs/[\w./-]+\.md|[A-Z]{5,}\.md)\b")
SOURCES = {".cpp", ".hpp", ".h", ".c", ".cmake", ".txt", ".py", ".sh", ".md", ".in", ""}


def outside_code(text):
    """The lines of a Markdown text with their numbers; those of code blocks are empty."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            line = ""
        yield number, "" if fenced else line


def anchors(path):
    """The anchors of a Markdown file's headings, as GitHub and Doxygen make them."""
    found = set()
    for _, line in outside_code(path.read_text()):
        heading = re.match(r"#+ (.*?)(?: \{#([\w-]+)\})?$", line)
        if heading:
            found.add(re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-"))
            found.add(heading[2])
    return found


def problems(root, path):
    text = path.read_text(errors="replace")
    is_markdown = path.suffix == ".md"
    for number, line in outside_code(text) if is_markdown else enumerate(text.splitlines(), 1):
        named = DOCUMENT.findall(line)
        if is_markdown:
            named += QUOTED_PATH.findall(line)
            for link in LINK.findall(line):
                file, _, anchor = link.partition("#")
                if re.match(r"[a-z]+:", file):
                    continue
                target = path.parent / file if file else path
                if not target.exists():
                    yield number, f"link to {link}: no such file"
                elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                    yield number, f"link to {link}: no such heading"
        for name in named:
            if not (root / name).exists() and not (path.parent / name).exists():
                yield number, f"{name}: no such file"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    count = 0
    bad = 0
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if hidden or parts[0] == "build" or path.suffix not in SOURCES or not path.is_file():
            continue
        count += 1
        for line, what in problems(root, path):
            bad += 1
            print(f"{path.relative_to(root)}:{line}: {what}")
    print(f"{count} files, {bad} links or paths that lead nowhere")
    return 1 if bad or count < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
