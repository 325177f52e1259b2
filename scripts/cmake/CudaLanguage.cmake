# Decides FASTSTAR_WITH_CUDA and enables the CUDA language. Architectures: as given (CMAKE_CUDA_ARCHITECTURES, or
# CUDAARCHS in the environment), else that of the GPU that is here, else those of Ada, Hopper and Blackwell that the
# compiler knows.
set(FASTSTAR_WITH_CUDA OFF)
if(NOT FASTSTAR_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
      # A number, not `native`: the program compares it with the GPU it finds at run time.
      execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                      OUTPUT_VARIABLE capability ERROR_QUIET RESULT_VARIABLE no_driver)
      if(no_driver EQUAL 0 AND capability MATCHES "^([0-9]+)\\.([0-9])")
        set(architectures "${CMAKE_MATCH_1}${CMAKE_MATCH_2}")
      else()
        execute_process(COMMAND "${CMAKE_CUDA_COMPILER}" --list-gpu-arch OUTPUT_VARIABLE known)
        set(architectures)
        foreach(architecture 89 90 100 120)
          if(known MATCHES "compute_${architecture}")
            list(APPEND architectures ${architecture})
          endif()
        endforeach()
      endif()
      list(TRANSFORM architectures REPLACE "^90$" "90a")
      set(CMAKE_CUDA_ARCHITECTURES "${architectures}" CACHE STRING "GPU architectures")
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
