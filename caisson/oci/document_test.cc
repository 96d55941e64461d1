#include "caisson/oci/document.h"

#include <gtest/gtest.h>

namespace caisson::oci {
namespace {

Document parse(std::string_view json) {
  Result<Document> document = Document::parse(json, "config.json");
  EXPECT_TRUE(document) << document.error().message();
  return *std::move(document);
}

constexpr std::string_view kConfig =
    R"({"future":{"a":[1,2.5E0,null]},"ociVersion":"1.0.2","root":{"path":"r","x-root":true},)"
    R"("mounts":[{"destination":"/proc","type":"proc","x-mount":1},{"destination":"/a","source":"/b","x-mount":2}],)"
    R"("linux":{"x-linux":"y","namespaces":[{"type":"pid"},{"type":"mount"}]},"annotations":{"a.b":"c"}})";

TEST(Document, PuttingBackWhatWasReadChangesNothing) {
  Document document = parse(kConfig);
  Result<Spec> spec = document.spec();
  ASSERT_TRUE(spec) << spec.error().message();
  document.put(*spec);
  EXPECT_EQ(document.print(), kConfig);
}

TEST(Document, UnknownMembersOutliveARewrite) {
  Document document = parse(kConfig);
  Result<Spec> spec = document.spec();
  ASSERT_TRUE(spec) << spec.error().message();
  spec->mounts.insert(spec->mounts.begin(), {.destination = "/new", .type = "tmpfs", .source = "tmpfs"});
  spec->mounts[2].source = "/changed";
  spec->mounts.erase(spec->mounts.begin() + 1);
  spec->linux.namespaces.push_back({NamespaceType::user});
  spec->linux.uid_mappings.push_back({0, 100000, 65536});
  spec->annotations["io.caisson.locked-mounts"] = "true";
  spec->root.path = "/elsewhere";
  document.put(*spec);
  EXPECT_EQ(document.print(),
            R"({"future":{"a":[1,2.5E0,null]},"ociVersion":"1.0.2","root":{"path":"/elsewhere","x-root":true},)"
            R"("mounts":[{"destination":"/new","type":"tmpfs","source":"tmpfs"},)"
            R"({"destination":"/a","source":"/changed","x-mount":2}],)"
            R"("linux":{"x-linux":"y","namespaces":[{"type":"pid"},{"type":"mount"},{"type":"user"}],)"
            R"("uidMappings":[{"containerID":0,"hostID":100000,"size":65536}]},)"
            R"("annotations":{"a.b":"c","io.caisson.locked-mounts":"true"}})");
}

TEST(Document, ClearedFieldsLeaveTheText) {
  Document document = parse(kConfig);
  Result<Spec> spec = document.spec();
  ASSERT_TRUE(spec) << spec.error().message();
  spec->mounts.clear();
  spec->linux.namespaces.clear();
  spec->annotations.clear();
  document.put(*spec);
  EXPECT_EQ(document.print(), R"({"future":{"a":[1,2.5E0,null]},"ociVersion":"1.0.2",)"
                              R"("root":{"path":"r","x-root":true},"linux":{"x-linux":"y"}})");
}

TEST(Document, MembersAreReadByPath) {
  Document document = parse(R"({"a":{"b.c":"text","n":-5,"yes":true,"list":["x","y"],"none":null}})");
  EXPECT_EQ(**document.get_string({"a", "b.c"}), "text");
  EXPECT_EQ(**document.get_integer({"a", "n"}), -5);
  EXPECT_EQ(**document.get_bool({"a", "yes"}), true);
  EXPECT_EQ(*document.get_strings({"a", "list"}), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(*document.get_string({"a", "none"}), std::nullopt);
  EXPECT_EQ(*document.get_string({"a", "b.c", "deeper"}), std::nullopt);
  EXPECT_TRUE(document.get_strings({"nothing"})->empty());
  EXPECT_EQ(document.get_json({"a", "list"}), R"(["x","y"])");
  Result<std::optional<std::string>> wrong = document.get_string({"a", "n"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(), "config.json: a.n: must be a string");
}

TEST(Document, MembersAreSetByPath) {
  Document document;
  document.set({"a", "b"}, "text");
  document.set({"a", "n"}, std::int64_t{1});
  document.set({"yes"}, true);
  document.set({"list"}, std::vector<std::string>{"x"});
  ASSERT_TRUE(document.set_json({"raw"}, R"({"k":[1]})"));
  EXPECT_EQ(document.print(), R"({"a":{"b":"text","n":1},"yes":true,"list":["x"],"raw":{"k":[1]}})");
  document.erase({"a", "b"});
  document.erase({"a", "missing", "deep"});
  document.erase({"raw"});
  EXPECT_EQ(document.print(), R"({"a":{"n":1},"yes":true,"list":["x"]})");
  EXPECT_FALSE(document.set_json({"raw"}, "{"));
}

TEST(Document, OnlyAnObjectIsADocument) {
  EXPECT_EQ(Document::parse("[]", "state").error().message(), "state: must be an object");
  EXPECT_FALSE(Document::parse("", "state"));
}

}  // namespace
}  // namespace caisson::oci
