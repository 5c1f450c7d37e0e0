# SPDX-License-Identifier: Apache-2.0
"""What counts as a word. The same as `tokenize` of examples/sentiment/vocabulary.cpp."""

import re

# Letters beyond ASCII belong to words, as do digits, '_' and '@', and an apostrophe between two of these. Any other
# character that is not a space is a punctuation mark, a token of its own.
_WORD = r"[a-z0-9_@\u0080-\U0010ffff]"
_TOKEN = re.compile(rf"{_WORD}(?:{_WORD}|'(?={_WORD}))*|[!-~]")
_WORD_ONLY = re.compile(rf"{_WORD}(?:{_WORD}|'(?={_WORD}))*")
_UPPER_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def tokenize(text, punctuation=True):
    """The tokens of a text, lower-cased (ASCII), in order; without punctuation marks if `punctuation` is false."""
    pattern = _TOKEN if punctuation else _WORD_ONLY
    return pattern.findall(text.translate(_UPPER_TO_LOWER))
