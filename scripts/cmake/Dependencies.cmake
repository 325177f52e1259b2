find_package(PkgConfig REQUIRED)
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale libswresample)
# Its headers only: libavfilter is loaded when a video needs it (core/media/filter.h).
pkg_check_modules(AVFILTER REQUIRED libavfilter)
pkg_check_modules(LCMS2 REQUIRED IMPORTED_TARGET lcms2)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
# LibTorch's headers come with a copy of fmt 12, which the compiler would find first. The system's is a library that
# compiles once; nothing that we include of LibTorch uses its copy. So a folder that holds only fmt goes before both.
get_target_property(fmt_headers fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/system-headers")
file(CREATE_LINK "${fmt_headers}/fmt" "${CMAKE_BINARY_DIR}/system-headers/fmt" SYMBOLIC)
if(FASTSTAR_TESTS)
  find_package(Catch2 REQUIRED)  # 2.13 (Debian 12) or 3
endif()
