// SPDX-License-Identifier: Apache-2.0
// Whether the plain loops of the ceiling compute what they are there for.
#include <algorithm>
#include <cmath>
#include <utility>

#include "ceiling.hpp"
#include "huge_buffer.hpp"
#include "workloads.hpp"

namespace bench {

namespace {

std::string check_ceiling(std::int64_t dim, int threads) {
  const auto columns = static_cast<std::size_t>(dim);
  const Shape shape{101, dim, 40, 7};
  const auto elements = static_cast<std::size_t>(shape.rows * dim);
  for (const Operation operation : kOperations) {
    for (const IdSource source : {IdSource::uniform, IdSource::zipf, IdSource::one_row}) {
      const auto batches = make_batches(shape, source, 1, {});
      const std::vector<std::int32_t>& ids = batches[0];
      const auto buffer_row = [&](std::size_t i) {
        return is_pooled(operation) ? i / static_cast<std::size_t>(shape.length) : i;
      };
      const bool reads = is_lookup(operation);
      HugeBuffer tables[3] = {HugeBuffer(elements), HugeBuffer(elements), HugeBuffer(elements)};
      HugeBuffer row_state(static_cast<std::size_t>(shape.rows));
      HugeBuffer buffer(ids.size() * columns);
      const Problem problem{operation,
                            tables[0].data(),
                            {tables[1].data(), tables[2].data()},
                            has_row_state(operation) ? row_state.data() : nullptr,
                            shape.rows,
                            dim,
                            shape.length,
                            &batches,
                            {buffer.data()}};
      const Ceiling ceiling(problem, threads);
      for (const Ceiling::Loop& loop : ceiling.loops()) {
        for (HugeBuffer& table : tables) fill_small_numbers(table);
        fill_small_numbers(buffer);
        std::fill_n(row_state.data(), shape.rows, 0.0F);
        std::vector<double> expected[3];
        for (int t = 0; t < 3; ++t) expected[t].assign(tables[t].data(), tables[t].data() + elements);
        // What the operation adds to each element of its output: of the buffer, or of the weights.
        std::vector<double> sums(reads ? ids.size() * columns : elements);
        std::vector<float> touched(static_cast<std::size_t>(shape.rows));
        for (std::size_t i = 0; i < ids.size(); ++i) {
          touched[static_cast<std::size_t>(ids[i])] = 1;
          for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t in_buffer = buffer_row(i) * columns + c;
            const std::size_t in_table = static_cast<std::size_t>(ids[i] * dim) + c;
            if (reads) {
              sums[in_buffer] += static_cast<double>(tables[0].data()[in_table]);
            } else {
              sums[in_table] += static_cast<double>(buffer.data()[in_buffer]);
            }
          }
        }
        loop.run(0);
        bool right = true;
        if (is_plan(operation)) {
          right = positions_by_row(*loop.plan) == positions_by_row(ids, is_pooled(operation) ? shape.length : 1);
          sums.assign(sums.size(), 0.0);  // it writes no table
        }
        const auto expect = [&](double wanted, float got) {
          right &= std::abs(wanted - static_cast<double>(got)) <= 3e-8 + 1e-5 * std::abs(wanted);  // sums round
        };
        if (reads) {
          const std::size_t rows = buffer_row(ids.size() - 1) + 1;
          for (std::size_t i = 0; i < rows * columns; ++i) expect(sums[i], buffer.data()[i]);
        } else {
          for (std::size_t i = 0; i < elements; ++i) {
            for (int t = 0; t <= state_count(operation); ++t) {
              expect(expected[t][i] + (t == 0 ? sums[i] : sums[i] * sums[i]), tables[t].data()[i]);
            }
          }
          for (std::size_t r = 0; r < touched.size() && has_row_state(operation); ++r) {
            expect(static_cast<double>(touched[r]), row_state.data()[r]);
          }
        }
        if (!right) {
          return "the ceiling loop '" + loop.name + "' of " + std::string(name(operation)) + " (" +
                 std::string(name(source)) + ", " + std::to_string(threads) + " threads) computes something else";
        }
      }
    }
  }
  return {};
}

}  // namespace

std::string check_ceiling() {
  // Of 336 columns: some of each block size, and long enough to be asked for between the loads. The loops for one
  // width, with two threads.
  const std::pair<std::int64_t, int> cases[] = {{336, 1}, {336, 2}, {336, 3}, {64, 2}, {256, 2}};
  for (const auto& [dim, threads] : cases) {
    if (std::string wrong = check_ceiling(dim, threads); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace bench
