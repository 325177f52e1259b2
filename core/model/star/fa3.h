#pragma once
#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/tensor.h"

/// FlashAttention-3 (arXiv:2407.08608) for Hopper GPUs, from the library of the PyPI package fa3-fwd, if it is there.
/// It registers its operator with LibTorch; nothing of it is needed to build this program, and no Python to run it.
namespace faststar::fa3 {

/// The library: what FASTSTAR_FA3 names (the file, or a folder that holds it or the package's folder fa3_fwd), else
/// fa3_fwd/_C.abi3.so beside LibTorch (its site-packages, or the folder of its libraries) or in ../lib beside the
/// program. None: there is none. Throws Error(device) when FASTSTAR_FA3 names something else.
std::optional<std::filesystem::path> find_library();

/// True when the kernels run on a GPU of this compute capability (90: an H100 or H200).
bool runs_on_capability(int capability);

/// Why the operator cannot be called in this process, in a line; empty: it can. Loads the library at the first call.
const std::string& why_not_loaded();

/// softmax(q k^T / sqrt(D)) v. q [B, L, N, D]; k, v [B, K, Nkv, D], bfloat16 on a GPU; rows of tokens may lie apart.
/// Returns [B, L, N, D]. The library has to be loaded.
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v);

/// The same in FP8: rounds q, k and v to E4M3 (quantize_heads).
Tensor attend_fp8(const Tensor& q, const Tensor& k, const Tensor& v);

using NamedArguments = std::map<std::string, c10::IValue>;

/// The arguments of a call by name, in the order of `schema`; those not given have their default, or are none. Throws
/// std::runtime_error naming an argument that is not in the schema, or one that it requires and nobody gives.
std::vector<c10::IValue> fill_arguments(const c10::FunctionSchema& schema, const NamedArguments& given);

}  // namespace faststar::fa3
