# SPDX-License-Identifier: Apache-2.0
"""Measures Rowmill and one peer in pairs, on one table and batch shape; prints one JSON line for each cell.

    measure.py '{"peer": "torch", "shape": "9088x256/16x15", "threads": 2, "quick": false, "sitting": 0,
                 "cells": [["gather", "zipf"], ["adam", "one_row"]]}'

bench/peers/suite.py runs it, with ROWMILL_LIBRARY naming librowmill_c.so. The process's CPU affinity is set to as
many processors as there are threads before any library is loaded: it bounds every library's thread pool alike.
"""

import ctypes
import dataclasses
import functools
import gc
import importlib
import itertools
import json
import math
import os
import statistics
import sys
import time

import numpy as np

import machine
import workloads
from stats import NEAR_CORES_NS, four_digits, summary

# Operations that write the table, and their state tables; those with one value a row besides.
UPDATES = {"scatter_add": 0, "sgd": 0, "adagrad": 1, "row_wise_adagrad": 0, "adam": 2, "pooled_sgd": 0, "pooled_sgd_max": 0,
           "pooled_row_wise_adagrad": 0, "pooled_sgd_weighted": 0, "pooled_row_wise_adagrad_weighted": 0}
ROW_WISE = ("row_wise_adagrad", "pooled_row_wise_adagrad", "pooled_row_wise_adagrad_weighted")
FORMATS = {"pool_bf16": "bf16", "pool_f16": "f16", "pool_int8": "int8", "pool_int4": "int4", "pool_int2": "int2"}
# Each id has a weight.
WEIGHTED = ("pool_weighted", "pool_mean_weighted", "pool_weight_gradients", "pooled_sgd_weighted",
            "pooled_row_wise_adagrad_weighted")
GRADIENTS = (*UPDATES, "pool_weight_gradients")  # each batch has a gradient
# Whose outputs and gradients have a row for each bag.
POOLED = ("pool", "pool_weighted", "pool_mean", "pool_mean_weighted", "pool_max", "pool_weight_gradients", "pooled_sgd",
          "pooled_sgd_weighted", "pooled_sgd_max", "pooled_row_wise_adagrad", "pooled_row_wise_adagrad_weighted", *FORMATS)
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 2e-4, 2e-6
CHUNK = 1 << 22  # floats of the initial weights that are written at once


HOPELESS = 50  # a peer whose call takes this many times Rowmill's is measured in fewer rounds


@dataclasses.dataclass(frozen=True)
class Effort:
    sittings: int  # processes that measure each cell, far apart in time: processes differ by more than rounds do
    rounds: int  # of a sitting
    hopeless_rounds: int
    sample_seconds: float
    warm_seconds: float


FULL = Effort(sittings=2, rounds=11, hopeless_rounds=4, sample_seconds=0.005, warm_seconds=0.002)
QUICK = Effort(sittings=1, rounds=7, hopeless_rounds=3, sample_seconds=0.002, warm_seconds=0.001)


def aligned(count):
    """Floats that start at a cache line."""
    raw = np.empty(count + 16, np.float32)
    skip = -raw.__array_interface__["data"][0] % 64 // 4
    return raw[skip : skip + count]


@functools.cache
def weight_pattern():
    """The period of the initial weights, and their repetition, which holds a chunk from each place in it."""
    pattern = np.random.default_rng(5).uniform(-0.05, 0.05, 1_000_003).astype(np.float32)
    return len(pattern), np.resize(pattern, CHUNK + len(pattern))


class Problem:
    """What both sides of a cell are given: shapes, initial weights, the ids' weights, a gradient for each batch where one is
    used, and one output, that of a lookup or of a step's forward pass. Both sides share this memory if the peer can use
    memory that is not its own. Operations that make their outputs only take the shape from it."""

    def __init__(self, operation, shape):
        self.operation = operation
        self.shape = shape
        self.pooled = operation in POOLED
        self.batch_count = workloads.batch_count(shape)
        self.output = self.new_buffer()
        self.format = FORMATS.get(operation, "f32")  # of the table; its output is in 16 bits too, and else in floats
        self.half = self.format in ("bf16", "f16")
        self.packed = None  # of other formats than f32: Rowmill's rows, as bytes, for the peer to copy
        self.sample_weights = None  # one for each id, the same for all batches
        if operation in WEIGHTED:
            self.sample_weights = np.random.default_rng(13).uniform(0.5, 1.5, shape.id_count).astype(np.float32)
        self.gradients = [self.new_buffer() for _ in range(self.batch_count if operation in GRADIENTS else 0)]
        # Positive gradients: sums that cancel would differ between libraries by more than rounding.
        random = np.random.default_rng(11)
        count = self.output.size
        for gradient in self.gradients:
            gradient.reshape(-1)[:] = np.resize(random.uniform(0.1, 1, min(count, 1_000_003)).astype(np.float32), count)

    @property
    def prefers_dense(self):
        """Whether a gradient of the whole table is likely cheaper than one of the touched rows, for peers that have both.
        For a table of this size it is; both give the same result where a gradient of zero moves nothing."""
        return self.shape.rows <= 4 * self.shape.id_count

    def new_buffer(self):
        rows = self.shape.batch if self.pooled else self.shape.id_count
        return aligned(rows * self.shape.dim).reshape(rows, self.shape.dim)

    def arranged(self, ids):
        """A batch x length array of ids for a pooled operation, else a flat one."""
        return ids.reshape(self.shape.batch, self.shape.length) if self.pooled else ids

    @property
    def absolute_tolerance(self):
        """Sums of many weights of either sign have more rounding than their size tells, and more still in 16 bits."""
        if self.half:
            return 0.01
        return max(ABSOLUTE_TOLERANCE, 1e-7 * self.shape.length) if self.pooled else ABSOLUTE_TOLERANCE

    def weights(self):
        """Chunks of the initial weights, with the row where each begins."""
        period, repeated = weight_pattern()
        chunk_rows = CHUNK // self.shape.dim
        for begin in range(0, self.shape.rows, chunk_rows):
            rows = min(chunk_rows, self.shape.rows - begin)
            skip = begin * self.shape.dim % period
            yield begin, repeated[skip : skip + rows * self.shape.dim].reshape(rows, self.shape.dim)

    @staticmethod
    def memory_required(operation, shape):
        """Both sides' tables, and gradients and outputs twice, for peers that need their own."""
        tables = 1 + UPDATES.get(operation, 0)
        gradients = workloads.batch_count(shape) if operation in GRADIENTS else 0
        return 2 * tables * shape.table_bytes + 2 * (gradients + 3) * shape.batch_bytes


def floats_of(out, problem):
    """An output as an array of floats: PyTorch's may be in 16 bits, and Rowmill's are then integers."""
    array = np.array(np.asarray(out.float() if hasattr(out, "float") else out))
    if array.dtype != np.uint16:
        return array
    bf16 = problem.format == "bf16"
    return (array.astype(np.uint32) << 16).view(np.float32) if bf16 else array.view(np.float16).astype(np.float32)


def useful_bytes(operation, shape, batches):
    """As bench::useful_bytes; a step's forward pass is counted too. The mean over the batches."""
    if operation in FORMATS:
        of_row, of_value = {"bf16": (2 * shape.dim, 2), "f16": (2 * shape.dim, 2), "int8": (shape.dim + 8, 4),
                            "int4": (shape.dim // 2 + 4, 4), "int2": (shape.dim // 4 + 4, 4)}[FORMATS[operation]]
        return of_row * shape.id_count + of_value * shape.dim * shape.batch
    rows = shape.batch if operation in POOLED else shape.id_count  # of the output and the gradient
    total = 0
    total += 4 * shape.id_count if operation in WEIGHTED else 0
    if operation != "scatter_add":
        total += 4 * shape.dim * (shape.id_count + rows)
    if operation == "pool_weight_gradients":  # which reads the rows again
        total += 4 * shape.dim * (shape.id_count + rows) + 4 * shape.id_count
    if operation in UPDATES:
        unique = statistics.mean(len(np.unique(batch)) for batch in batches)
        total += 4 * shape.dim * (rows + (2 + 2 * UPDATES[operation]) * unique)
        total += 8 * unique if operation in ROW_WISE else 0
    return round(total)


def compare(sides, problem, batches, tolerance):
    """Runs both sides on the same three batches and compares outputs and tables; returns the largest difference."""
    worst = 0.0

    def same(what, got, expected):
        nonlocal worst
        difference = np.abs(got - expected)
        if not (difference <= tolerance + RELATIVE_TOLERANCE * np.abs(expected)).all():  # also of NaN
            at = tuple(map(int, np.unravel_index(np.argmax(difference), difference.shape)))
            raise ArithmeticError(f"{what} disagree at {at}: Rowmill {got[at]!r}, peer {expected[at]!r}")
        worst = max(worst, float(np.max(difference)))

    for batch in (0, 1, 0):
        outputs = []
        for side in sides:
            problem.output.fill(np.nan)  # both sides may write into it
            out = side.call(batch)
            if out is not None:
                outputs.append(floats_of(out, problem))
        if outputs:
            same("outputs", *outputs)
    if problem.operation in UPDATES:
        others = np.random.default_rng(3).integers(0, problem.shape.rows, 1000)
        rows = np.unique(np.concatenate([batches[0], batches[1], others]))
        for part in np.array_split(rows, math.ceil(len(rows) / 4096)):
            same("tables", *(side.read(part) for side in sides))
    return worst


def settle():
    """Sleeps until this process's threads do: OpenMP's workers spin for a while after their work, and would take the
    processor that the other side's second thread needs. True if they stopped within 0.2 s."""
    for _ in range(40):
        before = time.process_time()
        time.sleep(0.005)  # longer than a scheduler tick: another thread's time is only known up to its last one
        if time.process_time() - before < 0.0005:
            return True
    return False


class Cores:
    """How far apart the cores are on which the threads run (bench/core_latency.hpp), for keeping rounds to times when they are
    near."""

    PATIENCE_SECONDS = 6  # for each cell; none any more once a whole one ran out before the cores were near for the first time

    def __init__(self, threads):
        path = os.environ.get("ROWMILL_CORE_LATENCY") if threads > 1 else None
        self.function = None
        if path:
            self.function = ctypes.CDLL(path).rowmill_bench_core_latency_ns
            self.function.restype = ctypes.c_double
        self.near = False  # whether they ever were
        self.patience = self.PATIENCE_SECONDS

    def begin_cell(self):
        gave_up = self.patience <= 0 and not self.near
        self.patience = 0 if gave_up else self.PATIENCE_SECONDS

    def latency_ns(self):
        latency = round(self.function()) if self.function else 0
        self.near |= latency <= NEAR_CORES_NS
        return latency

    def wait_until_near(self):
        while self.patience > 0 and self.latency_ns() > NEAR_CORES_NS:
            time.sleep(0.02)  # woken again, a virtual machine's processor may be given another core
            self.patience -= 0.02


class Contestant:
    def __init__(self, side, batch_count, first):
        self.call = side.call
        self.wake = side.wake
        self.batches = itertools.cycle([*range(first, batch_count), *range(first)])
        self.samples = []  # seconds a call
        self.run(2)
        self.calls = 1

    def run(self, calls):
        call, batches = self.call, self.batches
        begin = time.perf_counter()
        for _ in range(calls):
            call(next(batches))
        return time.perf_counter() - begin

    def choose_calls(self, effort):
        estimate = min(self.run(1) for _ in range(3))
        self.calls = max(1, min(10_000, math.ceil(effort.sample_seconds / estimate)))
        self.warm_calls = math.ceil(effort.warm_seconds / estimate) if estimate < 10 * effort.sample_seconds else 0
        return estimate

    def sample(self):
        self.wake()
        self.run(self.warm_calls)
        self.samples.append(self.run(self.calls) / self.calls)


def measure(sides, batch_count, effort, cores):
    """Samples of both sides, Rowmill first, in turn; the order is reversed in each round. With them whether the threads settled,
    and each round's core latency: the longer of those right after the two samples."""
    contestants = [Contestant(side, batch_count, i * batch_count // 2) for i, side in enumerate(sides)]
    settled = True
    estimates = []
    for contestant in contestants:
        settle()
        contestant.wake()
        estimates.append(contestant.choose_calls(effort))
    rounds = effort.hopeless_rounds if estimates[1] > HOPELESS * estimates[0] else effort.rounds
    gc.collect()
    gc.disable()
    latencies_ns = []
    while len(latencies_ns) < rounds:
        begin = time.perf_counter()
        latency = 0
        for contestant in contestants if len(latencies_ns) % 2 == 0 else reversed(contestants):
            settled &= settle()
            contestant.sample()
            latency = max(latency, cores.latency_ns())
        if latency <= NEAR_CORES_NS or cores.patience <= 0:
            latencies_ns.append(latency)
            continue
        for contestant in contestants:  # once more
            contestant.samples.pop()
        cores.patience -= time.perf_counter() - begin
        cores.wait_until_near()
    gc.enable()
    return contestants, settled, latencies_ns


def microseconds(seconds):
    return four_digits(seconds * 1e6)


def fastest(ways):
    """The way whose best of three calls took least."""

    def time_of(way):
        begin = time.perf_counter()
        way(0)
        return time.perf_counter() - begin

    return min(ways, key=lambda way: min(time_of(way) for _ in range(3)))


def measure_operation(problem, names, peer, rowmill, effort, cores):
    """Yields a record for each of `names`, which differ in the source of ids."""
    sides = [rowmill.Side(problem), peer.Side(problem)]
    ways = [sides[1].call]
    if problem.operation in peer.ALTERNATIVES:  # a lookup: it can be compared in each way
        ways.append(peer.ALTERNATIVES[problem.operation](sides[1]))
    batches = []
    for name in names:
        made = workloads.make_ids(problem.shape, name["ids"], problem.batch_count)
        batches.append([ids.astype(peer.ID_TYPE) for ids in made])

    # All comparisons first: afterwards the sides have done different numbers of steps.
    differences = []
    tolerance = max(problem.absolute_tolerance, getattr(peer, "TOLERANCES", {}).get(problem.operation, 0))
    for name, ids in zip(names, batches):
        for side in sides:
            side.set_ids(ids)
        try:
            for way in ways:
                sides[1].call = way
                difference = compare(sides, problem, ids, tolerance)
            differences.append(difference)
        except ArithmeticError as error:
            yield name | {"failed": str(error)}
            return

    for name, ids, difference in zip(names, batches, differences):
        for side in sides:
            side.set_ids(ids)
        cores.begin_cell()
        if len(ways) > 1:
            cores.wait_until_near()
            sides[1].call = fastest(ways)
        contestants, settled, latencies_ns = measure(sides, problem.batch_count, effort, cores)
        samples_us = [[microseconds(s) for s in contestant.samples] for contestant in contestants]
        yield name | summary(samples_us, latencies_ns) | {
            "calls": [contestant.calls for contestant in contestants],
            "bytes": useful_bytes(problem.operation, problem.shape, ids),
            "difference": float(f"{difference:.2g}"), "settled": settled,
            "samples_us": samples_us, "core_latencies_ns": latencies_ns,
        }


def measure_cells(task, peer, rowmill):
    """Yields a record for each cell of the task."""
    shape = workloads.Shape.parse(task["shape"])
    common = {"peer": task["peer"], "table": shape.table_name, "batch": shape.batch_name, "threads": task["threads"],
              "sitting": task["sitting"]}
    cores = Cores(task["threads"])
    for operation, cells in itertools.groupby(task["cells"], key=lambda cell: cell[0]):
        names = [common | {"operation": operation, "ids": source} for _, source in cells]
        if operation in peer.ABSENT:
            yield from (name | {"absent": peer.ABSENT[operation]} for name in names)
            continue
        gc.collect()  # frees the tables of the operation before
        needed, available = Problem.memory_required(operation, shape), machine.available_memory()
        if needed > 0.95 * available:
            reason = f"needs {needed / 1e9:.1f} GB of memory; {available / 1e9:.1f} GB are available"
            yield from (name | {"skipped": reason} for name in names)
            continue
        effort = QUICK if task["quick"] else FULL
        yield from measure_operation(Problem(operation, shape), names, peer, rowmill, effort, cores)


def main():
    task = json.loads(sys.argv[1])
    threads = task["threads"]
    os.sched_setaffinity(0, machine.cpus()[-threads:])

    peer = importlib.import_module(f"peer_{task['peer']}")
    import rowmill

    for side in (rowmill, peer):
        side.set_threads(threads)
    environment = {"rowmill": rowmill.describe(), task["peer"]: peer.describe() | {"notes": peer.NOTES}}
    print(json.dumps({"environment": environment, "threads": threads}), flush=True)
    for record in measure_cells(task, peer, rowmill):
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
