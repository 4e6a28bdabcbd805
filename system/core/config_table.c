/* SPDX-License-Identifier: Apache-2.0 */
/* Every variable of every program. Groups as they stand in the reference: all, access, addresses of
 * each other, then what single programs read. */
#include "system/core/config_table.h"

#include "system/core/config.h"

enum {
    SERVERS = CONFIG_ACCOUNT | CONFIG_COORDINATOR | CONFIG_ROUTER,
    FRONTS = CONFIG_PARTY | CONFIG_PARTY_API,
    NETWORK = SERVERS | FRONTS,
    /* programs whose HTTP interface backends call */
    APIS = SERVERS | CONFIG_PARTY_API
};

#define MINUTE_MS 60000

/* clang-format off */
const struct config_row config_rows[] = {
    { "ENVIRONMENT", CONFIG_ALL, CONFIG_FORM_WORD, 0, "production", 0, 0, "production|development",
      "Production refuses the placeholders of .env.example.", NULL },
    { "LOG_LEVEL", CONFIG_ALL, CONFIG_FORM_WORD, 0, "info", 0, 0, "debug|info|warn|error",
      "The least level that is logged.", NULL },
    { "TZ", CONFIG_ALL, CONFIG_FORM_TEXT, 0, "UTC", 0, 0, NULL,
      "Time zone of the logs.", NULL },
    { "DATA_DIR", CONFIG_ACCOUNT | CONFIG_COORDINATOR | CONFIG_KEEPER, CONFIG_FORM_TEXT, 0, ".", 0, 0, NULL,
      "Directory of this program's database.", NULL },
    { "LISTEN_HOST", NETWORK, CONFIG_FORM_TEXT, 0, "0.0.0.0", 0, 0, NULL,
      "Address to listen on.", NULL },
    { "HTTP_PORT", NETWORK, CONFIG_FORM_INT, 0, "8080", 0, 65535, NULL,
      "Port of the HTTP interface; 0 takes a free one.", NULL },
    { "GRPC_PORT", NETWORK, CONFIG_FORM_INT, 0, "50051", 0, 65535, NULL,
      "Port of the gRPC interface; 0 takes a free one.", NULL },
    { "TLS", NETWORK, CONFIG_FORM_WORD, 0, "on", 0, 0, "on|off",
      "off: plain text, allowed on loopback addresses only.", NULL },
    { "TLS_CERT", NETWORK, CONFIG_FORM_TEXT, 0, NULL, 0, 0, NULL,
      "PEM file: certificate of the HTTP interface.", NULL },
    { "TLS_KEY", NETWORK, CONFIG_FORM_TEXT, 0, NULL, 0, 0, NULL,
      "PEM file: key of the HTTP interface.", NULL },
    { "GRPC_TLS_CERT", NETWORK, CONFIG_FORM_TEXT, 0, NULL, 0, 0, NULL,
      "PEM file: certificate of the gRPC interface and of this program's own calls.", NULL },
    { "GRPC_TLS_KEY", NETWORK, CONFIG_FORM_TEXT, 0, NULL, 0, 0, NULL,
      "PEM file: key of GRPC_TLS_CERT.", NULL },
    { "GRPC_TLS_CA", NETWORK, CONFIG_FORM_TEXT, 0, NULL, 0, 0, NULL,
      "PEM file: the authority whose certificates gRPC peers must show.", NULL },
    { "RETRY_MAX", NETWORK, CONFIG_FORM_INT, 0, "10", 1, 1000, NULL,
      "Tries to connect before giving up.", NULL },
    { "RETRY_DELAY_MS", NETWORK, CONFIG_FORM_INT, 0, "2000", 1, MINUTE_MS, NULL,
      "The first wait between tries; each is so much longer.", NULL },

    { "JWT_SECRET_KEY", SERVERS, CONFIG_FORM_SECRET_TEXT, CONFIG_SECRET | CONFIG_REQUIRED, NULL, 32, 0, NULL,
      "Signs join tokens and the services' own tokens; 32 characters or more.",
      "change-me-to-32-characters-or-more" },
    { "MPC_API_KEY", APIS, CONFIG_FORM_LIST, CONFIG_SECRET | CONFIG_REQUIRED, NULL, 1, 2, NULL,
      "The backends' key; two, comma separated, while rotating.", "change-me" },
    { "ALLOWED_IPS", APIS, CONFIG_FORM_ADDRESSES, CONFIG_REQUIRED, NULL, 0, 0, NULL,
      "Addresses or CIDR ranges that backends may call from, comma separated.", "192.0.2.0/24" },
    { "TRUSTED_PROXIES", APIS, CONFIG_FORM_ADDRESSES, 0, NULL, 0, 0, NULL,
      "Addresses whose X-Forwarded-For counts.", NULL },
    { "RATE_LIMIT_PER_MINUTE", APIS, CONFIG_FORM_INT, 0, "0", 0, 10000000, NULL,
      "Requests of one API key and address per minute; 0: no limit.", NULL },
    { "CA_KEY", SERVERS | CONFIG_KEEPER, CONFIG_FORM_KEY, CONFIG_REQUIRED, NULL, 32, 0, NULL,
      "Public key (Ed25519, hex) of the authority that certifies parties' identity keys.", NULL },

    { "COORDINATOR_ADDR", CONFIG_ACCOUNT | FRONTS, CONFIG_FORM_TARGET, 0, "mpc-session-coordinator:50051", 0, 0, NULL,
      "gRPC address of the session coordinator.", NULL },
    { "ROUTER_ADDR", CONFIG_ACCOUNT | CONFIG_COORDINATOR | FRONTS, CONFIG_FORM_TARGET, 0, "mpc-message-router:50051", 0, 0, NULL,
      "gRPC address of the message router.", NULL },

    { "INITIATOR_KEY_FILE", CONFIG_ACCOUNT, CONFIG_FORM_TEXT, CONFIG_REQUIRED | CONFIG_EXAMPLE, NULL, 0, 0, NULL,
      "File with the seed (64 hex digits) of the key that signs intents for plain requests.", "/run/secrets/initiator.key" },
    { "MAX_IN_FLIGHT", CONFIG_ACCOUNT, CONFIG_FORM_INT, 0, "1024", 1, 1000000, NULL,
      "Requests that wait for keygen or signing at a time; more get 429.", NULL },
    { "KEYGEN_WAIT_S", CONFIG_ACCOUNT, CONFIG_FORM_INT, 0, "60", 1, 600, NULL,
      "How long account creation waits, and how long its session lives.", NULL },
    { "SIGN_WAIT_S", CONFIG_ACCOUNT, CONFIG_FORM_INT, 0, "30", 1, 600, NULL,
      "How long signing waits, and how long its session lives.", NULL },

    { "SIGN_ATTEMPT_MS", CONFIG_COORDINATOR, CONFIG_FORM_INT, 0, "5000", 100, 600000, NULL,
      "One attempt at a signature.", NULL },
    { "KEYGEN_ATTEMPT_MS", CONFIG_COORDINATOR, CONFIG_FORM_INT, 0, "20000", 100, 600000, NULL,
      "One attempt at a keygen.", NULL },
    { "MAX_RUNNING_SIGN", CONFIG_COORDINATOR, CONFIG_FORM_INT, 0, "48", 1, 100000, NULL,
      "Signing sessions run at a time; more wait in the order they came.", NULL },
    { "MAX_RUNNING_KEYGEN", CONFIG_COORDINATOR, CONFIG_FORM_INT, 0, "4", 1, 10000, NULL,
      "Keygens run at a time; more wait in the order they came.", NULL },
    { "MAX_WAITING", CONFIG_COORDINATOR, CONFIG_FORM_INT, 0, "4096", 1, 1000000, NULL,
      "Sessions that may wait for their turn; more are refused with 429.", NULL },
    { "SESSION_KEEP_DAYS", CONFIG_COORDINATOR, CONFIG_FORM_INT, 0, "90", 1, 36500, NULL,
      "Ended sessions and their events are kept so long.", NULL },
    { "OPERATOR_KEY", CONFIG_COORDINATOR | CONFIG_KEEPER, CONFIG_FORM_KEY, 0, NULL, 32, 0, NULL,
      "Public key (Ed25519, hex) of the operator, whose freeze orders parties obey.", NULL },

    { "HEARTBEAT_MS", CONFIG_ROUTER | FRONTS, CONFIG_FORM_INT, 0, "1000", 10, MINUTE_MS, NULL,
      "How often a party says that it is alive.", NULL },
    { "LEASE_MS", CONFIG_ROUTER, CONFIG_FORM_INT, 0, "3000", 30, 600000, NULL,
      "A party that was silent for so long counts as gone.", NULL },
    { "MAILBOX_BYTES", CONFIG_ROUTER, CONFIG_FORM_INT, 0, "268435456", 65536, 1099511627776, NULL,
      "Bytes kept for one party.", NULL },

    { "PARTY_CAPACITY", FRONTS | CONFIG_KEEPER, CONFIG_FORM_INT, 0, "64", 1, 100000, NULL,
      "Sessions that this party runs at a time.", NULL },
    { "IDENTITY_KEY_FILE", CONFIG_KEEPER, CONFIG_FORM_TEXT, CONFIG_REQUIRED | CONFIG_EXAMPLE, NULL, 0, 0, NULL,
      "File with the seed (64 hex digits) of the party's identity key.", "/run/secrets/identity.key" },
    { "CERTIFICATE_FILE", CONFIG_KEEPER, CONFIG_FORM_TEXT, CONFIG_REQUIRED | CONFIG_EXAMPLE, NULL, 0, 0, NULL,
      "File with the party's certificate (made by the operator's authority).", "/run/secrets/party.cert" },
    { "CRYPTO_MASTER_KEY", CONFIG_KEEPER, CONFIG_FORM_KEY, CONFIG_SECRET | CONFIG_REQUIRED, NULL, 32, 0, NULL,
      "Wraps the key of every share at rest; exactly 64 hex digits.",
      "0000000000000000000000000000000000000000000000000000000000000000" },
    { "INITIATOR_KEYS", CONFIG_KEEPER, CONFIG_FORM_KEYS, CONFIG_REQUIRED, NULL, 32, 64, NULL,
      "Public keys (Ed25519, hex) whose intents this party obeys, comma separated.", NULL },
    { "CALLER_KEYS", CONFIG_ACCOUNT | CONFIG_KEEPER, CONFIG_FORM_LIST, 0, NULL, 0, 64, NULL,
      "The same for callers that sign their own intents: an account made by one obeys that one alone.", NULL },
    { "WORKERS", CONFIG_KEEPER, CONFIG_FORM_INT, 0, "0", 0, 256, NULL,
      "Threads that run protocols; 0: as many as there are cores.", NULL },
    { "SHARE_CACHE", CONFIG_KEEPER, CONFIG_FORM_INT, 0, "64", 1, 100000, NULL,
      "Opened shares kept in locked memory.", NULL },
    { "PRESIGN_POOL", CONFIG_KEEPER, CONFIG_FORM_INT, 0, "32", 0, 10000, NULL,
      "Presignatures kept for one account and quorum.", NULL },
    { "POLICY_COMMAND", CONFIG_KEEPER, CONFIG_FORM_TEXT, 0, NULL, 0, 0, NULL,
      "Program asked before every session: request on stdin, RETRY, APPROVE or REJECT on stdout.", NULL },
    { "POLICY_URL", CONFIG_KEEPER, CONFIG_FORM_TEXT, 0, NULL, 0, 0, NULL,
      "The same by HTTP POST.", NULL },
    { "POLICY_TIMEOUT_MS", CONFIG_KEEPER, CONFIG_FORM_INT, 0, "2000", 10, MINUTE_MS, NULL,
      "No answer by then means RETRY.", NULL },
    { "USER_SHARE_PUBLIC_KEY", CONFIG_KEEPER, CONFIG_FORM_KEY, 0, NULL, 32, 0, NULL,
      "X25519 key (hex) that delegate shares are sealed to when the request names none.", NULL },
};
/* clang-format on */

const size_t config_rows_n = sizeof config_rows / sizeof config_rows[0];
