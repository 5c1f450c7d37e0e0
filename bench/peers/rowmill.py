# SPDX-License-Identifier: Apache-2.0
"""Rowmill's side of a measurement, through the C interface (include/rowmill/c.h): as much of it as is measured."""

import ctypes
import functools
import os
import weakref

import numpy as np

NAME = "rowmill"


class View(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("rows", ctypes.c_int64), ("dim", ctypes.c_int64),
                ("row_stride", ctypes.c_int64), ("name", ctypes.c_char_p), ("format", ctypes.c_int32)]


class Ids(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("count", ctypes.c_int64), ("type", ctypes.c_int32)]


class Bags(ctypes.Structure):
    _fields_ = [("ids", Ids), ("offsets", Ids), ("size", ctypes.c_int64), ("length", ctypes.c_int64),
                ("has_offsets", ctypes.c_int32)]


class PoolOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("pooling", ctypes.c_int32), ("out_of_range", ctypes.c_int32),
                ("divisor", ctypes.c_int32), ("has_padding_id", ctypes.c_int32), ("padding_id", ctypes.c_int64),
                ("weights", ctypes.c_void_p), ("weight_count", ctypes.c_int64)]


class PlanOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("table_name", ctypes.c_char_p), ("out_of_range", ctypes.c_int32),
                ("has_padding_id", ctypes.c_int32), ("padding_id", ctypes.c_int64), ("pooling", ctypes.c_int32),
                ("divisor", ctypes.c_int32), ("weights", ctypes.c_void_p), ("weight_count", ctypes.c_int64),
                ("winners", ctypes.c_void_p), ("winner_count", ctypes.c_int64), ("double_coefficients", ctypes.c_int32),
                ("reserved", ctypes.c_int32)]


class TableOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("name", ctypes.c_char_p), ("seed", ctypes.c_uint64),
                ("stream", ctypes.c_uint64), ("initializer", ctypes.c_int32), ("a", ctypes.c_float), ("b", ctypes.c_float),
                *((name, ctypes.c_int32) for name in ("huge_pages", "parallel_first_touch", "reserved", "format"))]


SUM, MEAN, MAX = 0, 1, 3
FORMATS = {"f32": 0, "bf16": 1, "f16": 2, "int8": 3, "int4": 4, "int2": 5}

library = ctypes.CDLL(os.environ["ROWMILL_LIBRARY"])
library.rowmill_last_error_message.restype = ctypes.c_char_p
library.rowmill_isa_name.restype = ctypes.c_char_p


def check(status):
    if status != 0:
        raise RuntimeError(library.rowmill_last_error_message().decode())


def options_of(struct, name, **values):
    """An options struct of include/rowmill/c, with its defaults and these values."""
    options = struct()
    check(getattr(library, f"rowmill_{name}_options_init")(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(struct))))
    for field, value in values.items():
        setattr(options, field, value)
    return options


def weights_of(problem):
    """The fields of options that hold the ids' weights, if the problem has some."""
    weights = problem.sample_weights
    return {} if weights is None else {"weights": weights.ctypes.data, "weight_count": len(weights)}


def set_threads(threads):
    check(library.rowmill_set_threads(threads))


def describe():
    version = library.rowmill_version()
    return {"version": f"{version // 10000}.{version // 100 % 100}.{version % 100}",
            "isa": library.rowmill_isa_name().decode()}


def view(array):
    return View(array.ctypes.data, *array.shape, array.shape[1], None, 0)


class Handle:
    """What an X_create function made; X_destroy frees it with this object."""

    def __init__(self, kind, create, *arguments):
        self.handle = ctypes.c_void_p()
        self.destroy = getattr(library, f"rowmill_{kind}_destroy")
        check(getattr(library, f"rowmill_{create}_create")(*arguments, ctypes.byref(self.handle)))

    def __del__(self):
        self.destroy(self.handle)


class Waker:
    """Some milliseconds of work for all threads. A worker of oneTBB's that sleeps is woken by the first parallel region, but
    Linux may queue it behind the very thread that woke it, and looks for another processor only at its next tick: calls of
    some microseconds would then run on one thread for long."""

    def __init__(self):
        ids = np.arange(1 << 21, dtype=np.int32) % 1000
        self.memory = np.zeros((1000, 64), np.float32), np.empty((1024, 64), np.float32), ids
        table, out = (view(array) for array in self.memory[:2])
        bags = Bags(Ids(ids.ctypes.data, len(ids), 32), Ids(None, 0, 64), 1024, 2048, 0)
        self.arguments = [ctypes.byref(argument) for argument in (table, bags, out)]

    def __call__(self):
        for _ in range(3):
            check(library.rowmill_pool(*self.arguments, None, None))


class Side:
    """A table of the library's own, and what its operations need beside it."""

    def __init__(self, problem):
        self.problem = problem
        rows, dim = ctypes.c_int64(problem.shape.rows), ctypes.c_int64(problem.shape.dim)
        options = options_of(TableOptions, "table", format=FORMATS[problem.format])
        self.table = Handle("table", "table", rows, dim, ctypes.byref(options))
        self.view = View()
        check(library.rowmill_table_view(self.table.handle, ctypes.byref(self.view)))
        if problem.format == "f32":
            floats = ctypes.cast(self.view.data, ctypes.POINTER(ctypes.c_float))
            self.weights = np.ctypeslib.as_array(floats, (problem.shape.rows, problem.shape.dim))
            for begin, chunk in problem.weights():
                self.weights[begin : begin + len(chunk)] = chunk
        else:
            self.convert_weights(problem)
        self.plan = Handle("plan", "plan")
        self.workspace = Handle("workspace", "workspace")
        self.output = view(problem.output)
        self.gradients = [view(gradient) for gradient in problem.gradients]
        self.wake = Waker()
        self.call = OPERATIONS[problem.operation](self)

    def convert_weights(self, problem):
        """Fills a table of another format, and lets the peer see its rows as bytes."""
        stride = self.view.row_stride
        row_bytes = stride * (2 if problem.half else 1)
        for begin, chunk in problem.weights():
            part = View(self.view.data + begin * row_bytes, *chunk.shape, stride, None, self.view.format)
            check(library.rowmill_convert(ctypes.byref(view(np.ascontiguousarray(chunk))), ctypes.byref(part), None))
        memory = ctypes.cast(self.view.data, ctypes.POINTER(ctypes.c_uint8))
        problem.packed = np.ctypeslib.as_array(memory, (problem.shape.rows, row_bytes))

    def set_ids(self, batches):
        """Prepares the argument of each batch: bags for pooled operations, else ids."""
        shape = self.problem.shape
        self.ids = []
        for batch in batches:
            ids = Ids(batch.ctypes.data, len(batch), 8 * batch.itemsize)
            bags = Bags(ids, Ids(None, 0, 64), shape.batch, shape.length, 0)
            self.ids.append(ctypes.byref(bags if self.problem.pooled else ids))

    def read(self, rows):
        return self.weights[rows]


def gather(side):
    function, ref = library.rowmill_gather, ctypes.byref
    table, out = ref(side.view), ref(side.output)

    def call(batch):
        check(function(table, side.ids[batch], out, None))
        return side.problem.output

    return call


def gather_fresh(side):
    return fresh(side, library.rowmill_gather, None)


def pool(pooling):
    def make(side):
        options = options_of(PoolOptions, "pool", pooling=pooling, **weights_of(side.problem))
        return fresh(side, library.rowmill_pool, ctypes.byref(options), None)

    return make


def fresh(side, function, *options):
    """A lookup into a new array."""
    output = side.output
    table, out = ctypes.byref(side.view), ctypes.byref(output)
    shape = side.problem.output.shape
    # Wrapping memory for numpy takes some microseconds of Python: only for large outputs.
    half = side.problem.half  # an output of the table's 16-bit format
    large = side.problem.output.nbytes > 1 << 20 and not half
    new_buffer = Outputs(shape) if large else functools.partial(np.empty, shape, np.uint16 if half else np.float32)
    output.format = FORMATS[side.problem.format if half else "f32"]

    def call(batch):
        buffer = new_buffer()
        output.data = buffer.__array_interface__["data"][0]
        status = function(table, side.ids[batch], out, *options)
        if status:  # a call saved: the smallest workloads take as long as some lines of Python
            check(status)
        return buffer

    return call


class Outputs:
    """New outputs of the library's own, as numpy arrays: each gives its memory back when the last array of it dies."""

    def __init__(self, shape):
        self.shape = shape
        self.allocator = Handle("output_allocator", "output_allocator")

    def __call__(self):
        output = View()
        rows, dim = self.shape
        check(library.rowmill_output_make(self.allocator.handle, ctypes.c_int64(rows), ctypes.c_int64(dim), ctypes.byref(output)))
        memory = (ctypes.c_float * (rows * dim)).from_address(output.data)
        weakref.finalize(memory, self.release, output.data)
        return np.frombuffer(memory, np.float32).reshape(self.shape)

    def release(self, data):
        check(library.rowmill_output_release(self.allocator.handle, ctypes.c_void_p(data)))


def scatter_add(side):
    function, ref = library.rowmill_scatter_add, ctypes.byref
    table, workspace = ref(side.view), side.workspace.handle
    gradients = [ref(gradient) for gradient in side.gradients]

    def call(batch):
        check(function(table, side.ids[batch], gradients[batch], None, workspace))

    return call


def pool_weight_gradients(side):
    """A weighted sum, and the gradients of the weights, which are new in each call."""
    options = ctypes.byref(options_of(PoolOptions, "pool", **weights_of(side.problem)))
    ref, count = ctypes.byref, ctypes.c_int64(side.problem.shape.id_count)
    table, out, gradients = ref(side.view), ref(side.output), [ref(gradient) for gradient in side.gradients]

    def call(batch):
        found = np.empty(count.value, np.float32)
        data = ctypes.c_void_p(found.__array_interface__["data"][0])
        check(library.rowmill_pool(table, side.ids[batch], out, options, None)
              or library.rowmill_pool_weight_gradients(table, side.ids[batch], gradients[batch], data, count, options, None))
        return found

    return call


def step(kind, pooling=SUM):
    """A training step with the optimizer's defaults: forward, plan, update. Plan, workspace and output are reused."""

    def make(side):
        shape = side.problem.shape
        rows, dim = ctypes.c_int64(shape.rows), ctypes.c_int64(shape.dim)
        side.optimizer = Handle("optimizer", kind, rows, dim, None, None)
        if side.problem.pooled:
            weights = weights_of(side.problem)
            winners = np.empty(shape.batch * shape.dim if pooling == MAX else 0, np.int32)
            of_max = {"winners": winners.ctypes.data, "winner_count": len(winners)} if pooling == MAX else {}
            options = ctypes.byref(options_of(PoolOptions, "pool", pooling=pooling, **weights)), None
            plan_options = ctypes.byref(options_of(PlanOptions, "plan", pooling=pooling, **weights, **of_max))
            forward, plan_build = library.rowmill_pool, library.rowmill_plan_build_bags_with
        else:
            options, plan_options = (None,), None
            forward, plan_build = library.rowmill_gather, library.rowmill_plan_build_with
        update = library.rowmill_optimizer_step
        ref, one = ctypes.byref, ctypes.c_int64(1)
        table, plan, workspace, out = ref(side.view), side.plan.handle, side.workspace.handle, ref(side.output)
        optimizer, gradients = side.optimizer.handle, [ref(gradient) for gradient in side.gradients]

        def call(batch):
            ids = side.ids[batch]
            check(forward(table, ids, out, *options) or plan_build(plan, ids, rows, plan_options)
                  or update(optimizer, table, plan, gradients[batch], one, workspace))
            return side.problem.output

        def call_of_max(batch):
            data, count = ctypes.c_void_p(winners.ctypes.data), ctypes.c_int64(len(winners))
            check(library.rowmill_find_winners(table, side.ids[batch], data, count, *options))
            return call(batch)

        return call_of_max if side.problem.pooled and pooling == MAX else call

    return make


OPERATIONS = {
    "gather": gather,
    "gather_fresh": gather_fresh,
    "pool": pool(SUM),
    "pool_weighted": pool(SUM),
    "pool_mean": pool(MEAN),
    "pool_mean_weighted": pool(MEAN),
    "pool_max": pool(MAX),
    "pool_weight_gradients": pool_weight_gradients,
    **dict.fromkeys(("pool_bf16", "pool_f16", "pool_int8", "pool_int4", "pool_int2"), pool(SUM)),
    "scatter_add": scatter_add,
    "sgd": step("sgd"),
    "adagrad": step("adagrad"),
    "row_wise_adagrad": step("row_wise_adagrad"),
    "adam": step("adam"),
    "pooled_sgd": step("sgd"),
    "pooled_sgd_weighted": step("sgd"),
    "pooled_sgd_max": step("sgd", MAX),
    "pooled_row_wise_adagrad": step("row_wise_adagrad"),
    "pooled_row_wise_adagrad_weighted": step("row_wise_adagrad"),
}
