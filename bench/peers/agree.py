# SPDX-License-Identifier: Apache-2.0
"""Whether two runs agree on who wins, in every cell whose intervals both exclude 1. A run is a directory of raw records,
or the record that the tree keeps of one.

    agree.py build/peers/raw/full-... bench/peers/results/zen5.json
"""

import json
import sys
from pathlib import Path

from report import CELL_FIELDS, FIGURES, from_lines
from suite import join_sittings, key, read_records


def measured(run):
    cells = {}
    if run.is_file():
        cells = {key(cell): cell for cell in from_lines(json.loads(run.read_text())["cells"], CELL_FIELDS, FIGURES)}
    for file in sorted(run.glob("*.jsonl")):
        cells |= join_sittings(read_records(file))
    return {name: cell for name, cell in cells.items() if "ratio" in cell}


def disagreements(one, other):
    """The number of cells that can be compared, and a line for each of those where the winners differ."""
    compared, lines = 0, []
    for name in sorted(one.keys() & other.keys(), key=str):
        a, b = one[name], other[name]
        if all(cell["low"] > 1 or cell["high"] < 1 for cell in (a, b)):
            compared += 1
            if (a["low"] > 1) != (b["low"] > 1):
                lines.append("/".join(map(str, name)) + "".join(f"  {c['ratio']} [{c['low']}, {c['high']}]" for c in (a, b)))
    return compared, lines


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    compared, lines = disagreements(*map(measured, map(Path, sys.argv[1:])))
    print("\n".join(lines + [f"{compared} cells compared, {len(lines)} disagree"]))
    return 1 if lines or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
