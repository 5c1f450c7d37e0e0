#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/plots/lead.py: makes docs/plots/lead.svg of the table in README.md between <!-- measured --> and <!-- /measured -->.

A bar for each operation: the time of the best peer over Rowmill's, the median over the workloads; a line from the lowest to the
highest. Needs matplotlib.
"""
import pathlib
import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "rowmill", "svg.fonttype": "none", "font.size": 10})
from matplotlib import pyplot  # noqa: E402: the backend comes first

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| ([^|]+) \| \d+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| \d+ \|$", re.MULTILINE)


def main():
    measured = (ROOT / "README.md").read_text().split("<!-- measured -->")[1].split("<!-- /measured -->")[0]
    rows = [(name, *map(float, numbers)) for name, *numbers in ROW.findall(measured)]
    if not rows:
        raise SystemExit("README.md: no table of ratios between <!-- measured --> and <!-- /measured -->")
    names, medians, lowest, highest = zip(*reversed(rows))
    at = range(len(names))

    figure, axes = pyplot.subplots(figsize=(7.5, 0.32 * len(names) + 0.7))
    axes.barh(at, medians, color="#3b7dd8", height=0.65)
    axes.hlines(at, lowest, highest, color="#222222", linewidth=1)
    for y, median, high in zip(at, medians, highest):
        axes.text(high + 0.2, y, f"{median:.1f}x", va="center", color="#3b7dd8", fontweight="bold")
    axes.axvline(1, color="#222222", linewidth=1)
    axes.set_xlim(0, max(highest) + 2)
    axes.set_xticks([1, 5, 10, 15], ["the best peer", "5 times as fast", "10 times", "15 times"])
    axes.set_yticks(at, names)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#dddddd")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.savefig(ROOT / "docs/plots/lead.svg", bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
