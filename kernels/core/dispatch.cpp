// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "rowmill/config.hpp"
#include "rowmill/error.hpp"
#include "rowmill/isa.hpp"

#ifdef _GLIBCXX_DEBUG
const char rowmill::detail::compile_rowmill_with_GLIBCXX_DEBUG_too = 0;
#endif

namespace rowmill {

#define ROWMILL_DECLARE_TABLE(isa)       \
  namespace isa {                        \
  extern const KernelTable kernel_table; \
  }
ROWMILL_DECLARE_TABLE(avx512)
ROWMILL_DECLARE_TABLE(avx2)
ROWMILL_DECLARE_TABLE(sse2)
ROWMILL_DECLARE_TABLE(neon64)
ROWMILL_DECLARE_TABLE(scalar)
#undef ROWMILL_DECLARE_TABLE

namespace {

struct Candidate {
  const KernelTable* table;
  bool supported;
};

#if defined(ROWMILL_HAVE_AVX512) || defined(ROWMILL_HAVE_AVX2)
/// __builtin_cpu_supports of clang 14 does not know this name.
bool has_f16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

/// All tables of this build, best first. __builtin_cpu_supports also asks whether the operating system saves the
/// registers.
std::vector<Candidate> candidates() {
  std::vector<Candidate> all;
#ifdef ROWMILL_HAVE_AVX512
  all.push_back({&avx512::kernel_table, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                                            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                                            has_f16c()});
#endif
#ifdef ROWMILL_HAVE_AVX2
  all.push_back({&avx2::kernel_table, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c()});
#endif
#ifdef ROWMILL_HAVE_SSE2
  all.push_back({&sse2::kernel_table, true});
#endif
#ifdef ROWMILL_HAVE_NEON64
  all.push_back({&neon64::kernel_table, true});
#endif
  all.push_back({&scalar::kernel_table, true});
  return all;
}

std::string join(const std::vector<std::string_view>& names) {
  std::string joined;
  for (const std::string_view name : names) joined.append(joined.empty() ? "" : ", ").append(name);
  return joined;
}

const KernelTable* choose() {
  const char* wanted = std::getenv("ROWMILL_ISA");
  if (wanted == nullptr || *wanted == '\0') return supported_kernels().front();
  for (const Candidate& candidate : candidates()) {
    if (std::string_view(candidate.table->isa) != wanted) continue;
    if (candidate.supported) return candidate.table;
    throw Error(ErrorCode::unsupported_isa,
                "rowmill: ROWMILL_ISA=" + std::string(wanted) +
                    ": this machine does not support it (supported here: " + join(supported_isas()) + ")");
  }
  throw Error(ErrorCode::unsupported_isa, "rowmill: ROWMILL_ISA=" + std::string(wanted) +
                                              ": unknown instruction set (supported here: " + join(supported_isas()) +
                                              ")");
}

std::atomic<const KernelTable*> overriding{nullptr};

}  // namespace

std::vector<const KernelTable*> supported_kernels() {
  std::vector<const KernelTable*> tables;
  for (const Candidate& candidate : candidates()) {
    if (candidate.supported) tables.push_back(candidate.table);
  }
  return tables;
}

const KernelTable& kernels() {
  if (const KernelTable* table = overriding.load(std::memory_order_relaxed)) return *table;
  static const KernelTable* const chosen = choose();
  return *chosen;
}

void override_kernels(const KernelTable* table) { overriding.store(table); }

std::string_view isa_name() { return kernels().isa; }

std::vector<std::string_view> supported_isas() {
  std::vector<std::string_view> names;
  for (const KernelTable* table : supported_kernels()) names.emplace_back(table->isa);
  return names;
}

}  // namespace rowmill
