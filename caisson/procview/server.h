// The server: one request at a time from the FUSE descriptor to its answer.
// Layer: procview. Used by serve.cc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "caisson/procview/content.h"
#include "caisson/procview/triggers.h"
#include "caisson/procview/wire.h"

namespace caisson::procview {

class Server {
 public:
  Server(int fuse, const Nest& before, const Known* known, ValueStore values, Progress progress, Inbox inbox);

  // First: what a server before us left to be done, and the request that it had in hand.
  void resume();
  Result<void> answer_inherited();
  // Then, where the kernel can: all that it had read is sent again.
  Result<void> ask_again();
  // Waits for one request and answers it. False: the connection has ended.
  Result<bool> answer_next();

  // The answer to one request; "" where the kernel waits for none.
  std::string answer(const wire::Request& request);

 private:
  // What a reader was given, so that its next read, at an offset, goes on in the same text. A hint: a successor
  // that has none reads anew.
  struct Snapshot {
    std::uint64_t handle = 0;
    std::size_t size = 0;
    std::string text;  // kept only while a part is still to be read
  };

  Result<void> take(std::string_view bytes);
  void clear_inbox();
  void learn(bool patiently);
  void mark_busy(bool busy) const;
  Result<void> wait_for_any();
  Result<void> send(std::string_view bytes);

  std::string init(const wire::Request& request);
  std::string look_up(const wire::Request& request);
  void note_paged(const wire::Request& request);
  std::string get_attributes(const wire::Request& request);
  std::string set_attributes(const wire::Request& request);
  std::string read_link(const wire::Request& request);
  std::string open(const wire::Request& request);
  std::string read(const wire::Request& request);
  std::string write(const wire::Request& request);
  std::string read_directory(const wire::Request& request);
  std::string release(const wire::Request& request);
  std::string poll(const wire::Request& request);
  std::string file_system(const wire::Request& request);

  fuse_attr attributes(const Node& node) const;
  std::uint64_t attributes_valid(const Node& node) const;

  int fuse_;
  std::string own_;  // in place of an inbox
  Inbox inbox_;
  std::string afterwards_;            // to be sent after the answer
  std::vector<std::uint64_t> paged_;  // nodes that are read through the page cache: see attributes_valid()
  const Nest* nest_;
  const Known* known_;  // null once the nest is known
  Progress progress_;
  ValueStore values_;
  std::optional<Contents> contents_;
  Triggers triggers_;
  std::uint64_t next_handle_;
  std::array<Snapshot, 16> snapshots_{};
  std::size_t next_snapshot_ = 0;
};

}  // namespace caisson::procview
