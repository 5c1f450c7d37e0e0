#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains word vectors by CBOW with negative sampling, with one of four tools and the same settings for each.

    train.py TOOL CORPUS.txt VECTORS.npy [options]

TOOL is rowmill, gensim-lists (the text as lists of words in memory), gensim-file (its `corpus_file`) or fasttext.
Prints a JSON record of the seconds that the tool took, without the time in which Python imported it:

    train       the training alone: the text is read, and its words are counted, before
    total       from the corpus to the saved vectors
    train_cpu, total_cpu
                the same in CPU seconds of all threads; Rowmill does not tell the first
"""

import argparse
import json
import multiprocessing
import pathlib
import resource
import shutil
import subprocess
import sys
import time

import numpy

WINDOW = 5
NEGATIVE = 5
SAMPLE = 1e-3


class Clock:
    """Notes wall and CPU seconds, of this process and those it ran, since it was made or last read."""

    def __init__(self):
        self.begin = self._now()

    @staticmethod
    def _now():
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.monotonic(), sum(usage.ru_utime + usage.ru_stime for usage in (own, children))

    def read(self):
        wall, cpu = self._now()
        return wall - self.begin[0], cpu - self.begin[1]


def save(path, words, vectors):
    numpy.save(path, numpy.asarray(vectors, dtype=numpy.float32))
    path.with_suffix(".words.txt").write_text("".join(word + "\n" for word in words), encoding="utf-8")


def train_gensim(arguments, by_file):
    from gensim.models import Word2Vec
    from gensim.models.word2vec import LineSentence

    total = Clock()
    if by_file:
        text = {"corpus_file": str(arguments.corpus)}
    else:
        text = {"corpus_iterable": list(LineSentence(str(arguments.corpus)))}
    model = Word2Vec(
        vector_size=arguments.dim, alpha=arguments.alpha, window=WINDOW, min_count=arguments.min_count, sample=SAMPLE,
        negative=NEGATIVE, sg=0, cbow_mean=1, epochs=arguments.epochs, seed=arguments.seed, workers=arguments.threads,
    )  # fmt: skip
    model.build_vocab(**text)
    train = Clock()
    words = {"total_words": model.corpus_total_words} if by_file else {}
    model.train(**text, total_examples=model.corpus_count, epochs=model.epochs, **words)
    train = train.read()
    save(arguments.vectors, model.wv.index_to_key, model.wv.vectors)
    return train, total.read()


def train_fasttext(arguments):
    import fasttext

    # It has the option, but its function does not take it.
    fasttext.FastText.unsupervised_default["seed"] = arguments.seed

    def train(epochs):
        return fasttext.train_unsupervised(
            str(arguments.corpus), model="cbow", lr=arguments.alpha, dim=arguments.dim, ws=WINDOW, epoch=epochs,
            minCount=arguments.min_count, minn=0, maxn=0, bucket=0, neg=NEGATIVE, loss="ns", t=SAMPLE,
            thread=arguments.threads, verbose=0,
        )  # fmt: skip

    # It tells nobody when it has read the text and begins to train; without epochs, it does all but the training.
    reading = Clock()
    child = multiprocessing.Process(target=train, args=(0,))
    child.start()
    child.join()
    reading = reading.read()
    total = Clock()
    model = train(arguments.epochs)
    trained = total.read()
    words, vectors = model.get_words(), model.get_input_matrix()
    # The end of a line is a word to it, </s>.
    kept = [row for row, word in enumerate(words) if word != "</s>"]
    save(arguments.vectors, [words[row] for row in kept], vectors[kept])
    return tuple(a - b for a, b in zip(trained, reading)), total.read()


def train_rowmill(arguments):
    command = [
        arguments.rowmill, "train-vectors", str(arguments.corpus), "-o", str(arguments.vectors),
        "--dim", arguments.dim, "--window", WINDOW, "--negative", NEGATIVE, "--min-count", arguments.min_count,
        "--sample", SAMPLE, "--alpha", arguments.alpha, "--epochs", arguments.epochs, "--seed", arguments.seed,
        "--threads", arguments.threads, "--json",
    ]  # fmt: skip
    total = Clock()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr}")
    return (json.loads(done.stdout)["training"]["seconds"], None), total.read()


TOOLS = {
    "rowmill": train_rowmill,
    "gensim-lists": lambda arguments: train_gensim(arguments, by_file=False),
    "gensim-file": lambda arguments: train_gensim(arguments, by_file=True),
    "fasttext": train_fasttext,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("vectors", type=pathlib.Path)
    parser.add_argument("--alpha", type=float, default=0.05, help="the first learning rate")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--min-count", type=int, default=5, help="words seen less often are left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rowmill", default=shutil.which("rowmill") or "rowmill", help="the program")
    arguments = parser.parse_args()
    (train, train_cpu), (total, total_cpu) = TOOLS[arguments.tool](arguments)
    seconds = {"train": train, "train_cpu": train_cpu, "total": total, "total_cpu": total_cpu}
    print(json.dumps({name: round(value, 3) for name, value in seconds.items() if value is not None}))


if __name__ == "__main__":
    main()
