# SPDX-License-Identifier: Apache-2.0
"""Tests of the peer run that need no peer: python3 -m unittest discover -s bench/peers."""

import ctypes
import itertools
import json
import os
import tempfile
import types
import unittest
import xml.etree.ElementTree
from pathlib import Path
from unittest import mock

import numpy as np

import agree
import measure
import report
import stats
import suite
import workloads

SAMPLE = Path(__file__).resolve().parent / "testdata"  # records of a short run
SMALL = workloads.Shape(100, 4, 8, 5)


class NumpySide:
    """What measure.py asks of a library, in numpy; `wrong` is added to what it computes."""

    wrong = 0.0

    def __init__(self, problem):
        self.problem = problem
        self.table = np.concatenate([chunk for _, chunk in problem.weights()])
        self.call = getattr(self, problem.operation)

    def wake(self):
        pass

    def set_ids(self, batches):
        self.ids = batches

    def read(self, rows):
        return self.table[rows]

    def gather(self, batch):
        np.take(self.table, self.ids[batch], axis=0, out=self.problem.output)
        self.problem.output[-1, -1] += self.wrong
        return self.problem.output

    def pool(self, batch):
        out = self.table[self.problem.arranged(self.ids[batch])].sum(axis=1)
        out[0, 0] += self.wrong
        return out

    def pool_weighted(self, batch):
        terms = self.table[self.ids[batch]] * self.problem.sample_weights[:, None]
        out = terms.reshape(*self.problem.arranged(self.ids[batch]).shape, -1).sum(axis=1)
        out[0, 0] += self.wrong
        return out

    def pool_mean_weighted(self, batch):
        return self.pool_weighted(batch) / self.problem.shape.length

    def pool_max(self, batch):
        out = self.table[self.problem.arranged(self.ids[batch])].max(axis=1)
        out[0, 0] += self.wrong
        return out

    def pool_weight_gradients(self, batch):
        gradients = np.repeat(self.problem.gradients[batch], self.problem.shape.length, axis=0)
        out = (self.table[self.ids[batch]] * gradients).sum(axis=1)
        out[0] += self.wrong
        return out

    def pooled_sgd_max(self, batch):
        ids = self.problem.arranged(self.ids[batch])
        winners = np.take_along_axis(ids, self.table[ids].argmax(axis=1), axis=1)
        out = self.pool_max(batch)
        np.add.at(self.table, (winners, np.arange(self.table.shape[1])), -0.01 * self.problem.gradients[batch])
        return out

    def pooled_sgd(self, batch):
        out = self.pool(batch)
        gradients = np.repeat(self.problem.gradients[batch], self.problem.shape.length, axis=0)
        np.add.at(self.table, self.ids[batch], -0.01 * gradients)
        return out

    def scatter_add(self, batch):
        np.add.at(self.table, self.ids[batch], self.problem.gradients[batch] + np.float32(self.wrong))


@unittest.skipUnless(os.environ.get("ROWMILL_LIBRARY"), "ROWMILL_LIBRARY names no librowmill_c.so")
class RowmillTest(unittest.TestCase):
    def test_options_have_the_size_that_the_library_knows(self):
        import rowmill

        for struct, name in ((rowmill.PoolOptions, "pool"), (rowmill.PlanOptions, "plan"), (rowmill.TableOptions, "table")):
            self.assertEqual(rowmill.options_of(struct, name).struct_size, ctypes.sizeof(struct))

    def test_bags_agree_with_numpy(self):
        import rowmill

        for operation in ("pool", "pool_weighted", "pool_mean_weighted", "pool_max", "pool_weight_gradients", "pooled_sgd",
                          "pooled_sgd_max"):
            problem = measure.Problem(operation, SMALL)
            sides = [rowmill.Side(problem), NumpySide(problem)]
            batches = workloads.make_ids(SMALL, "uniform", problem.batch_count)
            for side in sides:
                side.set_ids(batches)
            self.assertLess(measure.compare(sides, problem, batches, problem.absolute_tolerance), 1e-4)


class WrongSide(NumpySide):
    wrong = 0.01


class IdleSide(NumpySide):
    """It leaves the output as it finds it."""

    def gather(self, batch):
        return self.problem.output


class Clock:
    """A clock that calls advance."""

    now = 0

    def read(self):
        return self.now

    def call(self, seconds):
        def advance(batch):
            self.now += seconds

        return advance


def library(side):
    return types.SimpleNamespace(Side=side, ID_TYPE="int64", ALTERNATIVES={}, ABSENT={"adam": "not in numpy"})


class Statistics(unittest.TestCase):
    def test_interval_is_made_of_order_statistics(self):
        self.assertEqual(stats.median_interval(range(1, 22)), (11, 6, 16))  # as in tables of the sign test
        self.assertEqual(stats.median_interval([3, 1, 2]), (2, 1, 3))

    def test_interval_covers_the_median(self):
        random = np.random.default_rng(1)
        covered = 0
        for _ in range(1000):
            _, low, high = stats.median_interval(random.exponential(size=21))
            covered += low <= np.log(2) <= high
        self.assertGreater(covered, 950)


class Workloads(unittest.TestCase):
    def test_scatter_is_a_permutation(self):
        for rows in (1, 2, 3, 1000, 9088):
            scattered = workloads.scatter_ranks(np.arange(rows), rows)
            self.assertEqual(sorted(scattered), list(range(rows)))

    def test_zipf_has_its_law(self):
        rows, count = 1000, 200_000
        law = 1 / np.arange(1, rows + 1) ** workloads.ZIPF_EXPONENT
        ranks = workloads.zipf_ranks(np.random.default_rng(1), rows, count)
        frequency = np.bincount(ranks, minlength=rows + 1)[1:] / count
        np.testing.assert_allclose(frequency[:20], (law / law.sum())[:20], rtol=0.1)

    def test_ids_are_inside_the_table(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("ROWMILL_BENCH_TEXT", None)
            for source in workloads.SOURCES:
                for batch in workloads.make_ids(SMALL, source, 3):
                    self.assertEqual(len(batch), SMALL.id_count)
                    self.assertTrue(((batch >= 0) & (batch < SMALL.rows)).all())

    def test_text_becomes_ranks(self):
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
            file.write("1\tBee, ant bee's\n0\tant ANT cow\n")
            file.flush()
            with mock.patch.dict(os.environ, ROWMILL_BENCH_TEXT=file.name):
                ranks, description = workloads.load_tokens()
        self.assertEqual(list(ranks), [1, 0, 2, 0, 0, 3])
        self.assertTrue(description.startswith("6 words of "))


class Measuring(unittest.TestCase):
    OPERATIONS = ("gather", "scatter_add", "pool", "pool_weighted", "pool_mean_weighted", "pool_max", "pool_weight_gradients",
                  "pooled_sgd", "pooled_sgd_max")

    def records(self, operation, mine, theirs):
        effort = measure.Effort(sittings=1, rounds=2, hopeless_rounds=2, sample_seconds=0, warm_seconds=0)
        task = {"peer": "numpy", "shape": str(SMALL), "threads": 1, "quick": True, "sitting": 0,
                "cells": [[operation, "uniform"], [operation, "one_row"]]}
        with mock.patch.object(measure, "QUICK", effort), mock.patch.object(measure, "settle", lambda: True):
            return list(measure.measure_cells(task, library(theirs), library(mine)))

    def test_cells_are_measured(self):
        for operation in self.OPERATIONS:
            records = self.records(operation, NumpySide, NumpySide)
            self.assertEqual([r["ids"] for r in records], ["uniform", "one_row"])
            for record in records:
                self.assertEqual(record["difference"], 0)
                self.assertLessEqual(record["low"], record["ratio"])
                self.assertEqual(len(record["samples_us"][0]), 2)

    def test_wrong_results_are_not_timed(self):
        for operation in self.OPERATIONS:
            for sides in ((NumpySide, WrongSide), (WrongSide, NumpySide)):
                records = self.records(operation, *sides)
                self.assertEqual(len(records), 1)
                self.assertIn("disagree", records[0]["failed"])

    def test_an_output_is_not_taken_from_the_other_side(self):
        self.assertIn("disagree", self.records("gather", NumpySide, IdleSide)[0]["failed"])

    def test_there_is_one_output_and_a_gradient_for_each_batch(self):
        shapes = {"gather": (40, 4), "gather_fresh": (40, 4), "pool": (8, 4), "pool_weighted": (8, 4), "scatter_add": (40, 4),
                  "pooled_sgd": (8, 4), "pool_weight_gradients": (8, 4)}
        for operation, shape in shapes.items():
            problem = measure.Problem(operation, SMALL)
            self.assertEqual(problem.output.shape, shape)
            count = 8 if operation in ("scatter_add", "pooled_sgd", "pool_weight_gradients") else 0
            weights = problem.sample_weights
            self.assertEqual(weights is not None and len(weights), operation in measure.WEIGHTED and 40)
            self.assertEqual([gradient.shape for gradient in problem.gradients], [shape] * count)
            self.assertTrue(all((gradient > 0).all() for gradient in problem.gradients))

    def test_the_faster_way_is_measured(self):
        clock = Clock()
        ways = [clock.call(seconds) for seconds in (3, 1, 2)]
        with mock.patch.object(measure.time, "perf_counter", clock.read):
            self.assertIs(measure.fastest(ways), ways[1])

    def test_a_hopeless_peer_is_measured_in_fewer_rounds(self):
        clock = Clock()
        effort = measure.Effort(sittings=1, rounds=4, hopeless_rounds=2, sample_seconds=1, warm_seconds=1)
        with mock.patch.object(measure.time, "perf_counter", clock.read), mock.patch.object(measure, "settle", lambda: True):
            for mine, theirs, rounds in ((1, 51, 2), (1, 50, 4), (51, 1, 4)):
                sides = [types.SimpleNamespace(call=clock.call(seconds), wake=lambda: None) for seconds in (mine, theirs)]
                contestants, _, _ = measure.measure(sides, 8, effort, measure.Cores(1))
                self.assertEqual([contestant.samples for contestant in contestants], [[mine] * rounds, [theirs] * rounds])

    def test_rounds_with_far_cores_are_repeated(self):
        clock = Clock()
        effort = measure.Effort(sittings=1, rounds=3, hopeless_rounds=3, sample_seconds=1, warm_seconds=1)
        cores = measure.Cores(1)
        clocks = mock.patch.object(measure.time, "perf_counter", clock.read), mock.patch.object(measure.time, "sleep", lambda _: None)
        with clocks[0], clocks[1], mock.patch.object(measure, "settle", lambda: True):
            for patience, latencies, kept in (
                    (100, [30, 160, 150, 30, 30, 31, 32, 33, 34, 34], [31, 33, 34]),  # far after one side, and once while waiting
                    (0, [30, 160, 31, 32, 33, 34], [160, 32, 34])):
                cores.PATIENCE_SECONDS, cores.function = patience, iter(latencies).__next__
                cores.begin_cell()
                sides = [types.SimpleNamespace(call=clock.call(seconds), wake=lambda: None) for seconds in (1, 2)]
                contestants, _, latencies_ns = measure.measure(sides, 8, effort, cores)
                self.assertEqual(latencies_ns, kept)
                self.assertEqual([len(contestant.samples) for contestant in contestants], [3, 3])

    def test_cores_that_never_are_near_are_not_waited_for_again(self):
        with mock.patch.object(measure.time, "sleep", lambda _: None):
            for latencies, patient in (([160, 160], False), ([160, 30], True), ([30, 160], True)):
                cores = measure.Cores(1)
                cores.function = itertools.chain(latencies, itertools.repeat(160)).__next__
                cores.wait_until_near()
                cores.wait_until_near()
                cores.begin_cell()
                self.assertEqual(cores.patience > 0, patient)

    def test_useful_bytes(self):
        batches = [np.array([1, 1, 2, 3, 3, 3])]
        shape = workloads.Shape(100, 4, 2, 3)  # 6 ids, 3 of them distinct, in 2 bags; rows of 16 bytes
        for operation, expected in (("gather", 12), ("scatter_add", 6 + 6), ("adam", 12 + 6 + 6 + 12), ("pool", 6 + 2),
                                    ("pooled_sgd", 6 + 2 + 2 + 6)):
            self.assertEqual(measure.useful_bytes(operation, shape, batches), 16 * expected)
        self.assertEqual(measure.useful_bytes("pool_weighted", shape, batches), 16 * (6 + 2) + 4 * 6)
        self.assertEqual(measure.useful_bytes("pool_weight_gradients", shape, batches), 16 * 2 * (6 + 2) + 4 * 2 * 6)
        self.assertEqual(measure.useful_bytes("row_wise_adagrad", shape, batches), 16 * (12 + 6 + 6) + 8 * 3)

    def test_what_a_peer_lacks_is_said(self):
        self.assertEqual(self.records("adam", NumpySide, NumpySide)[0]["absent"], "not in numpy")

    def test_weights_do_not_depend_on_chunks(self):
        whole = np.concatenate([chunk for _, chunk in measure.Problem("gather", workloads.Shape(300_000, 64, 1, 1)).weights()])
        pattern = whole.reshape(-1)[:1_000_003]
        np.testing.assert_array_equal(whole.reshape(-1)[5 * 1_000_003 : 6 * 1_000_003], pattern)


class Suite(unittest.TestCase):
    def test_a_record_cut_off_is_not_one(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "cells.jsonl"
            path.write_text('{"a": 1}\n{"a": 2}\n{"a"')
            self.assertEqual(suite.read_records(path), [{"a": 1}, {"a": 2}])

    def test_every_workload_is_planned_once(self):
        names = []
        for peer, threads, shape, cells in suite.plan(quick=False):
            names += [(peer, threads, shape, operation, source) for operation, source in cells]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({name[2] for name in names} & set(workloads.SHAPES), set(workloads.SHAPES))

    def suite(self, **changed):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        library = Path(directory.name) / "library"
        library.touch()
        defaults = {"quick": False, "busy": False, "fresh": False, "filter": ""}
        return suite.Suite(types.SimpleNamespace(library=library, raw=directory.name, **defaults | changed))

    def names(self, made):
        """(key, sitting) of each cell to be measured, in order."""
        names = []
        for task in made.tasks():
            shape = workloads.Shape.parse(task["shape"])
            names += [(task["peer"], operation, shape.table_name, shape.batch_name, source, task["threads"], task["sitting"])
                      for operation, source in task["cells"]]
        return names

    def test_each_sitting_goes_through_the_whole_plan(self):
        names = self.names(self.suite())
        half = len(names) // 2
        self.assertEqual([name[:-1] for name in names[:half]], [name[:-1] for name in names[half:]])
        self.assertEqual([name[-1] for name in names], [0] * half + [1] * half)
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({name[-1] for name in self.names(self.suite(quick=True))}, {0})

    def test_only_a_finished_sitting_is_skipped(self):
        made = self.suite(filter="jax/(gather|adam)/9088x256/16x15/zipf/")
        names = self.names(made)
        finished = [names[0], names[-1]]
        self.assertEqual([name[-1] for name in finished], [0, 1])
        with made.results("jax").open("w") as file:
            for name in finished:
                file.write(json.dumps(dict(zip((*suite.KEY, "sitting"), name))) + "\n")
        self.assertEqual(self.names(made), names[1:-1])
        made.arguments.fresh = True
        self.assertEqual(self.names(made), names)


class Sittings(unittest.TestCase):
    NAME = dict(zip(suite.KEY, ("jax", "gather", "100x4", "8x5", "zipf", 2)))

    def record(self, sitting, ratios, **changed):
        samples_us = [[2.0] * len(ratios), [2 * ratio for ratio in ratios]]
        latencies_ns = changed.setdefault("core_latencies_ns", [30] * len(ratios))
        return self.NAME | {"sitting": sitting, **stats.summary(samples_us, latencies_ns), "calls": [3, 4], "bytes": 5,
                            "difference": 0.0, "settled": True, "samples_us": samples_us} | changed

    def joined(self, *records):
        cells = suite.join_sittings(records)
        self.assertEqual(list(cells), [suite.key(self.NAME)])
        return cells[suite.key(self.NAME)]

    def test_figures_are_made_over_all_rounds(self):
        one, other = [1.5 + i / 100 for i in range(11)], [1.2 + i / 100 for i in range(11)]
        cell = self.joined(self.record(0, one), self.record(1, other, difference=0.1, settled=False))
        expected = stats.median_interval(one + other)
        np.testing.assert_allclose([cell[name] for name in ("ratio", "low", "high")], expected, atol=1e-4)
        self.assertEqual((cell["rounds"], cell["sittings"], cell["sitting_ratios"]), (22, 2, [1.55, 1.25]))
        self.assertEqual((cell["rowmill_us"], cell["peer_us"]), (2, 2.8))
        self.assertEqual((cell["difference"], cell["settled"], cell["bytes"]), (0.1, False, 5))
        self.assertNotIn("sitting", cell)

    def test_sittings_on_both_sides_of_1_leave_it_open(self):
        over, under = ([centre + i / 1000 for i in range(11)] for centre in (1.04, 0.95))
        records = self.record(0, over), self.record(1, under)
        self.assertEqual([report.verdict(record) for record in records], ["ahead", "behind"])
        cell = self.joined(*records)
        self.assertLess(cell["low"], 1)
        self.assertGreater(cell["high"], 1)

    def test_rounds_with_far_cores_do_not_count(self):
        one = self.record(0, [5.0, 1.1, 1.2, 1.3], core_latencies_ns=[160, 30, 70, 30])
        cell = self.joined(one, self.record(1, [1.4, 1.5, 1.6]))
        self.assertEqual((cell["ratio"], cell["rounds"], cell["far"], cell["core_latency_ns"]), (1.35, 6, False, 30))
        cell = self.joined(one, self.record(1, [1.4]))  # but where few remain
        self.assertEqual((cell["ratio"], cell["rounds"], cell["far"]), (1.3, 5, True))

    def test_records_without_core_latencies_are_near(self):
        old = self.record(0, [2.0, 3.0, 4.0])
        del old["core_latencies_ns"]
        cell = self.joined(old, self.record(1, [5.0], core_latencies_ns=[30]))
        self.assertEqual((cell["ratio"], cell["rounds"], cell["far"]), (3.5, 4, False))

    def test_a_sitting_that_was_measured_counts(self):
        skipped = self.NAME | {"sitting": 0, "skipped": "needs memory"}
        cell = self.joined(skipped, self.record(1, [2, 3, 4]))
        self.assertEqual((cell["ratio"], cell["sittings"]), (3, 1))
        self.assertNotIn("skipped", cell)
        self.assertEqual(self.joined(skipped, skipped | {"sitting": 1}), self.NAME | {"skipped": "needs memory"})

    def test_the_last_record_of_a_sitting_counts(self):
        cell = self.joined(self.record(1, [7]), self.record(0, [2]), self.record(1, [3]))
        self.assertEqual(cell["sitting_ratios"], [2, 3])


class Report(unittest.TestCase):
    NAME = report.README_MACHINE

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.target = Path(self.directory.name)
        (self.target / "README.md").write_text("before\n<!-- measured -->\n\nafter\n")

    def record(self, name):
        return self.target / "bench" / "peers" / "results" / f"{name}.json"

    def results(self, name=NAME):
        report.collect(SAMPLE, self.record(name))
        return report.Results(self.target, name)

    def store_suite(self, name):
        path = self.target / "bench" / "results" / f"{name}.json"
        path.parent.mkdir(parents=True)
        path.write_text((SAMPLE / "suite.json").read_text())

    def make(self):
        report.write_report(self.target, self.NAME)
        return {path.relative_to(self.target): path.read_text() for path in self.target.rglob("*") if path.is_file()}

    def test_report_of_a_recorded_run(self):
        self.results()
        self.store_suite(self.NAME)
        files = self.make()
        text = files[Path("docs/performance.md")]
        for title in report.TITLES.values():
            self.assertIn(title, text)
        for image in [line for line in text.splitlines() if line.startswith("![")]:
            xml.etree.ElementTree.fromstring(files[Path("docs") / image.partition("(")[2].rstrip(")")])
        readme = files[Path("README.md")]
        self.assertTrue(readme.startswith("before\n<!-- measured -->\n"))
        self.assertTrue(readme.endswith("<!-- /measured -->\n\nafter\n"))
        self.assertEqual(self.make(), files)  # again: from the results alone, over what is there

    def test_another_machine_has_a_report_of_its_own(self):
        self.results("other")
        report.write_report(self.target, "other")
        self.assertTrue((self.target / "docs" / "other" / "performance.md").exists())
        self.assertFalse((self.target / "docs" / "performance.md").exists())
        self.assertNotIn("<!-- /measured -->", (self.target / "README.md").read_text())
        self.assertEqual(report.Results(self.target, self.NAME).measured, [])

    def test_a_machine_without_peers_has_its_roofline(self):
        with self.assertRaises(SystemExit):
            report.write_report(self.target, "other")
        self.store_suite("other")
        text = report.write_report(self.target, "other").read_text()
        self.assertIn("86 % (5.70)", text)
        self.assertIn("102 % (4.50)", text)
        self.assertNotIn("1 thread", text)  # an older record, which has no roofline

    def test_the_record_keeps_what_the_report_needs(self):
        results = self.results()
        joined = suite.join_sittings(record for file in sorted(SAMPLE.glob("*.jsonl")) for record in suite.read_records(file))
        measured = {name: cell for name, cell in joined.items() if "ratio" in cell}
        self.assertEqual({suite.key(cell) for cell in results.measured}, set(measured))
        for cell in results.measured:
            for figure in report.FIGURES:
                self.assertEqual(cell[figure], measured[suite.key(cell)][figure])
        self.assertEqual((results.about["sittings"], results.about["rounds"]), (2, 6))
        self.assertEqual(agree.measured(SAMPLE).keys(), agree.measured(self.record(self.NAME)).keys())

    def test_ratio_is_to_the_best_peer(self):
        results = self.results()
        for name, best in results.best.items():
            rivals = [cell for cell in results.measured if suite.key(cell)[1:] == name]
            self.assertEqual(best["ratio"], min(cell["ratio"] for cell in rivals))

    def test_far_cells_are_counted(self):
        results = self.results()
        self.assertNotIn("near each other", report.left_out_section(results))
        results.about["far"] = 1
        self.assertIn(f"In 1 of {len(results.measured)} cells the cores were not near", report.left_out_section(results))

    def test_verdicts(self):
        for low, high, expected in ((1.01, 1.2, "ahead"), (0.98, 1.2, "tied"), (0.97, 0.99, "tied"), (0.9, 1.1, "undecided"),
                                    (0.8, 0.9, "behind")):
            self.assertEqual(report.verdict({"low": low, "high": high}), expected)


class Agreement(unittest.TestCase):
    def test_only_clear_cells_count(self):
        def cell(low, high):
            return {"ratio": low, "low": low, "high": high}

        one = {("a",): cell(1.1, 1.2), ("b",): cell(1.1, 1.2), ("c",): cell(0.9, 1.2), ("d",): cell(1.1, 1.2)}
        other = {("a",): cell(1.3, 1.4), ("b",): cell(0.8, 0.9), ("c",): cell(0.8, 0.9)}
        compared, lines = agree.disagreements(one, other)
        self.assertEqual(compared, 2)
        self.assertEqual(lines, ["b  1.1 [1.1, 1.2]  0.8 [0.8, 0.9]"])


if __name__ == "__main__":
    unittest.main()
