# `cmake --install BUILD --prefix DIR`: bin/faststar, share/faststar (what the binary looks for beside itself),
# share/doc/faststar. The tree can be moved: LibTorch is looked for in lib/ of the tree (put it or a link there), then
# where it was at build time, then in LD_LIBRARY_PATH.
set(runtime_path "$ORIGIN/../lib" "${FASTSTAR_TORCH}/lib")
if(FASTSTAR_WITH_CUDA)
  # The CUDA libraries of the wheel before those of the toolkit: LibTorch was made with them.
  cmake_path(GET FASTSTAR_TORCH PARENT_PATH site_packages)
  list(APPEND runtime_path "${site_packages}/nvidia/cu13/lib" ${CUDAToolkit_LIBRARY_DIR})
endif()
set_target_properties(faststar PROPERTIES INSTALL_RPATH "${runtime_path}")

install(TARGETS faststar RUNTIME DESTINATION bin)
install(DIRECTORY configs prompts DESTINATION share/faststar)
install(FILES LICENSE README.md scripts/licences/NOTICE DESTINATION share/doc/faststar)
