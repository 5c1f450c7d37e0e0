// SPDX-License-Identifier: Apache-2.0
// Saving: the old file stays whole until the new one is, and nothing else is left.
#include "io/file/new_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rowmill/io/npy.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "tests/io/support.hpp"

namespace rowmill::io::test {
namespace {

using Names = std::vector<std::string>;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(NewFile, TakesTheOldOnesPlaceWhenItIsWhole) {
  const TemporaryDirectory directory;
  const auto path = directory / "f";
  write_file(path, "old");
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  {
    NewFile file(path, 3);
    file.write(0, bytes("new"));
    EXPECT_EQ(read_file(path), "old");
    file.commit(true);
  }
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0640));
  {
    const NewFile file(path);
    file.write(0, bytes("never"));
  }
  check_can_save(path);
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(directory.names(), Names{"f"});
}

TEST(NewFile, FollowsSymbolicLinks) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "d");
  write_file(directory / "d" / "target", "old");
  std::filesystem::create_symlink("d/target", directory / "link");
  NewFile file(directory / "link");
  file.write(0, bytes("new"));
  file.commit(false);
  EXPECT_EQ(read_file(directory / "d" / "target"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
}

TEST(NewFile, RemovesWhatAKilledProcessLeftAndNothingElse) {
  const TemporaryDirectory directory;
  const auto path = directory / "f";
  const pid_t child = ::fork();
  if (child == 0) {
    const NewFile file(path);
    file.write(0, bytes("half"));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(directory.names().size(), 1U) << "the child left its temporary file";

  write_file(directory / ".other.rowmill-1-1", "of another file");
  NewFile first(path);
  EXPECT_EQ(directory.names().size(), 2U) << "the leftover is gone";
  NewFile second(path);  // at the same time: neither is taken for a leftover
  EXPECT_EQ(directory.names().size(), 3U);
  second.write(0, bytes("second"));
  second.commit(true);
  first.write(0, bytes("first"));
  first.commit(true);
  EXPECT_EQ(read_file(path), "first");
  EXPECT_EQ(directory.names().size(), 2U);
}

TEST(NewFile, WhatCannotBeWrittenIsRefused) {
  const TemporaryDirectory directory;
  const auto refused = [](const std::filesystem::path& path, std::string_view what) {
    expect_file_error(ErrorCode::io_error, path, what, [&] { const NewFile file(path); });
    expect_file_error(ErrorCode::io_error, path, what, [&] { check_can_save(path); });
  };
  refused(directory.path(), "Is a directory");
  refused(directory / "no such directory" / "f", "No such file or directory");
  refused("/dev/full", "not a regular file");
  refused(directory / std::string(300, 'x'), "File name too long");
  refused("", "No such file");
  write_file(directory / "f", "");
  refused(directory / "f" / "g", "Not a directory");
  EXPECT_EQ(directory.names(), Names{"f"});
}

TEST(NewFile, AnUnwritableDirectoryIsRefused) {
  const TemporaryDirectory directory;
  write_file(directory / "f", "old");
  std::filesystem::permissions(directory / "f", std::filesystem::perms(0));
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0555));
  const uid_t user = ::geteuid();
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(::seteuid(user == 0 ? kNobody : user), 0);  // root may write everywhere
  expect_file_error(ErrorCode::io_error, directory / "f", "Permission denied",
                    [&] { const NewFile file(directory / "f"); });
  expect_file_error(ErrorCode::io_error, directory / "f", "Permission denied",
                    [&] { const InputFile file(directory / "f"); });
  ASSERT_EQ(::seteuid(user), 0);
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
}

TEST(NewFile, ASmallFileSystem) {
  const TemporaryDirectory directory;
  const auto mount_point = directory / "small";
  std::filesystem::create_directory(mount_point);
  if (::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=1m") != 0) GTEST_SKIP() << "needs root, to mount one";
  const Table small(100, 16);
  const Table large(100000, 16);
  Vocabulary few;
  Vocabulary many;
  for (int r = 0; r < 100; ++r) few.add(std::to_string(r));
  for (int r = 0; r < 100000; ++r) many.add(std::to_string(r));
  for (const char* const name : {"t.safetensors", "t.npy", "t.bin", "t.txt"}) {
    const auto file = mount_point / name;
    save_vectors(file, small, few);
    const std::string whole = read_file(file);
    try {
      save_vectors(file, large, many);
      ADD_FAILURE() << name;
    } catch (const FileError& error) {  // about the words, where these are a file of their own and come first
      EXPECT_NE(std::string_view(error.what()).find("No space left"), std::string_view::npos) << error.what();
    }
    EXPECT_EQ(read_file(file), whole) << name;
  }
  const auto path = mount_point / "t.npy";
  const std::string before = read_file(path);
  {
    // Without a size known beforehand the disk is full in the middle.
    const NewFile file(path);
    expect_file_error(ErrorCode::io_error, path, "No space left", [&] {
      file.write(0, std::as_bytes(std::span(large.data(), static_cast<std::size_t>(large.rows() * large.dim()))));
    });
  }
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(mount_point), {}), 5) << "four files, and t.words.txt";

  EXPECT_EQ(::mount("tmpfs", mount_point.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m"), 0);
  expect_file_error(ErrorCode::io_error, path, "Read-only file system", [&] { save_npy(path, small); });
  EXPECT_EQ(read_file(path), before);
  ::umount(mount_point.c_str());
}

TEST(NewFile, AProgressCallbackCanStopASave) {
  const TemporaryDirectory directory;
  const auto path = directory / "t.npy";
  write_file(path, "old");
  const Table table(1 << 20, 16);
  std::int64_t last = 0;
  save_npy(directory / "other.npy", table, {.sync = false, .progress = [&](std::int64_t done, std::int64_t total) {
                                              EXPECT_GT(done, last);
                                              EXPECT_EQ(total, 64 << 20);
                                              last = done;
                                            }});
  EXPECT_EQ(last, 64 << 20);
  struct Stop {};
  EXPECT_THROW(save_npy(path, table, {.progress = [](std::int64_t, std::int64_t) { throw Stop(); }}), Stop);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(directory.names().size(), 2U);
}

TEST(InputFile, WhatCannotBeReadIsRefused) {
  const TemporaryDirectory directory;
  const auto refused = [](const std::filesystem::path& path, std::string_view what) {
    expect_file_error(ErrorCode::io_error, path, what, [&] { const InputFile file(path); });
  };
  refused(directory / "none", "No such file or directory");
  refused(directory.path(), "Is a directory");
  refused("/dev/null", "not a regular file");
  write_file(directory / "f", "12345678");
  const InputFile file(directory / "f");
  std::filesystem::resize_file(directory / "f", 4);
  std::byte buffer[8];
  expect_file_error(ErrorCode::io_error, directory / "f", "at byte 4: the file ends, 4 bytes before",
                    [&] { file.read(0, buffer); });
}

}  // namespace
}  // namespace rowmill::io::test
