# SPDX-License-Identifier: Apache-2.0
"""Medians and their intervals."""

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
