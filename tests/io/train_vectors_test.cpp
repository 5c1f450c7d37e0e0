// SPDX-License-Identifier: Apache-2.0
// `rowmill train-vectors`, as a user runs it.
#include <sys/mount.h>
#include <unistd.h>

#include <random>

#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "tests/io/tool.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::io::test {
namespace {

/// Small, and yet of several batches.
constexpr const char* kSmall = " --dim 20 --min-count 1 --sample 0.05 --epochs 2 --batch 256";

/// Sentences of words of which some are frequent.
std::string random_sentences(std::uint64_t seed, int words) {
  std::mt19937_64 random(seed);
  std::string text;
  for (int i = 0; i < words; ++i) {
    text += "w" + std::to_string(std::min(random() % 60, random() % 60));
    text += random() % 12 == 0 ? '\n' : ' ';
  }
  return text;
}

class TrainVectors : public ToolTest {
 protected:
  TrainVectors() { write_file(directory / "t", random_sentences(1, 5000)); }

  /// Runs train-vectors, which must succeed, and gives back the file that it wrote.
  std::string train(const std::string& arguments, const std::string& output = "out.bin") {
    const Result result = run("train-vectors -o " + output + " " + arguments);
    EXPECT_EQ(result.status, 0) << result.output;
    EXPECT_EQ(result.output, "") << "silent where there is no terminal";
    return read_file(directory / output);
  }
  void expect_refused(const std::string& commands, std::string_view what) {
    const Result result = run_shell(commands);
    EXPECT_EQ(result.status, 1) << commands;
    EXPECT_NE(result.output.find(what), std::string::npos) << result.output << "expected: " << what;
    EXPECT_TRUE(result.output.starts_with("rowmill: ")) << result.output;
    EXPECT_EQ(std::ranges::count(result.output, '\n'), 1) << result.output;
  }
};

// A warning that nobody can read neither ends the training nor gets into a file of its own.
TEST_F(TrainVectors, NeedsNoStandardError) {
  std::string text = read_file(directory / "t");
  for (int i = 0; i < 200; ++i) text += "\xff ";
  write_file(directory / "stray", text);
  ASSERT_EQ(run("train-vectors stray -o a.bin" + std::string(kSmall)).status, 0);
  for (const std::string errors : {"&-", "/dev/full"}) {
    EXPECT_EQ(run("train-vectors stray -o b.bin" + std::string(kSmall) + " 2>" + errors).status, 0) << errors;
    EXPECT_EQ(read_file(directory / "b.bin"), read_file(directory / "a.bin")) << errors;
    std::filesystem::remove(directory / "b.bin");
  }
}

TEST_F(TrainVectors, TheSameSeedGivesTheSameFile) {
  for (const std::string model : {"cbow", "skip-gram"}) {
    const std::string options = kSmall + (" --model " + model);
    const std::string expected = train("t" + options);
    EXPECT_GT(expected.size(), 59U * 20 * 4);
    for (const char* const threads : {"1", "2", "7"}) {
      EXPECT_TRUE(train("t --threads " + std::string(threads) + options) == expected) << threads << " threads";
    }
    for (const KernelTable* const isa : supported_kernels()) {
      ASSERT_EQ(
          run_shell("ROWMILL_ISA=" + std::string(isa->isa) + " $rowmill train-vectors t -o isa.bin" + options).status,
          0);
      EXPECT_TRUE(read_file(directory / "isa.bin") == expected) << isa->isa;
    }
    EXPECT_EQ(run_shell("cat t | $rowmill train-vectors - -o piped.bin" + options).status, 0);
    EXPECT_TRUE(read_file(directory / "piped.bin") == expected);
    EXPECT_EQ(run_shell("gzip -c t > t.gz && head -n 100 t > a && tail -n +101 t > b").status, 0);
    EXPECT_TRUE(train("t.gz" + options) == expected);
    EXPECT_TRUE(train("a b" + options) == expected);
    EXPECT_TRUE(train("t --seed 2" + options) != expected);
  }
}

TEST_F(TrainVectors, WritesEveryFormat) {
  train(std::string("t") + kSmall, "v.safetensors");
  const WordVectors expected = load_vectors(directory / "v.safetensors");
  EXPECT_EQ(expected.table.dim(), 20);
  for (const char* const name : {"v.npy", "v.bin", "v.txt", "v.vec", "v.glove"}) {
    train(std::string("t") + kSmall, name);
    const WordVectors vectors = load_vectors(directory / name);
    EXPECT_TRUE(same_bits(vectors.table, expected.table)) << name;
    EXPECT_EQ(vectors.words.bytes(), expected.words.bytes()) << name;
  }
  for (const std::string format : {"safetensors", "npy", "binary", "text", "glove"}) {
    train("t --format " + format + kSmall, "any.of");
    EXPECT_TRUE(same_bits(load_vectors(directory / "any.of").table, expected.table)) << format;
  }
  // An option that decides about the words.
  train(std::string("t --max-vocabulary 7") + kSmall, "v.txt");
  EXPECT_EQ(load_vectors(directory / "v.txt").table.rows(), 7);
}

TEST_F(TrainVectors, FindsWhatTheTextHolds) {
  // Words of one kind stand together: a and b beside each other, x and y beside each other.
  std::mt19937_64 random(3);
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    const std::string kind = random() % 2 == 0 ? "a" : "x";
    for (int k = 0; k < 8; ++k) text += kind + std::to_string(random() % 10) + " ";
    text += '\n';
  }
  write_file(directory / "kinds", text);
  train("kinds --dim 16 --epochs 3 --sample 0 --batch 256 --alpha 0.01", "v.npy");
  const auto nearest = run_json("nearest v.npy a0 -k 9");
  EXPECT_EQ(nearest[0]["nearest"].size(), 9U);
  for (const auto& neighbour : nearest[0]["nearest"]) {
    EXPECT_EQ(neighbour["word"].get<std::string>()[0], 'a') << neighbour.dump();
  }
}

TEST_F(TrainVectors, SumsUpForMachines) {
  const auto summary = run_json(std::string("train-vectors t -o v.npy --threads 2") + kSmall);
  EXPECT_EQ(summary["rows"], 59);
  EXPECT_EQ(summary["dim"], 20);
  EXPECT_EQ(summary["threads"], 2);
  EXPECT_EQ(summary["text"]["words"], 5000);
  EXPECT_EQ(summary["text"]["distinct_words"], 59);
  EXPECT_EQ(summary["training"]["words"], 10000);
  EXPECT_GT(summary["training"]["words_per_second"], 0);
  EXPECT_GT(summary["loss"], 0);
  EXPECT_EQ(summary["settings"]["--window"], 5);
}

TEST_F(TrainVectors, WarnsOnceOfStrayBytes) {
  write_file(directory / "stray", std::string("a\xFF b ") + '\0' + " b a\xFF\n");
  const Result result = run("train-vectors stray -o v.npy --min-count 1 --dim 4");
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output,
            "rowmill: train-vectors: 3 of 5 words in the text are not UTF-8 or hold a NUL byte, 'a\\xFF' for one; they "
            "are kept as bytes\n");
  EXPECT_EQ(load_vectors(directory / "v.npy").words[0], "a\xFF");
}

TEST_F(TrainVectors, ARunThatIsKilledGoesOn) {
  // Each piece of text and each epoch is followed by a checkpoint; the process dies at 20 random moments.
  const std::string options = " --dim 20 --min-count 1 --sample 0.05 --epochs 60 --batch 256";
  write_file(directory / "t", random_sentences(1, 1500));
  const std::string expected = train("t" + options);
  const Result result = run_shell(
      "killed=0\nwhile :; do\n  $rowmill train-vectors t -o killed.bin --checkpoint c "
      "--checkpoint-seconds 0 --resume" +
      options +
      R"( 2>errors & pid=$!
  if [ $killed -lt 20 ]; then
    sleep 0.0$(( (killed * 7 + 3) % 10 ))$(( $(date +%N | cut -c 3-3) ))
    if kill -9 $pid 2>/dev/null; then killed=$((killed + 1)); fi
  fi
  wait $pid; status=$?
  if [ $status -eq 0 ] && [ $killed -lt 20 ]; then rm -f c; continue; fi
  if [ $status -ne 137 ]; then cat errors; exit $status; fi
done 2>/dev/null)");
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_TRUE(read_file(directory / "killed.bin") == expected);
}

TEST_F(TrainVectors, CtrlCWritesACheckpoint) {
  const std::string options = " --dim 20 --min-count 1 --epochs 1000 --batch 256 --alpha 0.005";
  const std::string with_checkpoint = "train-vectors t -o out.bin --checkpoint c" + options;
  for (const auto& [signal, status] : {std::pair{"INT", 130}, std::pair{"TERM", 143}}) {
    // It comes after the first of a thousand checkpoints.
    const Result stopped =
        run_shell("rm -f c; env --default-signal=INT $rowmill " + with_checkpoint +
                  " --checkpoint-seconds 0 >log 2>&1 & pid=$!; while [ ! -f c ]; do sleep 0.01; done; kill -" + signal +
                  " $pid; wait $pid; status=$?; cat log; exit $status");
    EXPECT_EQ(stopped.status, status) << stopped.output;
    EXPECT_NE(stopped.output.find("--resume goes on from c"), std::string::npos) << stopped.output;
    EXPECT_FALSE(std::filesystem::exists(directory / "out.bin"));
  }
  EXPECT_EQ(run("verify c").status, 0);
  EXPECT_EQ(run(with_checkpoint + " --resume").status, 0);
  EXPECT_TRUE(read_file(directory / "out.bin") == train("t" + options, "whole.bin"));
}

TEST_F(TrainVectors, CtrlCWhileTheVectorsAreWrittenSaysWhereTheyAre) {
  write_file(directory / "t", random_sentences(1, 100));
  // The checkpoint is there when the training has ended; then the text of four million numbers takes its time.
  const std::string command = "train-vectors t -o out.txt --checkpoint c --dim 65536 --min-count 1 --epochs 1";
  const Result stopped = run_shell("env --default-signal=INT $rowmill " + command +
                                   " >log 2>&1 & pid=$!; while [ ! -f c ]; do sleep 0.01; done; kill -INT $pid; " +
                                   "wait $pid; status=$?; cat log; exit $status");
  EXPECT_EQ(stopped.status, 130) << stopped.output;
  EXPECT_NE(stopped.output.find("the vectors are in c, and the same command with --resume writes them"),
            std::string::npos)
      << stopped.output;
  EXPECT_FALSE(std::filesystem::exists(directory / "out.txt"));
  EXPECT_EQ(run(command + " --resume").status, 0);
  EXPECT_TRUE(std::filesystem::exists(directory / "out.txt"));
}

TEST_F(TrainVectors, GoesOnWithTheSameTextAndOptionsOnly) {
  const std::string options = std::string(kSmall) + " --checkpoint c";
  const std::string expected = train("t" + options);
  const std::string checkpoint = read_file(directory / "c");
  const auto expect_other = [&](const std::string& arguments, const std::string& what) {
    expect_refused("$rowmill train-vectors " + arguments + " -o other.bin", what);
    EXPECT_TRUE(read_file(directory / "c") == checkpoint) << arguments;
  };
  expect_other("t" + options, "c: is there already: go on from it with --resume");
  expect_other("t --resume --window 7" + options, "was made with --window 5, and is not gone on from with --window 7");
  expect_other("t --resume --model skip-gram" + options, "--model \"cbow\"");
  expect_other("t --resume --seed 7 --checkpoint c --dim 20 --min-count 1 --sample 0.05 --epochs 2 --batch 256",
               "--seed");
  // Options are compared before the text is read.
  expect_other("none.gz t --resume --window 7" + options, "--window");
  write_file(directory / "longer", read_file(directory / "t") + "\nw1");
  expect_other("longer --resume" + options, "was made of another text: its words: 5000; this one's: 5001");
  // The same words in as many sentences, in another order: the halves change places.
  const std::string text = read_file(directory / "t") + "\n";
  const std::size_t half = text.find('\n', text.size() / 2) + 1;
  write_file(directory / "turned", text.substr(half) + text.substr(0, half));
  expect_other("turned --resume" + options, "was made of another text: its checksum");
  write_file(directory / "no", "not one");
  expect_refused(std::string("$rowmill train-vectors t -o other.bin --resume --checkpoint no") + kSmall, "no: ");
  EXPECT_NE(run("train-vectors t -o other.bin --resume").status, 0) << "without --checkpoint";

  // A finished training writes its vectors again.
  std::filesystem::remove(directory / "out.bin");
  EXPECT_TRUE(train("t --resume" + options) == expected);
}

TEST_F(TrainVectors, RefusesBadInput) {
  write_file(directory / "empty", "");
  write_file(directory / "one", "word word word\nword word word\n");
  std::filesystem::create_directory(directory / "folder");
  const std::string train = "$rowmill train-vectors -o out.npy ";
  expect_refused(train + "empty", "empty: there are no words");
  expect_refused(train + "one", "the vocabulary has one word, 'word'");
  expect_refused(train + "t --min-count 5000", "no word occurs min_count = 5000 times; the most frequent");
  expect_refused(train + "t none t", "none: cannot be opened: No such file");
  expect_refused(train + "t folder", "folder: cannot be read: Is a directory");
  expect_refused(train + "- <&-", "standard input: cannot be opened: Bad file descriptor");
  expect_refused(train + "- t - <t", "standard input can be read only once");
  expect_refused(": | " + train + "-", "standard input: there are no words");
  expect_refused("gzip -c t | head -c 500 | " + train + "-", "cut off");
  expect_refused("head -c 200000 /dev/zero | " + train + "-", "a word of more than 65536 bytes");
  expect_refused(train + "t --dim 0", "dim");
  expect_refused(train + "t --alpha 0", "alpha");
  expect_refused(train + "none --window 1000", "window");
  expect_refused(train + "t --checkpoint c --checkpoint-seconds -1", "--checkpoint-seconds -1");
  expect_refused("cp t t.txt; $rowmill train-vectors t.txt -o t.txt", "t.txt: is an input");
  expect_refused("$rowmill train-vectors t -o ./t --format npy", "is an input");
  expect_refused("$rowmill train-vectors none -o v.xyz", "known: .safetensors");
  expect_refused("$rowmill train-vectors none -o folder/none/v.npy", "folder/none/v.npy: cannot be written");
  expect_refused("$rowmill train-vectors none -o v.npy --checkpoint folder", "folder: cannot be written");
  expect_refused("$rowmill train-vectors t -o v.npy --checkpoint v.npy", "is the checkpoint too");
  expect_refused("TMPDIR=none " + train + "t", "none/rowmill-corpus-XXXXXX: the temporary file cannot be written");
  EXPECT_NE(run("train-vectors t -o v.npy --format pickle").status, 0);
  EXPECT_NE(run("train-vectors t").status, 0);
  EXPECT_NE(run("train-vectors -o v.npy").status, 0);
  for (const std::string& name : directory.names()) EXPECT_TRUE(name.find(".npy") == std::string::npos) << name;
}

TEST_F(TrainVectors, SaysThatATrainingDiverged) {
  write_file(directory / "old.npy", "old");
  expect_refused(std::string("$rowmill train-vectors t -o old.npy --alpha 1000 --checkpoint c") + kSmall,
                 "train-vectors: the training diverged in epoch ");
  EXPECT_EQ(read_file(directory / "old.npy"), "old");
}

TEST_F(TrainVectors, AFullDiskLosesNothing) {
  // Room for the numbers, but not for their text.
  const std::filesystem::path full = directory / "full";
  std::filesystem::create_directory(full);
  if (::mount("none", full.c_str(), "tmpfs", 0, "size=160k") != 0) GTEST_SKIP() << "cannot mount a file system";
  const std::string options = " --dim 400 --min-count 1 --epochs 1";
  const std::string expected = train("t" + options, "whole.txt");
  EXPECT_GT(expected.size(), 200000U);
  expect_refused("$rowmill train-vectors t -o full/v.txt --checkpoint c" + options,
                 "full/v.txt: cannot be written: No space left on device; the vectors are in c, and the same command "
                 "with --resume writes them");
  // Without a checkpoint they go to the directory of temporary files.
  const Result rescued =
      run_shell("mkdir temporary; TMPDIR=$PWD/temporary $rowmill train-vectors t -o full/v.txt" + options);
  EXPECT_EQ(rescued.status, 1);
  EXPECT_NE(rescued.output.find("the vectors are in " + (directory / "temporary/rowmill-vectors-").string()),
            std::string::npos)
      << rescued.output;
  EXPECT_EQ(run_shell("$rowmill convert temporary/rowmill-vectors-*.safetensors rescued.txt").status, 0);
  EXPECT_TRUE(read_file(directory / "rescued.txt") == expected);
  // Too little room for the numbers is found before the training.
  expect_refused("$rowmill train-vectors t -o full/v.bin --min-count 1 --dim 1000", "No space left on device");
  EXPECT_EQ(run_shell("ls -A full").output, "");
  ASSERT_EQ(::umount(full.c_str()), 0);
  EXPECT_EQ(run("train-vectors t -o full/v.txt --checkpoint c --resume" + options).status, 0);
  EXPECT_TRUE(read_file(full / "v.txt") == expected);
}

TEST_F(TrainVectors, AFullTemporaryDirectoryIsAnError) {
  const std::filesystem::path full = directory / "full";
  std::filesystem::create_directory(full);
  if (::mount("none", full.c_str(), "tmpfs", 0, "size=16k") != 0) GTEST_SKIP() << "cannot mount a file system";
  expect_refused("TMPDIR=full $rowmill train-vectors t -o v.npy",
                 "No space left on device (TMPDIR names its directory)");
  EXPECT_EQ(::umount(full.c_str()), 0);
}

TEST_F(TrainVectors, HelpHasExamples) {
  const Result help = run("train-vectors --help");
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.output.find("Examples:"), std::string::npos);
}

}  // namespace
}  // namespace rowmill::io::test
