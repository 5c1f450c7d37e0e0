// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measure.hpp"
#include "subject.hpp"
#include "workloads.hpp"

namespace bench {

/// One line of the suite's table.
struct Case {
  const Operation* operation;
  Shape shape;
  IdSource source;
  int threads;

  /// operation/table/batch/ids/threads
  [[nodiscard]] std::string name() const;
};

/// How much of the suite is measured.
enum class Extent {
  quick,     ///< one workload, for a moment: a smoke test
  standard,  ///< the 9088x256 table and one that is larger than most caches, all threads
  all,       ///< every table, up to 10,000,000 rows, all sources of ids, all threads and one
};
[[nodiscard]] std::vector<Case> cases(Extent extent);

struct Result {
  Case which;
  double seconds = 0;           ///< the operation's median time for one batch
  double roofline_seconds = 0;  ///< the sum of the loops' medians
  double share = 0;             ///< the median of the rounds' ratios, roofline / operation
  double bytes = 0;             ///< compulsory bytes of a batch
  double core_latency_ns = 0;   ///< the longest after a round; 0 with one thread
};

/// Measures cases; keeps the table and the batches from one case to the next where they are the same.
class Suite {
 public:
  explicit Suite(Extent extent);

  /// Why the case can't be measured here; empty if it can.
  [[nodiscard]] std::string refusal(const Case& which) const;

  /// Throws std::runtime_error if the operation's result is wrong.
  [[nodiscard]] Result measure(const Case& which);

 private:
  Subject& prepare(const Case& which);

  std::size_t cache_bytes_;
  Effort effort_;
  std::unique_ptr<Subject> subject_;
  std::optional<IdSource> source_;  // of the subject's batches
};

}  // namespace bench
