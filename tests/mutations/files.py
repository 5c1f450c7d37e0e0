# SPDX-License-Identifier: Apache-2.0
"""Mutations of tables on disk."""
from mutation import mutation

# ---- Tables on disk

NEW_FILE = "io/file/new_file.cpp"
mutation("io: a new file is not synced before it is renamed", "io_crash_test:*AtEveryMoment*",
         (NEW_FILE, "sync ? ::fsync(file_.get()) != 0 :", "sync ? false :"))
mutation("io: a new file's directory is not synced", "io_crash_test:*AtEveryMoment*",
         (NEW_FILE, "if (!directory_.valid() || ::fsync(directory_.get()) == 0 || errno == EINVAL) return;", "return;"))
mutation("io: a save that fails leaves its temporary file", "io_crash_test:*WhenACallFails*",
         (NEW_FILE, "NewFile::~NewFile() {\n  if (!temporary_.empty()) ::unlink(temporary_.c_str());",
          "NewFile::~NewFile() {"))
mutation("io: a failing write is taken for a whole one", "io_crash_test:*WhenACallFails*",
         (NEW_FILE, "if (count < 0) throw_system_error(path_, \"written\", errno);", "if (count < 0) return;"))
mutation("io: what a killed process left stays", "io_new_file_test:*RemovesWhat*",
         (NEW_FILE, "  remove_leftovers(path_);\n\n", "\n"))
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
