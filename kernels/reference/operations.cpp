// SPDX-License-Identifier: Apache-2.0
// Whole operations on ids.
#include <algorithm>
#include <set>

#include "kernels/reference/reference.hpp"

namespace rowmill::reference {

std::int64_t resolve(std::int64_t id, std::int64_t rows, OutOfRange policy) {
  switch (policy) {
    case OutOfRange::clip:
      return id < 0 ? 0 : id >= rows ? rows - 1 : id;
    case OutOfRange::zero:
    case OutOfRange::skip:
      return id < 0 || id >= rows ? kIgnored : id;
    case OutOfRange::wrap_negative:
      return id < 0 ? id + rows : id;
    case OutOfRange::error:
      break;
  }
  return id;
}

float load(const ConstTableView& view, std::int64_t r, std::int64_t c) {
  const std::int64_t row_bytes = view.row_stride() * element_size(view.format());
  return load(view.format(), static_cast<const std::byte*>(view.bytes()) + r * row_bytes, view.dim(), c);
}

void store(const TableView& view, std::int64_t r, std::int64_t c, float x) {
  const std::int64_t row_bytes = view.row_stride() * element_size(view.format());
  store(view.format(), static_cast<std::byte*>(view.bytes()) + r * row_bytes, c, x);
}

void gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy) {
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    for (std::int64_t c = 0; c < table.dim(); ++c) store(out, i, c, row == kIgnored ? 0.0F : load(table, row, c));
  }
}

void convert(const ConstTableView& from, const TableView& to) {
  for (std::int64_t r = 0; r < from.rows(); ++r) {
    if (from.format() == to.format()) {
      const std::int64_t size = element_size(from.format());
      const auto* const in = static_cast<const std::byte*>(from.bytes()) + r * from.row_stride() * size;
      std::copy(in, in + row_elements(from.format(), from.dim()) * size,
                static_cast<std::byte*>(to.bytes()) + r * to.row_stride() * size);
    } else if (is_quantized(to.format())) {
      std::vector<float> row;
      for (std::int64_t c = 0; c < from.dim(); ++c) row.push_back(load(from, r, c));
      quantize_row(to.format(), row.data(), from.dim(), static_cast<std::uint8_t*>(to.bytes()) + r * to.row_stride());
    } else {
      for (std::int64_t c = 0; c < from.dim(); ++c) store(to, r, c, load(from, r, c));
    }
  }
}

void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy) {
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    if (row == kIgnored) continue;
    for (std::int64_t c = 0; c < table.dim(); ++c) store(table, row, c, load(table, row, c) + load(values, i, c));
  }
}

void renormalize(const TableView& table, Ids ids, float max_norm, NormType norm, OutOfRange policy,
                 std::optional<std::int64_t> padding_id) {
  std::set<std::int64_t> rows;
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == padding_id) continue;
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    if (row != kIgnored && row != padding_id) rows.insert(row);
  }
  for (const std::int64_t row : rows) {
    if (table.format() == Format::f32) {
      renormalize_row(table.row(row).data(), table.dim(), max_norm, norm);
    } else if (table.format() == Format::bf16) {
      renormalize_row(table.row<Bf16>(row).data(), table.dim(), max_norm, norm);
    } else {
      renormalize_row(table.row<F16>(row).data(), table.dim(), max_norm, norm);
    }
  }
}

}  // namespace rowmill::reference
