# SPDX-License-Identifier: Apache-2.0
"""JAX: jit with donated buffers, so that tables are updated in place. Ids are promised to be in bounds: that is its fast
path."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np

ID_TYPE = "int32"

# A call then runs on the calling thread instead of a queue, which is faster for one call after another.
jax.config.update("jax_cpu_enable_async_dispatch", False)


def set_threads(threads):
    """XLA's thread pool has as many threads as this process has processors."""


def describe():
    return {
        "version": f"{jax.__version__} (jaxlib {jax.lib.__version__})",
        "fast_path": f"jit, donated buffers; XLA_FLAGS: {os.environ.get('XLA_FLAGS', 'not set')}",
        "parallel": "XLA's thread pool",
    }


WAKER = jnp.zeros(1 << 22)
add_one = jax.jit(lambda x: x + 1)


class Side:
    def __init__(self, problem):
        self.problem = problem
        rows, dim = problem.shape.rows, problem.shape.dim
        place = jax.jit(lambda table, chunk, row: jax.lax.dynamic_update_slice(table, chunk, (row, 0)), donate_argnums=0)
        self.weights = jnp.zeros((rows, dim), jnp.float32)
        for begin, chunk in problem.weights():
            self.weights = place(self.weights, chunk, begin)
        self.states = [jnp.zeros((rows, columns or dim), jnp.float32) for columns in STATES.get(problem.operation, ())]
        self.output = jnp.zeros(problem.output.shape, jnp.float32)
        self.gradients = [jnp.array(gradient) for gradient in problem.gradients]
        self.call = OPERATIONS[problem.operation](self)

    def wake(self):
        for _ in range(8):
            add_one(WAKER).block_until_ready()

    def set_ids(self, batches):
        self.ids = [jnp.array(self.problem.arranged(ids)) for ids in batches]

    def read(self, rows):
        return np.asarray(self.weights[rows])


def take(table, ids):
    return table.at[ids].get(mode="promise_in_bounds")


def take_sums(table, ids):
    return take(table, ids).sum(axis=1)


def gather(side):
    """The donated output has the result's shape, so XLA writes the result into it."""
    function = jax.jit(lambda table, ids, out: take(table, ids), donate_argnums=2, keep_unused=True)

    def call(batch):
        side.output = function(side.weights, side.ids[batch], side.output)
        return side.output.block_until_ready()

    return call


def fresh(forward):
    def make(side):
        function = jax.jit(forward)
        return lambda batch: function(side.weights, side.ids[batch]).block_until_ready()

    return make


def scatter_add(side):
    add = jax.jit(lambda table, ids, values: table.at[ids].add(values, mode="promise_in_bounds"), donate_argnums=0)

    def call(batch):
        side.weights = add(side.weights, side.ids[batch], side.gradients[batch]).block_until_ready()

    return call


# An update takes the weights, its states, the number of the step, the ids and the gradient of each, and returns the new
# weights and states. It works on the touched rows, or on the whole table where that is faster.


def row_gradients(ids, gradient):
    """The touched rows, padded with an id past every table, and the sum of each one's gradients."""
    rows, slots = jnp.unique(ids, return_inverse=True, size=len(ids), fill_value=jnp.iinfo(ids.dtype).max)
    return rows, jax.ops.segment_sum(gradient, slots, num_segments=len(ids))


def table_gradient(weights, ids, gradient):
    return jnp.zeros_like(weights).at[ids].add(gradient, mode="promise_in_bounds")


def new_adagrad(a, g):
    a = a + g * g
    return -0.01 * g / (jnp.sqrt(a) + 1e-10), a


def new_row_wise_adagrad(a, g):
    a = a + jnp.mean(g * g, axis=1, keepdims=True)
    return -0.01 * g / (jnp.sqrt(a) + 1e-8), a


def new_adam(m, v, t, g):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    return -0.001 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v


def sgd(weights, states, t, ids, gradient):
    return weights.at[ids].add(-0.01 * gradient, mode="promise_in_bounds"), states


def adagrad(new):
    def update(weights, states, t, ids, gradient):
        rows, g = row_gradients(ids, gradient)
        change, a = new(states[0].at[rows].get(mode="clip"), g)
        weights = weights.at[rows].add(change, mode="drop", unique_indices=True)
        return weights, [states[0].at[rows].set(a, mode="drop", unique_indices=True)]

    return update


def adagrad_dense(new):
    def update(weights, states, t, ids, gradient):
        change, a = new(states[0], table_gradient(weights, ids, gradient))
        return weights + change, [a]

    return update


def adam(weights, states, t, ids, gradient):
    rows, g = row_gradients(ids, gradient)
    change, *new = new_adam(*(s.at[rows].get(mode="clip") for s in states), t, g)
    weights = weights.at[rows].add(change, mode="drop", unique_indices=True)
    return weights, [s.at[rows].set(x, mode="drop", unique_indices=True) for s, x in zip(states, new)]


def adam_dense(weights, states, t, ids, gradient):
    touched = jnp.zeros((len(weights), 1), bool).at[ids].set(True, mode="promise_in_bounds")
    change, *new = new_adam(*states, t, table_gradient(weights, ids, gradient))
    return weights + jnp.where(touched, change, 0), [jnp.where(touched, x, s) for s, x in zip(states, new)]


def pooled(update):
    """An update whose ids are a batch x length array and whose gradient has a row for each bag."""

    def update_bags(weights, states, t, ids, gradient):
        return update(weights, states, t, ids.reshape(-1), jnp.repeat(gradient, ids.shape[1], axis=0))

    return update_bags


def step(sparse, dense, lookup=take):
    """Forward, then the update, which for a lookup needs no backward pass: the gradient belongs to the ids."""

    def make(side):
        forward = jax.jit(lookup)
        function = jax.jit(dense if side.problem.prefers_dense else sparse, donate_argnums=(0, 1))
        count = 0

        def call(batch):
            nonlocal count
            count += 1
            ids = side.ids[batch]
            out = forward(side.weights, ids)
            side.weights, side.states = function(side.weights, side.states, np.float32(count), ids, side.gradients[batch])
            side.weights.block_until_ready()
            return out

        return call

    return make


row_wise_adagrad = adagrad(new_row_wise_adagrad)
row_wise_adagrad_dense = adagrad_dense(new_row_wise_adagrad)

OPERATIONS = {
    "gather": gather,
    "gather_fresh": fresh(take),
    "pool": fresh(take_sums),
    "scatter_add": scatter_add,
    "sgd": step(sgd, sgd),
    "adagrad": step(adagrad(new_adagrad), adagrad_dense(new_adagrad)),
    "row_wise_adagrad": step(row_wise_adagrad, row_wise_adagrad_dense),
    "adam": step(adam, adam_dense),
    "pooled_sgd": step(pooled(sgd), pooled(sgd), take_sums),
    "pooled_row_wise_adagrad": step(pooled(row_wise_adagrad), pooled(row_wise_adagrad_dense), take_sums),
}
# The columns of each state table; 0: as many as the weights have.
STATES = {"adagrad": (0,), "row_wise_adagrad": (1,), "adam": (0, 0), "pooled_row_wise_adagrad": (1,)}
ALTERNATIVES = {}
ABSENT = {}
NOTES = {
    "gather": "the output is donated",
    "adagrad": "touched rows; the whole table where it has at most 4 rows per id",
    "row_wise_adagrad": "as adagrad",
    "adam": "as adagrad",
    "pool": "take and sum",
}
