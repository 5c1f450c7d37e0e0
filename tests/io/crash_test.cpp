// SPDX-License-Identifier: Apache-2.0
// What a crash of the machine leaves of a save, and what a save does when a call to the system fails. This program's
// own versions of these calls stand before the C library's: they record each one, and can make it fail.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "rowmill/io/checkpoint.hpp"
#include "rowmill/io/delta.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "tests/io/support.hpp"

namespace rowmill::io::test {
namespace {

namespace fs = std::filesystem;

enum class Kind : std::uint8_t { create, reserve, write, sync, rename, remove, open_directory, sync_directory };

struct Event {
  Kind kind = Kind::create;
  std::string name = {};  // of the entry, or of the file when it was created
  std::string to = {};
  std::size_t offset = 0;
  std::string bytes = {};
};

class Recorder;
Recorder* recorder = nullptr;  // the one that is there

/// Records the calls of this process about one directory, in their order, as long as it lives. Syncs are recorded
/// alone, which spares the disk. Call `fail_at`, if there is one, fails with EIO.
class Recorder {
 public:
  explicit Recorder(fs::path directory, int fail_at = -1) : directory_(std::move(directory)), fail_at_(fail_at) {
    recorder = this;
  }
  ~Recorder() { recorder = nullptr; }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  [[nodiscard]] const std::vector<Event>& events() const { return events_; }

  [[nodiscard]] bool watches(const fs::path& path) const {
    return path == directory_ || path.parent_path() == directory_;
  }
  [[nodiscard]] bool is_directory(const char* path) const { return directory_ == path; }
  /// Of a file that was created, or "" of the directory; null if it is neither.
  [[nodiscard]] const std::string* name_of(int fd) const {
    const auto found = names_.find(fd);
    return found == names_.end() ? nullptr : &found->second;
  }
  void opened(int fd, std::string name) { names_[fd] = std::move(name); }

  /// False, with errno, if this call is to fail.
  [[nodiscard]] bool record(Event event) {
    events_.push_back(std::move(event));
    if (std::ssize(events_) - 1 != fail_at_) return true;
    errno = EIO;
    return false;
  }

 private:
  fs::path directory_;
  std::map<int, std::string> names_;
  std::vector<Event> events_;
  int fail_at_;
};

const std::string* name_of(int fd) { return recorder == nullptr ? nullptr : recorder->name_of(fd); }
bool watches(const char* path) { return recorder != nullptr && recorder->watches(path); }

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace rowmill::io::test

using rowmill::io::test::Kind;
using rowmill::io::test::name_of;
using rowmill::io::test::next;
using rowmill::io::test::recorder;
using rowmill::io::test::watches;

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  const bool creates = (flags & O_CREAT) != 0;
  const bool watched = watches(path) && (creates || recorder->is_directory(path));
  const std::string name = creates ? std::filesystem::path(path).filename().string() : std::string();
  if (watched && !recorder->record({.kind = creates ? Kind::create : Kind::open_directory, .name = name})) return -1;
  const int fd = next<int(const char*, int, ...)>("open")(path, flags, mode);
  if (watched) recorder->opened(fd, name);
  return fd;
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  const std::string* const name = name_of(fd);
  const auto zeros = static_cast<std::size_t>(size);
  if (name && !recorder->record({.kind = Kind::reserve, .name = *name, .bytes = std::string(zeros, '\0')})) return -1;
  return next<int(int, int, off_t, off_t)>("fallocate")(fd, mode, offset, size);
}

/// Takes 100 bytes at a time, as a system may.
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  if (const std::string* const name = name_of(fd)) {
    size = std::min<size_t>(size, 100);
    if (!recorder->record({.kind = Kind::write,
                           .name = *name,
                           .offset = static_cast<std::size_t>(offset),
                           .bytes = std::string(static_cast<const char*>(bytes), size)})) {
      return -1;
    }
  }
  return next<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, bytes, size, offset);
}

int fsync(int fd) {
  const std::string* const name = name_of(fd);
  if (name && !recorder->record({.kind = name->empty() ? Kind::sync_directory : Kind::sync, .name = *name})) return -1;
  return name ? 0 : next<int(int)>("fsync")(fd);
}

int rename(const char* from, const char* to) noexcept {
  using std::filesystem::path;
  if (watches(from) &&
      !recorder->record(
          {.kind = Kind::rename, .name = path(from).filename().string(), .to = path(to).filename().string()})) {
    return -1;
  }
  return next<int(const char*, const char*)>("rename")(from, to);
}

int unlink(const char* path) noexcept {
  if (watches(path) &&
      !recorder->record({.kind = Kind::remove, .name = std::filesystem::path(path).filename().string()})) {
    return -1;
  }
  return next<int(const char*)>("unlink")(path);
}

}  // extern "C"

namespace rowmill::io::test {
namespace {

/// A kind of file, and how one with numbers that follow from `value` is saved.
struct Writer {
  const char* file;
  std::function<void(const fs::path& path, float value)> save;
};

Table table_of(float value) { return Table(5, 3, {.initializer = Initializer::constant(value)}); }
Vocabulary words_of(float value) {
  Vocabulary words;
  for (int r = 0; r < 5; ++r) words.add("word" + std::to_string(value) + "-" + std::to_string(r));
  return words;
}

const Writer kWriters[] = {
    {"c",
     [](const fs::path& path, float value) {
       const Table table = table_of(value);
       const Optimizer optimizer(AdamOptions{}, 5, 3);
       CheckpointContents contents;
       contents.add("t", table, &optimizer);
       save_checkpoint(path, contents);
     }},
    {"d",
     [](const fs::path& path, float value) {
       TouchedRows touched(5);
       touched.mark_all();
       DeltaContents contents;
       contents.add("t", table_of(value), touched);
       save_delta(path, contents, {.base = "b", .checksum = "c", .number = 3});
     }},
    {"v.safetensors", [](const fs::path& path, float value) { save_vectors(path, table_of(value), words_of(value)); }},
    {"v.npy", [](const fs::path& path, float value) { save_npy(path, table_of(value)); }},
    {"v.txt", [](const fs::path& path, float value) { save_vectors(path, table_of(value), words_of(value)); }},
    {"v.txt.gz", [](const fs::path& path, float value) { save_vectors(path, table_of(value), words_of(value)); }},
    {"v.bin", [](const fs::path& path, float value) { save_vectors(path, table_of(value), words_of(value)); }},
    {"words", [](const fs::path& path, float value) { save_words(path, words_of(value)); }},
};

/// What becomes of data that were not synced.
enum class Unsynced : std::uint8_t { lost, kept, half };

bool is_of_directory(Kind kind) { return kind == Kind::create || kind == Kind::rename || kind == Kind::remove; }

using Files = std::map<std::string, std::string>;

/// What a disk may hold if the machine crashes before event `end`. Of the changes of the directory since it was last
/// synced, `changes` have reached the disk: file systems keep their order. Returns none if there are fewer.
std::optional<Files> after_crash(const std::vector<Event>& events, std::size_t end, const Files& before, int changes,
                                 Unsynced unsynced) {
  std::size_t directory_synced = 0;
  std::map<std::string, std::size_t> synced;
  for (std::size_t i = 0; i < end; ++i) {
    if (events[i].kind == Kind::sync_directory) directory_synced = i;
    if (events[i].kind == Kind::sync) synced[events[i].name] = i;
  }
  Files contents = before;                 // by the name that a file had when it was created, or before
  std::map<std::string, std::string> now;  // entries of the directory: such a name
  for (const auto& [name, bytes] : before) now[name] = name;
  for (std::size_t i = 0; i < end; ++i) {
    const Event& event = events[i];
    if (is_of_directory(event.kind) && i >= directory_synced && changes-- <= 0) continue;
    switch (event.kind) {
      case Kind::create:
        now[event.name] = event.name;
        break;
      case Kind::rename:
        now[event.to] = now[event.name];
        now.erase(event.name);
        break;
      case Kind::remove:
        now.erase(event.name);
        break;
      case Kind::reserve:
      case Kind::write: {
        const bool safe = synced.contains(event.name) && i < synced[event.name];
        if (!safe && unsynced == Unsynced::lost) break;
        const std::string bytes =
            event.bytes.substr(0, safe || unsynced == Unsynced::kept ? std::string::npos : event.bytes.size() / 2);
        std::string& file = contents[event.name];
        file.resize(std::max(file.size(), event.offset + bytes.size()));
        file.replace(event.offset, bytes.size(), bytes);
        break;
      }
      default:
        break;
    }
  }
  if (changes > 0) return std::nullopt;
  Files files;
  for (const auto& [name, file] : now) files[name] = contents[file];
  return files;
}

/// The bytes of a file of this value.
std::string saved_bytes(const Writer& writer, float value) {
  const TemporaryDirectory directory;
  const Recorder spare_the_syncs(directory.path());
  writer.save(directory / writer.file, value);
  return read_file(directory / writer.file);
}

TEST(Crash, TheOldOrTheNewFileIsWholeAtEveryMoment) {
  for (const Writer& writer : kWriters) {
    const std::string old_bytes = saved_bytes(writer, 1);
    const std::string new_bytes = saved_bytes(writer, 2);
    const TemporaryDirectory directory;
    write_file(directory / writer.file, old_bytes);
    std::vector<Event> events;
    {
      const Recorder recording(directory.path());
      writer.save(directory / writer.file, 2);
      events = recording.events();
    }
    ASSERT_EQ(read_file(directory / writer.file), new_bytes);
    ASSERT_EQ(directory.names().size(), 1U);

    const Files before = {{writer.file, old_bytes}};
    std::set<std::string> seen;
    for (std::size_t end = 0; end <= events.size(); ++end) {
      for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::half}) {
        for (int changes = 0;; ++changes) {
          const std::optional<Files> files = after_crash(events, end, before, changes, unsynced);
          if (!files) break;
          const std::string& bytes = files->at(writer.file);
          EXPECT_TRUE(bytes == old_bytes || bytes == new_bytes)
              << writer.file << ": a crash before call " << end << " of " << events.size() << " leaves " << bytes.size()
              << " bytes that are neither file";
          if (end == events.size()) {
            EXPECT_EQ(bytes, new_bytes) << writer.file << ": saved, and yet it may be lost";
          }
          seen.insert(bytes);

          // The next save begins from there, and leaves nothing else.
          if (unsynced != Unsynced::half) continue;
          const TemporaryDirectory found;
          for (const auto& [name, content] : *files) write_file(found / name, content);
          const Recorder spare_the_syncs(found.path());
          writer.save(found / writer.file, 2);
          EXPECT_EQ(read_file(found / writer.file), new_bytes);
          EXPECT_EQ(found.names().size(), 1U) << "what the crash left is removed";
        }
      }
    }
    EXPECT_EQ(seen.size(), 2U);
  }
}

/// A .npy file and its words: how the new ones are saved over old ones, and the words that they then have.
struct PairWriter {
  const char* what;
  std::function<void(const fs::path& path)> save;
  bool has_words;
};

const PairWriter kPairWriters[] = {
    {"both", [](const fs::path& path) { save_vectors(path, table_of(2), words_of(2)); }, true},
    {"without words", [](const fs::path& path) { save_vectors(path, table_of(2)); }, false},
};

constexpr const char* kRows = "v.npy";
constexpr const char* kWords = "v.words.txt";

/// The old pair, or the new one.
Files saved_pair(const std::function<void(const fs::path& path)>& save) {
  const TemporaryDirectory directory;
  const Recorder spare_the_syncs(directory.path());
  save(directory / kRows);
  Files files;
  for (const std::string& name : directory.names()) files[name] = read_file(directory / name);
  return files;
}
Files old_pair() {
  return saved_pair([](const fs::path& path) { save_vectors(path, table_of(1), words_of(1)); });
}

/// The rows stand beside their own words or beside none; the rest are temporary files.
bool is_a_pair(const Files& files, const Files& old, const Files& now) {
  const auto words = files.find(kWords);
  const auto fit = [&](const Files& pair) {
    return files.at(kRows) == pair.at(kRows) &&
           (words == files.end() || (pair.contains(kWords) && words->second == pair.at(kWords)));
  };
  return fit(old) || fit(now);
}

TEST(Crash, RowsNeverStandBesideTheWordsOfOthers) {
  for (const PairWriter& writer : kPairWriters) {
    const Files before = old_pair();
    const Files after = saved_pair(writer.save);
    ASSERT_EQ(after.contains(kWords), writer.has_words);
    const TemporaryDirectory directory;
    for (const auto& [name, bytes] : before) write_file(directory / name, bytes);
    std::vector<Event> events;
    {
      const Recorder recording(directory.path());
      writer.save(directory / kRows);
      events = recording.events();
    }
    EXPECT_EQ(directory.names().size(), after.size()) << writer.what;
    for (std::size_t end = 0; end <= events.size(); ++end) {
      for (int changes = 0;; ++changes) {
        const std::optional<Files> files = after_crash(events, end, before, changes, Unsynced::half);
        if (!files) break;
        EXPECT_TRUE(is_a_pair(*files, before, after)) << writer.what << ": a crash before call " << end;
        if (end == events.size()) {
          EXPECT_EQ(*files, after) << writer.what << ": saved, and yet it may be lost";
        }
        // The next save begins from there, and leaves nothing else.
        const TemporaryDirectory found;
        for (const auto& [name, content] : *files) write_file(found / name, content);
        const Recorder spare_the_syncs(found.path());
        writer.save(found / kRows);
        EXPECT_EQ(found.names().size(), after.size()) << writer.what << ": what the crash left is removed";
      }
    }
  }
}

TEST(Crash, WhenACallFailsThePairStaysOrItsWordsAreGone) {
  for (const PairWriter& writer : kPairWriters) {
    const Files before = old_pair();
    const Files after = saved_pair(writer.save);
    bool new_rows = false;  // the call that gives them their name comes late
    for (int call = 0;; ++call) {
      const TemporaryDirectory directory;
      for (const auto& [name, bytes] : before) write_file(directory / name, bytes);
      const Recorder recording(directory.path(), call);
      std::string error;
      try {
        writer.save(directory / kRows);
      } catch (const FileError& thrown) {
        error = thrown.what();
      }
      if (std::ssize(recording.events()) <= call) break;
      Files files;
      for (const std::string& name : directory.names()) files[name] = read_file(directory / name);
      if (files.at(kRows) == after.at(kRows)) new_rows = true;
      const Kind kind = recording.events()[static_cast<std::size_t>(call)].kind;
      // What can't be removed keeps its temporary name, and the save is done.
      EXPECT_EQ(error.empty(), kind == Kind::remove) << writer.what << ", call " << call;
      EXPECT_TRUE(new_rows ? is_a_pair(files, before, after) : files == before) << writer.what << ", call " << call;
      EXPECT_LE(files.size(), kind == Kind::remove ? 3U : 2U) << writer.what << ", call " << call;
    }
    EXPECT_TRUE(new_rows);
  }
}

TEST(Crash, WhenACallFailsTheOldFileStaysAndNothingIsLeft) {
  for (const Writer& writer : kWriters) {
    const std::string old_bytes = saved_bytes(writer, 1);
    const std::string new_bytes = saved_bytes(writer, 2);
    std::set<Kind> failed;
    for (int call = 0;; ++call) {
      const TemporaryDirectory directory;
      const fs::path path = directory / writer.file;
      write_file(path, old_bytes);
      const Recorder recording(directory.path(), call);
      std::string error;
      try {
        writer.save(path, 2);
      } catch (const FileError& thrown) {
        EXPECT_EQ(thrown.code(), ErrorCode::io_error);
        error = thrown.what();
      }
      const std::vector<Event>& events = recording.events();
      if (std::ssize(events) <= call) break;
      const Kind kind = events[static_cast<std::size_t>(call)].kind;
      failed.insert(kind);
      EXPECT_NE(error.find("Input/output error"), std::string::npos)
          << writer.file << ", call " << call << ": " << error;
      // After the rename there is no way back: the caller learns that the new file is there, and may not stay.
      const bool renamed = kind == Kind::sync_directory;
      EXPECT_EQ(error.find("is the new file, but its directory cannot be synced") != std::string::npos, renamed)
          << error;
      EXPECT_EQ(read_file(path), renamed ? new_bytes : old_bytes) << writer.file << ", call " << call;
      EXPECT_EQ(directory.names().size(), 1U) << writer.file << ", call " << call;
    }
    for (const Kind kind :
         {Kind::create, Kind::write, Kind::sync, Kind::rename, Kind::open_directory, Kind::sync_directory}) {
      EXPECT_TRUE(failed.contains(kind)) << writer.file;
    }
  }
}

}  // namespace
}  // namespace rowmill::io::test
