#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Rowmill's word vectors with those of gensim and fastText: how good they are, and how fast they are made.

    compare.py CORPUS.txt --record FOLDER [--short] [--quality-only | --speed-only | --report-only]

Every tool trains CBOW with dim 100, window 5, 5 negatives, min count 5 and sample 1e-3 on the same text, with one
thread. Measured are: each alpha of 0.025, 0.05 and 0.1, 5 and 10 epochs, 5 seeds. That takes about 5
hours, nearly all of it in gensim and fastText. --short leaves out what says little (see `quality_runs`): an hour.

Then speed: all tools in turn, so that what else the machine does hits all of them, on the beginning of the text, for 1
and 2 threads, dims 100 and 256. The figures are medians, with the range of the middle half. Run it on a quiet machine.

Each run is kept in FOLDER, so that an interrupted comparison goes on where it was. The result is written to
results.json beside this file, and as tables to docs/word-vectors.md.
"""

import argparse
import datetime
import functools
import itertools
import pathlib
import tempfile

import evaluate
from report import write_report
from runs import Record, Run, quality, train

TOOLS = ["rowmill", "gensim-lists", "fasttext"]
ALPHAS = [0.025, 0.05, 0.1]
COMMON_ALPHA = 0.05
SEEDS = range(1, 6)


def score(result):
    """By which the best alpha of a tool is chosen."""
    return result["wordsim"] + result["simlex"] + result["analogies"]


def best_alpha(tool, measure):
    """The alpha that is best after 5 epochs with the first seed."""
    return max(ALPHAS, key=lambda alpha: score(measure(Run(tool, alpha, 5, 1))))


def quality_runs(tool, short, measure):
    """The runs of a tool. Short: one seed to choose alpha by; then at the best one and at 0.05 all seeds after 5 epochs
    and two after 10. fastText is slow: then three seeds at its best, and none elsewhere."""
    if not short:
        yield from (Run(tool, *rest) for rest in itertools.product(ALPHAS, [5, 10], SEEDS))
        return
    best = best_alpha(tool, measure)
    yield from (Run(tool, alpha, 5, 1) for alpha in ALPHAS)
    if tool == "fasttext":
        yield from (Run(tool, best, 5, seed) for seed in SEEDS[:3])
        return
    for alpha in sorted({best, COMMON_ALPHA}):
        yield from (Run(tool, alpha, 5, seed) for seed in SEEDS)
        yield from (Run(tool, alpha, 10, seed) for seed in SEEDS[:2])


def beginning_of(corpus, megabytes, folder):
    """A copy of the first lines of a text."""
    path = pathlib.Path(folder) / "beginning.txt"
    with open(corpus, "rb") as whole:
        text = whole.read(megabytes * 1_000_000)
    path.write_bytes(text[: text.rindex(b"\n") + 1])
    return path, len(text.split())


def measure_speed(arguments, record):
    """One epoch of each tool in turn, `arguments.rounds` times, for each dim and number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = beginning_of(arguments.corpus, arguments.megabytes, folder)
        for dim, threads, number in itertools.product(
            arguments.dims, arguments.threads, range(1, arguments.rounds + 1)
        ):

            def measure_round(dim=dim, threads=threads, number=number):
                tools = ["rowmill", "gensim-lists", "gensim-file", "fasttext"]
                tools = tools[number % len(tools) :] + tools[: number % len(tools)]
                runs = {tool: Run(tool, COMMON_ALPHA, 1, number, threads, dim) for tool in tools}
                vectors = pathlib.Path(folder) / "vectors.npy"
                settings = {"dim": dim, "threads": threads, "round": number, "words": words}
                return [
                    {"tool": tool, **settings, **train(run, corpus, vectors, arguments.rowmill)}
                    for tool, run in runs.items()
                ]

            record.get(f"speed-dim{dim}-threads{threads}-round{number}", measure_round)


def report(arguments, record):
    """Writes what the record has by now."""
    runs = record.all()
    qualities = [run for name, run in runs.items() if "-seed" in name]
    chosen = {(run["tool"], run["alpha"]): score(run) for run in qualities if (run["epochs"], run["seed"]) == (5, 1)}
    best = {
        tool: max(ALPHAS, key=lambda alpha: chosen[tool, alpha])
        for tool in TOOLS
        if all((tool, alpha) in chosen for alpha in ALPHAS)
    }
    write_report(
        {
            "processor": arguments.processor,
            "date": datetime.date.today().isoformat(),
            "sizes": runs.get("sizes", {}),
            "best": best,
            "quality": qualities,
            "speed": [run for name, rounds in runs.items() if name.startswith("speed-") for run in rounds],
        }
    )


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--record", type=pathlib.Path, required=True, help="folder that keeps the runs")
    parser.add_argument("--rowmill", type=pathlib.Path, default="rowmill", help="the program")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=TOOLS)
    parser.add_argument("--short", action="store_true", help="leave out what says little")
    parser.add_argument("--quality-only", action="store_true")
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--report-only", action="store_true", help="run nothing, write what the record has")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed comparison")
    parser.add_argument("--dims", type=int, nargs="+", default=[100, 256], help="of the speed comparison")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of the speed comparison")
    parser.add_argument("--megabytes", type=int, default=8, help="of the text, for the speed comparison")
    parser.add_argument("--processor", default=processor(), help="its name in the report")
    arguments = parser.parse_args()

    record = Record(arguments.record)
    evaluator = functools.cache(lambda: evaluate.Evaluator(arguments.corpus))
    measure = functools.cache(lambda run: quality(run, arguments.corpus, arguments.rowmill, evaluator, record))
    if not arguments.speed_only and not arguments.report_only:
        for tool in arguments.tools:
            for run in quality_runs(tool, arguments.short, measure):
                measure(run)
        record.get("sizes", lambda: evaluator().sizes())
    if not arguments.quality_only and not arguments.report_only:
        measure_speed(arguments, record)
    report(arguments, record)


if __name__ == "__main__":
    main()
