#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace faststar {

using at::Tensor;

/// "[2, 3, 4]": a shape as messages print it.
std::string shape_text(at::IntArrayRef shape);

/// A dtype that we read and write, and its names in messages, in safetensors and in torch.save files.
struct StoredDtype {
  at::ScalarType dtype;
  std::string_view name;
  std::string_view safetensors;
  std::string_view torch_storage;
};
inline constexpr StoredDtype kStoredDtypes[] = {
    {at::kDouble, "float64", "F64", "DoubleStorage"},
    {at::kFloat, "float32", "F32", "FloatStorage"},
    {at::kHalf, "float16", "F16", "HalfStorage"},
    {at::kBFloat16, "bfloat16", "BF16", "BFloat16Storage"},
    {at::kLong, "int64", "I64", "LongStorage"},
    {at::kInt, "int32", "I32", "IntStorage"},
    {at::kShort, "int16", "I16", "ShortStorage"},
    {at::kChar, "int8", "I8", "CharStorage"},
    {at::kByte, "uint8", "U8", "ByteStorage"},
    {at::kBool, "bool", "BOOL", "BoolStorage"},
    {at::kFloat8_e4m3fn, "float8_e4m3fn", "F8_E4M3", "Float8_e4m3fnStorage"},
};

/// "float32", "bfloat16": a dtype as messages and files print it.
std::string dtype_text(at::ScalarType dtype);

}  // namespace faststar
