# SPDX-License-Identifier: Apache-2.0
"""What the experiment found, as tables and plots of docs/embeddings.md."""

import collections
import json
import math

import matplotlib
import numpy

import evaluate
from evaluate import read_vectors
from pages import DOCS, replace_block, table

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rowmill", "font.size": 9, "axes.grid": True,
                            "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})  # fmt: skip

PROBES = ["good", "sad", "love", "hate", "monday", "movie", "school", "2"]
COLOURS = {"random": "#888888", "tweets-frozen": "#7fb2e5", "tweets-tuned": "#1f5fa8", "general-frozen": "#f0b67f",
           "general-tuned": "#c4650a", "logistic": "#3a923a", "fasttext": "#8e44ad"}  # fmt: skip


def save_plot(name):
    plt.savefig(
        DOCS / "plots" / f"embeddings-{name}.svg", bbox_inches="tight", metadata={"Date": None, "Creator": None}
    )
    plt.close()


def unit(vectors):
    return vectors / numpy.maximum(numpy.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


class Words:
    """How often words occur in the unlabelled tweets, and how much they lean to a label in the labelled ones."""

    def __init__(self, tweets):
        self.count = collections.Counter(word for text in tweets.unlabelled for word in text.split())
        of_label = {"0": collections.Counter(), "1": collections.Counter()}
        for label, text in tweets.pool:
            of_label[label].update(set(text.split()))
        negative, positive = of_label["0"], of_label["1"]
        self.lean = {
            word: math.log((positive[word] + 1) / (negative[word] + 1))
            for word in set(negative) | set(positive)
            if negative[word] + positive[word] >= 40 and any(c.isalpha() for c in word) and len(word) > 2
        }

    def frequent(self, tables, least):
        """The words that the unlabelled tweets have so often, and all the tables have."""
        known = [word for word in self.count if word.isalnum() and all(word in rows for rows, _ in tables)]
        return [word for word in known if self.count[word] >= least]


def neighbours(words, rows, vectors, probe, number=5):
    candidates = [word for word in words if word != probe]
    cosines = unit(vectors[[rows[word] for word in candidates]]) @ unit(vectors[[rows[probe]]])[0]
    return ", ".join(candidates[i] for i in numpy.argsort(-cosines)[:number])


def neighbour_table(words, tables):
    probes = [probe for probe in PROBES if all(probe in rows for rows, _ in tables.values())]
    return table(
        ["word", *tables], [[probe, *(neighbours(words, *t, probe) for t in tables.values())] for probe in probes]
    )


def similarity_table(words, tables):
    """The rank correlation with people's scores, over the pairs of words that all the vectors have."""
    import scipy.stats

    known = set(words)
    rows_of_table = []
    for name, file in [("WordSim-353", "wordsim353.tsv"), ("SimLex-999", "simlex999.txt")]:
        pairs = [line.split("\t") for line in evaluate.test_set(file) if not line.startswith("#")]
        pairs = [(a, b, float(score)) for a, b, score in pairs if a in known and b in known]
        cells = []
        for rows, vectors in tables.values():
            cosines = [float(unit(vectors[[rows[a]]])[0] @ unit(vectors[[rows[b]]])[0]) for a, b, _ in pairs]
            cells.append(f"{scipy.stats.spearmanr(cosines, [score for *_, score in pairs]).statistic:.2f}")
        rows_of_table.append([f"{name}, {len(pairs)} pairs", *cells])
    return table(["", *tables], rows_of_table)


def plot_accuracy(found, arms):
    plt.figure(figsize=(7, 4.2))
    for number, (arm, of_size) in enumerate(found["arms"].items()):
        # Side by side, so that the error bars do not hide each other.
        sizes = numpy.array([found["texts"][size] for size in of_size]) * 1.04 ** (number - 3)
        mean = [100 * cell["mean"] for cell in of_size.values()]
        deviation = [100 * cell["deviation"] for cell in of_size.values()]
        style = "--" if arm in ("logistic", "fasttext") else "-"
        plt.errorbar(sizes, mean, deviation, fmt="o" + style, markersize=3, linewidth=1.2, elinewidth=0.8,
                     color=COLOURS[arm], label=arms[arm])  # fmt: skip
    plt.xscale("log")
    ticks = list(found["texts"].values())
    plt.xticks(ticks, [f"{size:,}" for size in ticks])
    plt.minorticks_off()
    plt.xlabel("tweets to train on")
    plt.ylabel("% of the test tweets right")
    plt.legend(fontsize=7.5, loc="lower right", frameon=False)
    save_plot("accuracy")


def plot_curves(curves):
    _, axes = plt.subplots(1, len(curves), figsize=(7, 2.8), sharey=True)
    for axis, curve in zip(axes, curves.values()):
        run = curve["runs"][0]
        epochs = range(1, len(run["train"]) + 1)
        axis.plot(epochs, run["train"], color="#888888", label="training tweets")
        axis.plot(epochs, run["test"], color="#1f5fa8", label="test tweets")
        axis.set_title(f"{curve['texts']:,} tweets, {curve['parameters']:,} parameters", fontsize=9)
        axis.set_xlabel("epoch")
    axes[0].set_ylabel("accuracy")
    axes[0].legend(frameon=False)
    save_plot("curves")


def plot_words(words, before, after):
    """The words that lean most to a label, and some that lean to none, by their first two principal components."""
    lean = {word: value for word, value in words.lean.items() if word in before[0] and word in after[0]}
    ordered = sorted(lean, key=lean.get)
    neutral = [w for w in sorted(ordered, key=lambda w: -words.count[w]) if abs(lean[w]) < 0.15 and len(w) > 3]
    groups = [(ordered[:14], "#c0392b", "negative"), (neutral[:14], "#888888", "neutral"),
              (ordered[-14:], "#1f5fa8", "positive")]  # fmt: skip
    chosen = [word for group, _, _ in groups for word in group]
    _, axes = plt.subplots(1, 2, figsize=(9, 4.2))
    for axis, (rows, vectors), title in zip(axes, [before, after], ["CBOW of unlabelled tweets", "after fine-tuning"]):
        points = unit(vectors[[rows[word] for word in chosen]])
        points = points - points.mean(axis=0)
        left, scale, _ = numpy.linalg.svd(points, full_matrices=False)
        principal = left[:, :2] * scale[:2]
        # The sign of a component is arbitrary: its largest value is positive, so that each run makes the same plot.
        principal *= numpy.sign(principal[numpy.abs(principal).argmax(axis=0), [0, 1]])
        places = dict(zip(chosen, principal))
        for group, colour, label in groups:
            x, y = numpy.array([places[word] for word in group]).T
            axis.scatter(x, y, s=8, color=colour, label=label)
            for word in group:
                axis.annotate(word, places[word], fontsize=7, color=colour, xytext=(2, 2), textcoords="offset points")
        axis.set_title(title, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0].legend(fontsize=7, frameon=False)
    save_plot("words")


def accuracy_table(found, arms):
    rows = []
    for arm, of_size in found["arms"].items():
        cells = [f"{100 * cell['mean']:.1f} ± {100 * cell['deviation']:.1f}" for cell in of_size.values()]
        unknown = [f"{100 * cell['unknown']:.0f}" for cell in of_size.values() if cell["unknown"] is not None]
        # The vocabulary of a classifier without CBOW is that of its training tweets.
        unknown = " to ".join(dict.fromkeys(unknown[:1] + unknown[-1:]))
        rows.append([arms[arm], *cells, unknown])
    sizes = [f"{size:,}" for size in found["texts"].values()]
    return table(["% of test tweets right", *sizes, "unknown words, %"], rows)


def difference_table(found, arms):
    sizes = list(next(iter(found["arms"].values())))
    rows = []
    for arm, of_size in found["arms"].items():
        if arm != "random":
            rows.append(
                [arms[arm]]
                + [f"{100 * c['difference']:+.1f} ± {100 * c['half_interval']:.1f}" for c in of_size.values()]
            )
    return table(["points above (a)", *(f"{found['texts'][s]:,}" for s in sizes)], rows)


def write_findings(found, work, tweets, pretrained, arms):
    words = Words(tweets)
    tables = {
        "before: CBOW of tweets": pretrained,
        "after fine-tuning": read_vectors(work / "final-tweets-tuned.npy"),
        "trained by the classifier alone": read_vectors(work / "final-random.npy"),
    }
    print(accuracy_table(found, arms), difference_table(found, arms), sep="\n\n")
    (DOCS / "plots").mkdir(exist_ok=True)
    plot_accuracy(found, arms)
    plot_curves(found["curves"])
    plot_words(words, pretrained, tables["after fine-tuning"])
    replace_block("embeddings.md", "accuracy", accuracy_table(found, arms) + "\n\n" + difference_table(found, arms))
    replace_block("embeddings.md", "neighbours", neighbour_table(words.frequent(tables.values(), 50), tables))
    replace_block("embeddings.md", "similarity", similarity_table(words.frequent(tables.values(), 5), tables))
    slim = {key: value for key, value in found.items() if key != "curves"}
    (work / "found.json").write_text(json.dumps(slim, indent=1))
