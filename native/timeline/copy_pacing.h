// When a replay that is on its way to a known place leaves a copy.
//
// Pure. A copy is worth making if the way from it is much shorter than from the
// one before, and if that saves more than it costs: of a small process one is
// made at every tick, of a large one a few, ever denser towards the end. Times
// are run time of the replay; where its way ends is an estimate, and may be
// unknown.
//
// Easy to get wrong: ticks come by the clock. A copy that takes longer than a
// tick is followed by the next tick at once, and the replay would not get anywhere.
#pragma once

namespace chronofork {

class CopyPacing {
 public:
  // From the one time to the other; `to_ns` 0: unknown. `cost_ns`: expected of each copy.
  CopyPacing(double from_ns, double to_ns, double cost_ns) : to_ns_(to_ns), cost_ns_(cost_ns), last_ns_(from_ns) {}

  bool WantsCopy(double now_ns) const {
    const double since_ns = now_ns - last_ns_, left_ns = to_ns_ - now_ns;
    if (since_ns >= kEvenPace * cost_ns_) return true;
    return left_ns > 0 && left_ns <= (to_ns_ - last_ns_) / kDenser && since_ns >= kLeastGain * cost_ns_;
  }
  void Made(double now_ns, double cost_ns) {
    last_ns_ = now_ns;
    cost_ns_ = cost_ns;
  }

 private:
  // Wherever the end is, copies cost at most this part of the way.
  static constexpr double kEvenPace = 10;
  // Towards the end: each with so much less way before it,
  static constexpr double kDenser = 4;
  // and only if the way that is saved takes so many times as long as the copy.
  static constexpr double kLeastGain = 1.5;

  double to_ns_;
  double cost_ns_;
  double last_ns_;
};

}  // namespace chronofork
