# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# PostgreSQL, Redis and RabbitMQ from the system's packages, in $infra_dir, on loopback. One whose
# HOST stands in .env runs elsewhere and is only asked. One that is not installed is done without:
# SQLite, memory, a single router. Root starts them as the user DEPLOY_USER (nobody), as PostgreSQL
# refuses root.
server_user=${DEPLOY_USER:-nobody}
rabbitmq_program=/usr/lib/rabbitmq/bin/rabbitmq-server

postgres_bin() {
    local found
    found=$(find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1)
    [ -z "$found" ] || dirname "$found"
}

# Whether a server is ours to start.
postgres_here() { [ -z "$(setting POSTGRES_HOST)" ] && [ -n "$(postgres_bin)" ]; }
redis_here() { [ -z "$(setting REDIS_HOST)" ] && command -v redis-server >/dev/null; }
rabbitmq_here() {
    [ -z "$(setting RABBITMQ_HOST)" ] && [ -x "$rabbitmq_program" ] && command -v epmd >/dev/null
}

# host_of SERVER VARIABLE: empty if there is none.
host_of() {
    if "$1_here"; then
        echo 127.0.0.1
    else
        setting "$2"
    fi
}
postgres_host() { host_of postgres POSTGRES_HOST; }
redis_host() { host_of redis REDIS_HOST; }
rabbitmq_host() { host_of rabbitmq RABBITMQ_HOST; }
postgres_port() { setting POSTGRES_PORT 5432; }
redis_port() { setting REDIS_PORT 6379; }
rabbitmq_port() {
    if rabbitmq_here; then
        setting RABBITMQ_PORT 5672
    else
        setting RABBITMQ_PORT 5671
    fi
}
postgres_tls() {
    if postgres_here; then
        echo off
    else
        setting POSTGRES_TLS verify-full
    fi
}
rabbitmq_tls() {
    if rabbitmq_here; then
        echo off
    else
        setting RABBITMQ_TLS verify-full
    fi
}

# as_user COMMAND...: replaces this process, so that $! is the server.
as_user() {
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups -- "$@"
    fi
    exec "$@"
}

answers() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# prepare NAME: its directory, its user's.
prepare() {
    mkdir -p "$infra_dir/$1"
    chmod 711 "$infra_dir"
    [ "$(id -u)" != 0 ] || chown "$server_user" "$infra_dir/$1"
    (cd / && as_user test -w "$infra_dir/$1") ||
        die "the user $server_user cannot write in $infra_dir/$1: set another DEPLOY_INFRA_DIR"
}

# give FILE: written by us, read by the server's user.
give() {
    chmod 600 "$1"
    [ "$(id -u)" != 0 ] || chown "$server_user" "$1"
}

# launch NAME COMMAND...: in the background, its output in NAME/log, its process in NAME/pid.
launch() {
    local name=$1 home=$infra_dir/$1
    shift
    (cd "$home" && as_user setsid nohup "$@") >>"$home/log" 2>&1 </dev/null {lock}>&- &
    echo $! >"$infra_dir/$name.pid"
}

# await NAME PORT SECONDS: until it answers.
await() {
    local i
    for ((i = 0; i < $3 * 10; i++)); do
        ! answers 127.0.0.1 "$2" || return 0
        is_alive "$infra_dir/$1.pid" || break
        sleep 0.1
    done
    die "$1 does not start: $(tail -n 1 "$infra_dir/$1/log")"
}

word_of() {
    case $1 in
    postgres) echo "postgres -D $infra_dir/" ;;
    redis) echo redis-server ;;
    epmd) echo epmd ;;
    *) echo "rabbitmq" ;;
    esac
}

# must_start NAME PORT: false if it runs already.
must_start() {
    ! is_running "$infra_dir/$1.pid" "$(word_of "$1")" || return 1
    ! answers 127.0.0.1 "$2" ||
        die "port $2 for $1 is in use: set another ${1^^}_PORT in $env_file"
    prepare "$1"
}

postgres_up() {
    local home=$infra_dir/postgres bin port user database
    port=$(postgres_port) user=$(setting POSTGRES_USER mpc_user)
    database=$(setting POSTGRES_DB mpc_system) bin=$(postgres_bin)
    must_start postgres "$port" || return 0
    if [ ! -e "$home/data/PG_VERSION" ]; then
        setting POSTGRES_PASSWORD >"$home/password"
        give "$home/password"
        (cd "$home" && as_user "$bin/initdb" -D "$home/data" -A scram-sha-256 -U "$user" \
            "--pwfile=$home/password" -E UTF8 --locale=C --data-checksums) >>"$home/log" 2>&1 ||
            die "PostgreSQL's files cannot be made: $(tail -n 1 "$home/log")"
        rm -f "$home/password"
    fi
    launch postgres "$bin/postgres" -D "$home/data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c "unix_socket_directories=$home" -c max_connections=200
    until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        is_alive "$infra_dir/postgres.pid" ||
            die "PostgreSQL does not start: $(tail -n 1 "$home/log")"
        sleep 0.1
    done
    postgres_database "$bin" "$port" "$user" "$database"
}

postgres_database() {
    local there
    there=$(PGPASSWORD=$(setting POSTGRES_PASSWORD) PGCONNECT_TIMEOUT=10 "$1/psql" -X -A -t -q -h \
        127.0.0.1 -p "$2" -U "$3" -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '$4'" \
        2>&1) || die "POSTGRES_PASSWORD is not the one that $infra_dir/postgres was made with:" \
        "$(tail -n 1 <<<"$there")"
    [ "$there" = 1 ] || PGPASSWORD=$(setting POSTGRES_PASSWORD) "$1/createdb" -h 127.0.0.1 \
        -p "$2" -U "$3" "$4" || die "the database $4 cannot be made"
}

redis_up() {
    local home=$infra_dir/redis port password
    port=$(redis_port) password=$(setting REDIS_PASSWORD)
    must_start redis "$port" || return 0
    {
        printf 'bind 127.0.0.1\nport %s\ndir %s\nsave ""\nappendonly no\n' "$port" "$home"
        [ -z "$password" ] || printf 'requirepass %s\n' "$password"
    } >"$home/redis.conf"
    give "$home/redis.conf"
    launch redis redis-server "$home/redis.conf"
    await redis "$port" 30
}

rabbitmq_environment() {
    rabbitmq_words=(HOME="$1" LANG=C.UTF-8 PATH="$PATH" RABBITMQ_NODENAME=quorate@localhost
        RABBITMQ_MNESIA_BASE="$1/mnesia" RABBITMQ_LOG_BASE="$1/logs"
        RABBITMQ_CONFIG_FILE="$1/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$1/plugins"
        RABBITMQ_CONF_ENV_FILE="$1/env.conf" RABBITMQ_DIST_PORT="$(($2 + 1))"
        ERL_EPMD_PORT="$(($2 + 2))" ERL_EPMD_ADDRESS=127.0.0.1
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}")
}

# The two ports after its own are for its helper and for Erlang's.
rabbitmq_up() {
    local home=$infra_dir/rabbitmq port rabbitmq_words
    port=$(rabbitmq_port)
    must_start rabbitmq "$port" || return 0
    printf 'listeners.tcp.1 = 127.0.0.1:%s\ndefault_user = %s\ndefault_pass = %s\n' "$port" \
        "$(setting RABBITMQ_USER mpc_user)" "$(setting RABBITMQ_PASSWORD)" >"$home/rabbitmq.conf"
    printf 'default_vhost = %s\ndisk_free_limit.absolute = 50MB\nlog.console = true\n' \
        "$(setting RABBITMQ_VHOST /)" >>"$home/rabbitmq.conf"
    echo '[].' >"$home/plugins"
    : >"$home/env.conf"
    give "$home/rabbitmq.conf"
    give "$home/plugins"
    give "$home/env.conf"
    rabbitmq_environment "$home" "$port"
    launch rabbitmq env -i "${rabbitmq_words[@]}" epmd
    mv "$infra_dir/rabbitmq.pid" "$infra_dir/epmd.pid"
    launch rabbitmq env -i "${rabbitmq_words[@]}" "$rabbitmq_program"
    await rabbitmq "$port" 120
}

servers_up() {
    local name
    for name in $server_names; do
        if "${name}_here"; then
            "${name}_up"
            say "$name runs on port $("${name}_port")"
        elif [ -z "$("${name}_host")" ]; then
            say "$name is not installed and not in $env_file: done without"
        fi
    done
}

# All of ours.
servers_run() {
    local name
    for name in $server_names; do
        ! "${name}_here" || is_running "$infra_dir/$name.pid" "$(word_of "$name")" || return 1
    done
}

# stop NAME SIGNAL
stop() {
    is_running "$infra_dir/$1.pid" "$(word_of "$1")" || return 0
    kill "-$2" -- "-$(cat "$infra_dir/$1.pid")"
    wait_gone "$infra_dir/$1.pid" "$(word_of "$1")" 60 || die "$1 does not end"
    rm -f "$infra_dir/$1.pid"
    [ "$1" = epmd ] || say "$1 is stopped"
}

# SIGINT to PostgreSQL: sessions end at once and everything is written.
servers_down() {
    stop rabbitmq TERM
    stop epmd KILL
    stop redis TERM
    stop postgres INT
}

servers_status() {
    local name state host
    for name in $server_names; do
        host=$("${name}_host")
        if [ -z "$host" ]; then
            state="not used"
        elif ! "${name}_here"; then
            state="elsewhere, at $host"
        elif is_running "$infra_dir/$name.pid" "$(word_of "$name")"; then
            state="process $(cat "$infra_dir/$name.pid")"
        else
            state=stopped
        fi
        printf '%-20s %s\n' "$name" "$state"
    done
}

servers_health() {
    local name host code=0
    for name in $server_names; do
        host=$("${name}_host")
        [ -n "$host" ] || continue
        if answers "$host" "$("${name}_port")"; then
            printf '%-20s healthy\n' "$name"
        else
            printf '%-20s not healthy: %s does not answer on port %s\n' "$name" "$host" \
                "$("${name}_port")"
            code=1
        fi
    done
    return $code
}
