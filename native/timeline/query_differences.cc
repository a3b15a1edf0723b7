// What memory differs between two moments: only pages that were written in
// between are compared.
//
// Easy to get wrong: a page that was written and holds what it held before is no
// difference; one that exists at only one of the moments is no difference of
// its contents, and left out.
#include <algorithm>
#include <cstring>

#include "checkpoint/page_set.h"
#include "timeline/query.h"

namespace chronofork {
namespace {

constexpr uint64_t kPage = 4096;
// Differences nearer to each other than this are one.
constexpr uint64_t kGapBytes = 8;

}  // namespace

Result<void> Query::Differences() {
  QueryAnswer& answer = *answer_;
  if (!from_) return {};  // the live process and itself
  Branch& b = engine_.branch();
  Tracee& before = *from_->process;
  Tracee& after = to_ ? *to_->process : *b.tip;
  PageSet written;
  for (const Stretch& stretch : stretches_)
    if (stretch.end) written = Union(written, stretch.end->pages);
  if (!to_) {
    CF_TRY_ASSIGN(const PageSet pages, engine_.TipPages(b));
    written = Union(written, pages);
  }
  std::byte old_page[kPage], new_page[kPage];
  for (const AddressRange& range : written) {
    for (TraceeAddress page = range.start.PageStart(); page < range.end; page = page + kPage) {
      if (engine_.cancel_wanted.load()) {
        answer.cancelled = true;
        return {};
      }
      if (!before.memory().Read(page, old_page).ok() || !after.memory().Read(page, new_page).ok()) continue;
      if (std::memcmp(old_page, new_page, kPage) == 0) continue;
      for (uint64_t i = 0; i < kPage;) {
        if (old_page[i] == new_page[i]) {
          ++i;
          continue;
        }
        uint64_t end = i + 1;
        for (uint64_t j = end; j < kPage && j < end + kGapBytes; ++j)
          if (old_page[j] != new_page[j]) end = j + 1;
        if (Full()) {
          stopped_ = true;
          return {};
        }
        QueryRow row;
        row.pc = page + i;
        row.values = {std::vector<std::byte>(old_page + i, old_page + end),
                      std::vector<std::byte>(new_page + i, new_page + end)};
        answer.rows.push_back(std::move(row));
        i = end;
      }
    }
  }
  return {};
}

}  // namespace chronofork
