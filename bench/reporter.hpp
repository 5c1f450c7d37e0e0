// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace bench {

/// Prints one table, a row for each benchmark as it finishes.
class TableReporter : public benchmark::BenchmarkReporter {
 public:
  explicit TableReporter(std::string header) : header_(std::move(header)) {}
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

 private:
  std::string header_;
  std::string group_;
};

}  // namespace bench
