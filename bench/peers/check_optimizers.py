# SPDX-License-Identifier: Apache-2.0
"""Compares every optimizer that PyTorch has too, with each kind of weight decay, over steps that touch every row: there
Rowmill's lazy updates and PyTorch's dense ones are the same formula. For the environment `torch`; ROWMILL_LIBRARY names
librowmill_c.so."""

import ctypes
import sys

import numpy as np
import torch

import rowmill

ROWS, DIM, STEPS = 50, 37, 5
NONE, L2, DECOUPLED = 0, 1, 2
DECAY = [("decay", ctypes.c_int32), ("weight_decay", ctypes.c_double)]


def options(name, fields, **values):
    """An initialized options struct of include/rowmill/c.h, with some of its fields set."""
    struct = type(name, (ctypes.Structure,), {"_fields_": [("struct_size", ctypes.c_size_t), *fields, *DECAY]})()
    initialize = getattr(rowmill.library, f"rowmill_{name}_options_init")
    rowmill.check(initialize(ctypes.byref(struct), ctypes.c_size_t(ctypes.sizeof(struct))))
    for field, value in values.items():
        setattr(struct, field, value)
    return name, struct


def doubles(*names):
    return [(name, ctypes.c_double) for name in names]


def sgd(**values):
    return options("sgd", doubles("learning_rate", "momentum") + [("nesterov", ctypes.c_int32)], **values)


def adagrad(**values):
    return options("adagrad", doubles("learning_rate", "initial_accumulator", "epsilon"), **values)


def adam(**values):
    return options("adam", doubles("learning_rate", "beta1", "beta2", "epsilon"), **values)


CASES = {
    "SGD": (sgd(learning_rate=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "SGD, L2": (sgd(learning_rate=0.1, decay=L2, weight_decay=0.02),
                lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.02)),
    "SGD, momentum": (sgd(learning_rate=0.1, momentum=0.9), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "SGD, Nesterov, L2": (sgd(learning_rate=0.1, momentum=0.9, nesterov=1, decay=L2, weight_decay=0.02),
                          lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.02)),
    "Adagrad": (adagrad(learning_rate=0.1, initial_accumulator=0.5),
                lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.5)),
    "Adagrad, L2": (adagrad(learning_rate=0.1, decay=L2, weight_decay=0.02),
                    lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.02)),
    "Adam": (adam(learning_rate=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    "Adam, L2": (adam(learning_rate=0.01, decay=L2, weight_decay=0.02),
                 lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.02)),
    "AdamW": (adam(learning_rate=0.01, decay=DECOUPLED, weight_decay=0.3),
              lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.3)),
}


def difference(kind, struct, make_peer):
    """The largest difference of the weights after some steps, in which some ids stand twice."""
    random = np.random.default_rng(1)
    weights = random.standard_normal((ROWS, DIM)).astype(np.float32)
    parameter = torch.nn.Parameter(torch.tensor(weights))
    peer = make_peer([parameter])
    optimizer = rowmill.Handle("optimizer", kind, ctypes.c_int64(ROWS), ctypes.c_int64(DIM), None, ctypes.byref(struct))
    plan = rowmill.Handle("plan", "plan")
    for _ in range(STEPS):
        ids = random.permutation(np.concatenate([np.arange(ROWS), random.integers(0, ROWS, 20)])).astype(np.int64)
        gradient = random.standard_normal((len(ids), DIM)).astype(np.float32)
        parameter.grad = torch.zeros(ROWS, DIM).index_add_(0, torch.from_numpy(ids), torch.from_numpy(gradient))
        peer.step()
        id_view = rowmill.Ids(ids.ctypes.data, len(ids), 64)
        rowmill.check(rowmill.library.rowmill_plan_build(plan.handle, ctypes.byref(id_view), ctypes.c_int64(ROWS), 0, None))
        rowmill.check(rowmill.library.rowmill_optimizer_step(
            optimizer.handle, ctypes.byref(rowmill.view(weights)), plan.handle, ctypes.byref(rowmill.view(gradient)),
            ctypes.c_int64(1), None))
    return float(np.abs(weights - parameter.detach().numpy()).max())


def main():
    tolerance = 1e-5
    wrong = 0
    for name, ((kind, struct), make_peer) in CASES.items():
        error = difference(kind, struct, make_peer)
        wrong += error > tolerance
        print(f"{'FAILED' if error > tolerance else 'ok':6}  {name}: largest difference {error:.1e}")
    print(f"{len(CASES) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
