# SPDX-License-Identifier: Apache-2.0
"""Ways to break the library, each of which a test must notice. tests/mutations/run tries them."""
from typing import NamedTuple


class Edit(NamedTuple):
    file: str
    old: str  # stands in the file exactly once; short, so that it stays when the code around it moves
    new: str


class Mutation(NamedTuple):
    name: str
    tests: tuple  # "<executable>:<filter of GoogleTest>", tried in this order
    edits: tuple
    isa: str = ""  # matters to this instruction set alone


MUTATIONS = []


def mutation(name, tests, *edits, isa=""):
    MUTATIONS.append(Mutation(name, tuple(tests.split()), tuple(Edit(*edit) for edit in edits), isa))


# ---- Partial vectors

SIMD = "kernels/simd/x86.hpp"
mutation("partial store of one lane too many, avx512", "kernels_test:*avx512",
         (SIMD, "_mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), v)",
          "_mm512_mask_storeu_ps(p, static_cast<__mmask16>((2U << n) - 1U), v)"), isa="avx512")
mutation("partial store of one lane too few, avx512", "kernels_test:*avx512",
         (SIMD, "_mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), v)",
          "_mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << (n - 1)) - 1U), v)"), isa="avx512")
mutation("partial load of one lane too few, avx512", "kernels_test:*avx512",
         (SIMD, "_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p)",
          "_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << (n - 1)) - 1U), p)"), isa="avx512")
mutation("partial load reads past the row, avx512", "kernels_test:*avx512",
         (SIMD, "_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p)",
          "_mm512_maskz_loadu_ps(static_cast<__mmask16>((2U << n) - 1U), p)"), isa="avx512")
mutation("partial store of one lane too many, avx2 and sse2", "kernels_test:*avx2:*sse2",
         (SIMD, "return _mm_store_ss(p + 2, _mm_movehl_ps(v, v));", "return two(p + 2, _mm_movehl_ps(v, v));"))
mutation("partial store of one lane too few, avx2 and sse2", "kernels_test:*avx2:*sse2",
         (SIMD, "return _mm_store_ss(p + 2, _mm_movehl_ps(v, v));", "return;"))
mutation("partial load reads past the row, sse2", "kernels_test:*sse2",
         (SIMD, "return _mm_movelh_ps(two(p), _mm_load_ss(p + 2));",
          "return _mm_movelh_ps(two(p), two(p + 2));"), isa="sse2")
mutation("partial load reads past the row, avx2", "kernels_test:*avx2",
         (SIMD, "_mm256_set1_epi32(static_cast<int>(n)), lanes)", "_mm256_set1_epi32(static_cast<int>(n) + 1), lanes)"),
         isa="avx2")
HALVES = "kernels/simd/x86_halves.hpp"
mutation("bf16 is cut off, not rounded, avx512", "kernels_test:*bf16*avx512:*RoundsTo16Bits*avx512",
         (HALVES, "_mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))", "_mm512_and_si512(odd, _mm512_setzero_si512())"),
         isa="avx512")
mutation("a tie of bf16 rounds up, avx512", "kernels_test:*RoundsTo16Bits*avx512",
         (HALVES, "_mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))", "_mm512_set1_epi32(0x8000)"), isa="avx512")
mutation("a tie of bf16 rounds up, avx2", "kernels_test:*RoundsTo16Bits*avx2",
         (HALVES, "_mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))", "_mm256_set1_epi32(0x8000)"), isa="avx2")
mutation("a NaN becomes an infinity of bf16, avx512", "kernels_test:*RoundsTo16Bits*avx512",
         (HALVES, "_mm512_mask_or_epi32(rounded, nan, bits,", "_mm512_mask_or_epi32(rounded, nan & 0, bits,"), isa="avx512")
mutation("a tail of bf16 of one lane too many, avx512", "kernels_test:*bf16*avx512",
         (HALVES, "_mm512_mask_storeu_epi16(p, static_cast<__mmask32>((1U << n) - 1U)",
          "_mm512_mask_storeu_epi16(p, static_cast<__mmask32>((2U << n) - 1U)"), isa="avx512")
mutation("a tail of bf16 of one lane too few, avx2 and sse2", "kernels_test:*bf16*avx2:*bf16*sse2",
         (HALVES, "if ((n & 1) != 0) *p = static_cast<std::uint16_t>(rest);", ""))
mutation("a tail of bf16 reads past the row, avx2 and sse2", "kernels_test:*Of16Bit*avx2:*Of16Bit*sse2",
         (HALVES, "if ((n & 1) != 0) rest |= std::uint64_t{last[n & 2]} << (n & 2) * 16;",
          "if ((n & 1) != 0) rest |= (std::uint64_t{last[n & 2]} | std::uint64_t{last[(n & 2) + 1]} << 16) << (n & 2) * 16;"))
mutation("float16 is rounded towards 0, avx512", "kernels_test:*Rounds*avx512",
         (HALVES, "_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT", "_mm512_cvtps_ph(v, _MM_FROUND_TO_ZERO"), isa="avx512")
mutation("a tie of float16 rounds up, sse2", "kernels_test:*Rounds*sse2",
         (HALVES, "_mm_add_epi32(rebiased, odd)", "_mm_add_epi32(rebiased, _mm_set1_epi32(1))"), isa="sse2")
mutation("a denormal float16 is 0, sse2", "kernels_test:*Rounds*sse2",
         (HALVES, "choose(is_denormal, _mm_castps_si128(denormal), normal)",
          "choose(is_denormal, _mm_setzero_si128(), normal)"), isa="sse2")
mutation("a NaN becomes an infinity of float16, sse2", "kernels_test:*Rounds*sse2",
         (HALVES, "_mm_or_si128(nan, _mm_set1_epi32(0x7C00))", "_mm_set1_epi32(0x7C00)"), isa="sse2")
mutation("a small float16 is cut off, sse2", "kernels_test:*Rounds*sse2",
         (HALVES, "choose(is_denormal, denormal, normal)", "choose(is_denormal, _mm_setzero_si128(), normal)"), isa="sse2")

# ---- Leaf kernels

FIND = "kernels/ids/ids.isa.cpp"
mutation("the last id goes unchecked", "kernels_test:*find_bad_id*",
         (FIND, "for (; i < a.count; ++i)", "for (; i + 1 < a.count; ++i)"))
mutation("ids that are too large go unseen in whole blocks", "kernels_test:*find_bad_id*",
         (FIND, "(smallest < lowest) | (largest > highest)", "smallest < lowest"))

GATHER = "kernels/gather/gather.isa.cpp"
mutation("gather reads ids past the end to prefetch", "kernels_test:*gather*",
         (GATHER, "i + ahead < a.count && a.ids[i + ahead] >= 0) prefetch", "a.ids[i + ahead] >= 0) prefetch"))
mutation("gather copies the tail of a row from the wrong place", "kernels_test:*gather*",
         (GATHER, "<1>(bytes - kVectorBytes)", "<1>(bytes - kVectorBytes - 4)"))
mutation("gather copies one vector of a row of a fixed width", "kernels_test:*gather*",
         (GATHER, "<kVectors>(0)", "<1>(0)"))
mutation("gather cuts offsets to 32 bits", "far_test:*Gather*",
         (GATHER, "return table + id * a.table_stride * element_bytes;",
          "return table + static_cast<std::int32_t>(id * a.table_stride * element_bytes);"))
mutation("gather copies the ends of a short row from the wrong place", "kernels_test:*gather_16bit*",
         (GATHER, "__builtin_memcpy(parts[1], in + last, kPart);", "__builtin_memcpy(parts[1], in, kPart);"))
mutation("gather into another format reads ids past the end to prefetch", "kernels_test:*gather*_to_*",
         (GATHER, "i + ahead < a.count && ids[i + ahead] >= 0) {", "ids[i + ahead] >= 0) {"))
mutation("a gather into float16 writes bf16", "kernels_test:*gather*_to_*",
         ("kernels/simd/formats.hpp", "f.template operator()<F16Format>();", "f.template operator()<Bf16Format>();"))

SCATTER = "kernels/scatter_add/scatter_add.isa.cpp"
mutation("scatter_add reads ids past the end to prefetch", "kernels_test:*scatter_add*",
         (SCATTER, "k + ahead < a.count && a.rows[k + ahead] >= 0", "a.rows[k + ahead] >= 0"))
mutation("scatter_add goes backwards", "kernels_test:*scatter_add*",
         (SCATTER, "for (std::int64_t k = 0; k < a.count; ++k)", "for (std::int64_t k = a.count - 1; k >= 0; --k)"))
mutation("scatter_add adds ignored ids to the row before the table", "kernels_test:*scatter_add*",
         (SCATTER, "    if (a.rows[k] >= 0) {", "    {"))
mutation("scatter_add of any formats adds ignored ids to the row before the table", "kernels_test:*scatter_add_any*",
         (SCATTER, "if (a.rows[i] < 0) continue;", ""))
mutation("scatter_add adds to the first vector of a row of a fixed width alone", "kernels_test:*scatter_add*",
         (SCATTER, "add(v * kLanes, FullVector{})", "add(0, FullVector{})"))
mutation("scatter_add adds one vector of a row of a fixed width", "kernels_test:*scatter_add_segments*",
         (SCATTER, "add.template operator()<kVectors>(0,", "add.template operator()<1>(0,"))
mutation("scatter_add cuts offsets to 32 bits", "far_test:*ScatterAdd*",
         (SCATTER, "(table + a.rows[k] * a.table_stride, values",
          "(table + static_cast<std::int32_t>(a.rows[k] * a.table_stride), values"))
mutation("scatter_add adds a row's values backwards", "kernels_test:*scatter_add_segments*",
         (SCATTER, "p < last; ++p) {\n        const float* const value = segments.gradients.row(*p);",
          "p < last; ++p) {\n        const float* const value = segments.gradients.row(*(segments.positions + "
          "segments.begin[s] + (last - 1 - p)));"))
mutation("scatter_add leaves out a row's last values", "kernels_test:*scatter_add_segments*",
         (SCATTER, "p < last; ++p", "p + 1 < last; ++p"))
mutation("scatter_add sums a row's values before it adds them", "kernels_test:*scatter_add_segments*",
         (SCATTER, "sum[v] = Table::load(row + c + v * kLanes, lanes);\n", "sum[v] = Floats(-0.0F);\n"),
         (SCATTER, "unrolled<n>([&](std::int64_t v)\n                      __attribute__((always_inline)) { "
          "Table::store(row + c + v * kLanes, sum[v], lanes);",
          "unrolled<n>([&](std::int64_t v)\n                      __attribute__((always_inline)) { "
          "Table::store(row + c + v * kLanes, Table::load(row + c + v * kLanes, lanes) + sum[v], lanes);"))
mutation("scatter_add into bf16 rounds once for all of a row's values", "kernels_test:*scatter_add_segments_bf16*",
         (SCATTER, "Table::round(sum[v] + load(value + c + v * kLanes, lanes))", "sum[v] + load(value + c + v * kLanes, lanes)"))

POOL = "kernels/pool/pool.isa.cpp"
mutation("pool reads ids past the end to prefetch", "kernels_test:*pool*",
         (POOL, "i + ahead < end ? row(i + ahead) : now", "i + ahead < end + ahead ? row(i + ahead) : now"))
mutation("a bag lacks its last id", "kernels_test:*pool*",
         (POOL, "last = a.begin[b + 1];", "last = a.begin[b + 1] - (a.begin[b + 1] > first ? 1 : 0);"))
mutation("a bag is summed backwards", "kernels_test:*pool*",
         (POOL, "const Value* const now = row(i);", "const Value* const now = row(first + last - 1 - i);"))
mutation("a bag's first row is added to zero", "kernels_test:*pool*", (POOL, "Floats(-0.0F)", "Floats(0.0F)"))
mutation("a sum is multiplied by the reciprocal of its divisor", "kernels_test:*pool*",
         (POOL, "divide(sum[v], by)", "sum[v] * divide(Floats(1.0F), by)"))
mutation("a divisor of 0 is divided by", "kernels_test:*pool*", (POOL, "if (divisor == 0) {", "if (divisor != divisor) {"))
mutation("a divisor of 0 is divided by in 16 bits", "kernels_test:*pool*",
         ("kernels/pool/store_bag.hpp", "divisor == 0 ? Floats(0.0F) : divide(x, Floats(divisor))", "divide(x, Floats(divisor))"))
mutation("an empty bag is -0", "kernels_test:*pool*",
         ("kernels/pool/store_bag.hpp", "return empty ? 0 : a.divisors", "return a.divisors"))
mutation("a weight multiplies the sum", "kernels_test:*pool*",
         (POOL, "sum[v] += kWeighted ? weight * x : x;", "sum[v] = kWeighted ? weight * (sum[v] + x) : sum[v] + x;"))

MAX = "kernels/pool/pool_max.isa.cpp"
mutation("max takes a later NaN after a NaN", "pool_test:*MaxTakes*", (MAX, "~(term <= best) & (best == best)", "~(term <= best)"))
mutation("max takes no NaN", "pool_test:*MaxTakes*", (MAX, "~(term <= best) & (best == best)", "term > best"))
mutation("max takes the last of equal terms", "pool_test:*MaxTakes*",
         (MAX, "~(term <= best) & (best == best)", "~(term < best) & (best == best)"))
mutation("a first -infinity wins nothing", "pool_test:*MaxTakes*",
         (MAX, "position[v] = bits(first_position);", "position[v] = bits(first_position < 0 ? first_position : -1);"))
mutation("a row of zeros wins as a row", "kernels_test:*find_winners*",
         (MAX, "const std::int64_t position = ids[i] < 0 ? -1 : i - first;", "const std::int64_t position = i - first;"))
mutation("max takes what is dropped for a row of zeros", "kernels_test:*pool*",
         (MAX, "if (ids[i] == kDropped) continue;", ""))
mutation("a lost column takes part in a weight's gradient", "kernels_test:*pool_dots*",
         (MAX, "if (winners != nullptr) {", "if (winners == winners + 1) {"))
mutation("a dot product has no tail", "kernels_test:*pool_dots*", (MAX, "} else if (rest > 0) {", "} else if (rest > kLanes) {"))
KEEP = "kernels/ids/ids.isa.cpp"
mutation("the last ids of a bag are kept, padding or not", "kernels_test:*keep_ids*",
         (KEEP, "kept += drops && a.ids[i] == dropped ? 0 : 1;", "++kept;"))
mutation("a padding id is cut to 32 bits", "kernels_test:*keep_ids*",
         (KEEP, "static_cast<std::int64_t>(static_cast<Id>(a.dropped)) == a.dropped", "true"))
GRADIENTS = "kernels/pool/pool_gradients.cpp"
mutation("a mean's weights take nothing from their divisor", "pool_test:*EveryPooling*1_threads*",
         (GRADIENTS, "out[i] = (out[i] - total * factor) * factor;", "out[i] = out[i] * factor;"))
mutation("the weights of sqrtn are not squared", "pool_test:*EveryPooling*1_threads*",
         (GRADIENTS, "const float x = root ? w * w : w;", "const float x = w;"))
mutation("dropped weights count in the divisor", "pool_test:*EveryPooling*1_threads*",
         (GRADIENTS, "    if (rows[i] == kDropped) continue;\n    const float w", "    const float w"))
BLOCKS = "kernels/pool/bag_blocks.hpp"
mutation("a long bag's rows are written to the stack", "pool_test:*LongBags*1_threads*",
         (BLOCKS, "bags.begin(end + 1) - begin <= kBlockIds", "bags.begin(end + 1) - begin <= 2 * kBlockIds"))
mutation("padding of zero's rows is not dropped", "pool_test:*EveryPooling*1_threads*",
         ("kernels/ids/resolve.hpp", "if (id == padding_id) return kDropped;", ""))
mutation("find_bad_id allows what lies beside the padding id", "bad_input_test:*Padding*",
         ("kernels/ids/ids.cpp", "*padding_id == lowest - 1", "*padding_id < lowest"))

RANDOM = "kernels/random/random.isa.cpp"
mutation("Philox counts rows in 32 bits", "kernels_test:*fill_uniform*",
         (RANDOM, "static_cast<std::uint32_t>(row_number >> 32)", "0"))
mutation("random words of later blocks are those of the first", "kernels_test:*philox*",
         (RANDOM, "a.counter[0] + static_cast<std::uint32_t>(b)", "a.counter[0]"))
mutation("Philox has 9 rounds", "table_test:Philox*",
         ("kernels/random/philox.hpp", "kRounds = 10", "kRounds = 9"))

# ---- Word vectors

TILES = "kernels/word_vectors/tiles.isa.cpp"
WINDOWS = "kernels/word_vectors/windows.isa.cpp"
TILE = "layers/word_vectors/tile.cpp"
TRAINER = "layers/word_vectors/trainer.cpp"
SAMPLING = "layers/word_vectors/sampling.cpp"
mutation("the tree of a dot product pairs other lanes", "kernels_test:*dot_tile*",
         ("kernels/simd/tree.hpp", "halve<4, 4>(four(0), four(1)), halve<4, 4>(four(2), four(3))",
          "halve<4, 4>(four(0), four(2)), halve<4, 4>(four(1), four(3))"))
mutation("a sample that is the target counts", "kernels_test:*sample_coefficients*",
         (TILES, "(a.targets[i] != sample)", "(sample > -9)"))
mutation("the samples past the first are scored by the first", "kernels_test:*coefficient_tile*",
         (TILES, "a.coefficients + first * kGroup", "a.coefficients"))
mutation("gradients begin again with each part of the samples", "kernels_test:*coefficient_tile*",
         (TILES, "first == 0 ?", "first >= 0 ?"))
mutation("a window ends a word early", "kernels_test:*window_mean*", (WINDOWS, "d <= right ? row", "d < right ? row"))
mutation("a window is read backwards", "kernels_test:*window_mean*",
         (WINDOWS, "for (std::int64_t d = a.window; d > 0; --d) {", "for (std::int64_t d = 1; d <= a.window; ++d) {"))
mutation("windows read ids past the last to prefetch", "kernels_test:*window_mean*",
         (WINDOWS, "i + a.window + kAhead < a.ids_end", "c == 0"))
mutation("a row of the transposed windows takes the wrong side", "kernels_test:*window_transpose*",
         (WINDOWS, "d <= a.right[j - d]", "d <= a.left[j - d]"))
mutation("a window crosses the end of its sentence", "word_vectors_test:*AwkwardCorpora*",
         (TILE, "p + 1 == input.after || input.begins[p + 1] != 0 ? 0", "p + 1 == input.after ? 0"))
mutation("windows end with the tile", "word_vectors_test:*SameBits*:*AnyBatch*",
         (TILE, "std::min(input.after, input.count + most)", "input.count"))
mutation("tiles share their random words", "word_vectors_test:*AnyBatch*",
         ("layers/word_vectors/batch.cpp", "input.number += static_cast<std::uint64_t>(tile);", ""))
mutation("owners apply the tiles backwards", "word_vectors_test:*AnyBatch*",
         ("layers/word_vectors/batch.cpp", "for (const Tile& tile : before) {",
          "for (auto at = before.rbegin(); at != before.rend(); ++at) {\n      const Tile& tile = *at;"))
mutation("tiles add to rows that others touch", "word_vectors_test:*AnyBatch*",
         (TILE, "if (&tile != this) shared.add", "if (&tile < this) shared.add"))
mutation("a tile's samples are not among the rows it touches", "word_vectors_test:*AnyBatch*",
         (TILE, "output_vectors.touched.add(samples_[s]);", ";"))
mutation("a batch is trained with the words read by the last", "word_vectors_test:*AnyBatch*",
         (TRAINER, "alpha(words_read[b])", "alpha(words_read.back())"))
mutation("a late thread claims a task of a phase that is over", "environment_test:*Phases*",
         ("kernels/core/phases.hpp", "return claimed < phase &&", "return claimed != phase &&"))
mutation("a long sentence is not cut", "word_vectors_test:*AwkwardCorpora*",
         (TRAINER, "sentence_words == kMaxSentenceWords", "false"))
mutation("the first kept word begins a sentence only if it was its first", "word_vectors_test:*Reference*",
         (TRAINER, "begins_next = begins_next && !kept;", "begins_next = false;"))
mutation("a restored training forgets its place in the sentence", "word_vectors_test:*GoesOn*",
         (TRAINER, "sentence_words_ = state.sentence_words;", ""))
mutation("words are trained before all are checked", "word_vectors_test:*RefusesBadWords*",
         (TRAINER, "bad < count) {", "bad < count && bad < 1000) {"))
mutation("small vocabularies get large batches", "word_vectors_test:*DoesNotDiverge*",
         (SAMPLING, "static_cast<double>(batch) > most", "most < 0"))
mutation("rare words are sampled as often as their share", "word_vectors_test:*Reference*",
         (SAMPLING, "root * std::sqrt(root)", "root * root"))

ROW_COUNTS = "layers/word_vectors/row_counts.hpp"
mutation("rows that repeat get the sum of all their updates", "word_vectors_test:*AnyBatch*",
         (ROW_COUNTS, "kMax = 4;", "kMax = 1000;"))
mutation("rows that repeat get no more than one average update", "word_vectors_test:*AnyBatch*",
         (ROW_COUNTS, "static_cast<float>(kMax) / static_cast<float>(count)", "1.0F / static_cast<float>(count)"))
mutation("output rows that repeat get the sum of all their updates", "word_vectors_test:*AnyBatch*",
         (TILE, "listed[e].scale *= of_outputs.scale(slots[e]);", ";"))

# ---- Sums of gradients

SEGMENTS = "kernels/plan/segments.hpp"
GRADIENTS = "kernels/optimizer/gradients.isa.cpp"
MEAN_SQUARE = "kernels/optimizer/mean_square.hpp"
PASSES = "kernels/plan/passes.hpp"
mutation("a gradient's first term is added to zero", "kernels_test:*sum_block*",
         (SEGMENTS, "sum[v] = value;", "sum[v] = Floats(0.0F) + value;"))
mutation("contributions are summed in the wrong order", "kernels_test:*sum_block*",
         (SEGMENTS, "const auto* const row = gradients.row(*p);",
          "const auto* const row = gradients.row(positions[positions + count - 1 - p]);"))
mutation("gradients are summed without blocks", "kernels_test:*sgd*",
         (GRADIENTS, "end - block < block_size ? end - block : block_size", "end - block"))
mutation("a pass takes the first row of the next", "kernels_test:*sgd*:*sum_block*",
         (PASSES, "position < pass[half - 1].end ? pass", "position <= pass[half - 1].end ? pass"))
mutation("the index of passes leaves out the last that a place may have", "optimizer_test:PassOf*",
         (PASSES, "first[1] - first[0] + 1", "first[1] - first[0]"))
mutation("the index of passes begins behind the pass", "optimizer_test:PassOf*",
         (PASSES, "passes[pass].end <= b << index.shift", "passes[pass].end <= (b + 1) << index.shift"))
mutation("the first pass takes the first row of the next", "kernels_test:*sgd*:*sum_block*",
         (SEGMENTS, "position < first.end", "position <= first.end"))

mutation("a step reads rows past the end to prefetch", "kernels_test:*sgd*",
         (SEGMENTS, "rows[s + ahead < count ? s + ahead : s]", "rows[s + ahead]"))
mutation("a step reads positions past the end to prefetch", "kernels_test:*sgd*",
         (SEGMENTS, "p < last_ahead ? gradients", "p != nullptr ? gradients"))

mutation("scaled contributions are summed without blocks", "kernels_test:*sum_segments*",
         (GRADIENTS, "segments.begin[s + 1] - k < block_size ? segments.begin[s + 1] : k + block_size",
          "segments.begin[s + 1]"))
mutation("scaled sums start from +0", "kernels_test:*sum_segments*",
         (GRADIENTS, "to[v] = Floats(-0.0F);", "to[v] = Floats(0.0F);"))
TERMS = "kernels/plan/terms.hpp"
mutation("a max's gradient goes to every position", "kernels_test:*sum_segments*",
         (TERMS, "take(v, winners.where_won(k, *p, column, lanes, term));", "take(v, term);"))
mutation("scatter_add forgets coefficients", "kernels_test:*scatter_add_segments*",
         (TERMS, "term = coefficient *", "term ="))
mutation("rows of a fixed width forget coefficients", "kernels_test:*sgd*:*adagrad*",
         (SEGMENTS, "return coefficient * g;", "return g;"))
mutation("a single contribution forgets its coefficient", "kernels_test:*sgd*:*adagrad*",
         ("kernels/optimizer/update_rows.hpp", "Floats(segments.coefficient(position))", "Floats(1.0F)"))
mutation("mean squares forget factors", "kernels_test:*mean_squares*",
         (GRADIENTS, "a.factors == nullptr ? 1.0F : a.factors[p]", "1.0F"))
mutation("means with weights use mean squares of unscaled rows", "gradient_options_test:*SquareScaled*",
         ("kernels/optimizer/step.cpp", "plan.shard(0).coefficients.empty() || !plan.factors().empty()", "true"))
mutation("not finite values go unseen", "kernels_test:*guard_rows*",
         (GRADIENTS, "differences += x - x;", "differences = x - x;"))
mutation("clipped values keep no sign", "kernels_test:*guard_rows*",
         (GRADIENTS, "const Floats least(-a.clip_value);", "const Floats least(a.clip_value);"))
mutation("the squares of a clipped row are those before", "kernels_test:*guard_rows*",
         (GRADIENTS, "squares = rewrite_row(\n          g,", "(void)rewrite_row(\n          g,"))
ROW_SUMS = "kernels/gradient/row_sums.cpp"
mutation("global norms are summed without blocks", "sparse_gradient_test:*Hot*1_threads*",
         (ROW_SUMS, "kNormBlock = 1024;", "kNormBlock = 1 << 20;"))
mutation("global norms go in the order of the shards", "sparse_gradient_test:*Hot*1_threads*",
         (ROW_SUMS, "order_.number(FirstOccurrence::position(shard, g))",
          "shard_begin_[s] + static_cast<std::int64_t>(g)"))
mutation("a skipped step counts", "gradient_options_test:*LeaveAStepOut*",
         ("kernels/optimizer/step.cpp", "      ++skipped_steps_;\n", "      ++skipped_steps_;\n      ++step_count_;\n"))

STEP = "kernels/optimizer/step.cpp"
CONTRIBUTIONS = "kernels/gradient/contributions.cpp"
mutation("blocks of 1,023", "optimizer_test:*EqualsTheReference*1_threads*",
         (CONTRIBUTIONS, ".block = kSumBlock,", ".block = kSumBlock - 1,"))
mutation("a hot row's last block runs over its end", "optimizer_test:*EqualsTheReference*2_threads*",
         (CONTRIBUTIONS, "std::min(kSumBlock, begin[1] - p)", "kSumBlock"))
mutation("a hot row's block sums are added backwards", "optimizer_test:*EqualsTheReference*2_threads*",
         (CONTRIBUTIONS, "block_numbers_[blocks] = blocks;",
          "block_numbers_[blocks] = hot_begin_[h] + (begin[1] - p - 1) / kSumBlock;"))
mutation("a very hot row's block sums are added in blocks", "optimizer_test:*MillionContributions*",
         (CONTRIBUTIONS, ".block = max_blocks,", ".block = kSumBlock,"))
mutation("a hot row is updated twice", "optimizer_test:*EqualsTheReference*2_threads*",
         ("kernels/gradient/contributions.hpp", "done = segment + 1;", "done = segment;"))
mutation("a hot row's shard is not looked at", "optimizer_test:*EqualsTheReference*2_threads*",
         ("kernels/gradient/contributions.hpp", "if (hot_[h].shard != s) continue;", ""))
mutation("a step ignores the caller's workspace", "allocation_test:*Steady*1_threads*",
         (STEP, "workspace != nullptr ? *workspace : own", "own"))
mutation("a step counts before its checks", "bad_input_test:*FailedStep*",
         (STEP, "  ++step_count_;\n", ""),
         (STEP, "  check_writable(name_, ", "  ++step_count_;\n  check_writable(name_, "))

# ---- Optimizers

FORMULAS = "kernels/optimizer/formulas/"
mutation("the lanes of a sum across columns combine in another order", "kernels_test:*row_wise*",
         (SIMD, "v = _mm_add_ps(v, _mm_movehl_ps(v, v));", "v = _mm_add_ps(v, _mm_shuffle_ps(v, v, 0xB1));"),
         (SIMD, "_mm_shuffle_ps(v, v, 1)", "_mm_shuffle_ps(v, v, 2)"))
mutation("the lanes of a sum across columns are not those of 16", "kernels_test:*row_wise*",
         ("kernels/simd/lane_sums.hpp", "sums_[v % kVectors]", "sums_[0]"), isa="avx2")
mutation("a mean square divides by one less", "kernels_test:*row_wise*",
         (MEAN_SQUARE, "static_cast<float>(gradient.dim)", "static_cast<float>(gradient.dim - 1)"))
ROWS = "kernels/optimizer/update_rows.hpp"
VECTORS = "kernels/simd/vectors.hpp"
mutation("a narrower row is taken for one of a fixed width", "kernels_test:*sgd*",
         (VECTORS, "if (dim == kColumns)", "if (dim <= kColumns)"))
mutation("a group begins at a row's first column again", "kernels_test:*scatter_add_segments*",
         (VECTORS, "for_each_group<n / 2>(dim, body, c);", "for_each_group<n / 2>(dim, body);"))
mutation("rows of a strided table count as packed", "kernels_test:*sgd*",
         (SEGMENTS, "table_stride == a.dim && ", ""))
mutation("gradients of three passes count as packed", "kernels_test:*sgd*",
         (SEGMENTS, "a.pass_count == 1 && ", ""))
mutation("strided gradients count as packed", "kernels_test:*sgd*",
         (SEGMENTS, " && a.passes[0].stride == a.dim", ""))
mutation("a packed row past the end is prefetched", "kernels_test:*sgd*",
         (ROWS, "rows[s + ahead < count ? s + ahead : s]", "rows[s + ahead]"))
mutation("a packed gradient past the end is prefetched", "kernels_test:*sgd*",
         (ROWS, "p < last_ahead ? gradients", "p != nullptr ? gradients"))
mutation("a sum's first vector stands for the others, fixed widths", "kernels_test:*sgd*",
         (MEAN_SQUARE, "body(v * kLanes, sum[v], FullVector{})", "body(v * kLanes, sum[0], FullVector{})"))
mutation("more than a block is summed in registers, fixed widths", "kernels_test:*sgd*",
         (ROWS, "contributions <= max_contributions) [[likely]]", "contributions > 0 && max_contributions > 0) [[likely]]"))
mutation("more than a block is summed in registers, L2 decay", "kernels_test:*sgd*",
         (ROWS, "if (contributions > a.gradients.block) {", "if (contributions > a.gradients.block && !l2) {"))
mutation("L2 decay is left out, fixed widths", "kernels_test:*sgd*",
         (ROWS, "sum[v] = sum[v] + factor * Weights::load", "sum[v] = sum[v] + Floats(0.0F) * Weights::load"))
mutation("L2 decay is left out, other widths", "kernels_test:*sgd*",
         (ROWS, "      gradient = {scratch, dim, Floats(1.0F)};\n", ""))
mutation("a sum of several contributions escapes L2 decay, other widths", "kernels_test:*sgd*",
         (ROWS, "contributions <= block && !l2", "contributions <= block"))
mutation("more than a block is summed in registers, other widths", "kernels_test:*sgd*",
         (ROWS, "contributions > 1 && contributions <= block", "contributions > 1 && block > 0"))
mutation("the first vector of a long sum stands for the others", "kernels_test:*sgd*",
         (ROWS, "load(a.scratch + v * kLanes)", "load(a.scratch)"))
mutation("a sum takes the mean square of its first gradient", "kernels_test:*row_wise*",
         (ROWS, "contributions == 1 && mean_squares != nullptr", "mean_squares != nullptr"))
mutation("a row takes the mean square of another gradient, fixed widths", "kernels_test:*row_wise*",
         (ROWS, "mean_squares + *position", "mean_squares + s"))
mutation("a row takes the mean square of another gradient, other widths", "kernels_test:*row_wise*",
         (ROWS, "known = mean_squares + p;", "known = mean_squares + s;"))
mutation("weight decay comes after the step", "kernels_test:*sgd*",
         (ROWS, "formula(decay(Weights::load(w + c, lanes)), g, row, state)",
          "decay(formula(Weights::load(w + c, lanes), g, row, state))"))
mutation("nesterov is plain momentum", "kernels_test:*sgd*",
         (FORMULAS + "sgd.isa.cpp", "nesterov ? g + momentum * state[0] : state[0]", "state[0]"))
mutation("Adagrad's epsilon stands inside the root", "kernels_test:*adagrad*",
         (FORMULAS + "adagrad.isa.cpp", "square_root(state[0]) + epsilon", "square_root(state[0] + epsilon)"))
mutation("Adam's epsilon stands inside the root", "kernels_test:*adam*",
         (FORMULAS + "adam.isa.cpp", "square_root(state[1]) * inverse_sqrt_bc2 + epsilon",
          "square_root(state[1] + epsilon) * inverse_sqrt_bc2"))
mutation("mean squares stand where the rows of a part begin", "kernels_test:*mean_squares*",
         (GRADIENTS, "a.out[p] = mean_square(", "a.out[p - a.begin] = mean_square("))
mutation("mean squares of gradients are taken though L2 adds to them", "optimizer_test:*SquaresEach*",
         (STEP, "uses_mean_squares() && one_factor &&", "one_factor &&"))
mutation("a gradient row of each task goes unsquared", "optimizer_test:*SquaresEach*",
         (STEP, "{gradients, begin, end, out, factors}", "{gradients, begin, end - 1, out, factors}"))
mutation("row-wise Adam's epsilon is not corrected for bias", "kernels_test:*row_wise_adam*",
         (FORMULAS + "partial_row_wise_adam.isa.cpp", "__builtin_sqrtf(v) * scalars.inverse_sqrt_bc2 + scalars.epsilon",
          "(__builtin_sqrtf(v) + scalars.epsilon) * scalars.inverse_sqrt_bc2"))

SCALARS = "kernels/optimizer/optimizer.cpp"
mutation("Adam corrects v's bias by beta1", "optimizer_test:*EqualsTheReference*1_threads*",
         (SCALARS, "beta2_power_ *= o.beta2", "beta2_power_ *= o.beta1"))
mutation("Adam's bias correction is a step behind", "optimizer_test:OptimizerFormula*",
         ("kernels/optimizer/impl.hpp", "double beta2_power_ = 1;", "double beta2_power_ = 0.999;"))
mutation("an optimizer does not see a new learning rate", "optimizer_test:*LearningRate*",
         (SCALARS, "o.learning_rate = learning_rate; }", "o.learning_rate += 0 * learning_rate; }"))

# ---- Plans

GROUPING = "kernels/plan/grouping.cpp"
FILLER = "kernels/plan/filler.cpp"
mutation("a shard's chunks stand in the wrong order", "plan_test:*SaysWhich*1_threads* scatter_add_test:*EqualsTheLoop*",
         ("kernels/plan/grouping.hpp", "std::uint32_t* list = lists(0) + s;",
          "std::uint32_t* list = lists((id_count_ - 1) / chunk_size_) + s;"),
         ("kernels/plan/grouping.hpp", "std::int64_t begin = 0; begin < id_count_; begin += chunk_size_, list +=",
          "std::int64_t begin = (id_count_ - 1) / chunk_size_ * chunk_size_; begin >= 0; begin -= chunk_size_, list -="))
mutation("a row lies in two shards", "plan_test:*SaysWhich*1_threads*",
         (GROUPING, "std::int64_t) { ++next[shard_of(row) + 1]; }", "std::int64_t i) { ++next[shard_of(row + i % 2) + 1]; }"),
         (GROUPING, "sorted[next[shard_of(row) + 1]++]", "sorted[next[shard_of(row + position % 2) + 1]++]"))
mutation("a shard lacks the last position of each chunk", "plan_test:*SaysWhich*1_threads*",
         ("kernels/plan/grouping.hpp", "k < list[1]", "k + 1 < list[1]"))
mutation("a bag ends one id late", "plan_test:*PutsBags*1_threads*",
         (FILLER, "std::min(end, bags_->begin(bag + 1))", "std::min(end, bags_->begin(bag + 1) + 1)"))
mutation("a bag's first id counts to the one before", "plan_test:*FindsTheBags*1_threads*",
         ("kernels/plan/filler.hpp", "static_cast<double>(i) + 0.5", "static_cast<double>(i) - 0.5"))
mutation("a bag's length divides by rounding down twice", "plan_test:*FindsTheBags*1_threads*",
         ("kernels/plan/filler.hpp", "static_cast<double>(i) + 0.5", "static_cast<double>(i)"))
mutation("a bag's length divides in single precision", "plan_test:PlanBags*",
         ("kernels/plan/filler.hpp", "static_cast<double>(i) + 0.5", "static_cast<float>(i) + 0.5F"))
mutation("one row's shard is another's", "plan_test:*OfOneRow*1_threads*",
         (GROUPING, "g_.shard_begin_[s] = s <= owner ? 0 : count;", "g_.shard_begin_[s] = s < owner ? 0 : count;"))
mutation("one row that is ignored is planned", "plan_test:*OfOneRow*1_threads*",
         (GROUPING, "row == kIgnored ? 0 : id_count_", "id_count_"))
mutation("rows whose hashes collide are one", "plan_test:PlanLarge.KeepsRowsApart*",
         ("kernels/plan/numbering.hpp", "while (__builtin_expect(out.rows[number] != row, 0)) {",
          "while (__builtin_expect(out.rows[number] != row, 0) && mask < 0) {"))
mutation("a shard lacks its last row", "scatter_add_test:*EqualsTheLoop*2_threads*",
         (GROUPING, ".rows = {segment_rows_ + begin, segments}",
          ".rows = {segment_rows_ + begin, segments - (segments > 0 ? 1 : 0)}"))

mutation("a chunk is longer than two bytes can count", "plan_test:PlanLarge*",
         (GROUPING, "least, std::int64_t{1} << 16", "least, std::int64_t{1} << 17"))
mutation("a shard too large for the stack is grouped there", "plan_test:PlanLarge*",
         (GROUPING, "if (count <= kSlots / 2)", "if (count <= kSlots)"))

PLAN = "kernels/plan/plan.cpp"
mutation("a row of exactly one block counts as hot", "plan_test:PlanHot*",
         (PLAN, "shard.segment_begin[g] > kSumBlock", "shard.segment_begin[g] >= kSumBlock"))
mutation("shards whose hot rows are small are not searched for them", "plan_test:PlanHot*",
         (PLAN, "largest_segment(s) <= kSumBlock", "largest_segment(s) <= 2 * kSumBlock"))
mutation("a plan changes before its ids are checked", "plan_test:PlanRebuild*",
         (PLAN, "  check_ids(kOp, ids, rows, options.out_of_range, options.name, options.padding_id);\n"
          "  build(ids, nullptr, rows, options);",
          "  build(ids, nullptr, rows, options);\n"
          "  check_ids(kOp, ids, rows, options.out_of_range, options.name, options.padding_id);"))

BAG_FACTOR = "kernels/plan/bag_factor.hpp"
mutation("a mean counts what it leaves out", "sparse_gradient_test:*Bags*1_threads*",
         (BAG_FACTOR, "== kDropped) continue;", "== kDropped) ++count;"))
mutation("sqrtn by the weights does not square them", "sparse_gradient_test:*Bags*1_threads*",
         (BAG_FACTOR, "weight : weight * weight", "weight : weight"))
mutation("a divisor of 0 makes a factor of infinity", "sparse_gradient_test:*Bags*1_threads*",
         (BAG_FACTOR, "divisor == 0 ? Float{0} : 1 / divisor", "1 / divisor"))
mutation("a mean's weight is left out", "sparse_gradient_test:*Bags*1_threads*",
         (FILLER, "scaled ? bags_->weights()[static_cast<std::size_t>(i)] * factor", "scaled ? factor"))
mutation("the bags behind the last id have no factor", "plan_test:*SayWhatContributions*",
         (FILLER, "|| end == g_.id_count_", ""))
mutation("a winner's position is that in the batch", "plan_test:*SayWhatContributions* plan_test:*KnowTheirCoefficients*",
         (FILLER, "position - bags_->begin(bag)", "position - 0 * bags_->begin(bag)"))
mutation("rows first occur where they last do", "sparse_gradient_test:*OrderOfFirst*1_threads*",
         (FILLER, "next += segment == next ? 1 : 0;", "next = segment + 1;"))
mutation("rows are numbered by the whole words before theirs alone", "sparse_gradient_test:*1_threads*",
         ("kernels/gradient/first_occurrence.hpp", "std::popcount(firsts_[position / 64] & earlier)",
          "std::popcount(firsts_[position / 64] & earlier & 1)"))

# ---- Operations

OPERATION = "kernels/gather/gather.cpp"
OWNERS = "kernels/scatter_add/scatter_add.cpp"
mutation("gather streams into rows that are not aligned", "gather_test:*Streams*1_threads*",
         (OPERATION, "if (!aligned || stores == Stores::ordinary) return false;",
          "if (stores == Stores::ordinary) return false;"))
mutation("gather resolves the first block of ids again and again", "gather_test:*Policies*1_threads*",
         (OPERATION, "resolve_block(ids, begin, args.count", "resolve_block(ids, first, args.count"))
mutation("gather writes before it checks the ids", "bad_input_test:*IdOutOfRange*",
         (OPERATION, "  check_ids(kOp, ids, table.rows(),",
          "  std::fill_n(out.data(), out.rows() > 0 ? 1 : 0, 0.0F);\n  check_ids(kOp, ids, table.rows(),"))
mutation("scatter_add writes before it checks the ids", "bad_input_test:*IdOutOfRange*",
         (OWNERS, "  check_ids(kOp, ids, table.rows(),",
          "  std::fill_n(table.data(), table.rows() > 0 ? 1 : 0, 0.0F);\n  check_ids(kOp, ids, table.rows(),"))
mutation("a task of pooling lacks its last bag", "pool_test:*PoolTest*EqualsTheReference*1_threads*",
         ("kernels/pool/bag_blocks.cpp", "bags.size() : bags.bag_of(end - 1) + 1", "bags.size() : bags.bag_of(end - 1)"))
RESOLVE = "kernels/ids/resolve.hpp"
mutation("an id is cut to 32 bits", "gather_test:*Policies*1_threads*",
         (RESOLVE, "resolve(std::int64_t id,", "resolve(std::int32_t id,"))
mutation("clip lets the id after the last one through", "gather_test:*Policies*1_threads*",
         (RESOLVE, "id < rows ? id : rows - 1", "id <= rows ? id : rows - 1"))
CHECKS = "kernels/core/checks.cpp"
mutation("overlap is judged by outer bounds", "gather_test:*ColumnSlices*1_threads*",
         (CHECKS, "if (touches(begin, begin + static_cast<std::uintptr_t>(few.width), many)) return true;", "return begin != 0;"))
mutation("the last row is left out of the overlap check", "bad_input_test:*Overlap*",
         (CHECKS, "r < few.rows; ++r", "r + 1 < few.rows; ++r"))

# ---- Layers

EMBEDDING = "layers/embedding.cpp"
BAG = "layers/embedding_bag.cpp"
mutation("the padding row is trained", "embedding_test:*Padding*",
         (EMBEDDING, "bag = bag.with_padding(*padding_id_);", "bag = bag.with_padding(-1);"))
mutation("padding of a layer's bags counts", "embedding_bag_test:*BagsTrain*1_threads*",
         (BAG, ".with_padding(kDropped)", ".with_padding(kDropped - 9)"))
mutation("a row of zeros does not count in a layer", "embedding_bag_test:*BagsTrain*1_threads*",
         (BAG, ".with_padding(kDropped)", ".with_padding(kZeroRow)"))
mutation("passes without weights have those of 1 / 2", "embedding_bag_test:*BagsTrain*1_threads*",
         (BAG, "weights_.resize(first_id, 1.0F);", "weights_.resize(first_id, 0.5F);"))
mutation("a pass with weights forgets them", "embedding_bag_test:*BagsTrain*1_threads*",
         (BAG, "weighted_ = weighted;", "weighted_ = weighted && weighted_;"))
mutation("a failed pass leaves its winners", "embedding_bag_test:*WritesNothing*",
         (BAG, "const std::size_t first = winner_count();", "const std::size_t first = winners_.size();"))
mutation("gradients are never copied", "embedding_bag_test:*Lookups*1_threads*",
         ("layers/trained_table.cpp", "if (recorded_ == Recorded::referenced) return gradients_.push_back(gradient);",
          "return gradients_.push_back(gradient);"))
mutation("a failed lookup scales rows down", "embedding_bag_test:*AFailedForward*",
         (EMBEDDING, "check_gather(table_, ids, out, out_of_range_);", ""))
mutation("a failed lookup of bags scales rows down", "embedding_bag_test:*AFailedForward*",
         (BAG, "check_pool(table_, padded, out, options_);", ""))

# ---- Surroundings

FP = "kernels/core/fp_environment.hpp"
mutation("the caller's floating-point modes stay", "fp_environment_test:*",
         (FP, "saved_(read()) { write(kDefault); }", "saved_(read()) {}"))
mutation("the caller's floating-point modes do not come back", "fp_environment_test:*",
         (FP, "~FpEnvironment() { write(saved_); }", "~FpEnvironment() { write(kDefault); }"))
mutation("denormals are flushed to zero", "fp_environment_test:*",
         (FP, "kDefault = 0x1F80", "kDefault = 0x9F80"))
PARALLEL = "kernels/core/parallel.hpp"
REGIONS = "kernels/core/parallel.cpp"
mutation("shared tasks keep the caller's floating-point modes", "environment_test:*FlushToZero*2_threads*",
         (REGIONS, "const FpEnvironment environment;\n    const std::int64_t own", "const std::int64_t own"))
mutation("scatter_add alone keeps the caller's floating-point modes", "environment_test:*FlushToZero*1_threads*",
         (OWNERS, "  const FpEnvironment environment;\n", ""))
mutation("a step's scalars round as the caller does", "environment_test:*FlushToZero*1_threads*",
         (STEP, "  const FpEnvironment environment;\n", ""))
mutation("an initializer's limits round as the caller does", "environment_test:*FlushToZero*1_threads*",
         ("kernels/random/random.cpp", "  const FpEnvironment environment;\n", ""))
mutation("a cancelled group of the caller's cancels a region", "environment_test:*Cancelled*",
         (REGIONS, "context(tbb::task_group_context::isolated)", "context(tbb::task_group_context::bound)"))
mutation("a waiting thread enters the library again", "environment_test:*EnterTheLibraryAgain*",
         (REGIONS, "tbb::this_task_arena::isolate([&] {", "[](const auto& region) { region(); }([&] {"))
mutation("a share's last item is left out", "gather_test:*EqualsTheReference*2_threads*",
         (REGIONS, "i < share.end;", "i + 1 < share.end;"))
mutation("a last chunk runs over the end", "gather_test:*EqualsTheReference*2_threads*",
         (PARALLEL, "size - begin < grain ? size : begin + grain", "begin + grain"))

# ---- Tables on disk

NEW_FILE = "io/file/new_file.cpp"
mutation("io: a new file is not synced before it is renamed", "io_crash_test:*AtEveryMoment*",
         (NEW_FILE, "sync ? ::fsync(file_.get()) != 0 :", "sync ? false :"))
mutation("io: a new file's directory is not synced", "io_crash_test:*AtEveryMoment*",
         (NEW_FILE, "if (sync && ::fsync(opened.get()) != 0 && errno != EINVAL)", "if (false)"))
mutation("io: a save that fails leaves its temporary file", "io_crash_test:*WhenACallFails*",
         (NEW_FILE, "if (!temporary_.empty()) ::unlink(temporary_.c_str());", ""))
mutation("io: a failing write is taken for a whole one", "io_crash_test:*WhenACallFails*",
         (NEW_FILE, "if (count < 0) throw_system_error(path_, \"written\", errno);", "if (count < 0) return;"))
mutation("io: what a killed process left stays", "io_new_file_test:*RemovesWhat*",
         (NEW_FILE, "  remove_leftovers();\n\n", "\n"))
mutation("io: a temporary file in work is taken for a leftover", "io_new_file_test:*RemovesWhat*",
         (NEW_FILE, "::flock(leftover.get(), LOCK_EX | LOCK_NB) == 0 && ", ""))

HEADER = "io/safetensors/header.cpp"
mutation("io: overlapping tensors are taken", "io_safetensors_test:*Hostile*",
         (HEADER, "if (tensor.begin != filled) {", "if (tensor.begin > filled) {"))
mutation("io: a hole between tensors is taken", "io_safetensors_test:*Hostile*",
         (HEADER, "if (tensor.begin != filled) {", "if (tensor.begin < filled) {"))
mutation("io: bytes behind the last tensor are taken", "io_safetensors_test:*Hostile*",
         (HEADER, "if (filled != data_bytes) {", "if (filled > data_bytes) {"))
mutation("io: the last of two tensors of one name is taken", "io_safetensors_test:*Hostile*",
         (HEADER, "if (!names_.insert(value).second) throw", "names_.insert(value);\n        if (value.empty()) throw"))
mutation("io: bytes behind a .npy array are taken", "io_npy_test:*BadHeaders*",
         ("io/npy/header.cpp", "|| bytes != file.size()", "|| bytes > file.size()"))
CORPUS = "io/corpus/corpus.cpp"
TEXT_BLOCKS = "io/corpus/text_blocks.cpp"
mutation("io: a short read of a pipe is taken for its end", "io_word_vectors_test:*NamedPipe* io_corpus_test:*NamedPipe*",
         ("io/file/byte_stream.cpp", "if (count == 0) break;\n    done += static_cast<std::size_t>(count);",
          "done += static_cast<std::size_t>(count);\n    break;"))
mutation("io: a block of a corpus ends within a word", "io_corpus_test:*PlainLoops*",
         (TEXT_BLOCKS, "std::find_if(block.text.rbegin(), block.text.rend(), is_white_space).base()", "block.text.end()"))
mutation("io: a sentence goes on in the next file", "io_corpus_test:*PlainLoops*",
         (TEXT_BLOCKS, "if (block.ends_file) end_sentence();", ""))
mutation("io: a word that occurs min_count times is left out", "io_corpus_test:*PlainLoops*",
         (CORPUS, "count_of(number) >= options.min_count", "count_of(number) > options.min_count"))
mutation("io: of words with equal counts the last stands first", "io_corpus_test:*SortsByCount*",
         (CORPUS, "? count_of(a) > count_of(b) : a < b", "? count_of(a) > count_of(b) : a > b"))
mutation("io: a sentence without a word of the vocabulary stays", "io_corpus_test:*PlainLoops*",
         (CORPUS, "(number == kSentenceEnd && last == kSentenceEnd)", "false"))
mutation("io: the checksum of a corpus leaves out the text", "io_corpus_test:*Checksum*",
         (CORPUS, "checksum.add(std::as_bytes(block.first(kept)));", ""))
mutation("io: a corpus is read from its beginning", "io_corpus_test:*ReadsAnyPart*",
         (CORPUS, "spool_->read(begin, out", "spool_->read(0, out"))
mutation("io: another number of words is taken", "io_word_vectors_test:AnyKind*",
         ("io/word_vectors/any_kind.cpp", "if (words.size() != rows) {", "if (words.size() > rows) {"))
mutation("io: a word that stands twice is its last row", "io_word_vectors_test:WordIndex*",
         ("io/word_vectors/vocabulary.cpp", "std::pair(words[r], r)", "std::pair(words[r], -r)"))

mutation("io: a tensor's checksum is not compared", "io_checkpoint_test:*EveryChangedByte*",
         ("io/safetensors/safetensors.cpp", "if (expected != metadata_.end() && expected->second == actual) return;",
          "if (expected != metadata_.end()) return;"))
mutation("io: metadata are not in the checksum", "io_checkpoint_test:*EveryChangedByte*",
         ("io/safetensors/save.cpp", "    add(value);\n", ""))
SAVED = "io/checkpoint/saved_state.cpp"
mutation("io: Adam goes on with another power of beta", "io_resume_test:*",
         (SAVED, "saved.progress.beta1_power = powers[0];", "saved.progress.beta1_power = powers[1];"))
mutation("io: the learning rate is not restored", "io_resume_test:*",
         (SAVED, "  optimizer->set_learning_rate(saved.learning_rate);\n", ""))
DELTA = "io/checkpoint/delta.cpp"
mutation("io: a delta restores the table without its states", "io_resume_test:*Deltas*",
         (DELTA, "  for (const Target& target : change.saved.targets) {\n    Table saved",
          "  for (const Target& target : std::span(change.saved.targets).first(1)) {\n    Table saved"))
mutation("io: a missing link of a chain is not noticed", "io_delta_test:*",
         (DELTA, "delta.file().metadata().at(std::string(kPrevious)) != last.checksum",
          "delta.file().metadata().at(std::string(kPrevious)).empty()"))
mutation("io: a mapped file that has shrunk is read", "io_mapped_table_test:*ShrinksIsAnError*",
         ("io/mapped/mapped_table.cpp", "  State& state = *state_;\n  state.check_size();\n", "  State& state = *state_;\n"))

# ---- The build

mutation("multiply and add fuse", "kernels_test",
         ("cmake/isa.cmake", "-ffp-contract=off", "-ffp-contract=fast"))

# ---- max_norm

MAX_NORM = "kernels/max_norm/max_norm.isa.cpp"
mutation("renormalize: norm one is norm two", "kernels_test:*renormalize*",
         (MAX_NORM, "norm == NormType::one ? xsimd::abs(x) : x * x", "x * x"))
mutation("renormalize: a row of the largest norm is scaled", "kernels_test:*renormalize*:*ReadsAndWritesNothing*",
         (MAX_NORM, "if (!(norm > a.max_norm)) continue;", "if (!(norm >= a.max_norm)) continue;"))
mutation("renormalize: a row of NaN is scaled", "kernels_test:*renormalize* max_norm_test:*NaN*",
         (MAX_NORM, "if (!(norm > a.max_norm)) continue;", "if (norm <= a.max_norm) continue;"))
mutation("renormalize: the largest misses NaN", "kernels_test:*renormalize*",
         (MAX_NORM, "xsimd::select((x > best) | xsimd::isnan(x), x, best)", "xsimd::select(x > best, x, best)"))
mutation("renormalize: without the 1e-7", "kernels_test:*renormalize*",
         (MAX_NORM, "(norm + 1e-7F)", "(norm + 0.0F)"))
mutation("renormalize: prefetches past the last row", "kernels_test:*renormalize*",
         (MAX_NORM, "if (k + a.prefetch.ahead < a.count) {", "if (k < a.count) {"))
mutation("renormalize: a shard's last row is left out", "max_norm_test:*IsTheReference*",
         ("kernels/max_norm/max_norm.cpp", ".count = std::ssize(shard.rows)", ".count = std::ssize(shard.rows) - 1"))
mutation("renormalize: padding is renormalized", "max_norm_test:*PaddingId*",
         ("kernels/max_norm/max_norm.cpp", ".padding_id = options.padding_id}", ".padding_id = {}}"))

# ---- Strided ids

IDS = "kernels/ids/ids.cpp"
mutation("strided ids: only the first block is looked at", "arguments_test:*BadIds*",
         (IDS, "if (bad < count) return begin + bad;", "return bad < count ? begin + bad : end;"))
mutation("strided ids: resolved as if contiguous", "arguments_test:*Contiguous*",
         ("include/rowmill/ids.hpp", "return stride_ == 1 || size_ <= 1;", "return stride_ != 0 || size_ <= 1;"))
mutation("strided ids: backwards ones overlap nothing", "arguments_test:*Between*",
         ("kernels/core/checks.cpp", "return {begin + static_cast<std::uintptr_t>((ids.size() - 1) * stride), ids.size()",
          "return {begin, ids.size()"))
mutation("a plan of strided ids takes equal first ids for one row", "arguments_test:*Contiguous*",
         ("kernels/plan/grouping.cpp", "while (i < id_count_ && ids_[i] == ids_[0]) ++i;", "i = id_count_;"))

# ---- Quantised rows

CODES = "kernels/simd/avx512_codes.hpp"
QUANTIZED = "kernels/simd/quantized.hpp"
mutation("a tail of int8 reads past the row, avx512", "kernels_test:*PastAQuantizedRow*",
         (CODES, "_mm512_maskz_loadu_epi8((std::uint64_t{1} << tail.n) - 1, p)", "_mm512_maskz_loadu_epi8(~std::uint64_t{0}, p)"),
         isa="avx512")
mutation("a tail of int4 reads past the row, avx512", "kernels_test:*PastAQuantizedRow*",
         (CODES, "return tail.n > 8 ?", "return tail.n > 0 ?"), isa="avx512")
mutation("a negative scale is usual, avx512", "pool_test:*AwkwardScales*",
         (CODES, "return upper_byte < 0x73;", "return upper_byte < 0x73 || upper_byte > 0x7F;"), isa="avx512")
mutation("a scale that is too large is usual, avx512", "pool_test:*AwkwardScales*",
         (CODES, "return upper_byte < 0x73;", "return upper_byte < 0x75;"), isa="avx512")
mutation("the last quarter of a table of int2 values is in another order, avx512", "kernels_test:*_int2_*",
         (CODES, "0, 1, 2, 3)) * scale", "0, 1, 3, 2)) * scale"), isa="avx512")
mutation("the bias of a quantised row is its scale", "kernels_test:*gather_int8*",
         (QUANTIZED, "Floats(scale_and_bias[1])", "Floats(scale_and_bias[0])"))
mutation("the scale of an odd row of int4 stands a byte too early", "kernels_test:*gather_int4*",
         (QUANTIZED, "(dim * kBits + 7) / 8", "dim * kBits / 8"))
mutation("codes are rounded down", "kernels_test:*quantize*",
         ("kernels/convert/convert.isa.cpp", "codes + Floats(0x1p23F)", "codes - Floats(0.5F) + Floats(0x1p23F)"))
mutation("int4 keeps a scale of 0", "kernels_test:*quantize*",
         ("kernels/convert/row_scale.hpp", "if (scale == 0) return {1, bias, 1};", ""))
mutation("a later group of quantised columns begins with the first", "kernels_test:*pool_int*",
         ("kernels/pool/pool_quantized.isa.cpp", "add(In::row(now, a.dim).from(c))", "add(In::row(now, a.dim))"))
mutation("quantised rows are pooled past the last id", "kernels_test:*pool_int*",
         ("kernels/pool/pool_quantized.isa.cpp", "i + a.prefetch.ahead < end ?", "i + a.prefetch.ahead <= end + 8 ?"))
mutation("convert writes before it has looked at all rows", "convert_test:*BeforeItWrites*",
         ("kernels/convert/convert.cpp", "if (const std::int64_t bad = quantizer.find_bad_row(); bad < from.rows())",
          "quantizer.run();\n    if (const std::int64_t bad = quantizer.find_bad_row(); bad < from.rows())"))

# ---- 16-bit training

STORED = "kernels/optimizer/stored_rows.isa.cpp"
STOCHASTIC = "kernels/simd/stochastic.hpp"
mutation("the upper halves of random words are not used", "kernels_test:*_any*",
         (STORED, "both >> 16, FullVector{}", "both, FullVector{}"))
mutation("random bits begin with a block's first column in every part of a table", "kernels_test:*_any*",
         (STORED, "load_16_bits(bits + first + i, lanes)", "load_16_bits(bits + i, lanes)"))
mutation("parts of a table count columns from 0", "storage_test:*Parts*",
         (STORED, "storage.first_column + static_cast<std::uint64_t>(c)", "static_cast<std::uint64_t>(c)"))
mutation("a split table keeps the upper half twice", "kernels_test:*_any*",
         (STORED, "store_16_bits(low + c, bits, lanes)", "store_16_bits(low + c, bits >> 16, lanes)"))
mutation("float16 becomes infinite whatever the option", "kernels_test:*_any*",
         (STORED, "return half - (beyond & saturates);", "return half;"))
mutation("an overflow is not reported", "kernels_test:*_any*",
         (STORED, "if (any) *storage.overflowed = true;", ""))
mutation("a finite value becomes an infinite bf16 by chance", "storage_test:*EqualsTheReference* kernels_test:*_any*",
         ("kernels/reference/storage.cpp", "sum > 0x7F7FFFFFU ? 0x7F7FFFFFU : sum", "sum"))
mutation("small float16 values are cut off", "kernels_test:*_any*",
         (STOCHASTIC, "__builtin_convertvector(scaled + chance, SignedWords)",
          "__builtin_convertvector(scaled, SignedWords)"))
mutation("two states share random numbers", "storage_test:*EqualsTheReference*",
         ("kernels/optimizer/storage.cpp", "RandomPurpose::round_state_2", "RandomPurpose::round_state_1"))
mutation("gradients of 16 bits are read as floats", "kernels_test:*_any*:*sum_segments*",
         ("kernels/plan/segments.hpp", "if (format == Format::f32) return ROWMILL_ISA::load",
          "if (format != Format::bf16) return ROWMILL_ISA::load"))
mutation("a step that overflows keeps what it wrote", "storage_test:*Overflow*",
         ("kernels/optimizer/step.cpp", "undo.put_back(plan, threads, weights, state_);", ""))
mutation("a step that overflows counts", "storage_test:*Overflow*",
         ("kernels/optimizer/step.cpp", "step_count_ = before.step_count;", ""))
mutation("split() lets a NaN's upper half be infinite", "storage_test:*SplitTest*",
         ("kernels/convert/split.cpp", "bits |= 0x00400000U;", ""))
