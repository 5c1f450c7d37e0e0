# SPDX-License-Identifier: Apache-2.0
"""Mutations of leaf kernels that look rows up, convert and add them, and the vectors and ids they share."""
from mutation import mutation

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
         (GATHER, "i + ahead < known && a.ids[i + ahead] >= 0) prefetch", "a.ids[i + ahead] >= 0) prefetch"))
mutation("the ids after a task of a gather are more than there are", "gather_test:*IdsPastTheLast*",
         ("kernels/gather/gather.cpp", "args.later_ids = ids.size() - end;", "args.later_ids = ids.size();"))
mutation("gather copies the tail of a row from the wrong place", "kernels_test:*gather*",
         (GATHER, "<1>(bytes - kVectorBytes)", "<1>(bytes - kVectorBytes - 4)"))
mutation("gather copies one vector of a row of a fixed width", "kernels_test:*gather*",
         (GATHER, "<kVectors>(0)", "<1>(0)"))
mutation("gather cuts offsets to 32 bits", "far_test:*Gather*",
         (GATHER, "return table + static_cast<std::uint64_t>(id) * table_stride;",
          "return table + static_cast<std::uint32_t>(static_cast<std::uint64_t>(id) * table_stride);"))
mutation("gather copies the ends of a short row from the wrong place", "kernels_test:*gather_16bit*",
         (GATHER, "__builtin_memcpy(parts[1], in + last, kPart);", "__builtin_memcpy(parts[1], in, kPart);"))
mutation("gather into another format reads ids past the end to prefetch", "kernels_test:*gather*_to_*",
         (GATHER, "i + ahead < known && ids[i + ahead] >= 0) {", "ids[i + ahead] >= 0) {"))
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
mutation("pool reads ids past the end to prefetch the rest of rows", "kernels_test:*pool*",
         (POOL, "i + rest_ahead < end ? row(i + rest_ahead) : now", "row(i + rest_ahead)"))
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
mutation("sums of even and of odd columns are mixed up, avx512", "kernels_test:*pool_bf16*",
         (POOL, "order_pairs(sum[2 * v], sum[2 * v + 1])", "order_pairs(sum[2 * v + 1], sum[2 * v])"), isa="avx512")
mutation("the ids after a block of bags are more than there are", "pool_test:*IdsPastTheLast*",
         ("kernels/pool/pool.cpp", "bags.ids().size() - begin[count])", "bags.ids().size())"))
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
mutation("padding that is no row is not dropped", "pool_test:*PaddingNeedNotBeARow*1_threads*",
         ("kernels/ids/resolve.hpp", "if (id == padding_id) return kDropped;", ""))
mutation("find_bad_id allows what lies beside the padding id", "bad_input_test:*Padding*",
         ("kernels/ids/ids.cpp", "*padding_id == lowest - 1", "*padding_id < lowest"))

RANDOM = "kernels/random/random.isa.cpp"
mutation("Philox counts rows in 32 bits", "kernels_test:*fill_uniform*",
         (RANDOM, "static_cast<std::uint64_t>(a.first_row + r)", "static_cast<std::uint32_t>(a.first_row + r)"))
mutation("random words of later blocks are those of the first", "kernels_test:*philox*",
         (RANDOM, "a.counter[0] + static_cast<std::uint32_t>(b)", "a.counter[0]"))
mutation("Philox has 9 rounds", "table_test:Philox*",
         ("kernels/random/philox.hpp", "kRounds = 10", "kRounds = 9"))


# ---- Strided ids

IDS = "kernels/ids/ids.cpp"
mutation("padding in the first row is read as it stands", "pool_test:*PaddingNeedNot*1_threads*",
         (IDS, "    ++lowest;\n", "    lowest = 0;\n"))
mutation("padding between the first row and the last is read as it stands", "pool_test:*PaddingNeedNot*1_threads*",
         (IDS, "*padding_id > lowest && *padding_id < highest) {\n    return false;",
          "*padding_id > lowest && *padding_id < highest) {\n    lowest = 0;"))
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
         (CODES, "_mm512_maskz_loadu_epi8((std::uint64_t{1} << tail.n) - 1, p)", "_mm512_maskz_loadu_epi8(~std::uint64_t{tail.n == 0}, p)"),
         isa="avx512")
mutation("a tail of int4 reads past the row, avx512", "kernels_test:*PastAQuantizedRow*",
         (CODES, "return tail.n > 8 ?", "return tail.n > 0 ?"), isa="avx512")
mutation("a tail of a sum of int4 reads past the row, avx512", "kernels_test:*PastAQuantizedRow*",
         (CODES, "if (tail.n > 8) return", "if (tail.n > 0) return"), isa="avx512")
mutation("sums of int4 are stored in their own order, avx512", "kernels_test:*pool_int4*",
         (CODES, "0, 2, 4, 6, 8, 10, 12, 14, 1, 3", "0, 2, 4, 6, 8, 10, 14, 12, 1, 3"), isa="avx512")
mutation("a negative scale is usual, avx512", "pool_test:*AwkwardScales*",
         (CODES, "return upper_byte < 0x73;", "return upper_byte < 0x73 || upper_byte > 0x7F;"), isa="avx512")
mutation("a scale that is too large is usual, avx512", "pool_test:*AwkwardScales*",
         (CODES, "return upper_byte < 0x73;", "return upper_byte < 0x75;"), isa="avx512")
mutation("the last quarter of a table of int2 values is in another order, avx512", "kernels_test:*_int2_*",
         (CODES, "0, 1, 2, 3)) * scale", "0, 1, 3, 2)) * scale"), isa="avx512")
mutation("the bias of a quantised row is its scale", "kernels_test:*gather_int8*",
         (QUANTIZED, "return {p, {broadcast(p + dim), broadcast(p + dim + sizeof(float))}};",
          "return {p, {broadcast(p + dim), broadcast(p + dim)}};"))
mutation("the scale of an odd row of int4 stands a byte too early", "kernels_test:*gather_int4*",
         (QUANTIZED, "(dim * kBits + 7) / 8", "dim * kBits / 8"))
mutation("codes are rounded down", "kernels_test:*quantize*",
         ("kernels/convert/convert.isa.cpp", "codes + Floats(0x1p23F)", "codes - Floats(0.5F) + Floats(0x1p23F)"))
mutation("int4 keeps a scale of 0", "kernels_test:*quantize*",
         ("kernels/convert/row_scale.hpp", "if (scale == 0) return {1, bias, 1};", ""))
mutation("a later group of quantised columns begins with the first", "kernels_test:*pool_int*",
         ("kernels/pool/pool_quantized.isa.cpp", "add(In::row(now, a.dim).from(c))", "add(In::row(now, a.dim))"))
mutation("quantised rows are pooled past the last id", "kernels_test:*pool_int*",
         ("kernels/pool/pool_quantized.isa.cpp", "i + ahead < end ?", "i + ahead <= end + 8 ?"))
mutation("convert in place overwrites rows that it has not read", "convert_test:*InPlaceGives*",
         ("kernels/convert/convert.cpp", "begin * stride_bytes(from) / stride_bytes(to)) - begin",
          "2 * begin * stride_bytes(from) / stride_bytes(to)) - begin"))
mutation("join_codes takes the zero point for the bias", "convert_test:JoinCodes*",
         ("kernels/convert/join_codes.cpp", "bias(Number(-zero_point * wide_scale))", "bias(Number(-zero_point))"))
mutation("convert writes before it has looked at all rows", "convert_test:*BeforeItWrites*",
         ("kernels/convert/convert.cpp", "if (const std::int64_t bad = quantizer.find_bad_row(); bad < from.rows())",
          "quantizer.run();\n    if (const std::int64_t bad = quantizer.find_bad_row(); bad < from.rows())"))
