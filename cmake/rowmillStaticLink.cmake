# SPDX-License-Identifier: Apache-2.0
# rowmill_check_static_link(<variable>): sets it to the reason why no program can be linked with these flags, or to "".
function(rowmill_check_static_link variable)
  set(${variable} "" PARENT_SCOPE)
  get_target_property(type TBB::tbb TYPE)
  if(type STREQUAL "SHARED_LIBRARY" AND
     " ${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${CMAKE_EXE_LINKER_FLAGS} " MATCHES " -static(-pie)? ")
    set(${variable}
      "-static needs a static oneTBB, but the one that was found (TBB_DIR=${TBB_DIR}) is a shared library, as Debian's is. \
Leave out -static: librowmill.a itself is static already. Or build oneTBB with -DBUILD_SHARED_LIBS=OFF and set TBB_DIR." PARENT_SCOPE)
  endif()
endfunction()
