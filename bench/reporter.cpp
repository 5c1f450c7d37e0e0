// SPDX-License-Identifier: Apache-2.0
#include "reporter.hpp"

#include <cstdio>
#include <sstream>

namespace bench {

bool TableReporter::ReportContext(const Context&) {
  std::printf("%s\n\n%-24s%-13s%-9s%-9s%8s%12s%14s%8s%14s\n", header_.c_str(), "operation", "table", "batch", "ids",
              "threads", "time (us)", "rows/s (M)", "GB/s", "% of ceiling");
  return true;
}

void TableReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration) continue;
    std::istringstream parts(run.run_name.function_name);  // operation/table/batch/ids/threads
    std::string operation, table, batch, ids, threads;
    for (std::string* part : {&operation, &table, &batch, &ids, &threads}) std::getline(parts, *part, '/');
    if (const std::string group = table + batch; group != group_) {
      std::printf("\n");
      group_ = group;
    }
    std::printf("%-24s%-13s%-9s%-9s%8s", operation.c_str(), table.c_str(), batch.c_str(), ids.c_str(), threads.c_str());
    if (const auto rows = run.counters.find("rows/s"); rows != run.counters.end()) {
      std::printf("%12.1f%14.1f%8.1f%14.0f\n", run.GetAdjustedRealTime(), rows->second.value / 1e6,
                  run.counters.at("bytes/s").value / 1e9, 100 * run.counters.at("ceiling").value);
    } else {
      std::printf("  failed: see the end\n");
    }
    std::fflush(stdout);
  }
}

}  // namespace bench
