// SPDX-License-Identifier: Apache-2.0
// What services_grpcpp.cc calls with: connections and keys from the description of services.py,
// requests by their fields' names, calls that must succeed or be refused. A line for each check.
#ifndef INTEROP_SERVICES_CLIENT_H
#define INTEROP_SERVICES_CLIENT_H

#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

// Metadata that says who calls.
using Caller = std::pair<std::string, std::string>;
using Fields = std::initializer_list<std::pair<const char *, std::string>>;

const Caller nobody;

extern int faults;
// "service.Method" of what has been called, with success or refused.
extern std::set<std::string> covered_ok, covered_refused;

void check(const std::string &what, bool right, const std::string &got = "");
std::string text_of(const grpc::Status &status);
std::unique_ptr<grpc::ClientContext> context(const Caller &caller);
// Set |fields|; numbers as text, a repeated field by naming it again.
void fill(google::protobuf::Message *message, Fields fields);
void check_refused(const std::string &what, const grpc::Status &status,
                   const grpc::ClientContext &context, grpc::StatusCode code,
                   const std::string &name);
// All methods of the service |name| are in both sets, but for those in |but|.
void check_covered(const std::string &service, const std::string &name,
                   const std::set<std::string> &but = {});

class Description {
public:
    explicit Description(const char *path);
    // "tokens.ghost"
    std::string text(const std::string &path) const;
    std::shared_ptr<grpc::Channel> channel(const std::string &process) const;
    // Name of the service at each process, or "".
    const google::protobuf::Struct &processes() const;

private:
    google::protobuf::Struct root;
};

template <class Q> Q make(Fields fields = {})
{
    Q message;

    fill(&message, fields);
    return message;
}

// "account.Sign", the stub, the method: what ok and refused begin with.
#define RPC(service, method)                                                                       \
    #service "." #method, *service, &std::remove_reference_t<decltype(*service)>::method

template <class Stub, class Q, class A>
using Method = grpc::Status (Stub::*)(grpc::ClientContext *, const Q &, A *);
template <class Stub, class Q, class A>
using Streaming = std::unique_ptr<grpc::ClientReader<A>> (Stub::*)(grpc::ClientContext *,
                                                                   const Q &);

template <class Stub, class Q, class A>
A ok(const std::string &what, Stub &stub, Method<Stub, Q, A> method, const Q &request,
     const Caller &caller)
{
    A answer;
    const auto status = (stub.*method)(context(caller).get(), request, &answer);

    check(what, status.ok(), text_of(status));
    if (!status.ok())
        throw std::runtime_error(what + " failed, and the rest needs it");
    covered_ok.insert(what);
    return answer;
}

template <class Stub, class Q, class A>
void refused(const std::string &what, Stub &stub, Method<Stub, Q, A> method, const Q &request,
             const Caller &caller, grpc::StatusCode code, const std::string &name)
{
    const auto c = context(caller);
    A answer;
    const auto status = (stub.*method)(c.get(), request, &answer);

    check_refused(what, status, *c, code, name);
}

// Ask until it succeeds: another process has to hear of something first.
template <class Stub, class Q, class A, class Fits>
A until(const std::string &what, Stub &stub, Method<Stub, Q, A> method, const Q &request,
        const Caller &caller, Fits fits)
{
    for (;;) {
        A answer;
        const auto status = (stub.*method)(context(caller).get(), request, &answer);

        if (status.ok() && fits(answer))
            return ok(what, stub, method, request, caller);
    }
}

// A stream that is open.
template <class A> class Reader {
public:
    template <class Stub, class Q>
    Reader(const std::string &what, Stub &stub, Streaming<Stub, Q, A> method, const Q &request,
           const Caller &caller)
        : c(context(caller)), reader((stub.*method)(c.get(), request))
    {
        covered_ok.insert(what);
    }
    template <class Fits> A until(Fits fits)
    {
        A message;

        while (reader->Read(&message))
            if (fits(message))
                return message;
        throw std::runtime_error("a stream ended: " + text_of(reader->Finish()));
    }
    A next()
    {
        return until([](const A &) { return true; });
    }
    grpc::Status end()
    {
        A message;

        while (reader->Read(&message))
            ;
        return reader->Finish();
    }
    void cancel()
    {
        c->TryCancel();
        (void)end();
    }

private:
    std::unique_ptr<grpc::ClientContext> c;
    std::unique_ptr<grpc::ClientReader<A>> reader;
};

template <class Stub, class Q, class A>
Reader<A> stream(const std::string &what, Stub &stub, Streaming<Stub, Q, A> method,
                 const Q &request, const Caller &caller)
{
    return Reader<A>(what, stub, method, request, caller);
}

template <class Stub, class Q, class A>
void refused(const std::string &what, Stub &stub, Streaming<Stub, Q, A> method, const Q &request,
             const Caller &caller, grpc::StatusCode code, const std::string &name)
{
    const auto c = context(caller);
    const auto reader = (stub.*method)(c.get(), request);
    A message;

    while (reader->Read(&message))
        ;
    check_refused(what, reader->Finish(), *c, code, name);
}

#endif
