/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates: the authority's own, and those of services and parties, which may be servers
 * and clients. Serial numbers are 126 random bits. */
#include "pki.h"

#include "report.h"

#include "system/core/buffer.h"
#include "system/core/clock.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOST_MAX = 254, SERIAL_BITS = 127 };

static const char party_prefix[] = "quorate:party:";

void pki_need(bool ok)
{
    if (!ok)
        exit(refuse("OpenSSL cannot make certificates on this machine"));
}

static void set_serial(X509 *x)
{
    BIGNUM *number = BN_new();

    pki_need(number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
             BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL);
    BN_free(number);
}

static void extend(X509 *x, const X509 *ca, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, (X509 *)(uintptr_t)ca, x, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    pki_need(extension && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *begin(EVP_PKEY *key, const char *name, long days)
{
    X509 *x = X509_new();

    pki_need(x && X509_set_version(x, X509_VERSION_3) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(x), -PKI_EARLY_S) &&
             X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL) &&
             X509_set_pubkey(x, key) == 1 &&
             X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8,
                                        (const unsigned char *)name, -1, -1, 0) == 1);
    set_serial(x);
    return x;
}

X509 *pki_x509_authority(EVP_PKEY *key, const char *name, long days)
{
    X509 *x = begin(key, name, days);

    pki_need(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1);
    extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(x, x, NID_subject_key_identifier, "hash");
    pki_need(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static void add_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();

    pki_need(name && value);
    GENERAL_NAME_set0_value(name, type, value);
    pki_need(sk_GENERAL_NAME_push(names, name) > 0);
}

static ASN1_STRING *text_value(const char *text)
{
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    pki_need(value && ASN1_STRING_set(value, text, -1) == 1);
    return value;
}

static bool is_host_name(const char *host)
{
    return host[0] && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "-_.*") == strlen(host);
}

static bool add_host(GENERAL_NAMES *names, const char *host, struct trouble *trouble)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);

    ERR_clear_error();
    if (!address && !is_host_name(host))
        return trouble_set(trouble, "\"%s\" is no host name or address", host);
    if (address)
        add_name(names, GEN_IPADD, address);
    else
        add_name(names, GEN_DNS, text_value(host));
    return true;
}

static bool add_hosts(GENERAL_NAMES *names, const char *list, struct trouble *trouble)
{
    for (size_t len; *list; list += len + (list[len] == ',')) {
        char host[HOST_MAX];

        len = strcspn(list, ",");
        if (len >= sizeof host)
            return trouble_set(trouble, "\"%.40s...\" is too long for a host name", list);
        memcpy(host, list, len);
        host[len] = '\0';
        if (!add_host(names, host, trouble))
            return false;
    }
    return true;
}

static GENERAL_NAMES *names_of(const struct pki_leaf *leaf, struct trouble *trouble)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    char uri[sizeof party_prefix + PKI_NAME_MAX];

    pki_need(names != NULL);
    if (leaf->party) {
        snprintf(uri, sizeof uri, "%s%s", party_prefix, leaf->party);
        add_name(names, GEN_URI, text_value(uri));
    }
    if (add_hosts(names, leaf->hosts ? leaf->hosts : leaf->name, trouble))
        return names;
    GENERAL_NAMES_free(names);
    return NULL;
}

static bool is_over(const X509 *ca, struct trouble *trouble)
{
    char text[PKI_TIME_MAX];

    if (X509_cmp_current_time(X509_get0_notAfter(ca)) > 0)
        return false;
    pki_time_text(text, X509_get0_notAfter(ca));
    trouble_set(trouble, "the authority ended on %s: make a new one in another directory", text);
    return true;
}

/* Everything but key, name and time, which |x| has; it is freed on failure. */
static X509 *finish(X509 *x, const GENERAL_NAMES *names, const X509 *ca, EVP_PKEY *ca_key)
{
    if (ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(ca)) > 0)
        pki_need(X509_set1_notAfter(x, X509_get0_notAfter(ca)) == 1);
    pki_need(X509_set_issuer_name(x, X509_get_subject_name(ca)) == 1);
    extend(x, ca, NID_basic_constraints, "critical,CA:FALSE");
    extend(x, ca, NID_key_usage, "critical,digitalSignature");
    extend(x, ca, NID_ext_key_usage, "serverAuth,clientAuth");
    extend(x, ca, NID_subject_key_identifier, "hash");
    extend(x, ca, NID_authority_key_identifier, "keyid:always");
    pki_need(X509_add1_ext_i2d(x, NID_subject_alt_name, (void *)(uintptr_t)names, 0, 0) == 1);
    pki_need(X509_sign(x, ca_key, EVP_sha256()) > 0);
    return x;
}

X509 *pki_x509_leaf(const struct pki_leaf *leaf, EVP_PKEY *key, const X509 *ca, EVP_PKEY *ca_key,
                    struct trouble *trouble)
{
    GENERAL_NAMES *names;
    X509 *x;

    if (is_over(ca, trouble))
        return NULL;
    names = names_of(leaf, trouble);
    if (!names)
        return NULL;
    x = finish(begin(key, leaf->name, leaf->days), names, ca, ca_key);
    GENERAL_NAMES_free(names);
    return x;
}

X509 *pki_x509_renewed(const X509 *old, long days, EVP_PKEY *key, const X509 *ca, EVP_PKEY *ca_key,
                       struct trouble *trouble)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(old, NID_subject_alt_name, NULL, NULL);
    char name[PKI_NAME_MAX];
    X509 *x;

    if (!names) {
        trouble_set(trouble, "the certificate names no host: issue one instead");
        return NULL;
    }
    pki_x509_name(name, old);
    x = is_over(ca, trouble) ? NULL : finish(begin(key, name, days), names, ca, ca_key);
    GENERAL_NAMES_free(names);
    return x;
}

uint8_t *pki_text(size_t *len, BIO *bio)
{
    uint8_t *out;
    char *b;

    *len = (size_t)BIO_get_mem_data(bio, &b);
    out = mem_copy(b, *len);
    BIO_free(bio);
    return out;
}

uint8_t *pki_x509_pem(size_t *len, const X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());

    pki_need(bio && PEM_write_bio_X509(bio, certificate) == 1);
    return pki_text(len, bio);
}

void pki_x509_serial(char out[PKI_SERIAL_MAX], const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;

    pki_need(hex != NULL);
    snprintf(out, PKI_SERIAL_MAX, "%s", hex);
    OPENSSL_free(hex);
    BN_free(number);
}

void pki_time_text(char out[PKI_TIME_MAX], const ASN1_TIME *time)
{
    struct tm tm;

    pki_need(ASN1_TIME_to_tm(time, &tm) == 1);
    strftime(out, PKI_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void pki_x509_name(char out[PKI_NAME_MAX], const X509 *certificate)
{
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, out,
                                  PKI_NAME_MAX) < 0)
        out[0] = '\0';
}

static json_t *address_json(const ASN1_OCTET_STRING *address)
{
    char text[64] = "?";
    const uint8_t *b = ASN1_STRING_get0_data(address);
    int len = ASN1_STRING_length(address);

    if (len == 4) {
        snprintf(text, sizeof text, "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    } else if (len == 16) {
        int at = 0;

        for (int i = 0; i < 16; i += 2)
            at += snprintf(text + at, sizeof text - (size_t)at, "%s%x", i ? ":" : "",
                           b[i] << 8 | b[i + 1]);
    }
    return json_string(text);
}

static void add_names_json(json_t *report, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    json_t *hosts = json_array();

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        const char *text = (const char *)ASN1_STRING_get0_data(value);
        size_t len = (size_t)ASN1_STRING_length(value), prefix = sizeof party_prefix - 1;

        if (type == GEN_IPADD)
            json_array_append_new(hosts, address_json(value));
        else if (type == GEN_DNS)
            json_array_append_new(hosts, json_stringn(text, len));
        else if (type == GEN_URI && len > prefix && memcmp(text, party_prefix, prefix) == 0)
            report_add(report, "party", json_stringn(text + prefix, len - prefix));
    }
    report_add(report, "hosts", hosts);
    GENERAL_NAMES_free(names);
}

json_t *pki_x509_json(const X509 *certificate)
{
    char name[PKI_NAME_MAX], serial[PKI_SERIAL_MAX], from[PKI_TIME_MAX], to[PKI_TIME_MAX];
    json_t *report = json_object();

    pki_x509_name(name, certificate);
    pki_x509_serial(serial, certificate);
    pki_time_text(from, X509_get0_notBefore(certificate));
    pki_time_text(to, X509_get0_notAfter(certificate));
    report_add(report, "name", json_string(name));
    add_names_json(report, certificate);
    report_add(report, "serial", json_string(serial));
    report_add(report, "not_before", json_string(from));
    report_add(report, "not_after", json_string(to));
    return report;
}
