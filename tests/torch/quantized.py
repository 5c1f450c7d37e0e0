# SPDX-License-Identifier: Apache-2.0
"""Rowmill reads the quantised rows of PyTorch and FBGEMM: rows that they pack are looked up and pooled by both sides, and what
Rowmill quantises is compared with what they do. tests/torch/run calls it; ROWMILL_LIBRARY names librowmill_c.so."""

import ctypes
import itertools
import os
import sys
from pathlib import Path

import numpy as np

os.environ["TORCH_USE_RTLD_GLOBAL"] = "1"  # see bench/peers/peer_fbgemm.py
import fbgemm_gpu  # noqa: E402, F401
import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "peers"))
from rowmill import FORMATS, Bags, Ids, PoolOptions, View, check, library, options_of, view  # noqa: E402

ROWS, RANDOM = 37, np.random.default_rng(5)
LENGTHS = (0, 5, 1, 0, 7, 3, 8, 1, 2, 3, 0)  # of bags; 30 ids in all
ROWMILL_U8 = 12
CODES = {"int8": 256, "int4": 16, "int2": 4}


class Rows:
    """A table of quantised rows in anyone's memory."""

    def __init__(self, packed, format_name, dim):
        self.packed, self.dim = np.ascontiguousarray(packed), dim
        self.view = View(self.packed.ctypes.data, len(packed), dim, self.packed.shape[1], None, FORMATS[format_name])

    def gather(self, ids):
        out = np.full((len(ids), self.dim), np.nan, np.float32)
        check(library.rowmill_gather(ctypes.byref(self.view), ctypes.byref(Ids(ids.ctypes.data, len(ids), 64)),
                                     ctypes.byref(view(out)), None))
        return out

    def pool(self, ids, offsets, pooling, weights):
        out = np.full((len(offsets), self.dim), np.nan, np.float32)
        bags = Bags(Ids(ids.ctypes.data, len(ids), 64), Ids(offsets.ctypes.data, len(offsets), 64), len(offsets), 0, 2)
        fields = {} if weights is None else {"weights": weights.ctypes.data, "weight_count": len(weights)}
        options = options_of(PoolOptions, "pool", pooling=pooling, **fields)
        check(library.rowmill_pool(ctypes.byref(self.view), ctypes.byref(bags), ctypes.byref(view(out)),
                                   ctypes.byref(options), None))
        return out


def quantized(weights, format_name, row_bytes):
    """What rowmill_convert makes of them."""
    rows = Rows(np.zeros((len(weights), row_bytes), np.uint8), format_name, weights.shape[1])
    check(library.rowmill_convert(ctypes.byref(view(weights)), ctypes.byref(rows.view), None))
    return rows


def close(what, got, expected, tolerance=1e-5):
    if not np.allclose(got, expected, rtol=1e-5, atol=tolerance):
        raise SystemExit(f"{what}: Rowmill\n{got}\nthe other\n{expected}")


def check_rows(name, rows, values, pool):
    """Rows as they are, and pooled; `values` are the rows' floats, `pool` is PyTorch's operator for them, or nothing."""
    ids = RANDOM.integers(0, len(values), sum(LENGTHS))
    close(f"{name}, gather", rows.gather(ids), values[ids])
    offsets = np.cumsum((0, *LENGTHS))[:-1]
    for weighted in (False, True) if pool else ():
        weights = RANDOM.uniform(-1, 1, len(ids)).astype(np.float32) if weighted else None
        theirs = pool(torch.from_numpy(ids), torch.from_numpy(offsets), mode=0,
                      per_sample_weights=None if weights is None else torch.from_numpy(weights), include_last_offset=False)
        close(f"{name}, sums{', weighted' * weighted}", rows.pool(ids, offsets, 0, weights), theirs.numpy())


def check_packed(format_name, dim):
    """Rows that are packed: by PyTorch's operators, and by FBGEMM's, where it takes such a width."""
    weights = RANDOM.uniform(-1, 1, (ROWS, dim)).astype(np.float32)
    weights[1] = 0.25
    tensor = torch.from_numpy(weights)
    bits = int(format_name[3:])
    theirs = "byte" if bits == 8 else f"{bits}bit"
    of_torch = getattr(torch.ops.quantized, f"embedding_bag_{theirs}_prepack")(tensor)
    back = getattr(torch.ops.quantized, f"embedding_bag_{theirs}_unpack")(of_torch).numpy()
    pool = getattr(torch.ops.quantized, f"embedding_bag_{theirs}_rowwise_offsets")
    check_rows(f"{format_name}, {dim} columns, packed by PyTorch", Rows(of_torch.numpy(), format_name, dim), back,
               lambda *arguments, **options: pool(of_torch, *arguments, **options))
    if bits == 8:
        of_fbgemm = torch.ops.fbgemm.FloatToFused8BitRowwiseQuantized(tensor)
        back = torch.ops.fbgemm.Fused8BitRowwiseQuantizedToFloat(of_fbgemm).numpy()
    elif dim % (16 // bits) == 0:
        of_fbgemm = torch.ops.fbgemm.FloatToFusedNBitRowwiseQuantizedSBHalf(tensor, bits)
        back = torch.ops.fbgemm.FusedNBitRowwiseQuantizedSBHalfToFloat(of_fbgemm, bits).numpy()
    else:
        return 1
    check_rows(f"{format_name}, {dim} columns, packed by FBGEMM", Rows(of_fbgemm.numpy(), format_name, dim), back, None)
    ours = quantized(weights, format_name, of_fbgemm.shape[1]).gather(np.arange(ROWS))
    step = 2 / (CODES[format_name] - 1)  # a code may be the next one, where their scale differs in a last bit
    close(f"{format_name}, {dim} columns, quantised", ours, back, 1.01 * step)
    if np.abs(ours - back).mean() > 0.01 * step:
        raise SystemExit(f"{format_name}, {dim} columns: many codes differ from FBGEMM's")
    return 2


def check_tensor(dtype, dim):
    """Rows of a quantised tensor of PyTorch's, whose values are (code - zero point) * scale, by rowmill_join_codes."""
    weights = torch.from_numpy(RANDOM.uniform(-1, 1, (ROWS, dim)).astype(np.float32))
    codes = 255 if dtype == torch.quint8 else 15
    scales = (weights.amax(1) - weights.amin(1)) / codes
    if dtype == torch.quint4x2:
        scales = scales.half().float()
    tensor = torch.quantize_per_channel(weights, scales, -weights.amin(1) / scales, 0, dtype)
    bytes_of = np.ctypeslib.as_array(ctypes.cast(tensor.data_ptr(), ctypes.POINTER(ctypes.c_uint8)),
                                     (ROWS, dim if codes == 255 else (dim + 1) // 2))
    scale = tensor.q_per_channel_scales().float().numpy()
    zero_point = tensor.q_per_channel_zero_points().float().numpy()
    name = "int8" if codes == 255 else "int4"
    rows = Rows(np.zeros((ROWS, bytes_of.shape[1] + (8 if codes == 255 else 4)), np.uint8), name, dim)
    apart = View(bytes_of.ctypes.data, *bytes_of.shape, bytes_of.shape[1], None, ROWMILL_U8)
    check(library.rowmill_join_codes(ctypes.byref(apart), ctypes.c_void_p(scale.ctypes.data),
                                     ctypes.c_void_p(zero_point.ctypes.data), ctypes.byref(rows.view)))
    packed = torch.ops.quantized.embedding_bag_prepack(tensor)
    pool = torch.ops.quantized.embedding_bag_byte if codes == 255 else torch.ops.quantized.embedding_bag_4bit
    one_each = pool(packed, torch.arange(ROWS), torch.arange(ROWS), include_last_offset=False).numpy()
    check_rows(f"{dtype}, {dim} columns", rows, one_each, lambda *arguments, **options: pool(packed, *arguments, **options))
    return 1


def main():
    torch.set_num_threads(1)
    widths = (8, 16, 64, 100, 128, 300)
    checked = sum(check_packed(*case) for case in itertools.product(CODES, widths))
    checked += sum(check_tensor(*case) for case in itertools.product((torch.quint8, torch.quint4x2), widths))
    print(f"Quantised rows: {checked} tables of PyTorch {torch.__version__} and FBGEMM {fbgemm_gpu.__version__} are read alike.")


if __name__ == "__main__":
    sys.exit(main())
