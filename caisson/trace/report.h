// What a workload asked for, added up; as text and as JSON, with the smallest set of grants that serves it.
// Layer: trace (pure). Filled by tracer.cc, printed by main.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "caisson/trace/traced.h"

namespace caisson::trace {

struct Operation {
  const TracedCall* call = nullptr;
  std::string arguments;  // "/tmp/null, 020666, 1:3"
  std::string path;       // the one that it is about; or empty
  Served served;
  int error = 0;  // errno; 0: done

  // A failure for another reason than privilege is not worth a grant: it would fail the same with it.
  bool counts() const;
};

class Report {
 public:
  void add(const Operation& operation);
  void note(const std::string& sentence) { notes_.insert(sentence); }  // what was not as it is without us
  const std::set<std::string>& notes() const { return notes_; }

  struct Row {
    Operation operation;  // the first of its kind
    std::uint64_t count = 0;
  };
  std::vector<Row> rows() const;  // in the order of the calls' table, then by path
  std::uint64_t total() const { return total_; }
  std::uint64_t left_out() const { return left_out_; }

  // The words of the smallest set, in the table's order; without "none".
  std::vector<std::string> grants() const;
  // As --grants takes it: "none,mknod" or "none".
  std::string grant_list() const;

 private:
  using Key = std::tuple<std::size_t, std::string, std::string, std::string, int>;
  std::map<Key, Row> rows_;
  std::set<std::string> notes_;
  std::uint64_t total_ = 0;
  std::uint64_t left_out_ = 0;
};

struct Ended {
  std::vector<std::string> command;
  int status = 0;  // as a shell shows it
};
std::string print_text(const Report& report);
std::string print_json(const Report& report, const Ended& ended);

}  // namespace caisson::trace
