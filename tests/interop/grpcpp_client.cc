// SPDX-License-Identifier: Apache-2.0
// grpc++ against our server: `grpcpp_client TARGET [CA [CERT KEY]] [refused]`. The cases of
// client.c; a line for each, exit 0 if all are right.
#include "interop.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <sstream>
#include <vector>

using namespace interop::v1;

namespace {

const char text[] = "gr\xc3\xbc\xc3\x9f dich 100% \xe2\x82\xac";
const char trace[] = "00112233445566778899aabbccddeeff";
const int late_ms = 3000;
std::unique_ptr<Interop::Stub> stub;
int faults;

std::string read(const char *name)
{
    std::ifstream file(name);
    std::ostringstream bytes;

    bytes << file.rdbuf();
    return bytes.str();
}

void check(const char *what, bool right, const grpc::Status &status)
{
    std::cout << (right ? "ok " : "FAULT ") << what << std::endl;
    if (right)
        return;
    faults++;
    std::cout << "    status " << status.error_code() << ": " << status.error_message()
              << std::endl;
}

std::unique_ptr<grpc::ClientContext> context(int ms)
{
    auto c = std::make_unique<grpc::ClientContext>();

    c->AddMetadata("x-api-key", "key-1");
    c->AddMetadata("x-request-id", trace);
    if (ms > 0)
        c->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(ms));
    return c;
}

struct Streamed {
    grpc::Status status;
    uint32_t n = 0;
    size_t bytes = 0;
    bool in_order = true;
};

Streamed stream(const StreamRequest &q, int ms, bool cancels = false)
{
    const auto c = context(ms);
    const auto reader = stub->Stream(c.get(), q);
    UnaryResponse a;
    Streamed got;

    while (reader->Read(&a)) {
        got.in_order = got.in_order && a.index() == got.n &&
                       a.payload().find_first_not_of('Z') == std::string::npos;
        got.n++;
        got.bytes += a.payload().size();
        if (cancels)
            c->TryCancel();
    }
    got.status = reader->Finish();
    return got;
}

void unary_cases()
{
    UnaryRequest q;
    UnaryResponse a;
    grpc::Status s;

    q.set_text(text);
    for (size_t size : {0, 1000, 60000, 65536, 5 << 20, 15 << 20}) {
        q.set_payload(std::string(size, 'Z'));
        a.Clear();
        s = stub->Unary(context(120000).get(), q, &a);
        check("unary", s.ok() && a.text() == text && a.payload() == q.payload(), s);
    }
    check("metadata", a.api_key() == "key-1" && a.trace() == trace, s);
    check("deadline is told", a.has_deadline(), s);
}

void error_cases()
{
    UnaryRequest q;
    UnaryResponse a;
    StreamRequest sq;
    CancelledResponse c;

    q.set_text(text);
    for (uint32_t code = 1; code <= 16; code++) {
        const auto x = context(120000);

        q.set_code(code);
        const auto s = stub->Unary(x.get(), q, &a);
        const auto name = x->GetServerTrailingMetadata().find("x-error-code");
        check("error status",
              static_cast<uint32_t>(s.error_code()) == code && s.error_message() == text &&
                  name != x->GetServerTrailingMetadata().end() && name->second == "asked_for",
              s);
    }
    sq.set_n(2);
    sq.set_code(grpc::StatusCode::DATA_LOSS);
    sq.set_text(text);
    const auto got = stream(sq, 120000);
    check("error at the end of a stream",
          got.status.error_code() == grpc::StatusCode::DATA_LOSS && got.n == 2 &&
              got.status.error_message() == text,
          got.status);
    const auto s = stub->Missing(context(120000).get(), {}, &c);
    check("unknown method", s.error_code() == grpc::StatusCode::UNIMPLEMENTED, s);
}

void stream_cases()
{
    const struct {
        uint32_t n, size;
    } rows[] = {{0, 0}, {1, 10}, {5000, 100}, {300, 60000}, {3, 5 << 20}};

    for (const auto &row : rows) {
        StreamRequest q;

        q.set_n(row.n);
        q.set_size(row.size);
        const auto got = stream(q, 120000);
        check("stream",
              got.status.ok() && got.n == row.n && got.in_order &&
                  got.bytes == size_t{row.n} * row.size,
              got.status);
    }
}

void many_case()
{
    struct One {
        std::unique_ptr<grpc::ClientContext> context;
        UnaryResponse response;
        grpc::Status status;
        std::unique_ptr<grpc::ClientAsyncResponseReader<UnaryResponse>> reader;
    };
    grpc::CompletionQueue queue;
    std::vector<One> calls(500);
    size_t good = 0;
    void *tag;
    bool ok;

    for (size_t i = 0; i < calls.size(); i++) {
        UnaryRequest q;

        q.set_text(std::to_string(i));
        calls[i].context = context(120000);
        calls[i].reader = stub->AsyncUnary(calls[i].context.get(), q, &queue);
        calls[i].reader->Finish(&calls[i].response, &calls[i].status, &calls[i]);
    }
    for (size_t i = 0; i < calls.size() && queue.Next(&tag, &ok); i++)
        ;
    for (size_t i = 0; i < calls.size(); i++)
        good += calls[i].status.ok() && calls[i].response.text() == std::to_string(i);
    check("500 calls at once", good == calls.size(), calls[0].status);
}

uint32_t cancelled_before;

void wait_cancelled(uint32_t more)
{
    const uint32_t n = cancelled_before + more;
    CancelledResponse a;
    grpc::Status s;

    do
        s = stub->Cancelled(context(120000).get(), {}, &a);
    while (s.ok() && a.n() < n);
    check("the server saw it", s.ok() && a.n() == n, s);
}

grpc::Status late_unary()
{
    UnaryRequest q;
    UnaryResponse a;

    q.set_hang(true);
    return stub->Unary(context(late_ms).get(), q, &a);
}

StreamRequest hanging()
{
    StreamRequest q;

    q.set_n(1);
    q.set_hang(true);
    return q;
}

/* Two that hang have enough time to be heard of; the other cases go on meanwhile. */
void all_cases()
{
    CancelledResponse before;

    stub->Cancelled(context(120000).get(), {}, &before);
    cancelled_before = before.n();
    auto unary = std::async(std::launch::async, late_unary);
    auto streamed = std::async(std::launch::async, stream, hanging(), late_ms, false);
    unary_cases();
    error_cases();
    stream_cases();
    many_case();
    const auto s = unary.get();
    check("deadline", s.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED, s);
    const auto late = streamed.get();
    check("deadline of a stream",
          late.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && late.n == 1,
          late.status);
    wait_cancelled(2);
    const auto cut = stream(hanging(), 0, true);
    check("cancel of a stream",
          cut.status.error_code() == grpc::StatusCode::CANCELLED && cut.n == 1, cut.status);
    wait_cancelled(3);
}

} // namespace

int main(int argc, char **argv)
{
    const bool refused = std::string(argv[argc - 1]) == "refused";
    const int n = refused ? argc - 1 : argc;
    auto credentials = grpc::InsecureChannelCredentials();
    grpc::ChannelArguments arguments;

    if (n > 2) {
        grpc::SslCredentialsOptions options;

        options.pem_root_certs = read(argv[2]);
        if (n > 4) {
            options.pem_cert_chain = read(argv[3]);
            options.pem_private_key = read(argv[4]);
        }
        credentials = grpc::SslCredentials(options);
    }
    arguments.SetMaxReceiveMessageSize(-1);
    stub = Interop::NewStub(grpc::CreateCustomChannel(argv[1], credentials, arguments));
    if (refused) {
        UnaryResponse a;
        const auto s = stub->Unary(context(120000).get(), {}, &a);

        check("no connection", s.error_code() == grpc::StatusCode::UNAVAILABLE, s);
    } else {
        all_cases();
    }
    return faults == 0 ? 0 : 1;
}
