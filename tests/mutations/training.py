# SPDX-License-Identifier: Apache-2.0
"""Mutations of plans, sums of gradients, optimizers, max_norm."""
from mutation import mutation

# ---- Sums of gradients

SEGMENTS = "kernels/plan/segments.hpp"
GRADIENTS = "kernels/optimizer/gradients.isa.cpp"
MEAN_SQUARE = "kernels/optimizer/mean_square.hpp"
PASSES = "kernels/plan/passes.hpp"
SIMD = "kernels/simd/x86.hpp"
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
         (MEAN_SQUARE, "group[v] = sum[n * i + v]", "group[v] = sum[v]"))
mutation("more than a block is summed in registers, fixed widths", "kernels_test:*sgd*",
         (ROWS, "contributions <= max_contributions) [[likely]]", "contributions > 0 && max_contributions > 0) [[likely]]"))
mutation("more than a block is summed in registers, coefficients", "kernels_test:*sgd*",
         (ROWS, "} else if (contributions <= a.gradients.block) {", "} else if (a.segments.coefficients != nullptr) {"))
mutation("L2 decay is left out, fixed widths", "kernels_test:*sgd*",
         (ROWS, "sum[n * i + v] + factor * weight[v]", "sum[n * i + v] + Floats(0.0F) * weight[v]"))
mutation("L2 decay is left out, other widths", "kernels_test:*sgd*",
         (ROWS, "      gradient = {scratch, dim, Floats(1.0F)};\n", ""))
mutation("a sum of several contributions escapes L2 decay, other widths", "kernels_test:*sgd*",
         (ROWS, "!Formula::kUsesMeanSquare && !l2 &&", "!Formula::kUsesMeanSquare &&"))
mutation("more than a block is summed in registers, other widths", "kernels_test:*sgd*",
         (ROWS, "contributions > 1 && contributions <= block", "contributions > 1 && block > 0"))
mutation("the first vector of a long sum stands for the others", "kernels_test:*sgd*",
         ("kernels/simd/vectors_of_halves.hpp", "v[i] = load(p + i * kLanes)", "v[i] = load(p)"))
mutation("a sum takes the mean square of its first gradient", "kernels_test:*row_wise*",
         (ROWS, "contributions == 1 && mean_squares != nullptr", "mean_squares != nullptr"))
mutation("a row takes the mean square of another gradient, fixed widths", "kernels_test:*row_wise*",
         (ROWS, "mean_squares + *position", "mean_squares + s"))
mutation("a row takes the mean square of another gradient, other widths", "kernels_test:*row_wise*",
         (ROWS, "known = mean_squares + p;", "known = mean_squares + s;"))
mutation("weight decay comes after the step", "kernels_test:*sgd*",
         (ROWS, "formula(decay(w[v]), g[v], row, state)", "decay(formula(w[v], g[v], row, state))"))
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
         (STEP, "uses_mean_squares() && !contributions", "!contributions"))
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
         (GROUPING, "bin = bin_of(ids_[i]);", "bin = bin_of(ids_[i] + i % 2);"))
mutation("padding that is a row is trained", "plan_test:*LeavesOutPadding*1_threads*",
         (GROUPING, "out_of_range | (id == padding);", "out_of_range | (id == padding && id < 0);"))
mutation("ids out of range are trained", "plan_test:*LeavesOutIgnored*1_threads*:*LeavesOutPadding*1_threads*",
         (GROUPING, "static_cast<std::uint64_t>(id) >= static_cast", "static_cast<std::uint64_t>(id) > static_cast"))
mutation("a mean's coefficients are those of the row before", "kernels_test:*sgd*",
         ("kernels/optimizer/update_rows.hpp", "a.segments.coefficients + (position - a.segments.positions)",
          "a.segments.coefficients + begin[s > 0 ? s - 1 : s]"))
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
         (PLAN, "  if (!are_rows) check_ids(kOp, ids, rows, options.out_of_range, options.name, options.padding_id);\n"
          "  build(ids, nullptr, rows, options, are_rows);",
          "  build(ids, nullptr, rows, options, are_rows);\n"
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
mutation("rows first occur where they last do", "plan_test:PlanNumbers*",
         ("kernels/plan/numbering.hpp", "slots[slot] = number;", "slots[slot] = number; out.firsts[number] = position;"))
mutation("rows are numbered by the whole words before theirs alone", "sparse_gradient_test:*1_threads*",
         ("kernels/gradient/first_occurrence.hpp", "std::popcount(firsts_[position / 64] & earlier)",
          "std::popcount(firsts_[position / 64] & earlier & 1)"))


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


# ---- 16-bit training

STORED = "kernels/optimizer/stored_rows.isa.cpp"
STOCHASTIC = "kernels/simd/stochastic.hpp"
mutation("the upper halves of random words are not used", "kernels_test:*_any*",
         ("kernels/optimizer/stored_rows.hpp", "both & 0xFFFFU : both >> 16", "both & 0xFFFFU : both & 0xFFFFU"))
mutation("random bits begin with a block's first column in every part of a table", "kernels_test:*_any*",
         (STORED, "bits[before + i] |", "bits[i] |"))
mutation("rows that have their random bits together have those of one", "kernels_test:*_any*",
         (STORED, "static_cast<std::uint64_t>(rows[r])", "static_cast<std::uint64_t>(rows[0])"))
mutation("all columns of long rows have the random bits of the first", "kernels_test:*_any*",
         (STORED, "blocks[c / kRandomColumns].words", "blocks[0].words"))
mutation("parts of a table count columns from 0", "storage_test:*Parts*",
         (STORED, "storage.first_column + static_cast<std::uint64_t>(c)", "static_cast<std::uint64_t>(c)"))
mutation("a split table keeps the upper half twice", "kernels_test:*_any*",
         (STOCHASTIC, "bits[i] = bits[i] << 16;", ""))
HALVES = "kernels/simd/vectors_of_halves.hpp"
mutation("two vectors of bf16 are stored in the wrong order, avx512", "kernels_test:*_any*",
         (HALVES, "_mm512_mask_mov_epi16(_mm512_srli_epi32(first, 16), kUpperHalves, second)",
          "_mm512_mask_mov_epi16(_mm512_srli_epi32(second, 16), kUpperHalves, first)"), isa="avx512")
mutation("squares of pairs of columns are summed out of order, avx512", "kernels_test:*row_wise*_any*",
         (HALVES, "order_pairs(v[2 * i], v[2 * i + 1]);", ""), isa="avx512")
mutation("a tie of two vectors of bf16 rounds up, avx512", "kernels_test:*_any*",
         (HALVES, "_mm512_mask_add_epi32(down, odd, bits, _mm512_set1_epi32(0x8000))",
          "_mm512_add_epi32(bits, _mm512_set1_epi32(0x8000))"), isa="avx512")
mutation("rounding by chance makes a finite value infinite, avx512", "storage_test:*EqualsTheReference* kernels_test:*_any*",
         (HALVES, "_mm512_set1_epi32(0x7F7FFFFF), 0xEA)", "_mm512_set1_epi32(0x7F800000), 0xEA)"), isa="avx512")
mutation("updates of any format take their states from elsewhere", "kernels_test:*_any*",
         (ROWS, "formula.states[i] = static_cast<float*>(storage->states[i].data);", ""))
mutation("float16 becomes infinite whatever the option", "kernels_test:*_any*",
         (STORED, "return half - (beyond & saturates);", "return half;"))
mutation("an overflow is not reported", "kernels_test:*_any*",
         (STORED, "if (any) *storage.overflowed = true;", ""))
mutation("a finite value becomes an infinite bf16 by chance", "storage_test:*OverflowIs*1_threads*",
         (STOCHASTIC, "as_signed(sum) > 0x7F7FFFFF, kNone + 0x7F7FFFFFU", "as_signed(sum) > 0x7F800000, kNone + 0x7F800000U"))
mutation("a finite value becomes an infinite bf16 by chance in the reference", "storage_test:StorageRounding*",
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
