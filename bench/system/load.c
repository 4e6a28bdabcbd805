/* SPDX-License-Identifier: Apache-2.0 */
/* The working half of make bench-system: baselines of this machine, and a closed loop of clients
 * over HTTP. bench_system.py starts the system, reads the processes' counters and prints tables.
 *
 *   load baseline DIR                     durable commits into DIR; the library's signature, keygen
 *   load sign URL CLIENTS SECONDS [RATE]  stdin: the API key, then account ids, a line each
 *   load keygen URL CLIENTS COUNT         stdin: the API key
 *
 * Each prints one JSON object. A client asks again as soon as it has its answer. With a RATE
 * requests begin so often in a second, whatever becomes of those before, as long as there is a
 * client that waits for none; {"sent", "left_out"} is printed when the last one has begun. */
#include "committee.h"

#include <curl/curl.h>
#include <jansson.h>
#include <secp256k1.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    COMMITS = 200,
    SIGNATURES = 200,
    KEYGENS = 7,
    CLIENTS_MAX = 4096,
    ACCOUNTS_MAX = 100000,
    SAMPLES_MAX = 4 << 20,
    ANSWER_MAX = 8192
};

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The sample below which |share| of them lie; sorts. */
static double quantile(double *samples, size_t n, double share)
{
    qsort(samples, n, sizeof *samples, ascending);
    return n ? samples[(size_t)((double)(n - 1) * share)] : 0;
}

static void print(json_t *out)
{
    json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(8));
    printf("\n");
    json_decref(out);
}

/* --- baselines --- */

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

/* Median seconds of a durable commit as the services make them: WAL, synchronous=FULL. */
static double commit_seconds(const char *dir)
{
    double samples[COMMITS];
    char path[4096];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/baseline.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die("cannot open the database of the baseline");
    sql(db, "PRAGMA journal_mode=WAL");
    sql(db, "PRAGMA synchronous=FULL");
    sql(db, "CREATE TABLE rows (b BLOB)");
    for (size_t i = 0; i < COMMITS; i++) {
        double began = seconds(CLOCK_MONOTONIC);

        sql(db, "INSERT INTO rows VALUES (zeroblob(600))");
        samples[i] = seconds(CLOCK_MONOTONIC) - began;
    }
    sqlite3_close(db);
    remove(path);
    return quantile(samples, COMMITS, 0.5);
}

/* Median CPU seconds of a whole run in this thread: all participants together. */
static double run_seconds(struct committee *c, enum qrt_protocol protocol, size_t times)
{
    double samples[SIGNATURES];
    struct session session;

    session_init(&session, c, protocol, true);
    for (size_t i = 0; i < times; i++) {
        double began = seconds(CLOCK_THREAD_CPUTIME_ID);

        if (!session_play(&session))
            die("a run of the baseline failed");
        samples[i] = seconds(CLOCK_THREAD_CPUTIME_ID) - began;
    }
    session_free(&session);
    return quantile(samples, times, 0.5);
}

static void baseline(const char *dir)
{
    secp256k1_context *secp = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    struct qrt_ctx *ctx = aligned_alloc(QRT_ALIGN, qrt_ctx_size());
    static struct committee c;

    if (!secp || !ctx || sodium_init() < 0)
        die("out of memory");
    qrt_ctx_init(ctx, secp, QRT_CPU_ALL);
    committee_init(&c, ctx, 3, 2, 1);
    committee_make_key(&c);
    print(json_pack("{s:f,s:f,s:f}", "commit_s", commit_seconds(dir), "sign_cpu_s",
                    run_seconds(&c, QRT_SIGN, SIGNATURES), "keygen_cpu_s",
                    run_seconds(&c, QRT_KEYGEN, KEYGENS)));
    committee_free(&c);
    free(ctx);
    secp256k1_context_destroy(secp);
}

/* --- clients --- */

struct load;

struct client {
    struct load *load;
    /* of those that wait for nothing */
    struct client *next_idle;
    CURL *easy;
    double began;
    char url[512], body[256], answer[ANSWER_MAX];
    size_t answer_len;
};

struct load {
    const char *url;
    char key_header[512];
    bool is_keygen;
    /* ids, 40 bytes each */
    char (*accounts)[40];
    size_t accounts_n, next;
    struct curl_slist *headers;
    CURLM *multi;
    struct client *clients;
    size_t clients_n, running;
    /* requests a second, 0: as often as answers come; begun, and not begun for want of a client */
    double rate, began;
    struct client *idle;
    size_t sent, left_out;
    /* no new request after this time, or this number */
    double until;
    size_t left;
    double *samples;
    /* of the errors: the wait ran out, and the session goes on */
    size_t samples_n, errors, busy, wait_over;
    char first_error[512];
};

static size_t take(char *b, size_t size, size_t n, void *arg)
{
    struct client *c = arg;
    size_t len = size * n, room = sizeof c->answer - 1 - c->answer_len;

    memcpy(c->answer + c->answer_len, b, len < room ? len : room);
    c->answer_len += len < room ? len : room;
    c->answer[c->answer_len] = 0;
    return len;
}

static void write_request(struct client *c)
{
    struct load *load = c->load;
    size_t number = load->next++;
    uint8_t hash[32];
    char hex[65];

    if (load->is_keygen) {
        snprintf(c->url, sizeof c->url, "%s/api/v1/accounts", load->url);
        snprintf(c->body, sizeof c->body, "{\"user_id\":\"bench-%zu\"}", number);
        return;
    }
    randombytes_buf(hash, sizeof hash);
    snprintf(c->url, sizeof c->url, "%s/api/v1/accounts/%s/sign", load->url,
             load->accounts[number % load->accounts_n]);
    snprintf(c->body, sizeof c->body, "{\"message\":\"%s\"}",
             sodium_bin2hex(hex, sizeof hex, hash, sizeof hash));
}

static bool start(struct client *c)
{
    struct load *load = c->load;

    if (load->left == 0 || seconds(CLOCK_MONOTONIC) >= load->until)
        return false;
    load->left--;
    write_request(c);
    c->answer_len = 0;
    curl_easy_setopt(c->easy, CURLOPT_URL, c->url);
    curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body);
    c->began = seconds(CLOCK_MONOTONIC);
    if (curl_multi_add_handle(load->multi, c->easy) != CURLM_OK)
        die("curl refuses");
    load->running++;
    return true;
}

static void go_on(struct client *c)
{
    if (c->load->rate > 0) {
        c->next_idle = c->load->idle;
        c->load->idle = c;
    } else {
        start(c);
    }
}

static void finish(struct client *c, CURLcode code)
{
    struct load *load = c->load;
    long status = 0;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && (status == 200 || status == 201)) {
        if (load->samples_n < SAMPLES_MAX)
            load->samples[load->samples_n++] = seconds(CLOCK_MONOTONIC) - c->began;
    } else if (status == 429) {
        load->busy++;
    } else {
        load->errors++;
        load->wait_over += code == CURLE_OK && status == 504;
        if (!load->first_error[0])
            snprintf(load->first_error, sizeof load->first_error, "%ld %s %.400s", status,
                     curl_easy_strerror(code), c->answer);
    }
    curl_multi_remove_handle(load->multi, c->easy);
    load->running--;
    go_on(c);
}

/* What is due by now begins; true until the last one has. Begun are none after |until|, which may
 * come between two of them. */
static bool drive(struct load *load)
{
    const double now = seconds(CLOCK_MONOTONIC);

    while ((double)(load->sent + load->left_out) < (now - load->began) * load->rate &&
           now < load->until) {
        struct client *c = load->idle;

        if (c && !start(c))
            return false;
        if (c)
            load->idle = c->next_idle;
        load->sent += c != NULL;
        load->left_out += c == NULL;
    }
    return now < load->until;
}

/* Wait |wait_ms| at most for something to do, and do it. */
static void step(struct load *load, int wait_ms)
{
    int still, queued;
    CURLMsg *m;

    curl_multi_poll(load->multi, NULL, 0, wait_ms, NULL);
    if (curl_multi_perform(load->multi, &still) != CURLM_OK)
        die("curl failed");
    while ((m = curl_multi_info_read(load->multi, &queued)))
        if (m->msg == CURLMSG_DONE) {
            char *client;
            CURLcode code = m->data.result;

            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &client);
            finish((struct client *)client, code);
        }
}

static void drive_to_the_end(struct load *load)
{
    while (drive(load))
        step(load, 1);
    printf("{\"sent\":%zu,\"left_out\":%zu}\n", load->sent, load->left_out);
    fflush(stdout);
}

static void prepare(struct client *c, struct load *load)
{
    c->load = load;
    c->easy = curl_easy_init();
    if (!c->easy)
        die("out of memory");
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, load->headers);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, (char *)c);
    curl_easy_setopt(c->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT, 120L);
}

static void read_input(struct load *load)
{
    char line[512];

    if (!fgets(line, sizeof line, stdin))
        die("the API key is missing on stdin");
    line[strcspn(line, "\n")] = 0;
    snprintf(load->key_header, sizeof load->key_header, "X-API-Key: %.480s", line);
    load->accounts = calloc(ACCOUNTS_MAX, sizeof *load->accounts);
    while (load->accounts && load->accounts_n < ACCOUNTS_MAX && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        snprintf(load->accounts[load->accounts_n++], 40, "%.39s", line);
    }
    if (!load->is_keygen && load->accounts_n == 0)
        die("account ids are missing on stdin");
}

static void run(struct load *load)
{
    double began;

    read_input(load);
    load->samples = calloc(SAMPLES_MAX, sizeof *load->samples);
    load->clients = calloc(load->clients_n, sizeof *load->clients);
    load->multi = curl_multi_init();
    load->headers = curl_slist_append(NULL, load->key_header);
    load->headers = curl_slist_append(load->headers, "Content-Type: application/json");
    if (!load->samples || !load->clients || !load->multi)
        die("out of memory");
    began = seconds(CLOCK_MONOTONIC);
    load->until += began;
    load->began = began;
    for (size_t i = 0; i < load->clients_n; i++) {
        prepare(&load->clients[i], load);
        go_on(&load->clients[i]);
    }
    if (load->rate > 0)
        drive_to_the_end(load);
    while (load->running)
        step(load, 1000);
    began = seconds(CLOCK_MONOTONIC) - began;
    print(json_pack("{s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:f,s:s,s:f}", "done",
                    (json_int_t)load->samples_n, "errors", (json_int_t)load->errors, "wait_over",
                    (json_int_t)load->wait_over, "busy", (json_int_t)load->busy, "seconds", began,
                    "p50_s", quantile(load->samples, load->samples_n, 0.5), "p95_s",
                    quantile(load->samples, load->samples_n, 0.95), "p99_s",
                    quantile(load->samples, load->samples_n, 0.99), "per_s",
                    (double)load->samples_n / began, "first_error", load->first_error, "own_cpu_s",
                    seconds(CLOCK_PROCESS_CPUTIME_ID)));
}

int main(int argc, char **argv)
{
    static struct load load;

    if (argc == 3 && strcmp(argv[1], "baseline") == 0) {
        baseline(argv[2]);
        return 0;
    }
    if ((argc != 5 && argc != 6) || strcmp(argv[1], argc == 6 ? "sign" : argv[1]) != 0 ||
        (strcmp(argv[1], "sign") != 0 && strcmp(argv[1], "keygen") != 0))
        die("usage: load baseline DIR | load sign URL CLIENTS SECONDS [RATE] | load keygen URL"
            " CLIENTS COUNT");
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        die("out of memory");
    load.url = argv[2];
    load.is_keygen = strcmp(argv[1], "keygen") == 0;
    load.clients_n = strtoul(argv[3], NULL, 10);
    load.until = load.is_keygen ? 1e9 : strtod(argv[4], NULL);
    load.left = load.is_keygen ? strtoul(argv[4], NULL, 10) : SIZE_MAX;
    load.rate = argc == 6 ? strtod(argv[5], NULL) : 0;
    if (load.clients_n == 0 || load.clients_n > CLIENTS_MAX)
        die("1 to 4096 clients");
    run(&load);
    return load.errors ? 1 : 0;
}
