# SPDX-License-Identifier: Apache-2.0
"""Mutations of operations, layers, word vectors, and what surrounds them."""
from mutation import mutation

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


# ---- Surroundings

FP = "kernels/core/fp_environment.hpp"
STEP = "kernels/optimizer/step.cpp"
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


# ---- The build

mutation("multiply and add fuse", "kernels_test",
         ("cmake/isa.cmake", "-ffp-contract=off", "-ffp-contract=fast"))
mutation("the largest sizes of scratch memory are rounded up to nothing", "bad_input_test:BadWorkspace*",
         ("kernels/memory/memory.cpp", "bytes > most ? nullptr :", "bytes == 0 && most == 0 ? nullptr :"))
mutation("sizes of scratch memory wrap around", "bad_input_test:BadWorkspace*",
         ("kernels/memory/carve.hpp", "used_ = bytes > kMost - used_ ? kMost : used_ + bytes;", "used_ += bytes;"))
mutation("a layer takes storage that no step could have", "embedding_bag_test:LayerOptions*",
         ("layers/trained_table.cpp",
          "check_weights_format(op, optimizer_.storage(), table_, std::ranges::any_of(optimizer_.state(), is_bf16));",
          "(void)is_bf16;"))
