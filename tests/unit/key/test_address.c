/* SPDX-License-Identifier: Apache-2.0 */
/* The four addresses of keys that everybody knows (private keys 1 and 2), and of others that
 * key_vectors.py computed with code of its own. */
#include "support.h"

#include "base/port.h"
#include "quorate/address.h"

#include <string.h>

static const struct {
    const char *pk;
    const char *address[QRT_ADDRESS_KINDS];
} keys[] = {
    {"0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
     {"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
      "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC"}},
    {"02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
     {"0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", "bc1qq6hag67dl53wl99vzg42z8eyzfz2xlkvxechjp",
      "1cMh228HTCiwS8ZsaakH8A8wze1JR5ZsP", "TDvSsdrNM5eeXNL3czpa6AxLDHZA9nwe9K"}},
    {"0276d2fdf1302d1fa9556f4df94ec84cefba6d482e54f47c6c2a238c1baa560f0e",
     {"0xe8a78b476AE1403b7fD39b662545AE608Aced7c7", "bc1q8juz8qhggmtthkalzx8kuggemp9svch7wwkddu",
      "16Y48h9KAzppPPER9weEcuzHFEagjkPZh7", "TXBNUjEMY7DPe3XZ8apA9vrwHV9FiHtCw6"}},
    {"0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
     {"0x80C0dbf239224071c59dD8970ab9d542E3414aB2", "bc1q4h0ycu78h88wzldxc7e79vhw5xsde0n8jk4wl5",
      "1GrLCmVQXoyJXaPJQdqssNqwxvha1eUo2E", "TMhzXhj5o7aG14eMHn2htGe7ek39hiriPN"}},
    {"0299c126da20397558f23658764c3a7c583db7ff706e93981cc170e27ca8336201",
     {"0x705e096dC8bc938b96De5cB09Bcc19fB7623866D", "bc1qatknmeca5p0fy5decdj5704hf7prt47e0e7e9n",
      "1NRBKjozBChVzkWGUStmwxrPnZFxpJvTzg", "TLDMLLXwECySK6pkKfJ7CZskA8Uv7mYEj2"}},
};

static void test_known_addresses_are_met(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);

    (void)state;
    for (size_t i = 0; i < QRT_ARRAY_LEN(keys); i++)
        for (int kind = 0; kind < QRT_ADDRESS_KINDS; kind++) {
            struct qrt_pubkey pk;
            char out[QRT_ADDRESS_MAX];

            test_unhex(pk.b, sizeof pk.b, keys[i].pk);
            memset(out, 'x', sizeof out);
            assert_int_equal(qrt_address(out, ctx, (enum qrt_address_kind)kind, &pk), QRT_OK);
            assert_string_equal(out, keys[i].address[kind]);
        }
}

static void test_what_is_no_point_has_no_address(void **state)
{
    struct qrt_ctx *ctx = test_ctx(QRT_CPU_ALL);
    char out[QRT_ADDRESS_MAX];
    struct qrt_pubkey pk;

    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        enum qrt_err want = first == 2 || first == 3 ? QRT_OK : QRT_E_RECORD_FIELD;

        test_unhex(pk.b, sizeof pk.b, keys[0].pk);
        pk.b[0] = (uint8_t)first;
        out[0] = 'x';
        assert_int_equal(qrt_address(out, ctx, QRT_ADDRESS_TRON, &pk), want);
        assert_int_equal(out[0], want ? '\0' : 'T');
    }
    memset(pk.b + 1, 0xff, 32);
    pk.b[0] = 2;
    assert_int_equal(qrt_address(out, ctx, QRT_ADDRESS_ETHEREUM, &pk), QRT_E_RECORD_FIELD);
}

static void test_kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(qrt_address_name(QRT_ADDRESS_ETHEREUM), "ethereum");
    assert_string_equal(qrt_address_name(QRT_ADDRESS_BITCOIN_P2WPKH), "bitcoin_p2wpkh");
    assert_string_equal(qrt_address_name(QRT_ADDRESS_BITCOIN_P2PKH), "bitcoin_p2pkh");
    assert_string_equal(qrt_address_name(QRT_ADDRESS_TRON), "tron");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_addresses_are_met),
        cmocka_unit_test(test_what_is_no_point_has_no_address),
        cmocka_unit_test(test_kinds_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
