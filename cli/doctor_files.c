/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys of a process. That the files are there, in form and in their time, and that
 * key and certificate fit, its own program has said (doctor_config.c). */
#include "doctor.h"

#include "file.h"
#include "pki.h"

#include "system/access/identity.h"
#include "system/core/key_file.h"
#include "system/core/secret.h"

#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum { DAYS_TOLD = 14, DAY_S = 86400, IDENTITY_FILE_MAX = 65536 };

static const char renew[] =
    "renew it (quorate pki renew) and put the files in place: they are read "
    "while the process runs";

static void check_end(struct doctor *doctor, const char *variable, const ASN1_TIME *end)
{
    int days = 0, seconds = 0;
    bool ok = ASN1_TIME_diff(&days, &seconds, NULL, end) == 1;
    const char *path = doctor_text(doctor, variable);

    doctor_check(doctor, ok && (days > 0 || seconds > 0), renew, "%s %s has expired", variable,
                 path);
    doctor_check(doctor, days >= DAYS_TOLD || days < 0 || (days == 0 && seconds <= 0), renew,
                 "%s %s expires in %d days", variable, path, days);
}

static X509 *check_certificate(struct doctor *doctor, const char *variable)
{
    struct trouble trouble = {""};
    X509 *x = doctor_text(doctor, variable)[0]
                  ? pki_read_certificate(doctor_text(doctor, variable), &trouble)
                  : NULL;

    if (x)
        check_end(doctor, variable, X509_get0_notAfter(x));
    return x;
}

static void check_list(struct doctor *doctor)
{
    const char *path = doctor_text(doctor, "GRPC_TLS_CRL");
    FILE *f = path[0] ? fopen(path, "r") : NULL;
    X509_CRL *crl = f ? PEM_read_X509_CRL(f, NULL, NULL, NULL) : NULL;

    if (crl && X509_CRL_get0_nextUpdate(crl))
        check_end(doctor, "GRPC_TLS_CRL", X509_CRL_get0_nextUpdate(crl));
    X509_CRL_free(crl);
    if (f)
        fclose(f);
}

static X509_STORE *trusted(const struct doctor *doctor)
{
    const char *crl = doctor_text(doctor, "GRPC_TLS_CRL");
    X509_STORE *store = X509_STORE_new();

    pki_need(store != NULL);
    X509_STORE_load_file(store, doctor_text(doctor, "GRPC_TLS_CA"));
    if (crl[0] && X509_STORE_load_file(store, crl) == 1)
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return store;
}

/* Intermediate certificates stand behind the first in the file. */
static STACK_OF(X509) * rest_of(const char *path)
{
    STACK_OF(X509) *rest = sk_X509_new_null();
    FILE *f = fopen(path, "r");
    X509 *x;

    while (f && (x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
        sk_X509_push(rest, x);
    if (f)
        fclose(f);
    return rest;
}

static void check_chain(struct doctor *doctor, X509 *x)
{
    X509_STORE *store = trusted(doctor);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *rest = rest_of(doctor_text(doctor, "GRPC_TLS_CERT"));
    bool ok;

    pki_need(context && X509_STORE_CTX_init(context, store, x, rest) == 1);
    ok = X509_verify_cert(context) == 1;
    doctor_check(doctor, ok,
                 "issue it by the authority whose certificate GRPC_TLS_CA is, or correct "
                 "GRPC_TLS_CA and GRPC_TLS_CRL",
                 "peers will refuse GRPC_TLS_CERT %s: %s", doctor_text(doctor, "GRPC_TLS_CERT"),
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    sk_X509_pop_free(rest, X509_free);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
}

/* Of the identity; false: it was found to be wrong. */
static bool read_identity(struct doctor *doctor, struct identity *out)
{
    const char *path = doctor_text(doctor, "CERTIFICATE_FILE");
    Mpc__Session__V1__PartyCertificate *certificate = NULL;
    struct trouble trouble = {""};
    struct file file;
    bool ok = false;

    if (file_read(&file, path, IDENTITY_FILE_MAX, &trouble)) {
        certificate = mpc__session__v1__party_certificate__unpack(NULL, file.len, file.b);
        file_free(&file);
        ok = certificate &&
             identity_verify(out, certificate, config_key(doctor->config, "CA_KEY", 32));
    }
    if (certificate)
        mpc__session__v1__party_certificate__free_unpacked(certificate, NULL);
    doctor_check(doctor, ok,
                 "restore the party's own file, or correct CA_KEY (quorate pki show tells it)",
                 "CERTIFICATE_FILE %s is no certificate that the key CA_KEY signed", path);
    return ok;
}

static void check_key(struct doctor *doctor, const struct identity *identity)
{
    const char *path = doctor_text(doctor, "IDENTITY_KEY_FILE");
    uint8_t *pair = secret_new(KEY_FILE_PAIR);
    char why[KEY_FILE_ERROR_MAX] = "";
    bool ok = key_file_read_pair(pair, path, why);

    doctor_check(doctor, ok, "restore it from its backup; a new key has no shares",
                 "IDENTITY_KEY_FILE: %s", why);
    if (ok && identity)
        doctor_check(doctor, memcmp(pair + KEY_FILE_SEED, identity->key, 32) == 0,
                     "restore the two files of this party, as they were issued together",
                     "IDENTITY_KEY_FILE %s is not the key that CERTIFICATE_FILE %s is for", path,
                     doctor_text(doctor, "CERTIFICATE_FILE"));
    secret_free(pair);
}

/* What the TLS certificate calls itself. */
static void check_party(struct doctor *doctor, const X509 *x, const char *party)
{
    json_t *said = pki_x509_json(x);
    const char *names = json_string_value(json_object_get(said, "party"));

    doctor_check(doctor, strcmp(names ? names : "", party) == 0,
                 party[0] ? "issue one for this party (quorate pki issue --party)"
                          : "issue one without --party",
                 "GRPC_TLS_CERT %s names %s%s, but this is %s%s",
                 doctor_text(doctor, "GRPC_TLS_CERT"), names ? "party " : "no party",
                 names ? names : "", party[0] ? "party " : "no party", party);
    json_decref(said);
}

static void check_seed(struct doctor *doctor)
{
    const char *path = doctor_text(doctor, "INITIATOR_KEY_FILE");
    uint8_t *seed = secret_new(KEY_FILE_SEED);
    char why[KEY_FILE_ERROR_MAX] = "";

    doctor_check(doctor, !path[0] || key_file_read(seed, path, why),
                 "restore it from its backup; parties obey the keys of INITIATOR_KEYS alone",
                 "INITIATOR_KEY_FILE: %s", why);
    secret_free(seed);
}

void doctor_files(struct doctor *doctor)
{
    bool is_party = (doctor->program & CONFIG_KEEPER) != 0,
         has_tls = !doctor_is(doctor, "TLS", "off");
    struct identity identity;
    bool has_identity = is_party && read_identity(doctor, &identity);
    X509 *http = has_tls ? check_certificate(doctor, "TLS_CERT") : NULL,
         *grpc = has_tls ? check_certificate(doctor, "GRPC_TLS_CERT") : NULL,
         *ca = has_tls ? check_certificate(doctor, "GRPC_TLS_CA") : NULL;

    if (is_party)
        check_key(doctor, has_identity ? &identity : NULL);
    else
        check_seed(doctor);
    if (has_tls)
        check_list(doctor);
    if (grpc)
        check_chain(doctor, grpc);
    if (grpc && (has_identity || !is_party))
        check_party(doctor, grpc, is_party ? identity.party_id : "");
    X509_free(http);
    X509_free(grpc);
    X509_free(ca);
}
