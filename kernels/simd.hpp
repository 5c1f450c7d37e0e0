// SPDX-License-Identifier: Apache-2.0
// What leaf kernels need of a vector unit, on xsimd: loads, stores, partial rows, streaming, prefetch. Included only by
// *.isa.cpp files, which are compiled once per instruction set; everything here has internal linkage, so that no object
// can borrow another's code.
//
// What differs between architectures is in kernels/simd/, and each of those headers gives:
//   Arch, Floats            xsimd's name of the instruction set, and its vector of floats
//   load_partial(p, n)      the first n < kLanes floats at p; the other lanes are zero. Reads nothing past them
//   store_partial(p, v, n)  stores the first n < kLanes lanes at p and writes nothing past them
//   Halves                  as many 16-bit values as Floats has floats; load_halves(p), load_halves_partial(p, n) and
//   so
//                           on are as those of floats
//   widen_bf16(h), narrow_bf16(v), and the same of f16: exact, and rounded to the nearest
//   round_bf16(v)           v, rounded to what a bf16 can hold
//   where_equal(v, bits, x) v in the lanes where `bits`, loaded from integers, is the integer x, +0 in the others
//   divide(a, b)            a / b and the square root of v, exactly rounded: xsimd's own of neon64 are approximations
//   square_root(v)
//   tree_sum(v)             the sum of the lanes as a balanced tree: lane k + lane k + kLanes / 2, and so on
//   stream(p, v)            a store that goes past the caches, where there is one; p is aligned to the vector
//   stream_fence()          after streaming, before others may read it
//   prefetch_line(p, into)  prefetches a line. Not by __builtin_prefetch: GCC takes a function that only prefetches for
//                           one without effect, and drops calls that it has not inlined yet
#pragma once

#if defined(__x86_64__)
#include "kernels/simd/x86.hpp"
#include "kernels/simd/x86_halves.hpp"
#elif defined(__aarch64__)
#include "kernels/simd/neon.hpp"
#include "kernels/simd/neon_halves.hpp"
#else
#error "no vector unit: build kernels/reference instead"
#endif

#include "kernels/simd/prefetch.hpp"
#include "kernels/simd/vectors.hpp"
