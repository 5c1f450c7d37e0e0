#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how good word vectors are, in the same way for every tool that made them.

    evaluate.py CORPUS.txt VECTORS.npy [VECTORS.npy ...]

Beside VECTORS.npy stands VECTORS.words.txt, with a word a line. Three sets, which gensim's package carries:

    wordsim    WordSim-353: Spearman's rank correlation of the cosines of 353 pairs with people's scores of relatedness
    simlex     SimLex-999: the same for 999 pairs, scored for similarity: "coffee" and "cup" are related, not similar
    semantic, syntactic
               Google's analogies, a : b = c : ?. The answer is the word whose vector has the highest cosine with
               b - a + c, the three words left out. The share of questions that are answered right

All tools are asked the same. An analogy counts if its four words are among the 30,000 most frequent words of
CORPUS.txt, which are also the candidates for its answer. A pair counts if both its words are in the vocabulary, which
is the same for each tool: words that CORPUS.txt has at least 5 times.
"""

import argparse
import collections
import json
import pathlib

import numpy
import scipy.stats

MIN_COUNT = 5
CANDIDATES = 30_000
MEASURES = ["wordsim", "simlex", "semantic", "syntactic", "analogies"]


def test_set(name):
    from gensim.test.utils import datapath

    return pathlib.Path(datapath(name)).read_text(encoding="utf-8").lower().splitlines()


def read_vectors(path):
    """The vectors of a .npy file as a dictionary: word -> row, and the matrix."""
    path = pathlib.Path(path)
    words = path.with_suffix(".words.txt").read_bytes().decode("utf-8", "surrogateescape").split("\n")
    return {word: row for row, word in enumerate(words) if word}, numpy.load(path)


class Evaluator:
    """The questions whose words the corpus has; `measure` asks vectors all of them."""

    def __init__(self, corpus):
        counts = collections.Counter()
        with open(corpus, encoding="utf-8") as file:
            for line in file:
                counts.update(line.split())
        self.words = sum(counts.values())
        self.frequent = [word for word, count in counts.most_common() if count >= MIN_COUNT]
        known = set(self.frequent)
        self.candidates = self.frequent[:CANDIDATES]
        number = {word: i for i, word in enumerate(self.candidates)}

        self.pairs = {}
        for name, file in [("wordsim", "wordsim353.tsv"), ("simlex", "simlex999.txt")]:
            rows = [line.split("\t") for line in test_set(file) if not line.startswith("#")]
            self.pairs[name] = [(a, b, float(score)) for a, b, score in rows if a in known and b in known]
        self.analogies = {"semantic": [], "syntactic": []}
        kind = None
        for line in test_set("questions-words.txt"):
            if line.startswith(":"):
                kind = "syntactic" if line.startswith(": gram") else "semantic"
            elif all(word in number for word in line.split()):
                self.analogies[kind].append([number[word] for word in line.split()])

    def sizes(self):
        """How many questions there are of each measure."""
        sizes = {name: len(questions) for name, questions in {**self.pairs, **self.analogies}.items()}
        return {**sizes, "words": self.words, "candidates": len(self.candidates), "vocabulary": len(self.frequent)}

    def measure(self, rows, vectors):
        """The five measures of vectors: `rows` gives each word its row."""
        unit = vectors / numpy.maximum(numpy.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        result = {}
        for name, pairs in self.pairs.items():
            cosines = [unit[rows[a]] @ unit[rows[b]] for a, b, _ in pairs]
            result[name] = scipy.stats.spearmanr(cosines, [score for *_, score in pairs]).statistic if pairs else 0.0
        table = numpy.ascontiguousarray(unit[[rows[word] for word in self.candidates]])
        right = {kind: right_answers(table, numpy.array(q)) for kind, q in self.analogies.items()}
        for kind, questions in self.analogies.items():
            result[kind] = right[kind] / max(len(questions), 1)
        result["analogies"] = sum(right.values()) / max(sum(map(len, self.analogies.values())), 1)
        return {name: round(float(value), 5) for name, value in result.items()}


def right_answers(table, questions, block=1024):
    """How many of the questions (a, b, c, answer), which number rows of `table`, the nearest row answers."""
    right = 0
    for begin in range(0, len(questions), block):
        a, b, c, answer = questions[begin : begin + block].T
        cosines = (table[b] - table[a] + table[c]) @ table.T
        row = numpy.arange(len(a))
        for given in (a, b, c):
            cosines[row, given] = -numpy.inf
        right += int((cosines.argmax(axis=1) == answer).sum())
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("vectors", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    evaluator = Evaluator(arguments.corpus)
    print(json.dumps(evaluator.sizes()))
    for path in arguments.vectors:
        print(json.dumps({"vectors": str(path), **evaluator.measure(*read_vectors(path))}))


if __name__ == "__main__":
    main()
