# faststar_flags: what every target of ours compiles with.
add_library(faststar_flags INTERFACE)
target_include_directories(faststar_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_include_directories(faststar_flags SYSTEM BEFORE INTERFACE "${CMAKE_BINARY_DIR}/system-headers")
target_link_libraries(faststar_flags INTERFACE fmt::fmt)
target_compile_definitions(faststar_flags INTERFACE FASTSTAR_VERSION="${PROJECT_VERSION}")
target_compile_options(faststar_flags INTERFACE
  # One flag for libraries and executables, so that they can share a precompiled header.
  $<$<COMPILE_LANGUAGE:CXX>:-fPIC> $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fPIC>
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${FASTSTAR_WERROR}>>:-Werror>
  $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${FASTSTAR_WERROR}>>:-Werror=all-warnings>)
if(FASTSTAR_SANITIZE)
  target_compile_options(faststar_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1>
    # g++ sees uninitialised values in the sanitizers' own code (GCC bug 105562, std::regex).
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  target_link_options(faststar_flags INTERFACE -fsanitize=address,undefined)
endif()
# libFuzzer steers by the branches that an input takes.
if(FASTSTAR_FUZZ AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(faststar_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
endif()
