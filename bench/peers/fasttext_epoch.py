#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An epoch of the sentiment example against one of fastText (Debian package fasttext), in turn: the same words, 256
columns, words seen at least twice, 2 threads. Prints JSON.

    fasttext_epoch.py build/release/examples/sentiment/sentiment TRAIN.tsv TEST.tsv

fastText prints no times, so that its epoch is the difference of a run of 21 epochs and one of 1, by 20. Rowmill's is
the mean of the seconds that the example prints for its second epoch and those after it.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
from stats import four_digits, summary

ROUNDS = 11
EPOCHS = 20  # after the first
WORD = re.compile(r"[a-z0-9_@\x80-\xff](?:[a-z0-9_@\x80-\xff]|'(?=[a-z0-9_@\x80-\xff]))*|[^\x00-\x20]")


def write_for_fasttext(tsv, path):
    """The words that the example takes, spaced (examples/sentiment/vocabulary.cpp)."""
    lines = []
    for line in tsv.read_text("latin-1").rstrip("\n").split("\n"):
        label, text = line.split("\t", 1)
        text = re.sub("[A-Z]", lambda capital: capital[0].lower(), text)
        lines.append(" ".join([f"__label__{label}", *WORD.findall(text)]))
    path.write_text("\n".join(lines) + "\n", "latin-1")


def fasttext_seconds(train, model, epochs):
    begin = time.perf_counter()
    subprocess.run(["fasttext", "supervised", "-input", train, "-output", model, "-dim", "256", "-minCount", "2",
                    "-thread", "2", "-epoch", str(epochs), "-verbose", "0"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def rowmill_epoch(sentiment, train, test):
    out = subprocess.run([sentiment, train, test, "--min-count", "2", "--threads", "2", "--epochs", str(EPOCHS + 1)],
                         check=True, capture_output=True, text=True).stdout
    epochs = [line.split() for line in out.splitlines() if re.match(r" *\d+ ", line)]
    assert len(epochs) == EPOCHS + 1, out
    return sum(float(columns[2]) for columns in epochs[1:]) / EPOCHS


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    if shutil.which("fasttext") is None:
        raise SystemExit("fasttext_epoch.py: there is no fasttext; Debian has it as a package of that name")
    sentiment, train, test = sys.argv[1:]
    mine, theirs = [], []
    with tempfile.TemporaryDirectory() as directory:
        words, model = Path(directory) / "words.txt", Path(directory) / "model"
        write_for_fasttext(Path(train), words)
        for _ in range(ROUNDS):
            mine.append(1e6 * rowmill_epoch(sentiment, train, test))
            long, short = fasttext_seconds(words, model, EPOCHS + 1), fasttext_seconds(words, model, 1)
            theirs.append(1e6 * (long - short) / EPOCHS)
    samples = [[four_digits(x) for x in times] for times in (mine, theirs)]
    print(json.dumps({"machine": machine.describe(), "samples_us": samples} | summary((mine, theirs)), indent=1))


if __name__ == "__main__":
    main()
