# SPDX-License-Identifier: Apache-2.0
"""FBGEMM on CPU: SplitTableBatchedEmbeddingBagsCodegen, whose backward pass updates the table."""

import ctypes
import os

# Loaded as usual, FBGEMM 1.9.0 reads a copy of cpuinfo's tables that PyTorch 2.14 never fills in (libc10.so and libtorch.so
# each export one), finds no instruction set, and runs its portable code. In the global scope both see one copy.
os.environ["TORCH_USE_RTLD_GLOBAL"] = "1"

import fbgemm_gpu  # noqa: E402
import torch  # noqa: E402
from fbgemm_gpu.split_embedding_configs import EmbOptimType  # noqa: E402
from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode  # noqa: E402
from fbgemm_gpu.split_table_batched_embeddings_ops_training import (  # noqa: E402
    ComputeDevice,
    SplitTableBatchedEmbeddingBagsCodegen,
)

import peer_torch  # noqa: E402

ID_TYPE = "int64"
set_threads = peer_torch.set_threads


def has_avx512():
    """What FBGEMM's own dispatch says: "yes", "no", or "unknown" where its library cannot be asked."""
    try:
        library = ctypes.CDLL(os.path.join(os.path.dirname(fbgemm_gpu.__file__), "fbgemm.so"))
        function = library._ZN6fbgemm22fbgemmHasAvx512SupportEv
    except (OSError, AttributeError):
        return "unknown"
    function.restype = ctypes.c_bool
    return "yes" if function() else "no"


def describe():
    return peer_torch.describe() | {
        "version": f"{fbgemm_gpu.__version__} (PyTorch {torch.__version__})",
        "fast_path": f"fbgemmHasAvx512Support: {has_avx512()}, with TORCH_USE_RTLD_GLOBAL=1",
    }


class Side:
    def __init__(self, problem):
        self.problem = problem
        rows, dim = problem.shape.rows, problem.shape.dim
        length = problem.shape.length if problem.pooled else 1
        self.module = SplitTableBatchedEmbeddingBagsCodegen(
            [(rows, dim, EmbeddingLocation.HOST, ComputeDevice.CPU)],
            optimizer=OPTIMIZERS[problem.operation], learning_rate=0.01, eps=EPSILONS.get(problem.operation, 1e-10),
            pooling_mode=PoolingMode.SUM if problem.operation in SUMS else PoolingMode.NONE)
        self.weights = self.module.split_embedding_weights()[0]
        for begin, chunk in problem.weights():
            self.weights[begin : begin + len(chunk)] = torch.from_numpy(chunk)
        self.gradients = [torch.from_numpy(gradient) for gradient in problem.gradients]
        self.offsets = torch.arange(0, problem.shape.id_count + 1, length)
        self.call = OPERATIONS[problem.operation](self)

    wake = peer_torch.Side.wake

    def set_ids(self, batches):
        self.ids = [torch.from_numpy(ids) for ids in batches]

    def read(self, rows):
        return self.weights[torch.from_numpy(rows)].numpy()


def forward(side):
    @torch.no_grad()
    def call(batch):
        return side.module(side.ids[batch], side.offsets)

    return call


def step(side):
    def call(batch):
        out = side.module(side.ids[batch], side.offsets)
        out.backward(side.gradients[batch])
        return out.detach()

    return call


OPERATIONS = {
    "gather_fresh": forward,
    "pool": forward,
    "sgd": step,
    "adagrad": step,
    "row_wise_adagrad": step,
    "pooled_sgd": step,
    "pooled_row_wise_adagrad": step,
}
OPTIMIZERS = {
    "gather_fresh": EmbOptimType.EXACT_SGD,
    "pool": EmbOptimType.EXACT_SGD,
    "sgd": EmbOptimType.EXACT_SGD,
    "adagrad": EmbOptimType.EXACT_ADAGRAD,
    "row_wise_adagrad": EmbOptimType.EXACT_ROWWISE_ADAGRAD,
    "pooled_sgd": EmbOptimType.EXACT_SGD,
    "pooled_row_wise_adagrad": EmbOptimType.EXACT_ROWWISE_ADAGRAD,
}
EPSILONS = dict.fromkeys(("row_wise_adagrad", "pooled_row_wise_adagrad"), 1e-8)
SUMS = ("pool", "row_wise_adagrad", "pooled_sgd", "pooled_row_wise_adagrad")
ALTERNATIVES = {}
ABSENT = {
    "gather": "takes no output buffer",
    "scatter_add": "no such operation",
    "adam": "Adam is not supported on CPU",
}
NOTES = {"gather_fresh": "forward pass without pooling", "row_wise_adagrad": "bags of one id"}
