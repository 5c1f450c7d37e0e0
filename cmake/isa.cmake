# SPDX-License-Identifier: Apache-2.0
# One object library per instruction set: the same leaf loops, each with its own flags and namespace.
#
# Always -O2, in Debug too, and never LTO: unoptimised objects share weak xsimd functions, and the linker could then hand
# AVX-512 code to an SSE2 machine. Each set starts from its architecture's oldest machine, so that a caller's -march=native
# cannot leak in. Sanitizers, which see one set at a time, get -O1: a fifth less time.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(ROWMILL_ISAS avx512 avx2 sse2 CACHE STRING "Instruction sets to build besides the scalar reference")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(ROWMILL_ISAS neon64 CACHE STRING "Instruction sets to build besides the scalar reference")
else()
  set(ROWMILL_ISAS "" CACHE STRING "Instruction sets to build besides the scalar reference")
endif()

set(rowmill_isa_flags_avx512 -march=x86-64 -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx2 -mfma -mf16c -mprefer-vector-width=512)
set(rowmill_isa_flags_avx2 -march=x86-64 -mavx2 -mfma -mf16c)
set(rowmill_isa_flags_sse2 -march=x86-64)
set(rowmill_isa_flags_neon64 -march=armv8-a)
set(rowmill_isa_flags_scalar "")

# The headers of xsimd and of the standard library take longer to compile than most sources. A compiler cache does not
# keep what is compiled with precompiled headers, unless it is told to.
set(rowmill_precompile ON)
if(CMAKE_CXX_COMPILER_LAUNCHER)
  set(rowmill_precompile OFF)
endif()
option(ROWMILL_PRECOMPILE_HEADERS "Precompile the headers that most sources read" ${rowmill_precompile})

set(ROWMILL_ISA_SOURCES
  kernels/convert/convert.isa.cpp
  kernels/gather/gather.isa.cpp
  kernels/ids/ids.isa.cpp
  kernels/max_norm/max_norm.isa.cpp
  kernels/optimizer/formulas/adagrad.isa.cpp
  kernels/optimizer/formulas/adam.isa.cpp
  kernels/optimizer/formulas/partial_row_wise_adam.isa.cpp
  kernels/optimizer/formulas/row_wise_adagrad.isa.cpp
  kernels/optimizer/formulas/sgd.isa.cpp
  kernels/optimizer/gradients.isa.cpp
  kernels/optimizer/stored_rows.isa.cpp
  kernels/pool/pool.isa.cpp
  kernels/pool/pool_max.isa.cpp
  kernels/pool/pool_quantized.isa.cpp
  kernels/random/random.isa.cpp
  kernels/scatter_add/scatter_add.isa.cpp
  kernels/word_vectors/tiles.isa.cpp
  kernels/word_vectors/updates.isa.cpp
  kernels/word_vectors/windows.isa.cpp
  kernels/kernel_table.isa.cpp)
set(ROWMILL_REFERENCE_SOURCES
  kernels/reference/formats.cpp
  kernels/reference/kernels.cpp
  kernels/reference/pool_kernels.cpp
  kernels/reference/max_norm.cpp
  kernels/reference/optimizer_rows.cpp
  kernels/reference/quantized.cpp
  kernels/reference/random.cpp
  kernels/reference/storage.cpp
  kernels/reference/word_vectors.cpp
  kernels/kernel_table.isa.cpp)
list(TRANSFORM ROWMILL_ISA_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")
list(TRANSFORM ROWMILL_REFERENCE_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")

# With every check of the address and undefined-behaviour sanitizers the optimizers' loops, which are written out, take GCC
# more than ten minutes and 4 GB, and Clang three times as long as with these: what is read and written on the heap,
# integers, shifts, enums.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=address")
  foreach(isa avx512 avx2 sse2 neon64)
    list(APPEND rowmill_isa_flags_${isa} -fno-sanitize=null,alignment,bounds,object-size,pointer-overflow)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      list(APPEND rowmill_isa_flags_${isa} --param=asan-stack=0)
    endif()
  endforeach()
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC warns of its own undefined registers inside _mm512_sqrt_ps and _mm512_extractf64x4_pd (GCC bug 105593).
  list(APPEND rowmill_isa_flags_avx512 -Wno-maybe-uninitialized -Wno-uninitialized)
endif()

# What every source of the library is compiled with. To give the same bits: no contraction into fused multiply-add, and no
# -ffast-math from a user's CMAKE_CXX_FLAGS.
function(rowmill_set_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  rowmill_set_warnings(${target})
  target_compile_options(${target} PRIVATE ${ROWMILL_OPTIMIZE} -ffp-contract=off -fno-fast-math -fno-math-errno)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
endfunction()

# Makes rowmill_isa_<isa> for each instruction set, and sets ROWMILL_LEAF_OBJECTS to their objects and the dispatch: all
# that the leaf kernels need, without oneTBB.
function(rowmill_add_leaf_kernels)
  set(rowmill_isa_optimize -O2)
  if(ROWMILL_SANITIZED)
    set(rowmill_isa_optimize -O1)
  endif()
  add_library(rowmill_dispatch OBJECT ${PROJECT_SOURCE_DIR}/kernels/core/dispatch.cpp)
  set(objects $<TARGET_OBJECTS:rowmill_dispatch>)
  foreach(isa IN LISTS ROWMILL_ISAS ITEMS scalar)
    if(NOT DEFINED rowmill_isa_flags_${isa})
      message(FATAL_ERROR "ROWMILL_ISAS: unknown instruction set '${isa}' (known: avx512, avx2, sse2, neon64)")
    endif()
    set(library rowmill_isa_${isa})
    if(isa STREQUAL "scalar")
      add_library(${library} OBJECT ${ROWMILL_REFERENCE_SOURCES})
    else()
      add_library(${library} OBJECT ${ROWMILL_ISA_SOURCES})
      set_target_properties(${library} PROPERTIES UNITY_BUILD OFF)  # kernels use the same names
      target_link_libraries(${library} PRIVATE rowmill_xsimd)
      if(ROWMILL_PRECOMPILE_HEADERS)
        target_precompile_headers(${library} PRIVATE ${PROJECT_SOURCE_DIR}/kernels/simd/formats.hpp)
      endif()
    endif()
    target_compile_definitions(${library} PRIVATE ROWMILL_ISA=${isa})
    rowmill_set_options(${library})
    target_compile_options(${library} PRIVATE ${rowmill_isa_flags_${isa}} ${rowmill_isa_optimize} -fno-lto)
    string(TOUPPER ${isa} isa_upper)
    target_compile_definitions(rowmill_dispatch PRIVATE ROWMILL_HAVE_${isa_upper})
    list(APPEND objects $<TARGET_OBJECTS:${library}>)
  endforeach()
  rowmill_set_options(rowmill_dispatch)
  set(ROWMILL_LEAF_OBJECTS ${objects} PARENT_SCOPE)
endfunction()
