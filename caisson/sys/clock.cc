#include "caisson/sys/clock.h"

#include <cstdint>

namespace caisson::sys {
namespace {

struct Date {
  std::int64_t year;
  unsigned month, day;
};

// Days since 1970-01-01 to a date of the proleptic Gregorian calendar.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
Date date_of(std::int64_t days) {
  days += 719468;  // from 0000-03-01, so that the leap day is the last of a year
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

void append_padded(std::string& out, std::uint64_t value, std::size_t width) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

std::string date_and_time(std::time_t seconds) {
  const std::int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
  const auto of_day = static_cast<std::uint64_t>(seconds - days * 86400);
  const Date date = date_of(days);
  std::string out;
  append_padded(out, static_cast<std::uint64_t>(date.year), 4);
  append_padded(out += '-', date.month, 2);
  append_padded(out += '-', date.day, 2);
  append_padded(out += 'T', of_day / 3600, 2);
  append_padded(out += ':', of_day / 60 % 60, 2);
  append_padded(out += ':', of_day % 60, 2);
  return out;
}

}  // namespace

timespec wall_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now;
}

std::string rfc3339(std::time_t seconds) { return date_and_time(seconds) + 'Z'; }

std::string rfc3339_nano(const timespec& time) {
  std::string out = date_and_time(time.tv_sec);
  if (time.tv_nsec != 0) {
    append_padded(out += '.', static_cast<std::uint64_t>(time.tv_nsec), 9);
    while (out.back() == '0') out.pop_back();
  }
  return out + 'Z';
}

}  // namespace caisson::sys
