# SPDX-License-Identifier: Apache-2.0
"""TensorFlow: resource variables and the sparse operations on them. It has no sparse Adam; that is put together from
gathers and scatters as its add-ons did (LazyAdam)."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402
from tensorflow import raw_ops as ops  # noqa: E402

ID_TYPE = "int32"


def set_threads(threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def describe():
    return {
        "version": tf.__version__,
        "fast_path": f"tf.function; oneDNN: {os.environ.get('TF_ENABLE_ONEDNN_OPTS', 'default')}",
        "parallel": "Eigen's thread pool",
    }


class Side:
    def __init__(self, problem):
        self.problem = problem
        rows, dim = problem.shape.rows, problem.shape.dim
        states = STATES.get(problem.operation, 0)
        self.weights, *self.states = [tf.Variable(tf.zeros((rows, dim))) for _ in range(1 + states)]
        for begin, chunk in problem.weights():
            self.weights[begin : begin + len(chunk)].assign(chunk)
        self.gradients = [tf.constant(gradient) for gradient in problem.gradients]
        self.call = OPERATIONS[problem.operation](self)

    def wake(self):
        waker = tf.zeros(1 << 22)
        for _ in range(8):
            waker = waker + 1

    def set_ids(self, batches):
        self.ids = [tf.constant(self.problem.arranged(ids)) for ids in batches]
        if self.problem.pooled:
            self.bags = [tf.sparse.from_dense(tf.ones_like(ids)).with_values(tf.reshape(ids, [-1])) for ids in self.ids]

    def read(self, rows):
        return tf.gather(self.weights, rows).numpy()


def gather_fresh(side):
    handle = side.weights.handle
    return lambda batch: ops.ResourceGather(resource=handle, indices=side.ids[batch], dtype=tf.float32)


def take_sums(weights, ids):
    return tf.reduce_sum(tf.gather(weights, ids), axis=1)


def pool(side):
    function = tf.function(lambda ids: take_sums(side.weights, ids))
    return lambda batch: function(side.ids[batch])


def pool_sparse(side):
    function = tf.function(lambda bags: tf.nn.embedding_lookup_sparse(side.weights, bags, None, combiner="sum"))
    return lambda batch: function(side.bags[batch])


def scatter_add(side):
    handle = side.weights.handle

    def call(batch):
        ops.ResourceScatterAdd(resource=handle, indices=side.ids[batch], updates=side.gradients[batch])

    return call


def row_gradients(ids, gradient):
    rows, slots = tf.unique(ids)
    return rows, tf.math.unsorted_segment_sum(gradient, slots, tf.size(rows))


def sgd(side, ids, gradient):
    ops.ResourceScatterAdd(resource=side.weights.handle, indices=ids, updates=-0.01 * gradient)


def pooled_sgd(side, ids, gradient):
    sgd(side, tf.reshape(ids, [-1]), tf.repeat(gradient, side.problem.shape.length, axis=0))


def adagrad(side, ids, gradient):
    rows, g = row_gradients(ids, gradient)
    ops.ResourceSparseApplyAdagradV2(var=side.weights.handle, accum=side.states[0].handle, lr=0.01, epsilon=1e-10,
                                     grad=g, indices=rows)


def adam(side, ids, gradient):
    rows, g = row_gradients(ids, gradient)
    t = side.step.assign_add(1.0)
    m = 0.9 * tf.gather(side.states[0], rows) + 0.1 * g
    v = 0.999 * tf.gather(side.states[1], rows) + 0.001 * g * g
    ops.ResourceScatterUpdate(resource=side.states[0].handle, indices=rows, updates=m)
    ops.ResourceScatterUpdate(resource=side.states[1].handle, indices=rows, updates=v)
    update = -0.001 * (m / (1 - 0.9**t)) / (tf.sqrt(v / (1 - 0.999**t)) + 1e-8)
    ops.ResourceScatterAdd(resource=side.weights.handle, indices=rows, updates=update)


def step(update, forward=tf.gather):
    """Forward, then the update, which for a lookup needs no backward pass: the gradient belongs to the ids."""

    def make(side):
        side.step = tf.Variable(0.0)

        @tf.function
        def function(ids, gradient):
            out = forward(side.weights, ids)
            update(side, ids, gradient)
            return out

        return lambda batch: function(side.ids[batch], side.gradients[batch])

    return make


OPERATIONS = {
    "gather_fresh": gather_fresh,
    "pool": pool,
    "scatter_add": scatter_add,
    "sgd": step(sgd),
    "adagrad": step(adagrad),
    "adam": step(adam),
    "pooled_sgd": step(pooled_sgd, take_sums),
}
STATES = {"adagrad": 1, "adam": 2}
ALTERNATIVES = {"pool": pool_sparse}
ABSENT = {
    "gather": "takes no output buffer",
    "row_wise_adagrad": "no such optimizer",
    "pooled_row_wise_adagrad": "no such optimizer",
}
NOTES = {"gather_fresh": "ResourceGather", "pool": "the faster of gather and sum, and embedding_lookup_sparse",
         "adam": "gathers and scatters, as LazyAdam of TensorFlow Addons"}
