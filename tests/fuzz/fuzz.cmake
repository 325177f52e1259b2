# faststar_fuzz feeds damaged files to the program's readers; with clang, faststar_libfuzzer does so under libFuzzer.
add_library(faststar_fuzz_targets OBJECT
  ${fuzz_sources}
  fuzz/catch_code.cpp
  core/base/weights/file_bytes.cpp
  core/lab/heatmap/sample_trace.cpp
  core/media/picture_bytes.cpp
  core/media/sample_media.cpp
  support/support.cpp)
set_source_files_properties(fuzz/catch_code.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
target_include_directories(faststar_fuzz_targets PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_compile_definitions(faststar_fuzz_targets PRIVATE FASTSTAR_GOLDEN_DIR="${CMAKE_CURRENT_SOURCE_DIR}/golden")
target_link_libraries(faststar_fuzz_targets PUBLIC faststar_lab faststar_core PkgConfig::FFMPEG nlohmann_json::nlohmann_json
  yaml-cpp CLI11::CLI11 Catch2::Catch2)

add_executable(faststar_fuzz fuzz/main.cpp fuzz/runner.cpp)
target_link_libraries(faststar_fuzz PRIVATE faststar_fuzz_targets)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_executable(faststar_libfuzzer fuzz/libfuzzer.cpp)
  target_link_libraries(faststar_libfuzzer PRIVATE faststar_fuzz_targets)
  target_link_options(faststar_libfuzzer PRIVATE -fsanitize=fuzzer)
endif()
