# SPDX-License-Identifier: Apache-2.0
"""Makes the report of a peer run: bench/peers/results/<machine>.json from the raw records, and from that and from what
bench/run --record stored, docs/performance.md, its plot, and the README's section between <!-- measured --> and
<!-- /measured -->; for machines other than the README's, docs/<machine>/performance.md. bench/peers/run calls it.

    report.py --target . --raw build/peers/raw/full-...    after a run on this machine
    report.py --target . --machine zen5                    again, from the results in the tree
"""

import argparse
import json
import math
import statistics
from pathlib import Path

import machine
import plots
import suite
from measure import ABSOLUTE_TOLERANCE, HOPELESS, POOLED, RELATIVE_TOLERANCE
from stats import NEAR_CORES_NS, four_digits
from suite import join_sittings, read_records

TITLES = {
    "gather": "gather, outputs reused",
    "gather_fresh": "gather, fresh outputs",
    "gather_bf16": "gather of bf16",
    "gather_f16": "gather of f16",
    "gather_int8": "gather of int8",
    "gather_int4": "gather of int4",
    "gather_int2": "gather of int2",
    "scatter_add": "scatter_add",
    "sgd": "SGD step",
    "sgd_bf16": "SGD step of bf16",
    "adagrad": "Adagrad step",
    "row_wise_adagrad": "row-wise Adagrad step",
    "adam": "Adam step",
    "pool": "pool (sum), fresh outputs",
    "pool_bf16": "pool (sum) of bf16",
    "pool_f16": "pool (sum) of f16",
    "pool_int8": "pool (sum) of int8",
    "pool_int4": "pool (sum) of int4",
    "pool_int2": "pool (sum) of int2",
    "pool_weighted": "pool (weighted sum)",
    "pool_mean": "pool (mean)",
    "pool_mean_weighted": "pool (weighted mean)",
    "pool_max": "pool (max)",
    "pool_weight_gradients": "weighted sum, and its weights' gradients",
    "pooled_sgd": "pooled SGD step",
    "pooled_sgd_weighted": "weighted pooled SGD step",
    "pooled_sgd_max": "SGD step of maxima",
    "pooled_row_wise_adagrad": "pooled row-wise Adagrad step",
    "pooled_row_wise_adagrad_weighted": "weighted pooled row-wise Adagrad step",
    "plan": "plan",
    "plan_bags": "plan of bags",
}
COLUMNS = tuple(TITLES)  # the operations of the peer run, and what only the C++ suite measures
OF_BAGS = (*POOLED, "plan_bags")
PEERS = {"torch": "PyTorch", "fbgemm": "FBGEMM", "jax": "JAX", "tensorflow": "TensorFlow", "zentorch": "zentorch",
         "rowmill": "Rowmill"}
NOT_BEHIND = 0.97  # what the interval's lower end must reach
README_MACHINE = "zen4"  # whose results stand in the README and in docs/performance.md
FIGURES = ("ratio", "low", "high", "rowmill_us", "peer_us")  # what the tree keeps of a cell


# ---- results: what the tree keeps of a run ---------------------------------------------------------------------------


def by_line(cells, fields, figures):
    """{"value/value/...": {ids: figures}}, a line of a file for each value of `fields`."""
    lines = {}
    for cell in cells:
        line = "/".join(str(cell[field]) for field in fields)
        lines.setdefault(line, {})[cell["ids"]] = [cell[figure] for figure in figures]
    return lines


def from_lines(lines, fields, figures):
    """The cells that by_line made `lines` of."""
    for line, sources in lines.items():
        for ids, values in sources.items():
            cell = dict(zip(fields, line.split("/"))) | {"ids": ids} | dict(zip(figures, values))
            yield cell | {"threads": int(cell["threads"])}


CELL_FIELDS = ("peer", "operation", "table", "batch", "threads")
ROOFLINE_FIELDS, ROOFLINE_FIGURES = ("operation", "table", "batch", "threads"), ("us", "roofline_us")


def write_record(path, record):
    """JSON with one line for each entry of the lists and tables at the top: a change then shows as a change of lines."""
    parts = []
    for name, value in record.items():
        entries = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()] if isinstance(value, dict) else [
            json.dumps(entry) for entry in value]
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        lines = ",".join(f"\n  {entry}" for entry in entries)
        parts.append(f' {json.dumps(name)}: {opening}{lines}\n {closing}')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def collect(raw, path):
    """Writes the record of a run from the raw records: those of a cell's sittings joined, without the samples."""
    about, environment, cells, busy = {}, {}, [], []
    for file in sorted(raw.glob("*.jsonl")):
        records = read_records(file)
        for record in records:
            if "environment" in record:
                environment |= record["environment"]
                about = {name: record[name] for name in ("commit", "date", "machine", "tokens")}
        busy += [record | {"busy_us": [record["busy_us"][k] for k in (10, 18, 20)]} for record in records if "busy" in record]
        cells += join_sittings(records).values()
    measured = [cell for cell in cells if "ratio" in cell]
    about |= {name: max((cell[name] for cell in measured), default=0) for name in ("rounds", "sittings")}
    about |= {"cells": len(measured), "unsettled": sum(not cell["settled"] for cell in measured),
              "far": sum(bool(cell.get("far")) for cell in measured)}
    left_out = sorted({f"{PEERS[c['peer']]} has no {TITLES[c['operation']]}: {c['absent']}." for c in cells if "absent" in c})
    left_out += [f"{PEERS[c['peer']]}, {TITLES[c['operation']]} on {c['table']}, {c['batch']}, {c['ids']}, "
                 f"{count_of(c['threads'])}: {c['skipped']}." for c in cells if "skipped" in c]
    write_record(path, {"about": about, "environment": environment, "left_out": left_out, "busy": busy,
                        "cells": by_line(measured, CELL_FIELDS, FIGURES)})


def read_json(path):
    return json.loads(path.read_text()) if path.exists() else {}


class Results:
    """The record of a machine's peer run, and what bench/run --record stored of it."""

    def __init__(self, tree, name):
        record = read_json(tree / "bench" / "peers" / "results" / f"{name}.json")
        self.about, self.environment = record.get("about", {}), record.get("environment", {})
        self.left_out, self.busy = record.get("left_out", []), record.get("busy", [])
        self.measured = list(from_lines(record.get("cells", {}), CELL_FIELDS, FIGURES))
        self.suite = read_json(tree / "bench" / "results" / f"{name}.json")
        self.roofline = [cell for cell in from_lines(self.suite.get("cells", {}), ROOFLINE_FIELDS, ROOFLINE_FIGURES)
                         if "roofline_us" in cell]
        self.threads = sorted({cell["threads"] for cell in self.measured})
        standard = {(s.table_name, s.batch_name) for s in (*suite.workloads.SHAPES, *suite.workloads.POOLED_SHAPES)}
        self.best = {}  # (operation, table, batch, ids, threads): the cell of the peer closest to Rowmill
        for cell in self.measured:
            if (cell["table"], cell["batch"]) not in standard:
                continue  # measured for scaling, against one peer
            workload = suite.key(cell)[1:]
            if workload not in self.best or cell["ratio"] < self.best[workload]["ratio"]:
                self.best[workload] = cell

    @property
    def all_threads(self):
        return self.threads[-1]

    def best_of_all_threads(self):
        return [cell for name, cell in self.best.items() if name[4] == self.all_threads]

    def best_of(self, operation, threads):
        return [cell for name, cell in self.best.items() if name[0] == operation and name[4] == threads]


def verdict(cell):
    if cell["low"] > 1:
        return "ahead"
    if cell["low"] >= NOT_BEHIND:
        return "tied"
    return "behind" if cell["high"] < 1 else "undecided"


# ---- Markdown --------------------------------------------------------------------------------------------------------


def table(header, rows, left=1):
    """A Markdown table; columns after the first `left` are right-aligned."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [header, rule, *rows]) + "\n"


def number(x):
    """Three significant digits."""
    if x >= 99.95:
        return f"{x:,.0f}"
    return f"{x:.1f}" if x >= 9.995 else f"{x:.2f}"


def interval(cell):
    return f"{number(cell['ratio'])} [{number(cell['low'])}, {number(cell['high'])}]"


def ordered(values, order):
    present = set(values)
    return [value for value in order if value in present]


def workload_names(cells):
    """(table, batch) in the order of the suite, then those of the scaling runs."""
    shapes = (*suite.workloads.SHAPES, *suite.workloads.BATCH_SCALING, *suite.workloads.VOCABULARY_SCALING)
    return ordered(((c["table"], c["batch"]) for c in cells), [(s.table_name, s.batch_name) for s in shapes])


def grid(cells, rows, columns, text):
    """Rows of a table: for each row label (table, batch, ids) the text of the cell of each column, or a dash."""
    found = {(c["table"], c["batch"], c["ids"], c["operation"]): c for c in cells}
    result = []
    for row in rows:
        texts = [text(found[(*row, column)]) if (*row, column) in found else "–" for column in columns]
        if any(t != "–" for t in texts):
            result.append([*row, *texts])
    return result


def workload_grid(cells, text):
    """Two tables, which would be too wide as one: of the operations on single ids, and on bags."""
    rows = [(*workload, ids) for workload in workload_names(cells) for ids in suite.workloads.SOURCES]
    tables = []
    for pooled in (False, True):
        columns = [o for o in ordered((c["operation"] for c in cells), COLUMNS) if (o in OF_BAGS) == pooled]
        if columns:
            header = ["table", "batch", "ids", *(TITLES[c] for c in columns)]
            tables.append(table(header, grid(cells, rows, columns, text), left=3))
    return "\n".join(tables)


def machine_section(results):
    about, environment = results.about, results.environment
    described = about["machine"]
    caches = ", ".join(f"{level} {size >> 10:,} KiB" for level, size in described["caches"].items())
    rows = [
        ["processor", ", ".join(filter(None, [described["cpu"], described.get("family"), f"{described['cpus']} processors",
                                              caches])) + f"; AVX-512: {'yes' if described['avx512'] else 'no'}"],
        ["memory", f"{described['memory'] / 2**30:.1f} GiB; transparent huge pages: {described['huge_pages']}, "
                   f"defrag: {described['huge_page_defrag']}"],
        ["system", f"Linux {described['kernel']}"],
        ["token ids", about["tokens"]],
    ]
    for name, library in environment.items():
        if name == "rowmill":
            text = f"{library['version']}, commit {about['commit']}, kernels {library['isa']}, measured {about['date']}"
        else:
            text = f"{library['version']}; {library['fast_path']}; {library['parallel']}"
            if library["notes"]:
                text += "; " + ", ".join(f"{operation}: {note}" for operation, note in library["notes"].items())
        rows.append([PEERS[name], text])
    return "## Machine and versions\n\n" + table(["", ""], rows, left=2)


MADE = "<!-- Made by bench/peers/report.py from bench/peers/results and bench/results: do not edit. -->"

HOW = """## How it is measured

A figure is **peer's time / Rowmill's time**: above 1, Rowmill is faster. It is the median of the paired ratios of {rounds}
rounds in {sittings}
(fewer rounds where a call of the peer takes more than {hopeless} times Rowmill's), with its 95 % interval from order statistics.
Both libraries run in the same process, called from Python: Rowmill through its C interface and ctypes. So the smallest workloads
hold some microseconds of Python on both sides.

- In a round each side waits until all threads of the process are asleep (OpenMP's workers spin after their work and would
  hold the other side's core), wakes its own threads by a larger piece of work, runs calls that are not timed, then timed ones
  for 5 ms or one call. The order alternates. (Linux may queue a woken thread behind the one that woke it, and look for another
  processor only at its next tick. What is measured is calls one after another, not the first ones after a pause.)
- Threads: the process is bound to as many processors as there are threads. With more than one, a round counts if a
  cache line goes from one core to the other in at most {near} ns: a virtual machine's processors may move to cores that share
  no cache, for a second or two, and are not told.
- Both sides have the same ids (of the width that the peer prefers), values and shapes, and are compared first: outputs, and
  after three updates the rows touched and a thousand others, within {relative} relative or {absolute} absolute
  (pooled: 1e-7 for each id of a bag, if that is more).
- Batches of ids and gradients rotate: 8 for a table that fits into the last-level cache, else so many that their rows are
  several times its size.
- Each library allocates its own tables, as it does by default: Rowmill on huge pages. Outputs and gradients share
  memory where the peer can use memory that is not its own (PyTorch, FBGEMM).
- *Outputs reused* writes into one output again and again, as a layer's forward pass does. *Fresh outputs* makes a new array in
  each call, as one calls it; Rowmill's by its OutputAllocator, which uses the memory of outputs that died again (up to 1 MiB: by
  numpy).
- *Pool* sums bags of as many ids as the batch is long: 16x15 is 16 bags of 15 ids. In a *pooled* step forward is a pool, and
  the gradient has a row for each bag. *Weighted*: each id has a weight, between 0.5 and 1.5, and the gradient is that of the
  table.
- A step is forward, backward and update of a layer whose ids hold duplicates: for Rowmill gather into an output that it
  reuses, plan and step, three calls. The optimizers are sparse: only rows that a batch touches move.
- The drawn ids have the laws of `bench/workloads.cpp` but come from another random generator.
"""


def summary_rows(results, threads):
    rows = []
    for operation in COLUMNS:
        cells = results.best_of(operation, threads)
        if not cells:
            continue
        ratios = sorted(cell["ratio"] for cell in cells)
        verdicts = [verdict(cell) for cell in cells]
        peers = sorted({PEERS[cell["peer"]] for cell in cells})
        rows.append([TITLES[operation], len(cells), number(statistics.median(ratios)), number(ratios[0]), number(ratios[-1]),
                     *(verdicts.count(v) for v in ("ahead", "tied", "undecided", "behind")), ", ".join(peers)])
    return rows


SUMMARY_HEADER = ["operation", "workloads", "median ratio", "lowest", "highest", "ahead", "tied", "undecided", "behind",
                  "best peers"]


def summary_section(results):
    text = "## Against the best peer of each workload\n\n"
    text += ("*Ahead*: the whole interval is above 1. *Tied*: its lower end is at least 0.97. *Behind*: the whole interval is "
             "below 1. *Undecided*: it holds 1, but reaches below 0.97.\n\n")
    for threads in reversed(results.threads):
        rows = summary_rows(results, threads)
        if rows:
            text += f"{count_of(threads)}:\n\n" + table(SUMMARY_HEADER, rows) + "\n"
    return text + "![Ratio to the best peer](plots/ratio.svg)\n"


def count_of(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"


def behind_section(results):
    text = "## Where Rowmill is not ahead\n\n"
    cells = [cell for cell in results.best.values() if verdict(cell) != "ahead"]
    if not cells:
        return text + "Nowhere: every interval against the best peer is above 1.\n"
    cells.sort(key=lambda cell: cell["ratio"])
    rows = [[TITLES[c["operation"]], f"{c['table']}, {c['batch']}, {c['ids']}", c["threads"], PEERS[c["peer"]],
             number(c["peer_us"]), number(c["rowmill_us"]), interval(c), verdict(c)] for c in cells]
    return text + table(["operation", "workload", "threads", "best peer", "its time (us)", "Rowmill (us)", "ratio", ""], rows,
                        left=4)


def best_section(results):
    text = ""
    for threads in reversed(results.threads):
        cells = [cell for name, cell in results.best.items() if name[4] == threads]
        if cells:
            text += f"### Ratio to the best peer, {count_of(threads)}\n\n"
            text += workload_grid(cells, lambda c: f"{interval(c)} {PEERS[c['peer']]}") + "\n"
    return text


def left_out_section(results):
    about = results.about
    lines = [f"- {line}" for line in results.left_out]
    if about["unsettled"]:
        lines.append(f"- In {about['unsettled']} of {about['cells']} cells some thread still ran after 0.2 s of waiting.")
    if about["far"]:
        lines.append(f"- In {about['far']} of {about['cells']} cells the cores were not near each other for enough rounds, and "
                     "all rounds count.")
    return "## Not measured\n\n" + "\n".join(lines or ["Nothing was left out."]) + "\n"


def roofline_section(results):
    text = "## Share of the roofline\n\n"
    if not results.roofline:
        return text + "`bench/run --record` has stored none for this kind of machine yet.\n"
    about = results.suite
    text += ("The share is the time that plain loops need to move an operation's compulsory bytes once, in the same run, on the "
             "same memory and threads, divided by the operation's; in parentheses the microseconds of a batch "
             f"({about['processor']}, {about['machine']}, {about['instruction_set']}, {about['compiler']}, {about['date']}). Each "
             "distinct row, gradient and output counts once. So a workload that asks for rows again and again stays below 100 %, "
             "and one that overlaps what the loops do one after the other can be above it. Steps are updates without a forward "
             "pass, with a plan made before; planning has rows of its own.\n\n")
    for threads in sorted({cell["threads"] for cell in results.roofline}, reverse=True):
        chosen = [cell for cell in results.roofline if cell["threads"] == threads and cell["operation"] in COLUMNS]
        text += f"{count_of(threads)}:\n\n" + workload_grid(
            chosen, lambda c: f"{100 * c['roofline_us'] / c['us']:.0f} % ({number(c['us'])})") + "\n"
    return text


def scaling_section(results):
    """The cells that only PyTorch is measured with, and those of the same workloads beside them."""
    text = "## Scaling\n\nMillion ids a second of Rowmill, and of PyTorch.\n"
    torch = [cell for cell in results.measured if cell["peer"] == "torch"]
    operations = suite.SCALING_OPERATIONS

    def ids_of(cell):
        return math.prod(map(int, cell["batch"].split("x")))

    series = {
        "batch": ("Batch size, 9088x256, Zipf ids", ids_of,
                  [c for c in torch if (c["table"], c["ids"], c["threads"]) == ("9088x256", "zipf", results.all_threads)]),
        "rows": ("Vocabulary, 64 columns, uniform ids", lambda cell: int(cell["table"].split("x")[0]),
                 [c for c in torch if c["table"].endswith("x64")
                  and (c["ids"], c["threads"]) == ("uniform", results.all_threads)]),
    }
    for x_name, (title, x, cells) in series.items():
        if len({x(cell) for cell in cells}) < 2:
            continue
        found = {(x(c), c["operation"]): ", ".join(number(ids_of(c) / c[us]) for us in ("rowmill_us", "peer_us"))
                 for c in cells}
        rows = [[f"{value:,}", *(found.get((value, o), "–") for o in operations)] for value in sorted({x(c) for c in cells})]
        label = "ids in a batch" if x_name == "batch" else "rows of the table"
        text += f"\n{title}:\n\n" + table([label, *(TITLES[o] for o in operations)], rows)
    return text


def busy_section(results):
    text = "## A busy machine\n\n"
    if not results.busy:
        return text + "Not measured.\n"
    text += ("The same calls beside one process spinning on each core, and without it. The share is the throughput beside it / "
             "without it: the median of repetitions, and their range. A fair share of each core is 0.5; of two "
             "threads' throughput it leaves 0.375 to a caller who waits for each result, if the second core is free half of "
             "the time that the caller's is. Times are microseconds a call, Zipf "
             "ids. A pool whose threads spin while they wait for each other stalls for a scheduler's time slice whenever one of them "
             "has to yield its core.\n\n")
    rows = [[TITLES[c["operation"]], c["table"], c["batch"], PEERS[c["busy"]],
             f"{c['share']:.2f} [{c['low']:.2f}, {c['high']:.2f}]", number(c["idle_us"]),
             *map(number, c["busy_us"])] for c in results.busy]
    text += table(["operation", "table", "batch", "library", "share", "idle, median", "busy, median", "busy, 90 %",
                   "busy, longest"], rows, left=4)
    return text


def performance(results):
    if not results.measured:
        return f"# Performance\n\n{MADE}\n\n" + roofline_section(results)
    about = results.about
    count = about["sittings"]
    sittings = f"{count} sittings, far apart in time and each in a process of its own" if count > 1 else "one process"
    sections = [
        f"# Performance\n\n{MADE}\n",
        summary_section(results),
        behind_section(results),
        machine_section(results),
        HOW.format(rounds=about["rounds"], sittings=sittings, hopeless=HOPELESS, relative=RELATIVE_TOLERANCE,
                   absolute=ABSOLUTE_TOLERANCE, near=NEAR_CORES_NS),
        best_section(results),
        roofline_section(results),
        scaling_section(results),
        busy_section(results),
        left_out_section(results),
    ]
    return "\n".join(section.rstrip("\n") + "\n" for section in sections if section)


def readme_section(results):
    processor = results.about["machine"]["cpu"]
    threads = results.all_threads
    rows = [row[:5] + row[8:9] for row in summary_rows(results, threads)]
    peers = ", ".join(PEERS[p] for p in ordered((c["peer"] for c in results.measured), suite.ENVIRONMENTS))
    return (
        f"The time of the best peer ({peers}) divided by Rowmill's, {count_of(threads)} of {processor}, made by "
        "`./bench/peers/run`:\n\n"
        + table([*SUMMARY_HEADER[:5], "behind in"], rows)
        + "\n![Ratio to the best peer](docs/plots/ratio.svg)\n\n[docs/performance.md](docs/performance.md): each workload with "
        "its interval, where Rowmill is behind, scaling, a busy machine, and how it is measured.\n")


def replace_section(text, section):
    """`text` with what stands between the markers replaced."""
    begin, end = "<!-- measured -->", "<!-- /measured -->"
    before, marker, after = text.partition(begin)
    if not marker:
        raise SystemExit(f"README.md has no line {begin}")
    after = after.partition(end)[2] if end in after else after
    return f"{before}{begin}\n{section}{end}{after}"


def write_report(target, name):
    results = Results(target, name)
    if not results.measured and not results.roofline:
        raise SystemExit(f"report.py: no results of {name} in {target}")
    docs = target / "docs" if name == README_MACHINE else target / "docs" / name
    docs.mkdir(parents=True, exist_ok=True)
    if results.best:
        (docs / "plots").mkdir(exist_ok=True)
        plots.ratios(results.best_of_all_threads(), TITLES, docs / "plots" / "ratio.svg")
    (docs / "performance.md").write_text(performance(results))
    readme = target / "README.md"
    if readme.exists() and name == README_MACHINE and results.measured:
        readme.write_text(replace_section(readme.read_text(), readme_section(results)))
    return docs / "performance.md"


def main():
    parser = argparse.ArgumentParser(description="Makes the report of a peer run.")
    parser.add_argument("--target", type=Path, required=True, help="the source tree, or a directory like it")
    parser.add_argument("--raw", type=Path, help="the raw records of a run, which replace the machine's in the target")
    parser.add_argument("--machine", default=machine.kind(), help="the kind of machine (default: this one)")
    arguments = parser.parse_args()
    if arguments.raw:
        collect(arguments.raw, arguments.target / "bench" / "peers" / "results" / f"{arguments.machine}.json")
    results = Results(arguments.target, arguments.machine)
    if results.busy and not results.measured:  # the beginning of a run with --busy
        print(busy_section(results))
        return
    print(f"wrote {write_report(arguments.target, arguments.machine)}")


if __name__ == "__main__":
    main()
