# SPDX-License-Identifier: Apache-2.0
"""The plot of the report."""

import io
import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "rowmill", "svg.fonttype": "none", "font.size": 8,
                            "font.sans-serif": ["DejaVu Sans"], "axes.grid": True,
                            "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

import workloads  # noqa: E402

COLOURS = dict(zip(workloads.SOURCES, ("#1b6ca8", "#c8553d", "#5b8c5a", "#8e6c8a")))


def ratios(cells, titles, path):
    """A panel for each operation: a row for each table and batch, a dot with its interval for each source of ids."""
    operations = [operation for operation in titles if any(c["operation"] == operation for c in cells)]
    present = {(c["table"], c["batch"]) for c in cells}
    shapes = [name for s in workloads.SHAPES if (name := (s.table_name, s.batch_name)) in present]
    shapes += sorted(present.difference(shapes))
    columns = min(3, len(operations))
    rows = -(-len(operations) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, (0.6 + 0.3 * len(shapes)) * rows), squeeze=False,
                                sharey=True)
    for axis in axes.flat[len(operations) :]:
        axis.set_visible(False)
    for axis, operation in zip(axes.flat, operations):
        axis.set_title(titles[operation])
        for place, (source, colour) in enumerate(COLOURS.items()):
            chosen = [c for c in cells if (c["operation"], c["ids"]) == (operation, source)]
            at = [shapes.index((c["table"], c["batch"])) + (place - 1.5) * 0.18 for c in chosen]
            # One line for all intervals and one for all dots, broken between them: small files.
            heights = [y for y in at for _ in range(3)]
            ends = [end for c in chosen for end in (c["low"], c["high"], None)]
            axis.plot(ends, heights, linewidth=1, color=colour)
            dots = [end for c in chosen for end in (c["ratio"], 1.01 * c["ratio"], None)]
            axis.plot(dots, heights, linewidth=3.5, solid_capstyle="round", color=colour)
        axis.axvline(1, color="black", linewidth=0.8)
        axis.set_yticks(range(len(shapes)), [f"{table}, {batch}" for table, batch in shapes])
        axis.set_xlabel("time of the best peer / Rowmill's")
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.flat[0].set_ylim(len(shapes) - 0.4, -0.6)
    sources = [s for s in COLOURS if any(c["ids"] == s for c in cells)]
    marks = [plt.Line2D([], [], marker="o", linestyle="", markersize=4, color=COLOURS[s]) for s in sources]
    figure.legend(marks, sources, loc="lower center", ncol=len(sources), bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.tight_layout()
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plt.close(figure)
    path.write_text(re.sub(r"(\d\.\d)\d+", r"\1", text.getvalue()))  # a tenth of a point is enough
