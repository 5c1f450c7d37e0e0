# SPDX-License-Identifier: Apache-2.0
"""Rowmill and PyTorch beside a process that spins on every core, against the same without: a fair share of the machine is
then one half. Prints one JSON line for each operation, workload and library. suite.py runs it.

    busy.py '{"threads": 2, "quick": false}'
"""

import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

import machine
import workloads
from measure import Problem, microseconds, settle
from stats import four_digits

OPERATIONS = ("gather", "scatter_add", "adam")
SHAPES = (workloads.Shape(9088, 256, 128, 32), workloads.Shape(1_000_000, 64, 2048, 20))
QUANTILES = range(0, 101, 5)
SPIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
parent = os.getppid()
while os.getppid() == parent:  # it does not outlive a run that is killed
    for _ in range(1_000_000): pass
"""


class Spinners:
    """One on every core of this process, for as long as the `with` block runs."""

    def __enter__(self):
        self.processes = [subprocess.Popen([sys.executable, "-c", SPIN, str(cpu)]) for cpu in machine.cpus()]
        time.sleep(0.2)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def run_for(seconds, side, batch_count):
    """The time of each call."""
    settle()
    times = []
    begin = now = time.perf_counter()
    while now - begin < seconds:
        side.call(len(times) % batch_count)
        previous, now = now, time.perf_counter()
        times.append(now - previous)
    return times


def main():
    task = json.loads(sys.argv[1])
    os.sched_setaffinity(0, machine.cpus()[-task["threads"] :])
    import peer_torch
    import rowmill

    libraries = {"rowmill": rowmill, "torch": peer_torch}
    for library in libraries.values():
        library.set_threads(task["threads"])
    print(json.dumps({"environment": {name: library.describe() for name, library in libraries.items()}}), flush=True)
    repetitions, seconds = (3, 0.3) if task["quick"] else (7, 0.7)

    for shape in SHAPES:
        for operation in OPERATIONS:
            problem = Problem(operation, shape)
            ids = [batch.astype(peer_torch.ID_TYPE) for batch in workloads.make_ids(shape, "zipf", problem.batch_count)]
            sides = {name: library.Side(problem) for name, library in libraries.items()}
            idle = {name: [] for name in sides}
            busy = {name: [] for name in sides}
            for side in sides.values():
                side.set_ids(ids)
                run_for(seconds / 2, side, problem.batch_count)
            for _ in range(repetitions):
                for name, side in sides.items():
                    idle[name].append(run_for(seconds, side, problem.batch_count))
                with Spinners():
                    for name, side in sides.items():
                        busy[name].append(run_for(seconds, side, problem.batch_count))
            for name in sides:
                # Calls a second of each busy stretch against the idle one before it.
                shares = [(len(b) / sum(b)) / (len(a) / sum(a)) for a, b in zip(idle[name], busy[name])]
                calls = np.concatenate(busy[name]) * 1e6
                print(json.dumps({
                    "busy": name, "operation": operation, "table": shape.table_name, "batch": shape.batch_name,
                    "ids": "zipf", "threads": task["threads"], "share": round(statistics.median(shares), 3),
                    "low": round(min(shares), 3), "high": round(max(shares), 3),
                    "idle_us": microseconds(statistics.median(np.concatenate(idle[name]))),
                    "busy_us": [four_digits(q) for q in np.percentile(calls, QUANTILES)],
                }), flush=True)
            del sides, problem


if __name__ == "__main__":
    main()
