// Between JavaScript values and the core's types: argument checks one way,
// plain objects the other. A bad argument throws a TypeError that names it.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "timeline/operations.h"
#include "timeline/timeline.h"
#include "timeline/verify.h"

namespace chronofork {

// An Error object with `code` and `remedy`, as core.ts's CoreError.
Napi::Error ToJsError(Napi::Env env, const Error& error);

Napi::Object ToJs(Napi::Env env, const MomentView& moment);
Napi::Object ToJs(Napi::Env env, const CheckpointView& checkpoint);
Napi::Object ToJs(Napi::Env env, const BranchView& branch);
Napi::Object ToJs(Napi::Env env, const TimelineView& view);
Napi::Object ToJs(Napi::Env env, const OperationResult& result, const MomentView& moment);
Napi::Object ToJs(Napi::Env env, const VerifyReport& report);
Napi::Object ToJs(Napi::Env env, const Error& error);
Napi::Object EndStateToJs(Napi::Env env, const EndState& end);

LaunchSpec LaunchSpecFrom(const Napi::Object& options);
TimeOperation OperationFrom(const Napi::Object& operation);
double NumberFrom(const Napi::Object& object, const char* name, double fallback);
std::string StringFrom(const Napi::Object& object, const char* name, const std::string& fallback);
// "0x…" (or decimal); throws a TypeError otherwise.
TraceeAddress AddressFrom(const Napi::Value& value);
// Of [{start, end}, …]; anything else is no range.
std::vector<AddressRange> RangesFrom(const Napi::Value& value);

}  // namespace chronofork
