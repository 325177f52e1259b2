#include "core/base/weights/pickle.h"

#include <fmt/format.h>
#include <torch/csrc/jit/serialization/pickler.h>  // PickleOpCode, by the names of Python's pickletools

#include <charconv>
#include <cstring>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/weights/mapped_file.h"

namespace faststar {
namespace {

/// A checkpoint of 10,000 tensors makes about 200,000 values; the limit bounds memory, not use.
constexpr size_t kMaxValues = 2'000'000;
constexpr size_t kMaxClassName = 1000;

using Kind = PickleValue::Kind;

using Opcode = torch::jit::PickleOpCode;
constexpr auto kByteArray8 = static_cast<Opcode>('\x96');  // of protocol 5, which LibTorch does not list

/// The stack machine that executes a pickle.
class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, const std::string& origin) : reader_(bytes, origin), origin_(origin) {}

  Pickle run() {
    for (;;) {
      at_ = reader_.position();
      const auto opcode = reader_.number<Opcode>();
      if (opcode == Opcode::STOP) break;
      step(opcode);
    }
    pickle_.root_ref = pop();
    return std::move(pickle_);
  }

  size_t taken() const { return reader_.position(); }

 private:
  /// Executes one opcode whose byte is read and whose arguments are not.
  void step(Opcode opcode) {
    switch (opcode) {
      case Opcode::NONE: return push_opaque();
      case Opcode::NEWTRUE: return push_integer(1);
      case Opcode::NEWFALSE: return push_integer(0);
      case Opcode::BININT: return push_integer(reader_.number<int32_t>());
      case Opcode::BININT1: return push_integer(reader_.number<uint8_t>());
      case Opcode::BININT2: return push_integer(reader_.number<uint16_t>());
      case Opcode::INT:
      case Opcode::LONG: return push_decimal(reader_.line());
      case Opcode::LONG1: return push_long(reader_.take(reader_.number<uint8_t>()));
      case Opcode::LONG4: return push_long(reader_.take(reader_.number<uint32_t>()));
      case Opcode::FLOAT: reader_.line(); return push_opaque();
      case Opcode::BINFLOAT: reader_.take(8); return push_opaque();
      case Opcode::UNICODE_: return push_text(reader_.line());
      case Opcode::SHORT_BINSTRING:
      case Opcode::SHORT_BINUNICODE: return push_text(reader_.take(reader_.number<uint8_t>()));
      case Opcode::BINSTRING:
      case Opcode::BINUNICODE: return push_text(reader_.take(reader_.number<uint32_t>()));
      case Opcode::BINUNICODE8: return push_text(reader_.take(reader_.number<uint64_t>()));
      case Opcode::SHORT_BINBYTES: reader_.take(reader_.number<uint8_t>()); return push_opaque();
      case Opcode::BINBYTES: reader_.take(reader_.number<uint32_t>()); return push_opaque();
      case Opcode::BINBYTES8: reader_.take(reader_.number<uint64_t>()); return push_opaque();
      case Opcode::EMPTY_TUPLE:
      case Opcode::EMPTY_LIST:
      case Opcode::EMPTY_SET: return push_items(Kind::sequence, {});
      case Opcode::TUPLE1: return push_items(Kind::sequence, pop_many(1));
      case Opcode::TUPLE2: return push_items(Kind::sequence, pop_many(2));
      case Opcode::TUPLE3: return push_items(Kind::sequence, pop_many(3));
      case Opcode::TUPLE:
      case Opcode::LIST:
      case Opcode::FROZENSET: return push_items(Kind::sequence, pop_to_mark());
      case Opcode::APPEND: return add_items(pop_many(1));
      case Opcode::APPENDS:
      case Opcode::ADDITEMS: return add_items(pop_to_mark());
      case Opcode::EMPTY_DICT: return push({.kind = Kind::dict});
      case Opcode::DICT: return push_dict(pop_to_mark());
      case Opcode::SETITEM: return set_entries(pop_many(2));
      case Opcode::SETITEMS: return set_entries(pop_to_mark());
      case Opcode::GLOBAL: {
        const auto module = reader_.line();
        return push_global(module, reader_.line());
      }
      case Opcode::STACK_GLOBAL: return push_stack_global();
      case Opcode::REDUCE:
      case Opcode::NEWOBJ: return push_object(pop_many(2));
      case Opcode::NEWOBJ_EX: return push_object(pop_many(3));
      case Opcode::BUILD:  // an object's attributes hold no weights
        pop();
        top();
        return;
      case Opcode::BINPERSID: return push_items(Kind::persistent, pop_many(1));
      case Opcode::PROTO: return check_protocol(reader_.number<uint8_t>());
      case Opcode::FRAME: reader_.take(8); return;
      case Opcode::MARK: return set_mark();
      case Opcode::POP: return drop_top();
      case Opcode::POP_MARK: pop_to_mark(); return;
      case Opcode::DUP: return push_ref(top());
      case Opcode::PUT: return memoize(decimal_index());
      case Opcode::BINPUT: return memoize(reader_.number<uint8_t>());
      case Opcode::LONG_BINPUT: return memoize(reader_.number<uint32_t>());
      case Opcode::MEMOIZE: return memoize(memo_.size());
      case Opcode::GET: return push_memo(decimal_index());
      case Opcode::BINGET: return push_memo(reader_.number<uint8_t>());
      case Opcode::LONG_BINGET: return push_memo(reader_.number<uint32_t>());
      default: break;
    }
    if (opcode != kByteArray8) {
      fail_here(fmt::format("opcode 0x{:02x} is not one that checkpoints use", static_cast<uint8_t>(opcode)));
    }
    reader_.take(reader_.number<uint64_t>());
    push_opaque();
  }

  [[noreturn]] void fail_here(const std::string& what) const {
    fail(ErrorKind::model, fmt::format("{}: damaged or foreign pickle: byte {}: {}", origin_, at_, what));
  }

  void push(PickleValue value) {
    if (pickle_.values.size() >= kMaxValues) fail_here(fmt::format("more than {} values", kMaxValues));
    pickle_.values.push_back(std::move(value));
    push_ref(static_cast<PickleRef>(pickle_.values.size() - 1));
  }
  void push_ref(PickleRef ref) {
    if (stack_.size() >= kMaxValues) fail_here("the stack is too deep");
    stack_.push_back(ref);
  }
  void push_opaque() { push({}); }
  void push_integer(int64_t integer) { push({.kind = Kind::integer, .integer = integer}); }
  void push_text(std::string_view text) { push({.kind = Kind::text, .text = std::string(text)}); }
  void push_items(Kind kind, std::vector<PickleRef> items) { push({.kind = kind, .items = std::move(items)}); }

  size_t lowest() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleRef top() const {
    if (stack_.size() <= lowest()) fail_here("the stack is empty");
    return stack_.back();
  }
  PickleRef pop() {
    const PickleRef ref = top();
    stack_.pop_back();
    return ref;
  }
  std::vector<PickleRef> pop_many(size_t count) {
    if (stack_.size() - lowest() < count) fail_here("the stack is empty");
    std::vector<PickleRef> items(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<PickleRef> pop_to_mark() {
    if (marks_.empty()) fail_here("no mark is set");
    auto items = pop_many(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  PickleValue& value(PickleRef ref) { return pickle_.values[ref]; }

  void push_decimal(std::string_view text) {
    if (text.ends_with('L')) text.remove_suffix(1);
    int64_t integer = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
    if (error == std::errc::result_out_of_range) return push_opaque();
    if (error != std::errc() || end != text.data() + text.size()) fail_here("expected a decimal number");
    push_integer(integer);
  }

  /// Two's complement, little-endian, as many bytes as it needs.
  void push_long(std::string_view bytes) {
    if (bytes.size() > sizeof(int64_t)) return push_opaque();
    const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
    int64_t integer = negative ? -1 : 0;
    std::memcpy(&integer, bytes.data(), bytes.size());
    push_integer(integer);
  }

  void add_items(const std::vector<PickleRef>& added) {
    PickleValue& target = value(top());
    if (target.kind == Kind::object) return;  // a list-like class: its contents are not read
    if (target.kind != Kind::sequence) fail_here("items are added to something that is not a list");
    target.items.insert(target.items.end(), added.begin(), added.end());
  }

  void push_dict(const std::vector<PickleRef>& items) {
    push({.kind = Kind::dict});
    set_entries(items);
  }

  void set_entries(const std::vector<PickleRef>& items) {
    PickleValue& target = value(top());
    if (target.kind != Kind::dict && target.kind != Kind::object)
      fail_here("entries are set in something that is not a dict");
    if (items.size() % 2 != 0) fail_here("a key without a value");
    for (size_t i = 0; i < items.size(); i += 2) target.entries.emplace_back(items[i], items[i + 1]);
  }

  void push_global(std::string_view module, std::string_view name) {
    if (module.size() + name.size() > kMaxClassName) fail_here("the name of a class is too long");
    push({.kind = Kind::global, .text = fmt::format("{}.{}", module, name)});
  }

  void push_stack_global() {
    const auto names = pop_many(2);
    const PickleValue& module = value(names[0]);
    const PickleValue& name = value(names[1]);
    if (module.kind != Kind::text || name.kind != Kind::text) fail_here("the name of a class is not a string");
    push_global(module.text, name.text);
  }

  void push_object(std::vector<PickleRef> call) {
    if (value(call[0]).kind != Kind::global) return push_opaque();
    auto entries = value(call[0]).text == "collections.OrderedDict" ? pairs_of(value(call[1])) : Entries{};
    push_items(Kind::object, std::move(call));
    pickle_.values.back().entries = std::move(entries);
  }

  using Entries = decltype(PickleValue::entries);

  /// The entries in a call's argument ([[key, value], ...],): Python 2 pickled ordered dicts this way.
  Entries pairs_of(const PickleValue& arguments) {
    Entries entries;
    if (arguments.kind != Kind::sequence || arguments.items.size() != 1) return entries;
    for (const PickleRef ref : value(arguments.items[0]).items) {
      const PickleValue& pair = value(ref);
      if (pair.kind != Kind::sequence || pair.items.size() != 2) continue;
      if (++called_pairs_ > kMaxValues) fail_here(fmt::format("more than {} pairs in calls", kMaxValues));
      entries.emplace_back(pair.items[0], pair.items[1]);
    }
    return entries;
  }

  void check_protocol(int protocol) {
    if (protocol > 5) fail_here(fmt::format("protocol {}, expected at most 5", protocol));
  }

  void set_mark() {
    if (marks_.size() >= kMaxValues) fail_here("too many marks");
    marks_.push_back(stack_.size());
  }

  void drop_top() {
    const bool mark_on_top = !marks_.empty() && marks_.back() == stack_.size();
    if (mark_on_top) {
      marks_.pop_back();
    } else {
      pop();
    }
  }

  uint64_t decimal_index() {
    const auto text = reader_.line();
    uint64_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || end != text.data() + text.size()) fail_here("expected a decimal number");
    return index;
  }

  void memoize(uint64_t index) {
    if (memo_.size() >= kMaxValues) fail_here(fmt::format("more than {} memos", kMaxValues));
    memo_[index] = top();
  }

  void push_memo(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail_here(fmt::format("memo {} was never set", index));
    push_ref(found->second);
  }

  ByteReader reader_;
  const std::string& origin_;
  size_t at_ = 0;  // of the current opcode
  Pickle pickle_;
  std::vector<PickleRef> stack_;
  std::vector<size_t> marks_;
  size_t called_pairs_ = 0;  // many calls may refer to one list
  std::unordered_map<uint64_t, PickleRef> memo_;
};

}  // namespace

Pickle parse_pickle(std::string_view bytes, const std::string& origin, size_t* taken) {
  PickleMachine machine(bytes, origin);
  Pickle pickle = machine.run();
  if (taken != nullptr) *taken = machine.taken();
  return pickle;
}

}  // namespace faststar
