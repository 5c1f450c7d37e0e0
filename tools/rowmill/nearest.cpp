// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "commands.hpp"
#include "input.hpp"
#include "kernels/table/rows.hpp"
#include "rowmill/convert.hpp"
#include "rowmill/io/mapped_table.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::tool {
namespace {

using nlohmann::ordered_json;

/// A table with words, mapped where it can be, else loaded.
struct Source {
  explicit Source(const InputOptions& input) {
    map(input);
    if (mapped) {
      words = mapped->load_words();
      table = mapped->view();
    } else {
      loaded = load(input);
      words = std::move(loaded.words);
      table = loaded.table.view();
    }
    if (words.empty()) throw std::runtime_error(input.file.string() + ": has no words beside its table");
  }

  /// A file that can't be mapped is loaded, and one that is damaged is refused then.
  void map(const InputOptions& input) {
    const io::FileKind kind = kind_of(input);
    if (kind != io::FileKind::safetensors && kind != io::FileKind::npy) return;
    try {
      if (kind == io::FileKind::safetensors && is_split(input)) return;
      // A pass over the whole table is what the system's own read-ahead is for.
      mapped.emplace(input.file, io::MappedTableOptions{.tensor = input.load.tensor, .read_ahead = false});
    } catch (const io::FileError&) {
    }
  }

  static bool is_split(const InputOptions& input) {
    const io::SafetensorsFile file(input.file);
    return file.is_split(input.load.tensor.empty() ? file.only_table().name : input.load.tensor);
  }

  std::optional<io::MappedTable> mapped;
  io::WordVectors loaded;
  io::Vocabulary words;
  ConstTableView table;
};

struct Term {
  float sign;
  std::string word;
};

/// "king - man + woman": words and signs with spaces between them. What is a word as a whole is that word.
std::vector<Term> parse(const std::string& expression, const io::WordIndex& index) {
  if (index.find(expression)) return {{1, expression}};
  std::vector<Term> terms;
  float sign = 1;
  std::size_t begin = 0;
  while (true) {
    std::size_t end = expression.size();
    for (const char* const separator : {" + ", " - "}) end = std::min(end, expression.find(separator, begin));
    terms.push_back({sign, expression.substr(begin, end - begin)});
    if (end == expression.size()) return terms;
    sign = expression[end + 1] == '-' ? -1.0F : 1.0F;
    begin = end + 3;
  }
}

struct Query {
  std::vector<float> vector;
  std::vector<std::int64_t> rows;  ///< of its own words, which are no answers; ascending
};

/// The sum of the words' vectors, each of length 1 and with its sign.
Query query_of(const std::vector<Term>& terms, const Source& source, const io::WordIndex& index,
               const std::string& place) {
  const std::int64_t dim = source.table.dim();
  Query query{.vector = std::vector<float>(static_cast<std::size_t>(dim)), .rows = {}};
  std::vector<float> vector(query.vector.size());
  for (const Term& term : terms) {
    const std::optional<std::int64_t> row = index.find(term.word);
    if (!row) throw std::runtime_error(place + "the word '" + term.word + "' is not in the vocabulary");
    convert(some_rows(source.table, *row, 1), TableView(vector.data(), 1, dim));
    double square = 0;
    for (const float x : vector) square += static_cast<double>(x) * static_cast<double>(x);
    if (!(square > 0) || std::isinf(square)) {
      throw std::runtime_error(fmt::format("{}the vector of '{}' has no direction: it {}", place, term.word,
                                           square == 0 ? "is zero" : "holds NaN or infinity"));
    }
    const auto scale = static_cast<float>(term.sign / std::sqrt(square));
    for (std::size_t c = 0; c < vector.size(); ++c) query.vector[c] += scale * vector[c];
    query.rows.push_back(*row);
  }
  std::ranges::sort(query.rows);
  query.rows.erase(std::unique(query.rows.begin(), query.rows.end()), query.rows.end());
  return query;
}

/// For each query its answers. So many more are asked for as any query has words.
std::vector<std::vector<io::Neighbour>> answers_to(const std::vector<Query>& queries, const ConstTableView& table,
                                                   std::int64_t count) {
  Table vectors(static_cast<std::int64_t>(queries.size()), table.dim());
  std::size_t most = 0;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::ranges::copy(queries[q].vector, vectors.view().row(static_cast<std::int64_t>(q)).begin());
    most = std::max(most, queries[q].rows.size());
  }
  auto answers = io::nearest(table, vectors, count + static_cast<std::int64_t>(most));
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::erase_if(answers[q], [&](const io::Neighbour& neighbour) {
      return std::ranges::binary_search(queries[q].rows, neighbour.row);
    });
    answers[q].resize(std::min(answers[q].size(), static_cast<std::size_t>(count)));
  }
  return answers;
}

struct Expression {
  std::string text;
  std::string place;  ///< what stands before an error: "queries.txt: line 3: ", or nothing
};

/// Blank lines are no queries.
std::vector<Expression> expressions_of(const NearestOptions& options) {
  if (!options.queries.empty()) {
    const io::Vocabulary lines = io::load_words(options.queries);
    std::vector<Expression> expressions;
    for (std::int64_t i = 0; i < lines.size(); ++i) {
      if (lines[i].empty()) continue;
      expressions.push_back({std::string(lines[i]), fmt::format("{}: line {}: ", options.queries.string(), i + 1)});
    }
    return expressions;
  }
  std::string expression;
  for (const std::string& part : options.expression) {
    if (!expression.empty()) expression += ' ';
    expression += part;
  }
  if (expression.empty()) throw std::runtime_error("nearest: expected a word, or --queries FILE");
  return {{expression, {}}};
}

}  // namespace

int nearest(const NearestOptions& options) {
  const std::vector<Expression> expressions = expressions_of(options);
  const Source source(options.input);
  const io::WordIndex index(source.words);
  std::vector<Query> queries;
  for (const auto& [text, place] : expressions) {
    queries.push_back(query_of(parse(text, index), source, index, place));
  }
  const std::vector<std::vector<io::Neighbour>> answers = answers_to(queries, source.table, options.count);
  ordered_json output = ordered_json::array();
  for (std::size_t q = 0; q < answers.size(); ++q) {
    if (!options.input.json && answers.size() > 1) fmt::print("{}{}\n", q == 0 ? "" : "\n", expressions[q].text);
    ordered_json neighbours = ordered_json::array();
    for (const io::Neighbour& neighbour : answers[q]) {
      const std::string word(source.words[neighbour.row]);
      if (options.input.json) {
        neighbours.push_back({{"word", word}, {"row", neighbour.row}, {"cosine", neighbour.cosine}});
      } else {
        fmt::print("{:.4f}  {}\n", neighbour.cosine, word);
      }
    }
    output.push_back({{"query", expressions[q].text}, {"nearest", neighbours}});
  }
  if (options.input.json) fmt::print("{}\n", output.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  return 0;
}

}  // namespace rowmill::tool
