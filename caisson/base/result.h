// Result<T>: a value or an Error that says what failed, with which errno, while doing what.
// Layer: base (no kernel calls, no allocation on the success path). Used by every library.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace caisson {

// What the caller can do about a failure; the Docker API server maps it to an HTTP status.
enum class Kind : unsigned char {
  os,           // the kernel said no: look at code()
  invalid,      // the caller's input is wrong (400)
  not_found,    // (404)
  conflict,     // (409)
  denied,       // policy said no (403)
  unsupported,  // this kernel or build cannot do it: take the fallback
  internal,     // our bug (500)
};

class [[nodiscard]] Error {
 public:
  // From errno, which the caller reads before it does anything else.
  static Error os(int code, std::string_view call) {
    return Error(code == ENOSYS || code == EOPNOTSUPP ? Kind::unsupported : Kind::os, code, call);
  }
  static Error of(Kind kind, std::string_view what) { return Error(kind, 0, what); }

  // Outermost step first: "start web1: mount /proc: mount_setattr: operation not permitted".
  // By value: an `Error&&` to *this would make `e = std::move(e).during(..)` a self-move, which empties it.
  Error during(std::string_view step) && {
    text_.insert(0, ": ").insert(0, step);
    return std::move(*this);
  }

  Kind kind() const { return kind_; }
  int code() const { return code_; }  // errno; 0 when the kernel was not involved
  bool is(int code) const { return code_ == code; }
  std::string message() const;

 private:
  Error(Kind kind, int code, std::string_view what) : text_(what), code_(code), kind_(kind) {}
  std::string text_;
  int code_;
  Kind kind_;
};

// The subset of std::expected<T, Error> we use. Ours because clang 14 (clang-tidy, clangd, libFuzzer)
// cannot parse libstdc++ 12's <expected>, and because this one is [[nodiscard]].
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

  Result during(std::string_view step) && {
    if (*this) return std::move(*this);
    return std::move(*this).error().during(step);
  }

 private:
  std::variant<T, Error> state_;
};

struct Unit {};

template <>
class [[nodiscard]] Result<void> : public Result<Unit> {
 public:
  using Result<Unit>::Result;
  Result() : Result<Unit>(Unit{}) {}
  void operator*() && {}
  Result during(std::string_view step) && {
    if (*this) return std::move(*this);
    return std::move(*this).error().during(step);
  }
};

inline Result<void> ok() { return {}; }

}  // namespace caisson

// Unwraps a Result or returns its Error from the enclosing function.
// Only as a whole statement, a whole initializer or after `return` (tools/check_try.py): an early
// return from inside { } or ( ) skips the destructors of siblings already built, and leaks their fds.
#define TRY(expr)                            \
  __extension__({                            \
    auto try_result_ = (expr);               \
    if (!try_result_) [[unlikely]]           \
      return std::move(try_result_).error(); \
    *std::move(try_result_);                 \
  })
