#include "caisson/sys/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "caisson/sys/file.h"

namespace caisson::sys {
namespace {

TEST(UnixSocket, ADescriptorArrivesWithItsMessage) {
  auto pair = message_pair();
  ASSERT_TRUE(pair);
  auto file = open_file("/dev/zero", O_RDONLY);
  ASSERT_TRUE(file);
  const int fds[] = {file->get()};
  ASSERT_TRUE(send_with_descriptors(pair->first.get(), "zero", fds, 1));
  auto got = receive_message(pair->second.get());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->text, "zero");
  ASSERT_EQ(got->descriptors.size(), 1U);
  EXPECT_EQ(status_of(got->descriptors[0].get())->st_rdev, status_of(file->get())->st_rdev);
}

TEST(UnixSocket, AClosedEndReadsAsAnEmptyMessage) {
  auto pair = message_pair();
  ASSERT_TRUE(pair);
  pair->first.reset();
  auto got = receive_message(pair->second.get());
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->text.empty());
}

TEST(UnixSocket, AMessageOverTheLimitIsAnErrorAndNotCut) {
  auto pair = message_pair();
  ASSERT_TRUE(pair);
  ASSERT_TRUE(send_with_descriptors(pair->first.get(), std::string(100, 'x'), nullptr, 0));
  EXPECT_FALSE(receive_message(pair->second.get(), 50));
}

}  // namespace
}  // namespace caisson::sys
