// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_group.h>

#include <cstdint>

namespace bench {

/// Calls f(begin, end) for `parts` equal parts of 0 .. count - 1, cut at multiples of `unit`, on the threads of the
/// arena: part p always on the same one.
template <class F>
void for_each_part(int parts, std::int64_t count, std::int64_t unit, const F& f) {
  if (parts == 1) return f(std::int64_t{0}, count);
  const auto cut = [=](int part) { return part == parts ? count : count * part / parts / unit * unit; };
  tbb::task_group_context context(tbb::task_group_context::isolated);  // cheaper than a bound one
  tbb::parallel_for(
      0, parts, [&](int part) { f(cut(part), cut(part + 1)); }, tbb::static_partitioner(), context);
}

}  // namespace bench
