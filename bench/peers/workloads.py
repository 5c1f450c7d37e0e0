# SPDX-License-Identifier: Apache-2.0
"""The workloads of bench/workloads.cpp for Python: the same tables, batches, distributions, scattering of hot rows and
token stream. The random generator differs (PCG64 here, mt19937_64 there), so the drawn ids differ, not their law."""

import collections
import dataclasses
import os
import re

import numpy as np

import machine

ZIPF_EXPONENT = 1.05
SOURCES = ("uniform", "zipf", "one_row", "tokens")


@dataclasses.dataclass(frozen=True)
class Shape:
    """A table, and a batch of `batch` x `length` ids."""

    rows: int
    dim: int
    batch: int
    length: int

    @property
    def id_count(self):
        return self.batch * self.length

    @property
    def table_bytes(self):
        return self.rows * self.dim * 4

    @property
    def batch_bytes(self):
        return self.id_count * self.dim * 4

    @property
    def table_name(self):
        return f"{self.rows}x{self.dim}"

    @property
    def batch_name(self):
        return f"{self.batch}x{self.length}"

    def __str__(self):
        return f"{self.table_name}/{self.batch_name}"

    @staticmethod
    def parse(text):
        table, batch = text.split("/")
        return Shape(*map(int, table.split("x")), *map(int, batch.split("x")))


SHAPES = (
    Shape(9088, 256, 16, 15),
    Shape(9088, 256, 128, 32),
    Shape(9088, 256, 1024, 64),
    Shape(30522, 768, 32, 128),
    Shape(250002, 768, 8, 512),
    Shape(1_000_000, 64, 2048, 20),
    Shape(10_000_000, 64, 2048, 20),
)

# Row widths of pooled operations, in tables that the caches hold and in larger ones.
POOLED_SHAPES = tuple(Shape(9088, dim, 1024, 32) for dim in (32, 64, 128, 256)) + tuple(
    Shape(rows, dim, 2048, 20) for rows, dim in ((8_000_000, 32), (4_000_000, 64), (2_000_000, 128), (1_000_000, 256)))

# A table of more than twice a last-level cache of 300 MB in every format but int2.
FORMATS_SHAPE = Shape(17_000_000, 64, 2048, 20)

# What the scaling plots need beside SHAPES.
BATCH_SCALING = tuple(Shape(9088, 256, batch, length) for batch, length in ((32, 15), (64, 16), (256, 32), (512, 64)))
THREAD_SCALING = (SHAPES[2], SHAPES[5])
VOCABULARY_SCALING = tuple(Shape(rows, 64, 2048, 20) for rows in (1_000, 10_000, 100_000))


def batch_count(shape):
    """As bench::batch_count: enough batches that no batch of a large table finds its rows still cached."""
    cache = machine.last_level_cache()
    if shape.table_bytes <= cache:
        return 8
    return min(max(4 * cache // shape.batch_bytes + 1, 8), 64)


def zipf_ranks(random, rows, count, exponent=ZIPF_EXPONENT):
    """Ranks 1 .. rows with probability proportional to rank^-exponent, by the rejection-inversion of bench::Zipf."""

    def integral(x):
        return (x ** (1 - exponent) - 1) / (1 - exponent)

    def integral_inverse(y):
        return (1 + y * (1 - exponent)) ** (1 / (1 - exponent))

    def weight(x):
        return x**-exponent

    begin = integral(1.5) - 1
    end = integral(rows + 0.5)
    shortcut = 2 - integral_inverse(integral(2.5) - weight(2.0))
    ranks = np.empty(0, np.int64)
    while len(ranks) < count:
        y = end + random.random(count) * (begin - end)
        x = integral_inverse(y)
        k = np.clip(np.floor(x + 0.5), 1, rows)
        accepted = (k - x <= shortcut) | (y >= integral(k + 0.5) - weight(k))
        ranks = np.concatenate([ranks, k[accepted].astype(np.int64)])
    return ranks[:count]


def scatter_ranks(ranks, rows):
    """bench::scatter_rank: a fixed permutation of 0 .. rows-1, which keeps hot rows from being neighbours."""
    bits = max(2, (rows - 1).bit_length())
    mask = np.uint64((1 << bits) - 1)
    result = np.array(ranks, np.uint64)
    walking = np.ones(len(result), bool)  # until it lands inside the table
    while walking.any():
        x = result[walking]
        for odd in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9):
            x = (x + np.uint64(0x632BE5AB)) * np.uint64(odd) & mask
            x ^= x >> np.uint64(bits // 2)
        result[walking] = x
        walking[walking] = x >= np.uint64(rows)
    return result.astype(np.int64)


def load_tokens():
    """Running text as word ranks, the most frequent word first, and a description: the file that ROWMILL_BENCH_TEXT
    names (lines label<TAB>text), else the tweets beside the source tree, else a synthetic corpus."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    beside_source = os.path.join(root, "..", "shared", "data", "tweets-train.tsv")
    path = os.environ.get("ROWMILL_BENCH_TEXT") or (beside_source if os.path.exists(beside_source) else None)
    if path is None:
        count = 150_000
        ranks = zipf_ranks(np.random.default_rng(2024), 9088, count) - 1
        return ranks, f"synthetic corpus of {count} words"
    with open(path, "rb") as file:
        text = b"\n".join(line.split(b"\t", 1)[-1] for line in file.read().split(b"\n"))
    words = re.findall(rb"[a-z0-9'\x80-\xff]+", text.lower())
    if not words:
        raise SystemExit(f"the text file '{path}' holds no words")
    rank = {word: i for i, (word, _) in enumerate(collections.Counter(words).most_common())}
    return np.array([rank[word] for word in words]), f"{len(words)} words of {os.path.basename(path)}"


def make_ids(shape, source, count):
    """`count` distinct batches of ids, the same in every run."""
    random = np.random.default_rng(7)
    total = count * shape.id_count
    if source == "uniform":
        ids = random.integers(0, shape.rows, total)
    elif source == "zipf":
        ids = scatter_ranks(zipf_ranks(random, shape.rows, total) - 1, shape.rows)
    elif source == "one_row":
        ids = np.full(total, shape.rows // 2)
    elif source == "tokens":
        ids = np.resize(load_tokens()[0], total) % shape.rows
    else:
        raise ValueError(f"unknown source of ids: {source}")
    return list(ids.astype(np.int64).reshape(count, shape.id_count))
