// SPDX-License-Identifier: Apache-2.0
// Runs the rowmill tool as a user does.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/io/support.hpp"

namespace rowmill::io::test {

struct Result {
  int status;
  std::string output;  // and errors
};

class ToolTest : public testing::Test {
 protected:
  /// Runs a shell's commands in the test's directory; $rowmill is the tool.
  Result run_shell(const std::string& commands) {
    const std::string command =
        "cd '" + directory.path().string() + "' && { rowmill='" ROWMILL_TOOL "'; " + commands + "\n} 2>&1";
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    Result result{0, {}};
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) result.output += static_cast<char>(c);
    const int status = ::pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
  }
  /// Runs `rowmill ARGUMENTS`.
  Result run(const std::string& arguments) { return run_shell("\"$rowmill\" " + arguments); }
  nlohmann::json run_json(const std::string& arguments) {
    const Result result = run(arguments + " --json");
    EXPECT_EQ(result.status, 0) << result.output;
    return nlohmann::json::parse(result.output);
  }

  TemporaryDirectory directory;
};

}  // namespace rowmill::io::test
