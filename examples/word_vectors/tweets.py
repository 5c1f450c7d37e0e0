# SPDX-License-Identifier: Apache-2.0
"""The tweets of the experiment: tokenised, without duplicates, split into training, validation and test."""

import pathlib
import random
import re

from words import tokenize

VALIDATION = 1000
# What else Unicode has for spaces ends a word too.
SPACE = re.compile(r"\s")


def tokens(text):
    return " ".join(tokenize(SPACE.sub(" ", text)))


def labelled(path):
    """(label, tokens) of each line of a file of label<TAB>text."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return [(label, tokens(text)) for label, text in (line.split("\t", 1) for line in lines)]


def without_duplicates(texts, key, seen):
    """The texts whose key is not in `seen`, nor an earlier one's; `seen` gets their keys."""
    kept = []
    for text in texts:
        if key(text) and key(text) not in seen:
            seen.add(key(text))
            kept.append(text)
    return kept


class Tweets:
    """test, pool (what training and validation are drawn from) and unlabelled tweets: no tweet is in two of them, or
    twice in one. `removed` says how many were."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        test, train = labelled(folder / "tweets-test.tsv"), labelled(folder / "tweets-train.tsv")
        unlabelled = (folder / "tweets-unlabelled.txt").read_text(encoding="utf-8").splitlines()
        seen = set()
        self.test = without_duplicates(test, lambda tweet: tweet[1], seen)
        self.pool = without_duplicates(train, lambda tweet: tweet[1], seen)
        self.unlabelled = without_duplicates(map(tokens, unlabelled), lambda tweet: tweet, seen)
        self.removed = {
            "test": len(test) - len(self.test),
            "train": len(train) - len(self.pool),
            "unlabelled": len(unlabelled) - len(self.unlabelled),
        }

    def split(self, seed, size):
        """(training, validation): another draw for each seed; a smaller training part is the beginning of a larger."""
        order = list(self.pool)
        random.Random(seed).shuffle(order)
        return order[VALIDATION:][:size], order[:VALIDATION]

    def words(self):
        return {word for _, text in self.pool + self.test for word in text.split()}


def write(path, texts):
    path.write_text("".join(f"{label}\t{text}\n" for label, text in texts), encoding="utf-8")
