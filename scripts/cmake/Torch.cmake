# The imported targets faststar::torch and faststar::torch_cuda over a LibTorch folder (a release zip, or the `torch`
# folder of a wheel). find_package(Torch) is not used: with a CUDA wheel it fails on machines without a toolkit and asks
# nvcc 13 for architectures that it no longer knows.
if(NOT FASTSTAR_TORCH)
  message(FATAL_ERROR "No LibTorch. Run ./scripts/setup.sh, or give -DFASTSTAR_TORCH=DIR (a folder with include/ and lib/)")
endif()
foreach(needed include/ATen/ATen.h lib/libtorch_cpu.so)
  if(NOT EXISTS "${FASTSTAR_TORCH}/${needed}")
    message(FATAL_ERROR "FASTSTAR_TORCH=${FASTSTAR_TORCH}: no ${needed} in it")
  endif()
endforeach()

add_library(faststar_torch INTERFACE)
add_library(faststar::torch ALIAS faststar_torch)
target_include_directories(faststar_torch SYSTEM INTERFACE
  "${FASTSTAR_TORCH}/include" "${FASTSTAR_TORCH}/include/torch/csrc/api/include")
target_link_directories(faststar_torch INTERFACE "${FASTSTAR_TORCH}/lib")
# Not libtorch.so: in a CUDA build of LibTorch it brings all CUDA libraries, which a CPU build of ours can do without.
# The system's libstdc++ first: LibTorch exports parts of another one, whose std::filesystem::remove_all jumps to 0. By
# its path: with -lstdc++ a linker may take the static one, and then SentencePiece frees what another copy allocated.
# Some of these only register operators, so the linker must not drop them. One item, so that CMake keeps it together.
execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=libstdc++.so.6
                OUTPUT_VARIABLE libstdcxx OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
if(NOT IS_ABSOLUTE "${libstdcxx}")
  set(libstdcxx -lstdc++)
endif()
target_link_libraries(faststar_torch INTERFACE
  "-Wl,--push-state,--no-as-needed,${libstdcxx},-ltorch_cpu,-lc10,--pop-state")

if(FASTSTAR_WITH_CUDA)
  if(NOT EXISTS "${FASTSTAR_TORCH}/lib/libtorch_cuda.so")
    message(FATAL_ERROR "FASTSTAR_TORCH=${FASTSTAR_TORCH} is a CPU build; use a CUDA 13 build or -DFASTSTAR_CUDA=OFF")
  endif()
  add_library(faststar_torch_cuda INTERFACE)
  add_library(faststar::torch_cuda ALIAS faststar_torch_cuda)
  # In the order of the CPU's libraries, wherever CMake puts this item among others.
  target_link_libraries(faststar_torch_cuda INTERFACE faststar::torch
    "-Wl,--push-state,--no-as-needed,${libstdcxx},-ltorch_cpu,-lc10,-ltorch_cuda,-lc10_cuda,--pop-state" CUDA::cudart)
endif()
