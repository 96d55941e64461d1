#include "caisson/trace/report.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "caisson/nest/grants.h"
#include "caisson/runtime/json.h"

namespace caisson::trace {
namespace {

constexpr std::size_t most_rows = 20000;  // a workload that makes up paths must not fill the memory
constexpr std::size_t shown_rows = 60;    // of one call, in the text
constexpr int schema = 1;

using runtime::JsonObject;

std::string verdict(const Operation& operation) {
  if (operation.error == 0) return "ok";
  const char* name = ::strerrorname_np(operation.error);
  return name != nullptr ? name : std::to_string(operation.error);
}

std::string server(const Served& served) {
  switch (served.by) {
    case Served::By::grant:
      return served.name;
    case Served::By::anybody:
      return "any container";
    case Served::By::nobody:
      return "no grant";
  }
  return "";
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string clean(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text;
}

}  // namespace

bool Operation::counts() const {
  return served.by == Served::By::grant && (error == 0 || error == EPERM || error == EACCES);
}

void Report::add(const Operation& operation) {
  ++total_;
  // Files whose owner changes are many, and all the same to a grant: one is an example.
  const bool by_path = operation.served.by != Served::By::anybody;
  const auto place = static_cast<std::size_t>(operation.call - traced_calls().data());
  Key key(place, by_path ? operation.path : "", by_path ? operation.arguments : "", server(operation.served),
          operation.error);
  const auto found = rows_.find(key);
  if (found != rows_.end()) {
    ++found->second.count;
  } else if (rows_.size() < most_rows) {
    rows_.emplace(std::move(key), Row{.operation = operation, .count = 1});
  } else {
    ++left_out_;
  }
}

std::vector<Report::Row> Report::rows() const {
  std::vector<Row> out;
  for (const auto& [key, row] : rows_) out.push_back(row);
  return out;
}

std::vector<std::string> Report::grants() const {
  std::set<std::pair<nest::Grant, std::string>> set;
  for (const auto& [key, row] : rows_)
    if (row.operation.counts()) set.emplace(row.operation.served.grant, row.operation.served.name);
  std::vector<std::string> out;
  for (const auto& [grant, name] : set) out.push_back(name);
  return out;
}

std::string Report::grant_list() const {
  std::string out = "none";
  for (const std::string& word : grants()) out += "," + word;
  return out;
}

std::string print_text(const Report& report) {
  std::string out = "caisson trace: " + std::to_string(report.total()) + " privileged operation" +
                    (report.total() == 1 ? "\n" : "s\n");
  const std::vector<Report::Row> rows = report.rows();
  std::size_t call_width = 4;
  std::size_t server_width = 5;
  for (const Report::Row& row : rows) {
    call_width = std::max(call_width, std::string_view(row.operation.call->name).size());
    server_width = std::max(server_width, server(row.operation.served).size());
  }
  if (!rows.empty())
    out += "  COUNT  " + padded("CALL", call_width) + "  VERDICT  " + padded("GRANT", server_width) + "  ARGUMENTS\n";
  const TracedCall* call = nullptr;
  std::size_t shown = 0;
  std::size_t hidden = 0;
  const auto say_hidden = [&] {
    if (hidden > 0) out += "         ... and " + std::to_string(hidden) + " more rows of " + call->name + "\n";
    hidden = 0;
  };
  for (const Report::Row& row : rows) {
    if (row.operation.call != call) say_hidden(), call = row.operation.call, shown = 0;
    if (++shown > shown_rows) {
      ++hidden;
      continue;
    }
    const std::string count = std::to_string(row.count);
    out += std::string(count.size() < 7 ? 7 - count.size() : 0, ' ') + count + "  " +
           padded(row.operation.call->name, call_width) + "  " + padded(verdict(row.operation), 7) + "  " +
           padded(server(row.operation.served), server_width) + "  " + clean(row.operation.arguments) + "\n";
  }
  say_hidden();
  if (report.left_out() > 0) out += "  " + std::to_string(report.left_out()) + " more were not kept\n";
  for (const std::string& note : report.notes()) out += "note: " + note + "\n";
  return out + "smallest set: --grants " + report.grant_list() + "\n";
}

std::string print_json(const Report& report, const Ended& ended) {
  std::string rows;
  for (const Report::Row& row : report.rows()) {
    const Operation& o = row.operation;
    JsonObject json;
    json.text("call", o.call->name).text("arguments", o.arguments);
    json.raw(
        "path", o.path.empty() ? "null" : [&] {
          std::string quoted;
          runtime::append_quoted(quoted, o.path);
          return quoted;
        }());
    json.text("verdict", verdict(o));
    constexpr const char* by[] = {"grant", "any", "none"};
    json.text("servedBy", by[static_cast<unsigned>(o.served.by)]);
    json.raw("grant", o.served.name.empty() ? "null" : "\"" + o.served.name + "\"");
    json.boolean("counts", o.counts()).number("count", row.count);
    rows += (rows.empty() ? "" : ",") + json.take();
  }
  return JsonObject()
             .number("schema", schema)
             .texts("command", ended.command)
             .number("status", ended.status)
             .number("total", report.total())
             .number("leftOut", report.left_out())
             .raw("operations", "[" + rows + "]")
             .texts("notes", std::vector<std::string>(report.notes().begin(), report.notes().end()))
             .texts("grants", report.grants())
             .text("list", report.grant_list())
             .take() +
         "\n";
}

}  // namespace caisson::trace
