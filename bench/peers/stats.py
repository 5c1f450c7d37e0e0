# SPDX-License-Identifier: Apache-2.0
"""Medians, their intervals, and what a cell's samples say."""

import math
import statistics


def median_interval(values):
    """The median and its interval of at least 95 %, by order statistics: the ends are the k-th smallest and the k-th
    largest value for the largest k with 2 P(Binomial(n, 1/2) < k) <= 0.05. It assumes nothing of the distribution.
    Below six values there is no such k; the ends are then the extremes."""
    ordered = sorted(values)
    n = len(ordered)
    k, below = 0, 0.0
    while k < n and 2 * (below + math.comb(n, k) / 2**n) <= 0.05:
        below += math.comb(n, k) / 2**n
        k += 1
    k = max(k, 1)
    return statistics.median(ordered), ordered[k - 1], ordered[n - k]


def four_digits(x):
    return float(f"{x:.4g}")


NEAR_CORES_NS = 130  # as bench/core_latency.hpp
FEWEST_ROUNDS = 6  # that have an interval


def summary(samples_us, core_latencies_ns=None):
    """The figures of a cell from the times of Rowmill's calls and of the peer's, paired by rounds: of those rounds in which the
    cores were near each other, or of all, and marked as far, where these are too few. Without latencies, all are near."""
    total = len(samples_us[0])
    core_latencies_ns = core_latencies_ns or [0] * total
    rounds = [i for i in range(total) if core_latencies_ns[i] <= NEAR_CORES_NS]
    far = len(rounds) < min(FEWEST_ROUNDS, total)
    if far:
        rounds = range(total)
    mine, theirs = ([samples[i] for i in rounds] for samples in samples_us)
    median, low, high = median_interval([b / a for a, b in zip(mine, theirs)])
    return {"ratio": round(median, 4), "low": round(low, 4), "high": round(high, 4), "rounds": len(mine), "far": far,
            "core_latency_ns": statistics.median(core_latencies_ns[i] for i in rounds),
            "rowmill_us": four_digits(statistics.median(mine)), "peer_us": four_digits(statistics.median(theirs))}
