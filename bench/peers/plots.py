# SPDX-License-Identifier: Apache-2.0
"""The plots of the report."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "rowmill", "svg.fonttype": "none", "font.size": 8, "axes.grid": True,
                            "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

import workloads  # noqa: E402

COLOURS = dict(zip(workloads.SOURCES, ("#1b6ca8", "#c8553d", "#5b8c5a", "#8e6c8a")))
LIBRARIES = {"rowmill": "#1b6ca8", "torch": "#c8553d"}


def save(figure, path):
    figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plt.close(figure)


def panels(operations, titles, height, share_y):
    columns = 2 if len(operations) in (2, 4) else min(3, len(operations))
    rows = -(-len(operations) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, height * rows), squeeze=False, sharey=share_y)
    for axis in axes.flat[len(operations) :]:
        axis.set_visible(False)
    for axis, operation in zip(axes.flat, operations):
        axis.set_title(titles[operation])
    return figure, list(axes.flat[: len(operations)])


def shape_labels(cells):
    present = {(c["table"], c["batch"]) for c in cells}
    return [name for s in workloads.SHAPES if (name := (s.table_name, s.batch_name)) in present]


def by_workload(cells, titles, value, path, label, line, logarithmic):
    """A panel for each operation: a row for each table and batch, a dot for each source of ids."""
    operations = [operation for operation in titles if any(c["operation"] == operation for c in cells)]
    shapes = shape_labels(cells)
    figure, axes = panels(operations, titles, 0.6 + 0.3 * len(shapes), share_y=True)
    for axis, operation in zip(axes, operations):
        for cell in cells:
            if cell["operation"] == operation and (cell["table"], cell["batch"]) in shapes:
                row = shapes.index((cell["table"], cell["batch"]))
                offset = (list(COLOURS).index(cell["ids"]) - 1.5) * 0.18
                centre, low, high = value(cell)
                axis.errorbar(centre, row + offset, xerr=[[max(0, centre - low)], [max(0, high - centre)]], fmt="o",
                              markersize=3, linewidth=1, color=COLOURS[cell["ids"]])
        axis.axvline(line, color="black", linewidth=0.8)
        axis.set_yticks(range(len(shapes)), [f"{table}, {batch}" for table, batch in shapes])
        axis.set_xlabel(label)
        if logarithmic:
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]))
            axis.xaxis.set_minor_locator(NullLocator())
            axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        else:
            axis.set_xlim(left=0)
    axes[0].set_ylim(len(shapes) - 0.4, -0.6)
    sources = [s for s in COLOURS if any(c["ids"] == s for c in cells)]
    marks = [plt.Line2D([], [], marker="o", linestyle="", markersize=4, color=COLOURS[s]) for s in sources]
    figure.legend(marks, sources, loc="lower center", ncol=len(sources), bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.tight_layout()
    save(figure, path)


def scaling(cells, titles, names, series, x, path, label):
    """A panel for each operation: ids a second of Rowmill and PyTorch over x; one pair of lines for each series."""
    operations = [operation for operation in titles if any(c["operation"] == operation for c in cells)]
    figure, axes = panels(operations, titles, 2.2, share_y=False)
    styles = ["-", "--", ":", "-."]
    for axis, operation in zip(axes, operations):
        chosen = [c for c in cells if c["operation"] == operation]
        for style, name in zip(styles, sorted({series(c) for c in chosen})):
            points = sorted((c for c in chosen if series(c) == name), key=x)
            for library, time in (("rowmill", "rowmill_us"), ("torch", "peer_us")):
                axis.plot([x(c) for c in points], [ids_of(c) / c[time] for c in points], style, marker="o", markersize=3,
                          color=LIBRARIES[library], label=f"{names[library]}{name}")
        axis.set_xscale("log", base=2 if label == "threads" else 10)
        axis.set_ylim(bottom=0)
        axis.set_xlabel(label)
        if label == "threads":
            axis.set_xticks(sorted({x(c) for c in chosen}))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_ylabel("million ids / s")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=2, bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.tight_layout()
    save(figure, path)


def ids_of(cell):
    batch, length = map(int, cell["batch"].split("x"))
    return batch * length


def rows_of(cell):
    return int(cell["table"].split("x")[0])


def busy(cells, titles, names, path):
    figure, (axis, calls) = plt.subplots(1, 2, figsize=(9.6, 1 + 0.2 * len(cells)), width_ratios=(3, 2))
    groups = list(dict.fromkeys((c["operation"], c["table"], c["batch"]) for c in cells))
    for cell in cells:
        row = groups.index((cell["operation"], cell["table"], cell["batch"])) + (0.2 if cell["busy"] == "torch" else -0.2)
        axis.barh(row, cell["share"], 0.36, color=LIBRARIES[cell["busy"]])
    axis.axvline(0.5, color="black", linewidth=0.8)
    axis.set_yticks(range(len(groups)), [f"{titles[operation]}, {table}, {batch}" for operation, table, batch in groups])
    axis.invert_yaxis()
    axis.set_xlabel("throughput beside a spinning process / without it (line: a fair share)")
    for cell in cells:  # of the first workload, how long its calls take
        if (cell["operation"], cell["table"], cell["batch"]) == groups[0]:
            times = [t / 1000 for t in cell["busy_us"]]
            calls.plot(times, [100 * k / (len(times) - 1) for k in range(len(times))], color=LIBRARIES[cell["busy"]])
    calls.set_xscale("log")
    calls.set_xlabel("ms or less, beside a spinning process")
    calls.set_ylabel("% of calls")
    calls.set_title(axis.get_yticklabels()[0].get_text())
    marks = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in LIBRARIES.values()]
    figure.legend(marks, [names[n] for n in LIBRARIES], loc="lower center", ncol=2, bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.tight_layout()
    save(figure, path)


def draw(results, directory, titles, names):
    """Draws what there are results for; returns the names of the plots."""
    for old in directory.glob("*.svg"):
        old.unlink()
    threads = results.all_threads
    best = [cell for name, cell in results.best.items() if name[4] == threads]
    if best:
        by_workload(best, titles, lambda c: (c["ratio"], c["low"], c["high"]), directory / "ratio.svg",
                    "time of the best peer / Rowmill's", 1, True)
    if results.ceilings:
        cells = [cell for cell in results.ceilings["cells"] if cell["operation"] in titles and cell["threads"] == threads]
        if cells:
            by_workload(cells, titles, lambda c: (100 * c["share"],) * 3, directory / "ceiling.svg", "% of the ceiling", 100, False)

    torch = [c for c in results.measured if c["peer"] == "torch" and c["operation"] in ("gather", "scatter_add", "sgd", "adam")]
    batch = [c for c in torch if c["table"] == "9088x256" and c["ids"] == "zipf" and c["threads"] == threads]
    if len({c["batch"] for c in batch}) > 1:
        scaling(batch, titles, names, lambda c: "", ids_of, directory / "scaling-batch.svg", "ids in a batch")
    vocabulary = [c for c in torch if c["table"].endswith("x64") and c["ids"] == "uniform" and c["threads"] == threads]
    if len({c["table"] for c in vocabulary}) > 1:
        scaling(vocabulary, titles, names, lambda c: "", rows_of, directory / "scaling-vocabulary.svg", "rows of the table")
    shapes = [(s.table_name, s.batch_name) for s in workloads.THREAD_SCALING]
    counts = [c for c in torch if (c["table"], c["batch"]) in shapes and c["ids"] == "zipf"]
    if len({c["threads"] for c in counts}) > 1:
        scaling(counts, titles, names, lambda c: f", {c['table']}, {c['batch']}", lambda c: c["threads"],
                directory / "scaling-threads.svg", "threads")
    if results.busy:
        busy(results.busy, titles, names, directory / "busy.svg")
    return {file.stem for file in directory.glob("*.svg")}
