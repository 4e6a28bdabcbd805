// SPDX-License-Identifier: Apache-2.0
#include "services_client.hh"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <iostream>
#include <sstream>

using google::protobuf::FieldDescriptor;

int faults;
std::set<std::string> covered_ok, covered_refused;

void check(const std::string &what, bool right, const std::string &got)
{
    std::cout << (right ? "ok " : "FAULT ") << what << std::endl;
    if (right)
        return;
    faults++;
    std::cout << "    " << got << std::endl;
}

std::string text_of(const grpc::Status &status)
{
    return std::to_string(status.error_code()) + ": " + status.error_message();
}

std::unique_ptr<grpc::ClientContext> context(const Caller &caller)
{
    auto c = std::make_unique<grpc::ClientContext>();

    if (!caller.first.empty())
        c->AddMetadata(caller.first, caller.second);
    c->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
    return c;
}

static void set(google::protobuf::Message *m, const FieldDescriptor *field, const std::string &text)
{
    const auto *r = m->GetReflection();

    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
        if (field->is_repeated())
            r->AddString(m, field, text);
        else
            r->SetString(m, field, text);
        break;
    case FieldDescriptor::CPPTYPE_UINT32:
        r->SetUInt32(m, field, static_cast<uint32_t>(std::stoul(text)));
        break;
    case FieldDescriptor::CPPTYPE_UINT64:
        r->SetUInt64(m, field, std::stoull(text));
        break;
    case FieldDescriptor::CPPTYPE_INT64:
        r->SetInt64(m, field, std::stoll(text));
        break;
    case FieldDescriptor::CPPTYPE_BOOL:
        r->SetBool(m, field, text == "true");
        break;
    default:
        throw std::runtime_error("no text for the field " + field->full_name());
    }
}

void fill(google::protobuf::Message *message, Fields fields)
{
    for (const auto &[name, text] : fields) {
        const auto *field = message->GetDescriptor()->FindFieldByName(name);

        if (!field)
            throw std::runtime_error(std::string("there is no field ") + name);
        set(message, field, text);
    }
}

void check_refused(const std::string &what, const grpc::Status &status,
                   const grpc::ClientContext &context, grpc::StatusCode code,
                   const std::string &name)
{
    const auto &trailers = context.GetServerTrailingMetadata();
    const auto found = trailers.find("x-error-code");
    const std::string told =
        found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());

    check(what + " is refused: " + name, status.error_code() == code && told == name,
          told + ", " + text_of(status));
    covered_refused.insert(what);
}

void check_covered(const std::string &service, const std::string &name,
                   const std::set<std::string> &but)
{
    const auto *d = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);

    check(name + " is known", d != nullptr);
    for (int i = 0; d && i < d->method_count(); i++) {
        const std::string what = service + "." + d->method(i)->name();

        check(what + " has succeeded once", covered_ok.count(what) > 0);
        check(what + " was refused once", covered_refused.count(what) > 0 || but.count(what) > 0);
    }
}

Description::Description(const char *path)
{
    std::ifstream file(path);
    std::ostringstream text;

    text << file.rdbuf();
    if (!google::protobuf::util::JsonStringToMessage(text.str(), &root).ok())
        throw std::runtime_error(std::string(path) + " is no JSON");
}

std::string Description::text(const std::string &path) const
{
    const google::protobuf::Struct *at = &root;
    std::istringstream words(path);
    std::string word;

    while (std::getline(words, word, '.')) {
        const auto &value = at->fields().at(word);

        if (!value.has_struct_value())
            return value.string_value();
        at = &value.struct_value();
    }
    throw std::runtime_error(path + " is no text");
}

std::shared_ptr<grpc::Channel> Description::channel(const std::string &process) const
{
    return grpc::CreateChannel(text("addresses." + process + ".grpc"),
                               grpc::InsecureChannelCredentials());
}

const google::protobuf::Struct &Description::processes() const
{
    return root.fields().at("processes").struct_value();
}
