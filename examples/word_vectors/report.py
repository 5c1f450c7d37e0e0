# SPDX-License-Identifier: Apache-2.0
"""What a comparison found, as tables of docs/word-vectors.md, and as results.json."""

import collections
import json

import numpy
import scipy.stats

from evaluate import MEASURES
from pages import replace_block, table
from runs import HERE

NAMES = {"rowmill": "Rowmill", "gensim-lists": "gensim, lists", "gensim-file": "gensim, `corpus_file`",
         "fasttext": "fastText"}  # fmt: skip
TITLES = {"wordsim": "WordSim-353", "simlex": "SimLex-999", "semantic": "semantic", "syntactic": "syntactic",
          "analogies": "all analogies"}  # fmt: skip


def digits(value, sign=""):
    return f"{value:{sign}.3f}"


def mean_and_deviation(values):
    if len(values) == 1:
        return digits(values[0])
    return f"{digits(numpy.mean(values))} ± {digits(numpy.std(values, ddof=1))}"


def difference(ours, theirs):
    """The difference of two means with its 95 % interval (Welch's)."""
    mean = numpy.mean(ours) - numpy.mean(theirs)
    if min(len(ours), len(theirs)) < 2:
        return digits(mean, "+")
    interval = scipy.stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    return f"{digits(mean, '+')} [{digits(interval.low, '+')}, {digits(interval.high, '+')}]"


def by_setting(qualities):
    groups = collections.defaultdict(list)
    for result in qualities:
        groups[result["tool"], result["alpha"], result["epochs"]].append(result)
    return dict(sorted(groups.items(), key=lambda item: (item[0][2], list(NAMES).index(item[0][0]), item[0][1])))


def quality_table(groups, best):
    rows = []
    for (tool, alpha, epochs), results in groups.items():
        cells = [mean_and_deviation([result[measure] for result in results]) for measure in MEASURES]
        mark = " (best)" if best.get(tool) == alpha and epochs == 5 else ""
        rows.append([NAMES[tool], f"{alpha}{mark}", epochs, len(results), *cells])
    return table(["tool", "alpha", "epochs", "seeds", *(TITLES[measure] for measure in MEASURES)], rows)


def difference_table(groups, best):
    """Rowmill less each other tool: both at 0.05, and each at its best alpha where that is known."""
    rows = []
    for tool in [tool for tool in NAMES if tool != "rowmill"]:
        settings = {"both at 0.05": (0.05, 0.05)}
        if "rowmill" in best and tool in best:
            bests = best["rowmill"], best[tool]
            if bests == (0.05, 0.05):
                settings = {"both at 0.05, their best": bests}
            else:
                settings["each at its best"] = bests
        for epochs in [5, 10]:
            for how, (ours, theirs) in settings.items():
                pair = groups.get(("rowmill", ours, epochs)), groups.get((tool, theirs, epochs))
                if all(pair):
                    cells = [difference(*([r[m] for r in side] for side in pair)) for m in MEASURES]
                    rows.append([NAMES[tool], how, epochs, *cells])
    return table(["Rowmill less", "alpha", "epochs", *(TITLES[measure] for measure in MEASURES)], rows)


def cpu_table(groups, words):
    """CPU seconds of the runs of 5 epochs, whatever their alpha: they do not depend on it."""
    seconds = collections.defaultdict(list)
    training = collections.defaultdict(list)
    for (tool, _, epochs), results in groups.items():
        if epochs == 5:
            seconds[tool] += [result["total_cpu"] for result in results]
            training[tool] += [result["train_cpu"] for result in results if "train_cpu" in result]
    ours = numpy.median(seconds["rowmill"])
    rows = []
    for tool, of_tool in seconds.items():
        ratios = [value / ours for value in of_tool]
        rows.append(
            [
                NAMES[tool],
                len(of_tool),
                f"{numpy.median(training[tool]):.0f}" if training[tool] else "",
                f"{numpy.median(of_tool):.0f}",
                f"{5 * words / numpy.median(of_tool) / 1e6:.2f}",
                "" if tool == "rowmill" else f"{numpy.median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}]",
            ]
        )
    head = ["tool", "runs", "training, CPU s", "end to end, CPU s", "M words per CPU s", "Rowmill needs less by"]
    return table(head, rows)


def quartiles(values):
    low, median, high = numpy.percentile(values, [25, 50, 75])
    return median, low, high


def speed_table(speeds):
    """Words/s, as medians over the rounds; and how many times as fast Rowmill was in the same round."""
    cells = collections.defaultdict(dict)
    for result in speeds:
        cells[result["dim"], result["threads"], result["tool"]][result["round"]] = result
    rows = []
    for (dim, threads, tool), rounds in cells.items():
        ours = cells.get((dim, threads, "rowmill"), {})
        row = [dim, threads, NAMES[tool]]
        for part in ["train", "total"]:
            row.append(f"{numpy.median([result['words'] / result[part] / 1e6 for result in rounds.values()]):.2f}")
            ratios = [rounds[i][part] / ours[i][part] for i in rounds if i in ours]
            row.append("{:.1f} [{:.1f}, {:.1f}]".format(*quartiles(ratios)) if ratios and tool != "rowmill" else "")
        rows.append(row)
    head = ["dim", "threads", "tool", "training, M words/s", "Rowmill is faster by", "end to end, M words/s"]
    return table([*head, "Rowmill is faster by"], rows)


def write_report(results):
    groups = by_setting(results["quality"])
    (HERE / "results.json").write_text(
        "{\n" + ",\n".join(f'"{key}": {lines(value)}' for key, value in results.items()) + "\n}\n", encoding="utf-8"
    )
    if groups:
        replace_block("word-vectors.md", "quality", quality_table(groups, results["best"]))
        if any(tool == "rowmill" and epochs == 5 for tool, _, epochs in groups):
            replace_block("word-vectors.md", "cpu", cpu_table(groups, results["sizes"]["words"]))
        replace_block("word-vectors.md", "differences", difference_table(groups, results["best"]))
    if results["speed"]:
        replace_block("word-vectors.md", "speed", speed_table(results["speed"]))


def lines(value):
    """JSON with a line for each run."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n " + ",\n ".join(json.dumps(run) for run in value) + "]"
