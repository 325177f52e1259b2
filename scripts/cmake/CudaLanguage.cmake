# Decides FASTSTAR_WITH_CUDA and enables the CUDA language. Architecture: as given, else the GPU
# that is here, else 90a.
set(FASTSTAR_WITH_CUDA OFF)
if(NOT FASTSTAR_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT CMAKE_CUDA_ARCHITECTURES)
      # A number, not `native`: the program compares it with the GPU it finds at run time.
      execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                      OUTPUT_VARIABLE capability ERROR_QUIET RESULT_VARIABLE no_driver)
      if(no_driver EQUAL 0 AND capability MATCHES "^([0-9]+)\\.([0-9])" AND NOT capability MATCHES "^9\\.0")
        set(CMAKE_CUDA_ARCHITECTURES "${CMAKE_MATCH_1}${CMAKE_MATCH_2}" CACHE STRING "GPU architectures")
      else()
        set(CMAKE_CUDA_ARCHITECTURES 90a CACHE STRING "GPU architectures")
      endif()
    endif()
    set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # one CUDA runtime in the process: the one that LibTorch uses
    enable_language(CUDA)
    find_package(CUDAToolkit 13.0 REQUIRED)
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(FASTSTAR_WITH_CUDA ON)
  elseif(FASTSTAR_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FASTSTAR_CUDA=ON, but no CUDA compiler was found. Put nvcc on the PATH, set "
                        "CUDACXX, or run ./scripts/setup.sh --with-cuda")
  endif()
endif()
message(STATUS "CUDA kernels: ${FASTSTAR_WITH_CUDA} ${CMAKE_CUDA_ARCHITECTURES}")
