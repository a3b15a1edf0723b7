// Expected failures as values: Result<T> is either a T or an Error.
//
// An Error says in a user's words what we were doing and what helps; the code
// is stable and reaches the TypeScript side unchanged. Bugs are not Errors:
// they fail CHRONOFORK_ASSERT (assert.h), in release builds too.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace chronofork {

struct Error {
  std::string code;      // stable, camelCase: "programMissing", "ptraceForbidden", "diverged"
  std::string message;   // one sentence: what could not be done, and why
  std::string remedy;    // one sentence: what the user can do; may be empty
  int error_number = 0;  // errno saved before anything else, 0 if none
  pid_t tid = 0;         // the tracee concerned, 0 if none
};

// Makes an Error whose message ends with the text of `error_number`.
Error SystemError(std::string code, std::string doing, int error_number, pid_t tid = 0);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace chronofork

#define CF_CONCAT_INNER(a, b) a##b
#define CF_CONCAT(a, b) CF_CONCAT_INNER(a, b)

// Returns the error of `expression` from the enclosing function.
#define CF_TRY(expression)                                                                   \
  do {                                                                                       \
    if (auto cf_status = (expression); !cf_status.ok()) return std::move(cf_status).error(); \
  } while (false)

// `CF_TRY_ASSIGN(auto value, Compute());`
#define CF_TRY_ASSIGN(declaration, expression) \
  CF_TRY_ASSIGN_INNER(CF_CONCAT(cf_result_, __LINE__), declaration, expression)
#define CF_TRY_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                \
  if (!result.ok()) return std::move(result).error();        \
  declaration = std::move(result).value()
