# SPDX-License-Identifier: Apache-2.0
"""Runs measure.py for every cell that has no result yet, one process for each peer, thread count, table and batch shape:
so no two peers' tables are in memory together. A full run goes through all cells twice, in two sittings.
bench/peers/run calls it."""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import machine
import workloads
from measure import FORMATS, FULL, QUICK
from stats import summary

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = {"torch": "torch", "fbgemm": "torch", "jax": "jax", "tensorflow": "jax",
                "zentorch": "zentorch"}  # of each peer
GENERAL_PEERS = ("torch", "fbgemm", "jax", "tensorflow")  # which have most operations
ZENTORCH_OPERATIONS = ("pool", "pool_bf16", "pool_int4")
OPERATIONS = ("gather", "gather_fresh", "scatter_add", "sgd", "adagrad", "row_wise_adagrad", "adam",
              "pool", "pooled_sgd", "pooled_row_wise_adagrad")
POOLED_OPERATIONS = ("pool", "pool_weighted", "pool_mean", "pool_mean_weighted", "pool_max", "pool_weight_gradients",
                     "pooled_sgd", "pooled_sgd_weighted", "pooled_sgd_max", "pooled_row_wise_adagrad",
                     "pooled_row_wise_adagrad_weighted", *FORMATS)
POOLED_PEERS = ("torch", "fbgemm")  # which have bags with weights
SCALING_OPERATIONS = ("gather", "scatter_add", "sgd", "adam")
ONE_ROW_SHAPES = workloads.SHAPES[:3]
ONE_ROW_OPERATIONS = ("gather", "scatter_add", "sgd", "adam")
ONE_THREAD_SHAPES = (*workloads.SHAPES[1:3], workloads.SHAPES[5])
QUICK_SHAPES = (*workloads.SHAPES[:3], workloads.SHAPES[5])
KEY = ("peer", "operation", "table", "batch", "ids", "threads")


def key(record):
    return tuple(record[field] for field in KEY)


def plan(quick):
    """Groups (peer, threads, shape, cells), in the order they are measured; a cell is an (operation, source of ids)."""

    def cells(operations, *sources):
        return [(operation, source) for operation in operations for source in sources]

    cpus = len(machine.cpus())
    if quick:
        return [(peer, cpus, shape, cells(OPERATIONS, "zipf")) for shape in QUICK_SHAPES for peer in GENERAL_PEERS]
    groups = []
    for shape in workloads.SHAPES:
        chosen = cells(OPERATIONS, "uniform", "zipf")
        if shape != workloads.SHAPES[-1]:  # there tokens touch the same rows as in the table before it
            chosen += cells(OPERATIONS, "tokens")
        if shape in ONE_ROW_SHAPES:
            chosen += cells(ONE_ROW_OPERATIONS, "one_row")
        chosen.sort(key=lambda cell: OPERATIONS.index(cell[0]))  # measure.py makes an operation's tables once
        groups += [(peer, cpus, shape, chosen) for peer in GENERAL_PEERS]
    if cpus > 1:
        groups += [(peer, 1, shape, cells(OPERATIONS, "zipf")) for shape in ONE_THREAD_SHAPES for peer in GENERAL_PEERS]
    groups += [(peer, cpus, shape, cells(POOLED_OPERATIONS, "uniform"))
               for shape in workloads.POOLED_SHAPES for peer in POOLED_PEERS]
    groups += [(peer, cpus, workloads.FORMATS_SHAPE, cells(FORMATS, "uniform")) for peer in POOLED_PEERS]
    groups += [("zentorch", cpus, workloads.FORMATS_SHAPE, cells(ZENTORCH_OPERATIONS, "uniform"))]
    groups += [("zentorch", threads, shape, cells(ZENTORCH_OPERATIONS, "uniform"))
               for threads in sorted({1, cpus}) for shape in workloads.POOLED_SHAPES if shape.dim >= 64]
    groups += [("torch", cpus, shape, cells(SCALING_OPERATIONS, "zipf")) for shape in workloads.BATCH_SCALING]
    groups += [("torch", cpus, shape, cells(SCALING_OPERATIONS, "uniform")) for shape in workloads.VOCABULARY_SCALING]
    if cpus > 1:
        groups += [(peer, 1, shape, cells(("pool", *FORMATS), "uniform"))
                   for shape in workloads.POOLED_SHAPES if shape.dim >= 64 for peer in POOLED_PEERS]
    threads = 2
    while threads < cpus:
        groups += [("torch", threads, shape, cells(SCALING_OPERATIONS, "zipf")) for shape in workloads.THREAD_SCALING]
        threads *= 2
    return groups


def estimated_seconds(task):
    """About what measure.py takes on a quiet machine of two processors: to start, to make tables, and for each cell."""
    shape = workloads.Shape.parse(task["shape"])
    operations = {operation for operation, _ in task["cells"]}
    return 6 + len(operations) * (0.5 + 2e-9 * shape.table_bytes) + len(task["cells"]) * (0.3 if task["quick"] else 0.6)


def read_records(path):
    """The records of a file of JSON lines; a last line that was cut off is not one."""
    records = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return records


def join(records):
    """One record of a cell from those of its sittings: its figures are made over the rounds of all sittings that measured
    it, "sitting_ratios" holds the ratio of each, and the rest is as in the first. If none measured it, it is the first."""
    measured = [record for record in records if "ratio" in record]
    joined = dict((measured or records)[0])
    del joined["sitting"]
    if measured:
        samples_us = [sum(samples, []) for samples in zip(*(record["samples_us"] for record in measured))]
        latencies_ns = sum((record.get("core_latencies_ns", [0] * record["rounds"]) for record in measured), [])
        joined |= summary(samples_us, latencies_ns) | {
            "difference": max(record["difference"] for record in measured),
            "settled": all(record["settled"] for record in measured),
            "sittings": len(measured), "sitting_ratios": [record["ratio"] for record in measured],
            "samples_us": samples_us, "core_latencies_ns": latencies_ns,
        }
    return joined


def join_sittings(records):
    """The cells among `records`, by their key, each joined from the last record of each of its sittings."""
    cells = {}
    for record in records:
        if "sitting" in record:
            cells.setdefault(key(record), {})[record["sitting"]] = record
    return {name: join([sittings[i] for i in sorted(sittings)]) for name, sittings in cells.items()}


class Suite:
    def __init__(self, arguments):
        self.arguments = arguments
        library = Path(arguments.library).read_bytes()
        self.effort, effort = (QUICK, "quick") if arguments.quick else (FULL, "full")
        self.directory = Path(arguments.raw) / f"{effort}-{hashlib.sha256(library).hexdigest()[:12]}"
        if arguments.fresh and not arguments.filter and not arguments.busy:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.failures = []

    def python(self, environment):
        return str(Path(self.arguments.environments) / environment / "bin" / "python")

    def run(self, script, environment, task, results):
        """Runs `script` in an environment and appends each record to `results` as it comes. Returns whether it ended well."""
        variables = os.environ | {
            "ROWMILL_LIBRARY": str(Path(self.arguments.library).resolve()),
            "ROWMILL_CORE_LATENCY": str(Path(self.arguments.core_latency).resolve()),
            "PYTHONPYCACHEPREFIX": str(self.directory.parent / "pycache"),
        }
        command = [self.python(environment), "-W", "ignore", str(HERE / script), json.dumps(task)]
        with open(self.directory / "log.txt", "a") as log, open(results, "a") as file:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=variables) as process:
                for line in process.stdout:
                    record = json.loads(line)
                    if "environment" in record:
                        record |= {"commit": machine.commit(), "machine": machine.describe(),
                                   "date": time.strftime("%Y-%m-%d"), "tokens": workloads.load_tokens()[1]}
                    if "failed" in record:
                        self.failures.append(f"{'/'.join(map(str, key(record)))}: {record['failed']}")
                        print(f"  FAILED {self.failures[-1]}", flush=True)
                        continue
                    file.write(json.dumps(record) + "\n")
                    file.flush()
            if process.returncode != 0:
                self.failures.append(f"{script} {json.dumps(task)} ended with {process.returncode}: see {log.name}")
                print(f"  FAILED {self.failures[-1]}", flush=True)
        return process.returncode == 0

    def results(self, peer):
        return self.directory / f"{ENVIRONMENTS[peer]}.jsonl"

    def tasks(self):
        """What is to be measured, a task for each process: the whole plan once for each sitting, so that the sittings of a cell
        lie far apart in time."""
        finished = set()
        if not self.arguments.fresh:
            for results in map(self.results, ENVIRONMENTS):
                finished |= {(*key(record), record["sitting"]) for record in read_records(results) if "sitting" in record}
        tasks = []
        for sitting in range(self.effort.sittings):
            for peer, threads, shape, planned in plan(self.arguments.quick):
                cells = []
                for operation, source in planned:
                    name = (peer, operation, shape.table_name, shape.batch_name, source, threads)
                    wanted = re.search(self.arguments.filter, "/".join(map(str, name)))
                    if wanted and (*name, sitting) not in finished:
                        cells.append((operation, source))
                if cells:
                    tasks.append({"peer": peer, "shape": str(shape), "threads": threads, "quick": self.arguments.quick,
                                  "sitting": sitting, "cells": cells})
        return tasks

    def measure(self):
        tasks = self.tasks()
        total = sum(len(task["cells"]) for task in tasks)
        print(f"{total} cells to measure over all sittings, in {len(tasks)} processes; results: {self.directory}", flush=True)
        begin = time.monotonic()
        done, estimate_done, estimate = 0, 0, sum(map(estimated_seconds, tasks))
        for task in tasks:
            elapsed = time.monotonic() - begin
            speed = elapsed / estimate_done if estimate_done else 1
            print(f"{elapsed:6.0f} s, about {speed * (estimate - estimate_done):.0f} s left  {done:4} of {total}  sitting "
                  f"{task['sitting'] + 1}, {task['peer']} {task['shape']}, {task['threads']} threads, {len(task['cells'])} cells",
                  flush=True)
            self.run("measure.py", ENVIRONMENTS[task["peer"]], task, self.results(task["peer"]))
            done += len(task["cells"])
            estimate_done += estimated_seconds(task)

    def busy(self):
        finished = self.directory / "busy.jsonl"
        if finished.exists() and not self.arguments.fresh:
            return
        print("the busy machine, about 2 minutes ...", flush=True)
        partial = self.directory / "busy.partial"
        partial.unlink(missing_ok=True)
        if self.run("busy.py", "torch", {"threads": len(machine.cpus()), "quick": self.arguments.quick}, partial):
            partial.rename(finished)


def main():
    parser = argparse.ArgumentParser(prog="bench/peers/run", description="Measures Rowmill against its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer cells and rounds")
    parser.add_argument("--busy", action="store_true", help="only the run beside another process on every core")
    parser.add_argument("--fresh", action="store_true", help="measure again what there is a result of")
    parser.add_argument("--filter", default="", metavar="REGEX",
                        help="only cells whose name peer/operation/table/batch/ids/threads matches")
    for name in ("--library", "--core-latency", "--environments", "--raw"):  # given by bench/peers/run
        parser.add_argument(name, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    suite = Suite(arguments)
    try:
        if not arguments.busy:
            suite.measure()
        if arguments.busy or not arguments.filter:
            suite.busy()
    except KeyboardInterrupt:
        print("stopped; the same command, without --fresh, goes on from here", file=sys.stderr)
        return 130
    (suite.directory.parent / "latest").write_text(suite.directory.name)
    for failure in suite.failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if suite.failures else 0


if __name__ == "__main__":
    sys.exit(main())
