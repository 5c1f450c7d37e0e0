# SPDX-License-Identifier: Apache-2.0
"""Exchanges files between the rowmill tool and the packages that define their formats."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
from gensim.models import KeyedVectors

TOOL = sys.argv.pop()
WORDS = ["the", "of", "Zürich", "naïve", "x" * 100, "1", "...", "\u00a0"]


def rowmill(*arguments):
    return subprocess.run([TOOL, *arguments], check=True, capture_output=True, text=True).stdout


def awkward(rows=len(WORDS), dim=7):
    """Random values, signed zeros, denormals, infinities and NaNs with payloads."""
    values = np.random.default_rng(1).standard_normal((rows, dim)).astype(np.float32)
    bits = values.view(np.uint32)
    bits.flat[:8] = [0, 1 << 31, 1, 0x80000001, 0x7F800000, 0xFF800000, 0x7FC12345, 0xFF800001]
    return values


def finite(rows=len(WORDS), dim=7):
    return np.random.default_rng(2).standard_normal((rows, dim)).astype(np.float32)


class Interop(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chdir(folder.name)

    def assert_same_bits(self, actual, expected):
        self.assertEqual(actual.dtype, expected.dtype)
        self.assertEqual(actual.shape, expected.shape)
        self.assertEqual(actual.tobytes(), expected.tobytes())

    def test_numpy(self):
        table = awkward()
        for name, array in [("c", table), ("f", np.asfortranarray(table)), ("b", table.astype(">f4")),
                            ("bf", np.asfortranarray(table.astype(">f4")))]:
            np.save(f"{name}.npy", array)
            rowmill("convert", f"{name}.npy", f"{name}.safetensors")
            self.assert_same_bits(safetensors.numpy.load_file(f"{name}.safetensors")["vectors"], table)
            rowmill("convert", f"{name}.safetensors", f"{name}2.npy")
            self.assert_same_bits(np.load(f"{name}2.npy"), table)
        with open("v2.npy", "wb") as file:
            np.lib.format.write_array(file, table, version=(2, 0))
        rowmill("convert", "v2.npy", "v2out.npy")
        self.assert_same_bits(np.load("v2out.npy"), table)

    def test_safetensors(self):
        table = awkward()
        safetensors.numpy.save_file({"a": table, "b": finite(3, 5), "odd": np.zeros(3, np.uint8), "n": np.arange(4)},
                                    "in.safetensors", metadata={"from": "numpy"})
        rowmill("convert", "in.safetensors", "out.npy", "--tensor", "a")
        self.assert_same_bits(np.load("out.npy"), table)
        info = json.loads(rowmill("info", "in.safetensors", "--json"))
        self.assertEqual(info["metadata"], {"from": "numpy"})
        self.assertEqual({t["name"]: t["shape"] for t in info["tensors"]}, {"a": [8, 7], "b": [3, 5], "odd": [3], "n": [4]})

    def test_every_dtype(self):
        for dtype in ["f2", "f8", "i8", "i4", "i2", "i1", "u1"]:
            count = 7 * 5 * np.dtype(dtype).itemsize
            table = np.random.default_rng(3).integers(0, 256, count, np.uint8).view(dtype).reshape(7, 5)
            for array in [table, np.asfortranarray(table), table.astype(">" + dtype)]:
                np.save("in.npy", array)
                rowmill("convert", "in.npy", "out.safetensors")
                self.assert_same_bits(safetensors.numpy.load_file("out.safetensors")["vectors"], table)
            safetensors.numpy.save_file({"t": table}, "in.safetensors")
            rowmill("convert", "in.safetensors", "out.npy")
            self.assert_same_bits(np.load("out.npy"), table)

    def test_quantised_rows(self):
        table = finite(9, 6)
        safetensors.numpy.save_file({"t": table}, "in.safetensors")
        rowmill("quantize", "in.safetensors", "out.safetensors", "--format", "int8")
        rows = safetensors.numpy.load_file("out.safetensors")["vectors"]
        self.assertEqual((rows.dtype, rows.shape), (np.uint8, (9, 14)))
        scale, bias = np.ascontiguousarray(rows[:, 6:]).view(np.float32).T[:, :, None]
        rowmill("convert", "out.safetensors", "wide.npy", "--format", "f32")
        self.assert_same_bits(np.load("wide.npy"), rows[:, :6].astype(np.float32) * scale + bias)

    def test_bf16(self):
        bits = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        safetensors.numpy.save_file({"t": bits.view(ml_dtypes.bfloat16)}, "in.safetensors")
        rowmill("convert", "in.safetensors", "out.safetensors")
        with open("out.safetensors", "rb") as file:
            tensors = dict(safetensors.deserialize(file.read()))
        self.assertEqual(tensors["vectors"]["dtype"], "BF16")
        self.assertEqual(bytes(tensors["vectors"]["data"]), bits.tobytes())
        rowmill("convert", "in.safetensors", "wide.npy", "--format", "f32")
        self.assert_same_bits(np.load("wide.npy"), (bits.astype(np.uint32) << 16).view(np.float32))

    def test_bf16_through_torch(self):
        try:
            import safetensors.torch
            import torch
        except ImportError:
            self.skipTest("no torch: see tests/io/interop/run")
        bits = torch.arange(65536, dtype=torch.int32).to(torch.uint16).reshape(256, 256)
        table = bits.view(torch.bfloat16)
        safetensors.torch.save_file({"t": table, "other": torch.zeros(3)}, "in.safetensors")
        rowmill("convert", "in.safetensors", "out.safetensors", "--tensor", "t")
        loaded = safetensors.torch.load_file("out.safetensors")["vectors"]
        self.assertEqual(loaded.dtype, torch.bfloat16)
        self.assertTrue(torch.equal(loaded.view(torch.uint16), bits))
        # Rounding agrees with torch's, ties and NaNs apart from their payloads.
        wide = torch.from_numpy(awkward(1000, 7))
        safetensors.torch.save_file({"t": wide}, "wide.safetensors")
        rowmill("quantize", "wide.safetensors", "half.safetensors", "--format", "bf16")
        half = safetensors.torch.load_file("half.safetensors")["vectors"]
        expected = wide.to(torch.bfloat16)
        self.assertTrue(torch.equal(half.isnan(), expected.isnan()))
        kept = ~expected.isnan()
        self.assertTrue(torch.equal(half[kept].view(torch.uint16), expected[kept].view(torch.uint16)))

    def test_gensim(self):
        for table, binary in [(awkward(), True), (finite(), False)]:
            vectors = KeyedVectors(table.shape[1])
            vectors.add_vectors(WORDS, table)
            vectors.save_word2vec_format("in", binary=binary)
            rowmill("convert", "in", "t.safetensors")
            tensors = safetensors.numpy.load_file("t.safetensors")
            self.assert_same_bits(tensors["vectors"], table)
            self.assertEqual(bytes(tensors["vectors.words"]).decode(), "".join(WORDS))
            end = "bin" if binary else "txt"
            rowmill("convert", "t.safetensors", f"out.{end}")
            loaded = KeyedVectors.load_word2vec_format(f"out.{end}", binary=binary)
            self.assert_same_bits(loaded.vectors, table)
            self.assertEqual(loaded.index_to_key, WORDS)
        rowmill("convert", "t.safetensors", "out.glove")
        loaded = KeyedVectors.load_word2vec_format("out.glove", binary=False, no_header=True)
        self.assert_same_bits(loaded.vectors, finite())
        vectors.save("pickled")
        refused = subprocess.run([TOOL, "info", "pickled"], capture_output=True, text=True)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("save_word2vec_format", refused.stderr)

    def test_nearest(self):
        words = [f"w{i}" for i in range(2000)]
        vectors = KeyedVectors(50)
        vectors.add_vectors(words, finite(2000, 50))
        vectors.save_word2vec_format("v.bin", binary=True)
        for positive, negative, expression in [(["w7"], [], ["w7"]), (["w1", "w3"], ["w2"], ["w1", "-", "w2", "+", "w3"])]:
            expected = vectors.most_similar(positive=positive, negative=negative, topn=10)
            found = json.loads(rowmill("nearest", "v.bin", *expression, "--json"))[0]["nearest"]
            self.assertEqual([f["word"] for f in found], [word for word, _ in expected])
            np.testing.assert_allclose([f["cosine"] for f in found], [cosine for _, cosine in expected], atol=1e-5)


if __name__ == "__main__":
    unittest.main()
