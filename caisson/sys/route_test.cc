// Laws of the netlink messages, and of a pair of devices in two network namespaces of their own.
// Layer: sys, test.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/sys/route.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <algorithm>

namespace caisson::sys {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

TEST(Route, ADeviceIsItsIndexNameAndState) {
  // ifinfomsg: family, pad, type, index, flags, change; then IFLA_IFNAME "lo"
  const std::string message = bytes({0, 0, 4, 3, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0, 'l', 'o', 0, 0});
  const NetDevice device = parse_device(message);
  EXPECT_EQ(device.index, 7);
  EXPECT_EQ(device.name, "lo");
  EXPECT_TRUE(device.up);
}

TEST(Route, AnAddressKeepsItsPeerAndAllItsFlags) {
  std::string message = bytes({AF_INET, 24, 0, 0, 9, 0, 0, 0});
  message += bytes({8, 0, IFA_ADDRESS, 0, 10, 0, 0, 2, 8, 0, IFA_LOCAL, 0, 10, 0, 0, 1});
  message += bytes({8, 0, IFA_FLAGS, 0, 0x80, 2, 0, 0});
  const NetAddress address = parse_address(message);
  EXPECT_EQ(address.index, 9);
  EXPECT_EQ(address.prefix, 24);
  EXPECT_EQ(address.local, bytes({10, 0, 0, 1}));
  EXPECT_EQ(address.peer, bytes({10, 0, 0, 2}));
  EXPECT_EQ(address.flags, 0x280U);  // permanent, and no prefix route
}

TEST(Route, WhatEndsEarlyIsReadUpToThere) {
  const std::string message = bytes({AF_INET, 24, 0, 0, 9, 0, 0, 0, 8, 0, IFA_LOCAL, 0, 10, 0, 0, 1, 8, 0, IFA_FLAGS});
  for (std::size_t length = 0; length <= message.size(); ++length) {
    const NetAddress address = parse_address(std::string_view(message).substr(0, length));
    EXPECT_EQ(address.local.empty(), length < 16) << length;
  }
  EXPECT_EQ(parse_device("").index, 0);
  // An attribute that says it is shorter than its own header, or longer than the message, is the end.
  for (const int length : {0, 3, 200}) {
    const std::string bad = bytes({AF_INET, 24, 0, 0, 9, 0, 0, 0, length, 0, IFA_LOCAL, 0, 10, 0, 0, 1});
    EXPECT_TRUE(parse_address(bad).local.empty()) << length;
  }
}

TEST(Route, LoIsThereAndWhatIsNotThereIsENODEV) {
  const auto socket = RouteSocket::open();
  ASSERT_TRUE(socket) << socket.error().message();
  const auto lo = socket->device("lo");
  ASSERT_TRUE(lo) << lo.error().message();
  EXPECT_EQ(lo->name, "lo");
  const auto all = socket->devices();
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_TRUE(std::ranges::any_of(*all, [&](const NetDevice& d) { return d.index == lo->index && d.name == "lo"; }));
  EXPECT_TRUE(socket->addresses(lo->index));
  const auto none = socket->device("caisson-none");
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is(ENODEV));
}

}  // namespace
}  // namespace caisson::sys
