# SPDX-License-Identifier: Apache-2.0
"""Compares pooled lookups, their gradients and max_norm with PyTorch, in every combination that PyTorch has: the values, the
gradient of the table and those of the ids' weights. tests/torch/run calls it; ROWMILL_LIBRARY names librowmill_c.so."""

import ctypes
import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "peers"))
from rowmill import Bags, Handle, Ids, PlanOptions, PoolOptions, check, library, options_of, view  # noqa: E402

ROWS, DIM, PADDING = 11, 19, 4
LENGTHS = (0, 5, 1, 0, 7, 3, 8, 1, 2, 3, 0)  # of bags; 30 ids in all
RANDOM = np.random.default_rng(3)


class GradientOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("scale_grad_by_freq", ctypes.c_int32), ("skip_nonfinite", ctypes.c_int32),
                *((name, ctypes.c_double) for name in ("clip_value", "clip_row_norm", "clip_global_norm"))]


class MaxNormOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("max_norm", ctypes.c_double), ("norm", ctypes.c_int32),
                ("out_of_range", ctypes.c_int32), ("has_padding_id", ctypes.c_int32), ("reserved", ctypes.c_int32),
                ("padding_id", ctypes.c_int64)]


def ids_of(array):
    return Ids(array.ctypes.data, array.size, 8 * array.itemsize)


class Lookup:
    """A batch of bags in a table, by the C interface."""

    POOLINGS = {"sum": 0, "mean": 1, "max": 3}
    NORMS = {1.0: 0, 2.0: 1, float("inf"): 2}

    def __init__(self, table, ids, offsets, weights, mode, last_offset=False):
        self.table, self.ids, self.offsets, self.weights, self.mode = table, ids, offsets, weights, mode
        self.padding = None
        self.size = len(ids) if offsets is None else len(offsets) - last_offset
        length = ids.shape[1] if offsets is None else 0
        has_offsets = 0 if offsets is None else 1 if last_offset else 2
        offsets = Ids(None, 0, 64) if offsets is None else ids_of(offsets)
        self.bags = Bags(ids_of(ids), offsets, self.size, length, has_offsets)

    def options(self):
        """Fields that the options of lookups and of plans share."""
        fields = {"pooling": self.POOLINGS[self.mode]}
        if self.padding is not None:
            fields |= {"has_padding_id": 1, "padding_id": self.padding}
        if self.weights is not None:
            fields |= {"weights": self.weights.ctypes.data, "weight_count": self.weights.size}
        return fields

    def pool_options(self):
        return ctypes.byref(options_of(PoolOptions, "pool", **self.options()))

    def renormalize(self, largest, norm):
        options = options_of(MaxNormOptions, "max_norm", max_norm=largest, norm=self.NORMS[norm])
        check(library.rowmill_renormalize_bags(
            ctypes.byref(view(self.table)), ctypes.byref(self.bags), ctypes.byref(options), None))

    def pool(self):
        out = np.full((self.size, DIM), np.nan, np.float32)
        check(library.rowmill_pool(ctypes.byref(view(self.table)), ctypes.byref(self.bags), ctypes.byref(view(out)),
                                   self.pool_options(), None))
        return out

    def dense_gradient(self, gradient, by_frequency):
        fields = self.options()
        if self.mode == "max":
            winners = np.empty((self.size, DIM), np.int32)
            check(library.rowmill_find_winners(ctypes.byref(view(self.table)), ctypes.byref(self.bags),
                                               ctypes.c_void_p(winners.ctypes.data), ctypes.c_int64(winners.size),
                                               self.pool_options(), None))
            fields |= {"winners": winners.ctypes.data, "winner_count": winners.size}
        plan, options = Handle("plan", "plan"), options_of(PlanOptions, "plan", **fields)
        check(library.rowmill_plan_build_bags_with(plan.handle, ctypes.byref(self.bags), ctypes.c_int64(ROWS),
                                                   ctypes.byref(options)))
        out = np.full((ROWS, DIM), np.nan, np.float32)
        options = options_of(GradientOptions, "gradient", scale_grad_by_freq=by_frequency)
        check(library.rowmill_dense_gradient(plan.handle, ctypes.byref(view(gradient)), ctypes.c_int64(1),
                                             ctypes.byref(view(out)), ctypes.byref(options), None))
        return out

    def weight_gradients(self, gradient):
        out = np.full(self.ids.shape, np.nan, np.float32)
        check(library.rowmill_pool_weight_gradients(
            ctypes.byref(view(self.table)), ctypes.byref(self.bags), ctypes.byref(view(gradient)),
            ctypes.c_void_p(out.ctypes.data), ctypes.c_int64(out.size), self.pool_options(), None))
        return out


def close(what, got, expected):
    if not np.allclose(got, expected, rtol=1e-5, atol=1e-5):
        raise SystemExit(f"{what}: Rowmill\n{got}\nPyTorch\n{expected}")


def batch(layout, padding):
    """Ids, and offsets or nothing; some of them padding, and a bag of padding alone."""
    ids = RANDOM.integers(0, ROWS, sum(LENGTHS))
    ids[::5] = ids[24] = PADDING
    if layout == "matrix":
        return ids.reshape(6, 5), None
    return ids, np.cumsum((0, *LENGTHS))[: None if layout == "last offset" else -1]


def check_bags(mode, layout, wide, padding, weighted, by_frequency, max_norm):
    name = f"{mode}, {layout}, {'int64' if wide else 'int32'}, padding {padding}, weights {weighted}, " \
           f"scale_grad_by_freq {by_frequency}, max_norm {max_norm}"
    ids, offsets = (a if a is None else a.astype(np.int64 if wide else np.int32) for a in batch(layout, padding))
    count = len(LENGTHS) if offsets is not None else len(ids)
    table = RANDOM.uniform(-1, 1, (ROWS, DIM)).astype(np.float32)
    weights = RANDOM.uniform(-1, 1, ids.shape).astype(np.float32) if weighted else None
    gradient = RANDOM.uniform(-1, 1, (count, DIM)).astype(np.float32)
    largest, norm = max_norm or (None, 2.0)

    theirs = torch.tensor(table, requires_grad=True)
    their_weights = torch.tensor(weights, requires_grad=True) if weighted else None
    out = functional.embedding_bag(
        torch.from_numpy(ids), theirs, None if offsets is None else torch.from_numpy(offsets), max_norm=largest,
        norm_type=norm, scale_grad_by_freq=by_frequency, mode=mode, per_sample_weights=their_weights,
        include_last_offset=layout == "last offset", padding_idx=padding)
    out.backward(torch.from_numpy(gradient))

    ours = Lookup(table.copy(), ids, offsets, weights, mode, last_offset=layout == "last offset")
    if max_norm:  # PyTorch's changes the padding's row too
        ours.renormalize(largest, norm)
        close(f"{name}: the table", ours.table, theirs.detach().numpy())
    ours.padding = padding
    close(f"{name}: the output", ours.pool(), out.detach().numpy())
    close(f"{name}: the gradient", ours.dense_gradient(gradient, by_frequency), theirs.grad.numpy())
    if weighted:
        close(f"{name}: the weights' gradient", ours.weight_gradients(gradient), their_weights.grad.numpy())


def check_ids(wide, padding, by_frequency, max_norm):
    """A lookup without pooling: bags of one id each."""
    name = f"embedding, padding {padding}, scale_grad_by_freq {by_frequency}, max_norm {max_norm}"
    ids = RANDOM.integers(0, ROWS, 40).astype(np.int64 if wide else np.int32)
    table = RANDOM.uniform(-1, 1, (ROWS, DIM)).astype(np.float32)
    gradient = RANDOM.uniform(-1, 1, (40, DIM)).astype(np.float32)
    largest, norm = max_norm or (None, 2.0)
    theirs = torch.tensor(table, requires_grad=True)
    # PyTorch's padding of F.embedding is looked up, and renormalised too; it only gets no gradient.
    looked_up = functional.embedding(torch.from_numpy(ids), theirs, padding, largest, norm, by_frequency)
    looked_up.backward(torch.from_numpy(gradient))
    ours = Lookup(table.copy(), ids.reshape(-1, 1), None, None, "sum")
    if max_norm:
        ours.renormalize(largest, norm)
        close(f"{name}: the table", ours.table, theirs.detach().numpy())
    close(f"{name}: the output", ours.pool(), looked_up.detach().numpy())
    ours.padding = padding
    close(f"{name}: the gradient", ours.dense_gradient(gradient, by_frequency), theirs.grad.numpy())


def main():
    torch.set_num_threads(1)
    max_norms = (None, (0.5, 1.0), (0.8, 2.0), (0.3, float("inf")))
    checked = 0
    for mode, layout, wide, padding, weighted, by_frequency, max_norm in itertools.product(
            ("sum", "mean", "max"), ("last offset", "no last offset", "matrix"), (True, False), (None, PADDING),
            (False, True), (False, True), max_norms):
        if weighted and mode != "sum" or by_frequency and mode == "max":
            continue  # PyTorch has neither
        check_bags(mode, layout, wide, padding, weighted, by_frequency, max_norm)
        checked += 1
    for wide, padding, by_frequency, max_norm in itertools.product((True, False), (None, PADDING), (False, True), max_norms):
        check_ids(wide, padding, by_frequency, max_norm)
        checked += 1
    print(f"Pooled lookups and their gradients: {checked} combinations agree with PyTorch {torch.__version__}.")


if __name__ == "__main__":
    sys.exit(main())
