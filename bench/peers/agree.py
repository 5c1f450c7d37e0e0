# SPDX-License-Identifier: Apache-2.0
"""Whether two runs agree on who wins, in every cell whose intervals both exclude 1.

    agree.py build/peers/raw/full-... COPY-OF-AN-EARLIER-ONE
    agree.py bench/peers/results/zen5 bench/peers/results/zen5/second-run    what the tree keeps of two runs
"""

import json
import sys
from pathlib import Path

from suite import ENVIRONMENTS, join_sittings, key, read_records


def measured(directory):
    cells = {}
    for file in sorted(Path(directory).glob("*.jsonl")):
        cells |= join_sittings(read_records(file))
    for name in set(ENVIRONMENTS.values()):
        kept = Path(directory) / f"{name}.json"
        if kept.exists():
            cells |= {key(cell): cell for cell in json.loads(kept.read_text())["cells"]}
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
    compared, lines = disagreements(*map(measured, sys.argv[1:]))
    print("\n".join(lines + [f"{compared} cells compared, {len(lines)} disagree"]))
    return 1 if lines or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
