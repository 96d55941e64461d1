// A JSON document that is read, changed in places and printed again, keeping every member nobody knows.
// Layer: oci (pure). Used by nest and by whoever reads small JSON texts.
// SPDX-License-Identifier: Apache-2.0
#include "caisson/oci/document.h"

#include "caisson/oci/json_reader.h"
#include "caisson/oci/json_writer.h"

namespace caisson::oci {

struct Document::Impl {
  json::value root = json::object();
  std::string name;
};

namespace {

const json::value* find(const json::value& root, Path path) {
  const json::value* value = &root;
  for (std::string_view key : path) {
    const json::object* object = value->if_object();
    value = object != nullptr ? object->if_contains(key) : nullptr;
    if (value == nullptr) return nullptr;
  }
  return value->is_null() ? nullptr : value;
}

json::value& make(json::value& root, Path path) {
  json::value* value = &root;
  for (std::string_view key : path) {
    if (!value->is_object()) value->emplace_object();
    value = &value->get_object()[key];
  }
  return *value;
}

// Reads one member as the parsers of config.json do, with the same texts for what is wrong.
template <class T>
Result<std::optional<T>> get(const json::value& root, std::string_view name, Path path) {
  std::optional<T> field;
  const json::value* value = find(root, path);
  if (value == nullptr) return field;
  std::vector<Place> places(path.size() + 1);
  for (std::size_t i = 0; i < path.size(); ++i) places[i + 1] = {&places[i], path.begin()[i]};
  Problem problem(name);
  read(*value, places.back(), problem, field);
  if (problem.any()) return problem.take();
  return field;
}

}  // namespace

Document::Document() : impl_(std::make_unique<Impl>()) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Result<Document> Document::parse(std::string_view text, std::string_view name) {
  json::value root = TRY(parse_json(text, name, {}));
  if (!root.is_object()) return Error::of(Kind::invalid, std::string(name) + ": must be an object");
  Document document;
  document.impl_->root = std::move(root);
  document.impl_->name = name;
  return document;
}

Result<Spec> Document::spec() const { return read_document<Spec>(impl_->root, impl_->name); }

void Document::put(const Spec& spec) { write(impl_->root, spec); }

Result<std::optional<std::string>> Document::get_string(Path path) const {
  return get<std::string>(impl_->root, impl_->name, path);
}

Result<std::optional<std::int64_t>> Document::get_integer(Path path) const {
  return get<std::int64_t>(impl_->root, impl_->name, path);
}

Result<std::optional<bool>> Document::get_bool(Path path) const { return get<bool>(impl_->root, impl_->name, path); }

Result<std::vector<std::string>> Document::get_strings(Path path) const {
  std::optional<std::vector<std::string>> texts = TRY(get<std::vector<std::string>>(impl_->root, impl_->name, path));
  return texts ? *std::move(texts) : std::vector<std::string>();
}

std::optional<std::string> Document::get_json(Path path) const {
  const json::value* value = find(impl_->root, path);
  if (value == nullptr) return std::nullopt;
  return print_line(*value);
}

void Document::set(Path path, std::string_view text) { make(impl_->root, path) = json::string_view(text); }
void Document::set(Path path, std::int64_t number) { make(impl_->root, path) = number; }
void Document::set(Path path, bool flag) { make(impl_->root, path) = flag; }
void Document::set(Path path, const std::vector<std::string>& texts) { write(make(impl_->root, path), texts); }

Result<void> Document::set_json(Path path, std::string_view text) {
  json::value value = TRY(parse_json(text, impl_->name, {}));
  make(impl_->root, path) = std::move(value);
  return ok();
}

void Document::erase(Path path) {
  if (path.size() == 0 || find(impl_->root, path) == nullptr) return;
  json::value* value = &impl_->root;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) value = &value->get_object()[path.begin()[i]];
  json::object& object = value->get_object();
  object.stable_erase(object.find(path.begin()[path.size() - 1]));
}

std::string Document::print() const { return print_line(impl_->root); }

}  // namespace caisson::oci
