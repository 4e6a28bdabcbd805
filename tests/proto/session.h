/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part: identities, keys, and sessions of every protocol, all from one seed each. */
#ifndef QRT_TEST_SESSION_H
#define QRT_TEST_SESSION_H

#include "network.h"
#include "quorate/evidence.h"

/* The context of the whole program, gadget vector included. */
const struct qrt_ctx *full_ctx(void);
/* SHA256 of |what|, |seed| and |i|: bytes for tests, the same every time. */
void test_bytes32(uint8_t out[32], const char *what, uint64_t seed, uint16_t i);

/* People with Ed25519 identities and the roster they form. */
struct world {
    size_t n;
    struct qrt_party roster[NODES_MAX];
    struct qrt_peer_key keys[NODES_MAX];
    uint8_t identity[NODES_MAX][64];
};
/* Indices 1..n, x-coordinates the indices. */
void world_init(struct world *w, size_t n);
size_t world_at(const struct world *w, uint16_t index);

struct session;

/* The shares of one key, as every party would have stored them. */
struct keyring {
    const struct world *world;
    size_t n, t;
    uint8_t *record[NODES_MAX]; /* by position in the world */
    size_t len[NODES_MAX];
    struct qrt_share share[NODES_MAX];
};
/* t of all people of |w|, made by peers in fair weather. */
void keyring_make(struct keyring *k, const struct world *w, size_t t, uint64_t seed);
/* From the records of a finished keygen. */
void keyring_take(struct keyring *k, const struct session *s, const struct network *net);
void keyring_free(struct keyring *k);
const struct qrt_share *keyring_share(const struct keyring *k, uint16_t index);

enum level { RUNS, PEERS };

struct session {
    enum qrt_protocol protocol;
    enum level level;
    const struct world *world;
    const struct keyring *key; /* NULL for keygen */
    uint64_t seed;             /* gives iid, run seeds and ephemeral keys */
    uint64_t restart;          /* another one: the same session with other randomness */
    uint16_t restart_only;     /* who has other randomness then; 0: everybody */
    size_t n, t;
    uint16_t members[NODES_MAX];
    const uint32_t *path;
    size_t path_n;
    const uint8_t *text; /* what is signed, under SHA-256; NULL: "pay" */
    size_t text_len;
    uint8_t presig[NODES_MAX][QRT_PRESIG_BYTES(NODES_MAX)]; /* online: by member; used up */
    const uint32_t *late_path;
    size_t late_path_n;
};

/* A keygen of everybody in |w|. */
void session_keygen(struct session *s, const struct world *w, size_t t, uint64_t seed);
/* Signing or presigning by |signers|, as many as the key's threshold. */
void session_sign(struct session *s, enum qrt_protocol protocol, const struct keyring *k,
                  const uint16_t *signers, uint64_t seed);
/* What member |index| starts with. */
void session_entropy(const struct session *s, uint16_t index, struct qrt_entropy *out);
void session_iid(const struct session *s, uint8_t iid[32]);
/* Start |index| in fresh memory; on an error the node is empty. */
enum qrt_err session_start(struct session *s, struct node *node, uint16_t index);
/* Start everybody as a node of |net|. */
void session_join(struct session *s, struct network *net);
/* Join, run, and have everybody done. */
void session_run(struct session *s, struct network *net);
/* After presigning in |net|: |online| becomes the session that uses the presignatures. */
void session_take_presigs(const struct session *presign, struct network *net,
                          struct session *online);
/* Everybody in |net| is done and has the same valid low-s signature under the session's key. */
void session_expect_signature(const struct session *s, const struct network *net,
                              struct qrt_sig *sig);

#endif
