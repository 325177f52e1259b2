# `cmake --install BUILD --prefix DIR`: bin/faststar, share/faststar (what the binary looks for beside itself),
# share/doc/faststar. The tree can be moved: LibTorch is looked for in lib/ of the tree (put it or a link there), then
# where it was at build time, then in LD_LIBRARY_PATH. `--component libtorch` copies it there; in a build with CUDA its
# libraries load others from their own folder, so there it stays where it is.
set(runtime_path "$ORIGIN/../lib" "${FASTSTAR_TORCH}/lib")
cmake_path(GET FASTSTAR_TORCH PARENT_PATH site_packages)
if(FASTSTAR_WITH_CUDA)
  # The CUDA libraries of the wheel before those of the toolkit: LibTorch was made with them.
  list(APPEND runtime_path "${site_packages}/nvidia/cu13/lib" ${CUDAToolkit_LIBRARY_DIR})
endif()
# The same path in the build tree: CMake would pad another one with empty entries to this length, and the loader takes
# an empty entry as the current folder.
set_target_properties(faststar PROPERTIES INSTALL_RPATH "${runtime_path}" BUILD_WITH_INSTALL_RPATH ON)

install(TARGETS faststar RUNTIME DESTINATION bin)
install(DIRECTORY configs prompts DESTINATION share/faststar)
install(FILES LICENSE README.md scripts/licences/NOTICE DESTINATION share/doc/faststar)

# install_printed(FILE ARGUMENT...): what the program prints with these arguments.
function(install_printed file)
  cmake_path(GET file PARENT_PATH folder)
  file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/${folder}")
  install(CODE "execute_process(COMMAND \"$<TARGET_FILE:faststar>\" ${ARGN}
    OUTPUT_FILE \"${CMAKE_CURRENT_BINARY_DIR}/${file}\" COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${file}" DESTINATION ${folder})
endfunction()
install_printed(share/bash-completion/completions/faststar completions bash)
install_printed(share/zsh/site-functions/_faststar completions zsh)
install_printed(share/fish/vendor_completions.d/faststar.fish completions fish)
install_printed(share/man/man1/faststar.1 man)

set(what_stays "LibTorch stays in ${site_packages}: keep that folder")
if(NOT FASTSTAR_WITH_CUDA)
  string(APPEND what_stays ", or copy what is needed of it (450 MB) with `cmake --install ... --component libtorch`")
  install(CODE "file(GET_RUNTIME_DEPENDENCIES EXECUTABLES \"$<TARGET_FILE:faststar>\" RESOLVED_DEPENDENCIES_VAR libraries
      UNRESOLVED_DEPENDENCIES_VAR missing POST_INCLUDE_REGEXES \"^${site_packages}/\" POST_EXCLUDE_REGEXES \".*\")
    file(INSTALL \${libraries} DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib\" FOLLOW_SYMLINK_CHAIN)"
    COMPONENT libtorch EXCLUDE_FROM_ALL)
endif()
install(CODE "message(STATUS \"${what_stays}.\")
  message(STATUS \"FFmpeg, Little CMS, SentencePiece, fmt and yaml-cpp stay with the system: the machine needs their packages.\")")
