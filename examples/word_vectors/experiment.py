#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Would it have been better to use CBOW embeddings for a classifier of tweets? Measures it.

    experiment.py --tweets FOLDER --rowmill PROGRAM --classify PROGRAM [--work FOLDER]

The classifier is Embedding -> Mean -> Dense -> LogSoftmax, on Rowmill. Its vectors are random, or CBOW's of unlabelled
tweets, or CBOW's of a general text, which make_corpus.py makes; they are trained with the classifier, or stay as they
are ("frozen"). For each of 5 seeds, 1,000 tweets for validation and up to 10,000 for training are drawn. Each
classifier has its learning rate (and number of epochs) chosen on the validation tweets.

Prints a table, and writes it and what else was found to docs/embeddings.md, and plots to docs/plots/embeddings-*.svg.
Takes under 5 minutes on 2 cores. What is made on the way stays in the work folder, if one is given, and is not made
again.
"""

import argparse
import concurrent.futures
import math
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
import scipy.stats

import classifiers
from findings import write_findings
from runs import ENVIRONMENT, HERE, Record, Run, train
from tweets import Tweets, write

SIZES = [100, 300, 1000, 3000, 10000]
SEEDS = range(1, 6)
ARMS = {
    "random": "(a) random vectors, trained with the classifier",
    "tweets-frozen": "(b) CBOW of unlabelled tweets, frozen",
    "tweets-tuned": "(c) CBOW of unlabelled tweets, fine-tuned",
    "general-frozen": "(d) CBOW of a general text, frozen",
    "general-tuned": "(d) CBOW of a general text, fine-tuned",
    "logistic": "bag of words, logistic regression",
    "fasttext": "fastText, supervised",
}


def make_texts(work, tweets):
    """The two texts that CBOW learns from, with punctuation marks as words."""
    (work / "tweets.txt").write_text("\n".join(tweets.unlabelled) + "\n", encoding="utf-8")
    if not (work / "general.txt").exists():
        command = [sys.executable, HERE / "make_corpus.py", work / "general.txt", "--punctuation"]
        subprocess.run(command, check=True, stdout=sys.stderr)


def make_vectors(name, run, min_count, work, arguments):
    """CBOW vectors of work/NAME.txt: all of them as a dictionary of words and a matrix."""
    from evaluate import read_vectors

    vectors = work / f"{name}.npy"
    if not vectors.exists():
        seconds = train(run, work / f"{name}.txt", vectors, arguments.rowmill, min_count)
        print(f"vectors of {name}.txt in {seconds['total']:.0f} s", file=sys.stderr)
    return read_vectors(vectors)


def save_for_classifier(prefix, rows, vectors, words):
    """Saves the vectors of `words` as `classify` loads them: a row for padding, one for unknown words, both zero, then
    the words'. Rows that no tweet looks up are left out, which changes no result. The scale is that of random vectors,
    1 on average."""
    known = sorted(word for word in words if word in rows)
    kept = vectors[[rows[word] for word in known]]
    kept = kept / math.sqrt(float(numpy.mean(numpy.sum(kept * kept, axis=1))))
    numpy.save(f"{prefix}.npy", numpy.vstack([numpy.zeros((2, kept.shape[1])), kept]).astype(numpy.float32))
    text = "".join(f"{word}\n" for word in ["<pad>", "<unk>", *known])
    pathlib.Path(f"{prefix}.words.txt").write_text(text, encoding="utf-8")


def accuracy(job):
    """One arm, training size and seed."""
    arm, size, seed, work, program, dim = job
    files = [work / f"train-{seed}-{size}.tsv", work / f"validation-{seed}.tsv", work / "test.tsv"]

    def make():
        if arm == "logistic":
            return classifiers.logistic_regression(*files)
        if arm == "fasttext":
            return classifiers.fasttext_supervised(*files, seed, dim)
        source, _, how = arm.partition("-")
        load = work / f"{source}-classifier" if how else None
        return classifiers.rowmill(program, *files, seed, dim, how or "random", load)

    result = Record(work / "classifiers").get(f"{arm}-{size}-seed{seed}", make)
    return {"arm": arm, "size": size, "seed": seed, **result}


def measure(work, arguments):
    """Every arm, size and seed, two at a time."""
    jobs = [
        (arm, size, seed, work, arguments.classify, arguments.dim)
        for size in sorted(SIZES, reverse=True)
        for seed in SEEDS
        for arm in ARMS
    ]
    # fastText's vectors are small here: see ENVIRONMENT.
    os.environ.update(ENVIRONMENT | {"MALLOC_MMAP_THRESHOLD_": "10000"})
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs, mp_context=spawn) as pool:
        results = []
        for result in pool.map(accuracy, jobs):
            results.append(result)
            print(f"\r{len(results)} of {len(jobs)} classifiers", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def summary(results):
    """For each arm and size: mean and standard deviation of the accuracy, and the difference from the random vectors
    with its 95 % interval (of pairs with the same seed, by Student's t)."""
    of = {(r["arm"], r["size"], r["seed"]): r for r in results}
    table = {}
    for arm in ARMS:
        for size in SIZES:
            runs = [of[arm, size, seed] for seed in SEEDS]
            accuracies = numpy.array([run["test"] for run in runs])
            difference = accuracies - numpy.array([of["random", size, seed]["test"] for seed in SEEDS])
            half = float(scipy.stats.t.ppf(0.975, len(runs) - 1) * difference.std(ddof=1) / math.sqrt(len(runs)))
            table.setdefault(arm, {})[size] = {
                "mean": round(float(accuracies.mean()), 4),
                "deviation": round(float(accuracies.std(ddof=1)), 4),
                "difference": round(float(difference.mean()), 4),
                "half_interval": round(half, 4),
                "train": round(float(numpy.mean([run["train"] for run in runs])), 4),
                "unknown": round(float(numpy.mean([run["unknown"] for run in runs])), 4)
                if "unknown" in runs[0]
                else None,
            }
    return table


def final_vectors(work, arguments, results):
    """The vectors of random-trained and of fine-tuned classifiers, all training tweets and seed 1, after the epoch that
    was chosen: files work/final-ARM."""
    for arm in ["random", "tweets-tuned"]:
        chosen = next(r for r in results if (r["arm"], r["size"], r["seed"]) == (arm, SIZES[-1], SEEDS[0]))
        options = ["--seed", SEEDS[0], "--dim", arguments.dim, "--epochs", chosen["epoch"]]
        options += ["--learning-rates", chosen["learning_rate"], "--vector-rates", chosen["vector_rate"]]
        options += ["--save", work / f"final-{arm}"]
        options += [] if arm == "random" else ["--load", work / "tweets-classifier"]
        files = [work / f"train-{SEEDS[0]}-{SIZES[-1]}.tsv", work / f"validation-{SEEDS[0]}.tsv", work / "test.tsv"]
        classifiers.classify(arguments.classify, *files, options)


def learning_curves(work, arguments):
    """The question's own training, from random vectors with Adam at 0.0005, on few texts and on all."""
    curves = {}
    for size in [SIZES[1], SIZES[-1]]:
        files = [work / f"train-{SEEDS[0]}-{size}.tsv", work / f"validation-{SEEDS[0]}.tsv", work / "test.tsv"]
        options = ["--dim", arguments.dim, "--epochs", 60, "--learning-rates", 0.0005]
        curves[size] = classifiers.classify(arguments.classify, *files, options)
    return curves


def run(work, arguments):
    begin = time.monotonic()
    tweets = Tweets(arguments.tweets)
    make_texts(work, tweets)
    write(work / "test.tsv", tweets.test)
    texts = {}
    for seed in SEEDS:
        for size in SIZES:
            train_part, validation = tweets.split(seed, size)
            write(work / f"train-{seed}-{size}.tsv", train_part)
            texts[size] = len(train_part)
        write(work / f"validation-{seed}.tsv", validation)

    # The tweets are few, so they are read more often, and words are kept that they have twice.
    pretrained = {
        "tweets": make_vectors("tweets", Run(arguments.tool, 0.05, 20, 1, 2, arguments.dim), 2, work, arguments),
        "general": make_vectors("general", Run(arguments.tool, 0.05, 5, 1, 2, arguments.dim), 5, work, arguments),
    }
    for name, (rows, vectors) in pretrained.items():
        save_for_classifier(work / f"{name}-classifier", rows, vectors, tweets.words())

    results = measure(work, arguments)
    final_vectors(work, arguments, results)
    found = {
        "tool": arguments.tool,
        "dim": arguments.dim,
        "texts": texts,
        "test": len(tweets.test),
        "unlabelled": len(tweets.unlabelled),
        "removed": tweets.removed,
        "vocabulary": {name: len(rows) for name, (rows, _) in pretrained.items()},
        "arms": summary(results),
        "curves": learning_curves(work, arguments),
    }
    found["minutes"] = round((time.monotonic() - begin) / 60, 1)
    write_findings(found, work, tweets, pretrained["tweets"], ARMS)
    print(f"{found['minutes']} minutes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=pathlib.Path, required=True, help="folder of tweets-*.tsv and -unlabelled.txt")
    parser.add_argument("--rowmill", type=pathlib.Path, default="rowmill", help="the tool")
    parser.add_argument("--classify", type=pathlib.Path, required=True, help="the program made of classify.cpp")
    parser.add_argument("--tool", default="rowmill", help="that trains the CBOW vectors; see train.py")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--jobs", type=int, default=2, help="classifiers that are trained at a time")
    parser.add_argument(
        "--work", type=pathlib.Path, help="folder for what is made on the way; default: a temporary one"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or pathlib.Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        run(work, arguments)


if __name__ == "__main__":
    main()
