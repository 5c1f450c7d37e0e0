# SPDX-License-Identifier: Apache-2.0
"""FBGEMM on CPU: SplitTableBatchedEmbeddingBagsCodegen, whose backward pass updates the table; of quantised rows and halves
IntNBitTableBatchedEmbeddingBagsCodegen, its module for inference."""

import ctypes
import os

# Loaded as usual, FBGEMM 1.9.0 reads a copy of cpuinfo's tables that PyTorch 2.14 never fills in (libc10.so and libtorch.so
# each export one), finds no instruction set, and runs its portable code. In the global scope both see one copy.
os.environ["TORCH_USE_RTLD_GLOBAL"] = "1"

import fbgemm_gpu  # noqa: E402
import torch  # noqa: E402
from fbgemm_gpu.split_embedding_configs import EmbOptimType, SparseType  # noqa: E402
from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode  # noqa: E402
from fbgemm_gpu.split_table_batched_embeddings_ops_inference import (  # noqa: E402
    IntNBitTableBatchedEmbeddingBagsCodegen,
)
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


def inference_module(problem):
    """The same codes; here the scale and the bias of a row are halves, and stand before them."""
    formats = {"f16": SparseType.FP16, "int8": SparseType.INT8, "int4": SparseType.INT4, "int2": SparseType.INT2}
    module = IntNBitTableBatchedEmbeddingBagsCodegen(
        [("", problem.shape.rows, problem.shape.dim, formats[problem.format], EmbeddingLocation.HOST)],
        pooling_mode=PoolingMode.SUM, device="cpu", output_dtype=SparseType.FP16 if problem.half else SparseType.FP32)
    module.initialize_weights()
    codes, parameters = module.split_embedding_weights(split_scale_shifts=True)[0]
    packed = torch.from_numpy(problem.packed)
    codes.copy_(packed[:, : codes.shape[1]])
    if parameters is not None:
        theirs = packed[:, codes.shape[1] :].contiguous()
        if problem.format == "int8":
            theirs = theirs.view(torch.float32).half().view(torch.uint8)
        parameters.copy_(theirs)
    return module


class Side:
    def __init__(self, problem):
        self.problem = problem
        rows, dim = problem.shape.rows, problem.shape.dim
        length = problem.shape.length if problem.pooled else 1
        self.offsets = torch.arange(0, problem.shape.id_count + 1, length)
        self.sample_weights = () if problem.sample_weights is None else (torch.from_numpy(problem.sample_weights),)
        if problem.packed is not None:
            self.module = inference_module(problem)
            self.call = forward(self)
            return
        self.module = SplitTableBatchedEmbeddingBagsCodegen(
            [(rows, dim, EmbeddingLocation.HOST, ComputeDevice.CPU)],
            optimizer=OPTIMIZERS[problem.operation], learning_rate=0.01, eps=EPSILONS.get(problem.operation, 1e-10),
            pooling_mode=POOLING_MODES.get(problem.operation, PoolingMode.NONE))
        self.weights = self.module.split_embedding_weights()[0]
        for begin, chunk in problem.weights():
            self.weights[begin : begin + len(chunk)] = torch.from_numpy(chunk)
        self.gradients = [torch.from_numpy(gradient) for gradient in problem.gradients]
        self.call = OPERATIONS[problem.operation](self)

    wake = peer_torch.Side.wake

    def set_ids(self, batches):
        self.ids = [torch.from_numpy(ids) for ids in batches]

    def read(self, rows):
        return self.weights[torch.from_numpy(rows)].numpy()


def forward(side):
    @torch.no_grad()
    def call(batch):
        return side.module(side.ids[batch], side.offsets, *side.sample_weights)

    return call


def step(side):
    def call(batch):
        out = side.module(side.ids[batch], side.offsets, *side.sample_weights)
        out.backward(side.gradients[batch])
        return out.detach()

    return call


OPERATIONS = {
    "gather_fresh": forward,
    "pool": forward,
    "pool_weighted": forward,
    "pool_mean": forward,
    "pool_mean_weighted": forward,
    **dict.fromkeys(("pool_f16", "pool_int8", "pool_int4", "pool_int2"), forward),
    "sgd": step,
    "adagrad": step,
    "row_wise_adagrad": step,
    "pooled_sgd": step,
    "pooled_sgd_weighted": step,
    "pooled_row_wise_adagrad": step,
    "pooled_row_wise_adagrad_weighted": step,
}
ROW_WISE_ADAGRAD = ("row_wise_adagrad", "pooled_row_wise_adagrad", "pooled_row_wise_adagrad_weighted")
OPTIMIZERS = dict.fromkeys(OPERATIONS, EmbOptimType.EXACT_SGD) | {"adagrad": EmbOptimType.EXACT_ADAGRAD} | dict.fromkeys(
    ROW_WISE_ADAGRAD, EmbOptimType.EXACT_ROWWISE_ADAGRAD)
EPSILONS = dict.fromkeys(ROW_WISE_ADAGRAD, 1e-8)
POOLING_MODES = dict.fromkeys(("row_wise_adagrad", *(name for name in OPERATIONS if name.startswith("pool"))),
                              PoolingMode.SUM) | dict.fromkeys(("pool_mean", "pool_mean_weighted"), PoolingMode.MEAN)
ALTERNATIVES = {}
TOLERANCES = {"pool_int8": 2e-3}  # its scale and bias are halves
ABSENT = {
    "gather": "takes no output buffer",
    "scatter_add": "no such operation",
    "pool_max": "no such pooling",
    "pooled_sgd_max": "no such pooling",
    "pool_weight_gradients": "its backward pass updates the table as well",
    "pool_bf16": "no bf16 tables in its module for inference",
    "adam": "Adam is not supported on CPU",
}
NOTES = {"gather_fresh": "forward pass without pooling", "row_wise_adagrad": "bags of one id"}
