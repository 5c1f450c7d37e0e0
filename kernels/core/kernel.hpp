// SPDX-License-Identifier: Apache-2.0
// What every list of leaf kernels needs. A leaf kernel works on the rows it is given: it never threads, allocates,
// throws or checks. Its arguments and its line in a list, X(name, type of the function), stand in a header of its
// operation, which kernel_list.hpp puts together: so a new kernel rebuilds no other operation's.
#pragma once

namespace rowmill {

template <class Args>
using Kernel = void(const Args&);

}  // namespace rowmill

/// For a list's X: declares its kernels in the namespace of the instruction set that is compiled.
#define ROWMILL_DECLARE_KERNEL(name, type) type name;
