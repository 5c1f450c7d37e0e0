# SPDX-License-Identifier: Apache-2.0
"""zentorch, AMD's plugin of PyTorch: its own operators for bags, which read PyTorch's tensors. Those of int4 are PyTorch's rows,
seen as integers of 32 bits."""

import torch
import zentorch

import peer_torch

ID_TYPE = "int64"
set_threads = peer_torch.set_threads


def describe():
    return peer_torch.describe() | {"version": f"{zentorch.__version__} (PyTorch {torch.__version__})"}


class Side(peer_torch.Side):
    def operation(self):
        return OPERATIONS[self.problem.operation](self)


def offsets_of(side):
    return torch.arange(0, side.problem.shape.id_count, side.problem.shape.length)


def pool(side):
    offsets = offsets_of(side)
    return lambda batch: torch.ops.zentorch.zentorch_embedding_bag(side.weights, side.ids[batch].view(-1), offsets)


def pool_int4(side):
    offsets, weights = offsets_of(side), side.weights.view(torch.int32)
    return lambda batch: torch.ops.zentorch.zentorch_quant_embedding_bag(
        weights, side.ids[batch].view(-1), offsets, 4, torch.float32)


OPERATIONS = {"pool": pool, "pool_bf16": pool, "pool_int4": pool_int4}
ALTERNATIVES = {}
ABSENT = {}
NOTES = {"pool": "zentorch_embedding_bag", "pool_int4": "zentorch_quant_embedding_bag"}
