# SPDX-License-Identifier: Apache-2.0
"""Makes the report of a peer run: bench/peers/results/*.json from the raw records, and from those docs/performance.md,
docs/plots/*.svg and the README's section between <!-- measured --> and <!-- /measured -->. bench/peers/run calls it.

    report.py --target . --raw build/peers/raw/full-... --ceilings build/bench/results    after a run
    report.py --target .                                                        again, from the results in the tree
    report.py --target . --machine zen5                   that of another machine, from bench/peers/results/zen5 to docs/zen5
"""

import argparse
import json
import statistics
from pathlib import Path

import plots
import suite
from measure import ABSOLUTE_TOLERANCE, HOPELESS, POOLED, RELATIVE_TOLERANCE
from stats import NEAR_CORES_NS, four_digits
from suite import OPERATIONS, join_sittings, read_records

TITLES = {
    "gather": "gather, outputs reused",
    "gather_fresh": "gather, fresh outputs",
    "scatter_add": "scatter_add",
    "sgd": "SGD step",
    "adagrad": "Adagrad step",
    "row_wise_adagrad": "row-wise Adagrad step",
    "adam": "Adam step",
    "pool": "pool (sum), fresh outputs",
    "pooled_sgd": "pooled SGD step",
    "pooled_row_wise_adagrad": "pooled row-wise Adagrad step",
    "plan": "plan",
    "plan_bags": "plan of bags",
}
COLUMNS = tuple(TITLES)  # those of OPERATIONS, and what only the C++ suite measures
OF_BAGS = (*POOLED, "plan_bags")
PEERS = {"torch": "PyTorch", "fbgemm": "FBGEMM", "jax": "JAX", "tensorflow": "TensorFlow", "rowmill": "Rowmill"}
NOT_BEHIND = 0.97  # what the interval's lower end must reach


# ---- results: what the tree keeps of a run ---------------------------------------------------------------------------


def newest_ceilings(path):
    """Each cell's share of the ceiling and time in microseconds, from a benchmark JSON file or from the newest in a directory
    that measured ceilings."""
    path = Path(path)
    files = sorted(path.glob("*.json"), reverse=True) if path.is_dir() else [path]
    for file in files:
        try:
            document = json.loads(file.read_text())
        except (OSError, json.JSONDecodeError):
            continue
        cells = []
        for run in document.get("benchmarks", []):
            if "ceiling" in run:
                operation, table_name, batch, ids, threads = run["name"].split("/iterations")[0].split("/")
                cells.append({"operation": operation, "table": table_name, "batch": batch, "ids": ids, "threads": int(threads),
                              "share": round(run["ceiling"], 4), "us": four_digits(run["real_time"])})
        if cells:
            return {"context": {key: document["context"].get(key) for key in ("date", "machine", "rowmill_version")},
                    "cells": cells}
    return None


def write_document(path, document, listed):
    """JSON with one line for each entry of the list `listed`: a change then shows as a change of lines."""
    head = json.dumps({name: value for name, value in document.items() if name != listed}, indent=1)
    lines = ",\n".join("  " + json.dumps(entry) for entry in document[listed])
    path.write_text(f'{head[:-2]},\n "{listed}": [\n{lines}\n ]\n}}\n')


def collect(raw, results, ceilings):
    """Replaces what `results` holds by the records in `raw`, those of a cell's sittings joined, without the samples; the
    ceilings only by others."""
    results.mkdir(parents=True, exist_ok=True)
    for old in results.glob("*.json"):
        if old.name != "ceilings.json":
            old.unlink()
    for file in sorted(raw.glob("*.jsonl")):
        document = {"about": {}, "environment": {}}
        records = read_records(file)
        for record in records:
            if "environment" in record:
                document["environment"] |= record["environment"]
                document["about"] = {name: record[name] for name in ("commit", "date", "machine", "tokens")}
        cells = [record for record in records if "busy" in record]
        for cell in join_sittings(records).values():
            cell.pop("samples_us", None)
            cell.pop("core_latencies_ns", None)
            cells.append(cell)
        write_document(results / f"{file.stem}.json", document | {"cells": cells}, "cells")
    found = newest_ceilings(ceilings) if ceilings else None
    if found:
        write_document(results / "ceilings.json", found, "cells")


class Results:
    """The documents in a results directory."""

    def __init__(self, directory):
        self.documents = {}
        for file in sorted(directory.glob("*.json")):
            self.documents[file.stem] = json.loads(file.read_text())
        self.ceilings = self.documents.pop("ceilings", None)
        self.busy = self.documents.pop("busy", {"cells": []})["cells"]
        self.cells = [cell for document in self.documents.values() for cell in document["cells"]]
        self.measured = [cell for cell in self.cells if "ratio" in cell]
        self.threads = sorted({cell["threads"] for cell in self.measured})
        standard = {(s.table_name, s.batch_name) for s in suite.workloads.SHAPES}
        self.best = {}  # (operation, table, batch, ids, threads): the cell of the peer closest to Rowmill
        for cell in self.measured:
            if (cell["table"], cell["batch"]) not in standard:
                continue  # measured for the scaling plots, against one peer
            name = suite.key(cell)[1:]
            if name not in self.best or cell["ratio"] < self.best[name]["ratio"]:
                self.best[name] = cell

    @property
    def all_threads(self):
        return self.threads[-1]

    def rowmill_us(self, name):
        """Rowmill's median time, over the peers it was measured with."""
        return statistics.median(cell["rowmill_us"] for cell in self.measured if suite.key(cell)[1:] == name)

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
    about = next(iter(results.documents.values()))["about"]
    machine = about["machine"]
    caches = ", ".join(f"{level} {size >> 10:,} KiB" for level, size in machine["caches"].items())
    rows = [
        ["processor", ", ".join(filter(None, [machine["cpu"], machine.get("family"), f"{machine['cpus']} processors", caches]))
         + f"; AVX-512: {'yes' if machine['avx512'] else 'no'}"],
        ["memory", f"{machine['memory'] / 2**30:.1f} GiB; transparent huge pages: {machine['huge_pages']}, "
                   f"defrag: {machine['huge_page_defrag']}"],
        ["system", f"Linux {machine['kernel']}"],
        ["token ids", about["tokens"]],
    ]
    for document in results.documents.values():
        for name, library in document["environment"].items():
            if name == "rowmill":
                text = (f"{library['version']}, commit {document['about']['commit']}, kernels {library['isa']}, "
                        f"measured {document['about']['date']}{document['about'].get('cells', '')}")
            else:
                text = f"{library['version']}; {library['fast_path']}; {library['parallel']}"
                if library["notes"]:
                    text += "; " + ", ".join(f"{operation}: {note}" for operation, note in library["notes"].items())
            if [PEERS[name], text] not in rows:
                rows.append([PEERS[name], text])
    return "## Machine and versions\n\n" + table(["", ""], rows, left=2)


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
- Threads: the process is bound to as many processors as there are threads.{near}
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
  the gradient has a row for each bag.
- A step is forward, backward and update of a layer whose ids hold duplicates: for Rowmill gather into an output that it
  reuses, plan and step, three calls. The optimizers are sparse: only rows that a batch touches move.
- The drawn ids have the laws of `bench/workloads.cpp` but come from another random generator.
"""


def summary_rows(results, threads):
    rows = []
    for operation in OPERATIONS:
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


def times_section(results):
    text = "## Rowmill's times\n\nMicroseconds a batch, and GB/s of the bytes that any implementation must move.\n\n"
    for threads in reversed(results.threads):
        cells = []
        for name, cell in results.best.items():
            if name[4] == threads:
                cells.append(cell | {"rowmill_us": results.rowmill_us(name)})
        if cells:
            text += f"{count_of(threads)}:\n\n"
            text += workload_grid(
                cells, lambda c: f"{number(c['rowmill_us'])} ({number(c['bytes'] / c['rowmill_us'] / 1e3)})") + "\n"
    return text


def peers_section(results):
    text = "## Each peer\n\nRatio, its interval, and the peer's time in microseconds.\n"
    for peer in suite.ENVIRONMENTS:
        for threads in reversed(results.threads):
            cells = [c for c in results.measured if c["peer"] == peer and c["threads"] == threads]
            if cells:
                text += f"\n### {PEERS[peer]}, {count_of(threads)}\n\n"
                text += workload_grid(cells, lambda c: f"{interval(c)} {number(c['peer_us'])} us")
    return text


def absent_section(results):
    lines = sorted({f"- {PEERS[c['peer']]} has no {TITLES[c['operation']]}: {c['absent']}." for c in results.cells
                    if "absent" in c})
    lines += [f"- {PEERS[c['peer']]}, {TITLES[c['operation']]} on {c['table']}, {c['batch']}, {c['ids']}, "
              f"{count_of(c['threads'])}: {c['skipped']}." for c in results.cells if "skipped" in c]
    unsettled = [c for c in results.measured if not c["settled"]]
    if unsettled:
        lines.append(f"- In {len(unsettled)} of {len(results.measured)} cells some thread still ran after 0.2 s of waiting.")
    far = [c for c in results.measured if c.get("far")]
    if far:
        lines.append(f"- In {len(far)} of {len(results.measured)} cells the cores were not near each other for enough rounds, and "
                     "all rounds count.")
    return "## Not measured\n\n" + "\n".join(lines or ["Nothing was left out."]) + "\n"


def ceilings_section(results):
    text = "## Share of the ceiling\n\n"
    if not results.ceilings:
        return text + "No JSON file of `bench/run --all` was found.\n"
    cells = [cell for cell in results.ceilings["cells"] if cell["operation"] in COLUMNS]
    context = results.ceilings["context"]
    text += ("What the library reaches of the best of a set of plain loops on the same workload, in the C++ suite (`bench/run`; "
             f"{context['date']}, {context['machine']}). Steps are updates without a forward pass, with a plan made before on both "
             "sides; planning has rows of its own.\n\n")
    counts = sorted({cell["threads"] for cell in cells}, reverse=True)
    for threads in counts:
        chosen = [cell for cell in cells if cell["threads"] == threads]
        text += f"{count_of(threads)}:\n\n" + workload_grid(chosen, lambda c: f"{100 * c['share']:.0f} %") + "\n"
    text += "![Share of the ceiling](plots/ceiling.svg)\n"
    speedups = speedups_over_one_thread(cells)
    if speedups:
        text += (f"\n### {count_of(counts[0])} against one\n\nHow many times as fast, in the C++ suite; in parentheses, what one "
                 f"thread reaches of the ceiling of {counts[0]}.\n\n"
                 + workload_grid(speedups, lambda c: f"{number(c['speedup'])} ({100 * c['share']:.0f} %)"))
    return text


def speedups_over_one_thread(cells):
    """The cells of the most threads that were also measured with one: how many times as fast they are, and the share of their
    ceiling that one thread reaches."""
    def workload(cell):
        return cell["operation"], cell["table"], cell["batch"], cell["ids"]

    most = max(cell["threads"] for cell in cells)
    alone = {workload(cell): cell["us"] for cell in cells if cell["threads"] == 1 < most}
    return [cell | {"speedup": alone[workload(cell)] / cell["us"], "share": cell["share"] * cell["us"] / alone[workload(cell)]}
            for cell in cells if cell["threads"] == most and workload(cell) in alone]


def scaling_section(names):
    text = "## Scaling\n\nRowmill and PyTorch, ids a second.\n"
    titles = {"batch": "Batch size, 9088x256, Zipf ids", "vocabulary": "Vocabulary, 64 columns, 40,960 uniform ids",
              "threads": "Threads, Zipf ids"}
    for name, title in titles.items():
        if f"scaling-{name}" in names:
            text += f"\n{title}:\n\n![{title}](plots/scaling-{name}.svg)\n"
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
             *(number(c["busy_us"][k]) for k in (10, 18, 20))] for c in results.busy]
    text += table(["operation", "table", "batch", "library", "share", "idle, median", "busy, median", "busy, 90 %",
                   "busy, longest"], rows, left=4)
    return text + "\n![Throughput beside a spinning process](plots/busy.svg)\n"


def near_cores(results):
    latencies = [cell["core_latency_ns"] for cell in results.measured if cell.get("core_latency_ns")]
    if not latencies:
        return ""
    return (f""" With more than one, a round counts if its cores were near
  each other: if a cache line went from one to the other in at most {NEAR_CORES_NS} ns right after each side's calls, {statistics.median(latencies):.0f} ns
  in the median. A virtual machine's processors may move to cores that share no cache, for a second or two, and are not told.""")


def performance(results, plot_names):
    rounds = max(cell["rounds"] for cell in results.measured)
    count = max(cell["sittings"] for cell in results.measured)
    sittings = f"{count} sittings, far apart in time and each in a process of its own" if count > 1 else "one process"
    sections = [
        "# Performance\n\n<!-- Made by bench/peers/run from bench/peers/results: do not edit. -->\n",
        summary_section(results),
        behind_section(results),
        machine_section(results),
        HOW.format(rounds=rounds, sittings=sittings, hopeless=HOPELESS, relative=RELATIVE_TOLERANCE,
                   absolute=ABSOLUTE_TOLERANCE, near=near_cores(results)),
        best_section(results),
        ceilings_section(results),
        scaling_section(plot_names),
        busy_section(results),
        times_section(results),
        peers_section(results),
        absent_section(results),
    ]
    return "\n".join(section.rstrip("\n") + "\n" for section in sections if section)


def readme_section(results):
    machine = next(iter(results.documents.values()))["about"]["machine"]
    threads = results.all_threads
    rows = [row[:5] + row[8:9] for row in summary_rows(results, threads)]
    peers = ", ".join(PEERS[p] for p in ordered((c["peer"] for c in results.measured), suite.ENVIRONMENTS))
    return (
        f"The time of the best peer ({peers}) divided by Rowmill's, {count_of(threads)} of {machine['cpu']}, made by "
        "`./bench/peers/run`:\n\n"
        + table([*SUMMARY_HEADER[:5], "behind in"], rows)
        + "\n![Ratio to the best peer](docs/plots/ratio.svg)\n\n[docs/performance.md](docs/performance.md): each workload with "
        "its interval, each peer, where Rowmill is behind, the share of the ceiling, scaling, a busy machine, and how it is "
        "measured.\n")


def replace_section(text, section):
    """`text` with what stands between the markers replaced."""
    begin, end = "<!-- measured -->", "<!-- /measured -->"
    before, marker, after = text.partition(begin)
    if not marker:
        raise SystemExit(f"README.md has no line {begin}")
    after = after.partition(end)[2] if end in after else after
    return f"{before}{begin}\n{section}{end}{after}"


def write_report(results, target, machine=""):
    docs = target / "docs" / machine
    (docs / "plots").mkdir(parents=True, exist_ok=True)
    names = plots.draw(results, docs / "plots", TITLES, PEERS)
    (docs / "performance.md").write_text(performance(results, names))
    readme = target / "README.md"
    if readme.exists() and not machine:
        readme.write_text(replace_section(readme.read_text(), readme_section(results)))


def main():
    parser = argparse.ArgumentParser(description="Makes the report of a peer run.")
    parser.add_argument("--target", type=Path, required=True, help="the source tree, or a directory like it")
    parser.add_argument("--raw", type=Path, help="the raw records that replace the results in the target")
    parser.add_argument("--machine", default="", help="the name of another machine, which has a report of its own")
    parser.add_argument("--ceilings", help="a JSON file of bench/run --all, or a directory of such files")
    arguments = parser.parse_args()
    directory = arguments.target / "bench" / "peers" / "results" / arguments.machine
    if arguments.raw:
        collect(arguments.raw, directory, arguments.ceilings)
    results = Results(directory)
    if not results.measured and results.busy:  # the beginning of a run with --busy
        print(busy_section(results))
        return
    if not results.measured:
        raise SystemExit(f"report.py: no results in {directory}")
    write_report(results, arguments.target, arguments.machine)
    print(f"wrote {arguments.target / 'docs' / arguments.machine / 'performance.md'}")


if __name__ == "__main__":
    main()
