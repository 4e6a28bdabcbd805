// SPDX-License-Identifier: Apache-2.0
// The service of interop.proto by grpc++: `grpcpp_server [CERT KEY CA]`. Prints its ports, plain
// and mTLS, as one line; ends when stdin ends.
#include "interop.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

using namespace interop::v1;

namespace {

std::string seen(const grpc::ServerContext &context, const char *name)
{
    const auto at = context.client_metadata().find(name);

    return at == context.client_metadata().end() ? "" : std::string(at->second.data(), at->second.size());
}

std::string read(const char *name)
{
    std::ifstream file(name);
    std::ostringstream text;

    text << file.rdbuf();
    return text.str();
}

class Service final : public Interop::Service {
    std::atomic<uint32_t> cancelled{0};

    // The synchronous interface tells of a cancel only to who asks.
    grpc::Status hang(grpc::ServerContext *context)
    {
        while (!context->IsCancelled())
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        cancelled++;
        return grpc::Status::CANCELLED;
    }

    static grpc::Status fault(grpc::ServerContext *context, uint32_t code, const std::string &text)
    {
        context->AddTrailingMetadata("x-error-code", "asked_for");
        return {static_cast<grpc::StatusCode>(code), text};
    }

    grpc::Status Unary(grpc::ServerContext *context, const UnaryRequest *q,
                       UnaryResponse *a) override
    {
        if (q->hang())
            return hang(context);
        if (q->code() != 0)
            return fault(context, q->code(), q->text());
        a->set_text(q->text());
        a->set_payload(q->payload());
        a->set_api_key(seen(*context, "x-api-key"));
        a->set_trace(seen(*context, "x-request-id"));
        a->set_has_deadline(context->deadline() < std::chrono::system_clock::time_point::max());
        return grpc::Status::OK;
    }

    grpc::Status Stream(grpc::ServerContext *context, const StreamRequest *q,
                        grpc::ServerWriter<UnaryResponse> *writer) override
    {
        UnaryResponse a;

        a.set_payload(std::string(q->size(), 'Z'));
        for (uint32_t i = 0; i < q->n(); i++) {
            a.set_index(i);
            if (!writer->Write(a))
                break;
        }
        if (q->hang())
            return hang(context);
        return q->code() != 0 ? fault(context, q->code(), q->text()) : grpc::Status::OK;
    }

    grpc::Status Cancelled(grpc::ServerContext *, const CancelledRequest *,
                           CancelledResponse *a) override
    {
        a->set_n(cancelled);
        return grpc::Status::OK;
    }
};

} // namespace

int main(int argc, char **argv)
{
    Service service;
    grpc::ServerBuilder builder;
    int plain = 0, mutual = 0;
    std::string line;

    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &plain);
    if (argc == 4) {
        grpc::SslServerCredentialsOptions options(
            GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);

        options.pem_root_certs = read(argv[3]);
        options.pem_key_cert_pairs.push_back({read(argv[2]), read(argv[1])});
        builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &mutual);
    }
    builder.SetMaxReceiveMessageSize(-1);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    std::cout << "ports " << plain << " " << mutual << std::endl;
    while (std::getline(std::cin, line))
        ;
    server->Shutdown(std::chrono::system_clock::now());
    return 0;
}
