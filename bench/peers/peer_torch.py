# SPDX-License-Identifier: Apache-2.0
"""PyTorch: index_select, F.embedding and F.embedding_bag, index_add_, and nn.Embedding and nn.EmbeddingBag with the optimizers
of torch.optim."""

import torch

ID_TYPE = "int64"
WAKER = torch.zeros(1 << 22)


def set_threads(threads):
    torch.set_num_threads(threads)


def describe():
    return {
        "version": torch.__version__,
        "fast_path": f"CPU capability {torch.backends.cpu.get_cpu_capability()}",
        "parallel": "OpenMP",
    }


def float_rows(problem):
    weights = torch.empty(problem.shape.rows, problem.shape.dim)
    for begin, chunk in problem.weights():
        weights[begin : begin + len(chunk)] = torch.from_numpy(chunk)
    return weights


def packed_rows(problem):
    """Rows of 16-bit values, or quantised ones as embedding_bag_byte_prepack and its like make them."""
    rows = torch.from_numpy(problem.packed).clone()
    return rows.view({"bf16": torch.bfloat16, "f16": torch.float16}[problem.format]) if problem.half else rows


class Side:
    def __init__(self, problem):
        self.problem = problem
        self.weights = packed_rows(problem) if problem.packed is not None else float_rows(problem)
        self.output = torch.from_numpy(problem.output)
        self.gradients = [torch.from_numpy(gradient) for gradient in problem.gradients]
        self.sample_weights = None
        if problem.sample_weights is not None:
            self.sample_weights = torch.from_numpy(problem.arranged(problem.sample_weights))
        self.call = self.operation()

    def operation(self):
        return OPERATIONS[self.problem.operation](self)

    def wake(self):
        for _ in range(8):
            WAKER.add_(1)

    def set_ids(self, batches):
        self.ids = [torch.from_numpy(self.problem.arranged(ids)) for ids in batches]

    def read(self, rows):
        return self.weights[torch.from_numpy(rows)].numpy()


def gather(side):
    return lambda batch: torch.index_select(side.weights, 0, side.ids[batch], out=side.output)


def gather_fresh(side):
    return lambda batch: torch.nn.functional.embedding(side.ids[batch], side.weights)


def pool(mode):
    def make(side):
        weights = side.sample_weights

        def call(batch):
            ids = side.ids[batch]
            return torch.nn.functional.embedding_bag(ids, side.weights, mode=mode, per_sample_weights=weights)

        return call

    return make


def pool_with_offsets(mode):
    def make(side):
        offsets = torch.arange(0, side.problem.shape.id_count, side.problem.shape.length)
        weights = None if side.sample_weights is None else side.sample_weights.view(-1)

        def call(batch):
            ids = side.ids[batch].view(-1)
            return torch.nn.functional.embedding_bag(ids, side.weights, offsets, mode=mode, per_sample_weights=weights)

        return call

    return make


def pool_quantized(kind):
    def make(side):
        function = getattr(torch.ops.quantized, f"embedding_bag_{kind}_rowwise_offsets")
        offsets = torch.arange(0, side.problem.shape.id_count, side.problem.shape.length)
        return lambda batch: function(side.weights, side.ids[batch].view(-1), offsets)

    return make


def scatter_add(side):
    def call(batch):
        side.weights.index_add_(0, side.ids[batch], side.gradients[batch])

    return call


def sgd(parameters, sparse):
    return torch.optim.SGD(parameters, lr=0.01)


def adagrad(parameters, sparse):
    return torch.optim.Adagrad(parameters, lr=0.01, eps=1e-10, fused=not sparse)


def adam(parameters, sparse):
    return torch.optim.SparseAdam(list(parameters), lr=0.001)


def pool_weight_gradients(side):
    """A weighted sum, and the gradients of the weights alone."""
    weights = side.sample_weights.requires_grad_()

    def call(batch):
        out = torch.nn.functional.embedding_bag(side.ids[batch], side.weights, mode="sum", per_sample_weights=weights)
        return torch.autograd.grad(out, weights, side.gradients[batch])[0].view(-1)

    return call


def step(make_optimizer, mode="sum"):
    """Forward, backward and update. The gradient is sparse, except for max, which has a dense one alone, and for Adagrad on
    tables where a dense one is faster."""

    def make(side):
        sparse = mode != "max" and (make_optimizer is not adagrad or not side.problem.prefers_dense)
        if side.problem.pooled:
            layer = torch.nn.EmbeddingBag.from_pretrained(side.weights, freeze=False, sparse=sparse, mode=mode)
        else:
            layer = torch.nn.Embedding.from_pretrained(side.weights, freeze=False, sparse=sparse)
        optimizer = make_optimizer(layer.parameters(), sparse)
        weights = () if side.sample_weights is None else (None, side.sample_weights)  # after the offsets

        def call(batch):
            out = layer(side.ids[batch], *weights)
            out.backward(side.gradients[batch])
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            return out.detach()

        return call

    return make


OPERATIONS = {
    "gather": gather,
    "gather_fresh": gather_fresh,
    "pool": pool("sum"),
    "pool_weighted": pool("sum"),
    "pool_mean": pool("mean"),
    "pool_max": pool("max"),
    "pool_weight_gradients": pool_weight_gradients,
    "pool_bf16": pool("sum"),
    "pool_f16": pool("sum"),
    "pool_int8": pool_quantized("byte"),
    "pool_int4": pool_quantized("4bit"),
    "pool_int2": pool_quantized("2bit"),
    "scatter_add": scatter_add,
    "sgd": step(sgd),
    "adagrad": step(adagrad),
    "adam": step(adam),
    "pooled_sgd": step(sgd),
    "pooled_sgd_weighted": step(sgd),
    "pooled_sgd_max": step(sgd, "max"),
}
ALTERNATIVES = {"pool": pool_with_offsets("sum"), "pool_weighted": pool_with_offsets("sum"),
                "pool_mean": pool_with_offsets("mean"), "pool_max": pool_with_offsets("max"),
                "pool_bf16": pool_with_offsets("sum"), "pool_f16": pool_with_offsets("sum")}
ABSENT = dict.fromkeys(("row_wise_adagrad", "pooled_row_wise_adagrad", "pooled_row_wise_adagrad_weighted"),
                       "torch.optim has no row-wise Adagrad") | {"pool_mean_weighted": "weights are for sums alone"}
NOTES = {
    "gather": "index_select(out=)",
    "gather_fresh": "F.embedding",
    "pool": "F.embedding_bag, the faster of a 2-D input and offsets made beforehand",
    "pool_int8": "torch.ops.quantized.embedding_bag_byte_rowwise_offsets; of int4 and int2 those of 4bit and 2bit",
    "sgd": "sparse gradient",
    "adagrad": "sparse gradient; a dense one and the fused optimizer on tables of at most 4 rows per id",
    "adam": "SparseAdam",
    "pooled_sgd": "EmbeddingBag, sparse gradient",
    "pooled_sgd_max": "EmbeddingBag, dense gradient: max has no sparse one",
}
