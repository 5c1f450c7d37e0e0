// SPDX-License-Identifier: Apache-2.0
// What leaf kernels need of a vector unit, on xsimd: loads, stores, tails, streaming, prefetch. Included only by
// *.isa.cpp files, which are compiled once per instruction set. Everything here has internal linkage, so that the
// linker can't share code between instruction sets.
//
// What differs between architectures is in kernels/simd/x86*.hpp and neon*.hpp, which define:
//   Arch, Floats, kLanes    xsimd's name of the instruction set, its vector of floats, and how many that has
//   load_partial(p, n)      the first n < kLanes floats at p, and 0 in the other lanes. Reads nothing past them
//   store_partial(p, v, n)  stores the first n < kLanes lanes at p. Writes nothing past them
//   Halves                  a vector of kLanes 16-bit values
//   load_halves(p), load_halves_partial(p, n), store_halves(p, h), store_halves_partial(p, h, n): as for floats
//   widen_bf16(h), widen_f16(h): exact. narrow_bf16(v), narrow_f16(v): rounded to the nearest
//   round_bf16(v)           widen_bf16(narrow_bf16(v))
//   where_equal(v, bits, x) v in the lanes where `bits`, loaded from integers, equals the integer x, and +0 in the
//   others divide(a, b), square_root(v): exactly rounded. Those of xsimd on neon64 are approximations tree_sum(v) the
//   sum of the lanes as a balanced tree: lane k + lane k + kLanes / 2, and so on stream(p, v)            a store that
//   bypasses the caches, if there is one; p is aligned to the vector stream_fence()          between streaming stores
//   and reads by other threads prefetch_line(p, into)  prefetches a cache line. Not by __builtin_prefetch: GCC takes a
//   function that only prefetches
//                           for one without effect, and drops calls of it that it has not inlined yet
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
