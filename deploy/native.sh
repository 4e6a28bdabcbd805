# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# The services as processes of this machine: `quorate up` makes their keys and files in $dir, starts
# them and starts again what dies. All listen on 127.0.0.1; a proxy or tunnel of the operator's
# brings the API to others. PostgreSQL, Redis and RabbitMQ: deploy/servers.sh.
. "$root/deploy/members.sh"
. "$root/deploy/servers.sh"

# A role and a schema of its own, made by the database's owner.
make_role() {
    local name=$1 words=$dir/database plain='' said
    make_secret "$words/$name"
    setting POSTGRES_PASSWORD >"$words/owner"
    [ "$(postgres_tls)" != off ] || plain=--plain
    said=$(PGSSLCRL=$(setting POSTGRES_TLS_CRL) "$quorate" db init --host "$(postgres_host)" \
        --port "$(postgres_port)" --database "$(setting POSTGRES_DB mpc_system)" --owner \
        "$(setting POSTGRES_USER mpc_user)" --owner-password-file "$words/owner" --role \
        "$(role_of "$name")" --password-file "$words/$name" --schema "$(schema_of "$name")" \
        ${plain:---ca "$(setting POSTGRES_TLS_CA)"} 2>&1 >/dev/null) ||
        die "the database's owner cannot make the role $(role_of "$name"): ${said#quorate: }"
    : >"$words/$name.made"
}

# Lines for the process's file. Who has a role waits by itself for a server that is away.
database_of() {
    local name=$1 role schema words=$dir/database
    role=$(role_of "$name") schema=$(schema_of "$name")
    if [ ! -e "$words/$name.made" ] || answers "$(postgres_host)" "$(postgres_port)"; then
        make_role "$name"
    fi
    printf 'POSTGRES_HOST=%s\nPOSTGRES_PORT=%s\nPOSTGRES_DB=%s\n' "$(postgres_host)" \
        "$(postgres_port)" "$(setting POSTGRES_DB mpc_system)"
    printf 'POSTGRES_USER=%s\nPOSTGRES_SCHEMA=%s\nPOSTGRES_TLS=%s\n' "$role" "$schema" "$(postgres_tls)"
    printf 'POSTGRES_PASSWORD=%s\n' "$(cat "$words/$name")"
}

# backup_home MEMBER: below BACKUP_DIR each party has a directory of its own.
backup_home() {
    local place
    place=$(setting BACKUP_DIR)
    if [ -z "$place" ]; then
        echo "$dir/$1/backup"
    else
        mkdir -p "$(absolute "$place")"
        echo "$(absolute "$place")/$1"
    fi
}

# Where its servers are, for a process's file; its role and schema are made by the database's owner.
placed() {
    backup_place "$(backup_home "$1")"
    [ -z "$(postgres_host)" ] || [ "$1" = message-router ] || database_of "$1"
    [ -z "$(redis_host)" ] || printf '%s\n' "REDIS_HOST=$(redis_host)" "REDIS_PORT=$(redis_port)" \
        "REDIS_PLAINTEXT=$(setting REDIS_PLAINTEXT false)" \
        "REDIS_PASSWORD=$(setting REDIS_PASSWORD)"
    [ -z "$(rabbitmq_host)" ] || printf '%s\n' "RABBITMQ_HOST=$(rabbitmq_host)" \
        "RABBITMQ_PORT=$(rabbitmq_port)" "RABBITMQ_TLS=$(rabbitmq_tls)" \
        "RABBITMQ_PASSWORD=$(setting RABBITMQ_PASSWORD)"
}

has_database() { [ -n "$(postgres_host)" ]; }
# used_database: it is the one that was unpacked.
used_database() { [ -n "$(value account-service POSTGRES_HOST)" ]; }
need_database() {
    if ! has_database || answers "$(postgres_host)" "$(postgres_port)"; then
        return 0
    fi
    ! postgres_here || die "PostgreSQL does not run: ./deploy.sh infra up"
    die "PostgreSQL does not answer at $(postgres_host), port $(postgres_port)"
}
stored_volumes() { :; }
services_run() { is_running "$dir/up.pid" "up --dir"; }

# database_client PROGRAM ARGUMENT...: one of PostgreSQL's own, as the database's owner.
database_client() {
    local program=$1
    shift
    PGPASSWORD=$(setting POSTGRES_PASSWORD) PGSSLMODE=$(postgres_tls | sed s/off/disable/) \
        PGSSLROOTCERT=$(setting POSTGRES_TLS_CA) PGSSLCRL=$(setting POSTGRES_TLS_CRL) \
        PGCONNECT_TIMEOUT=10 "$(postgres_bin)/$program" -h "$(postgres_host)" \
        -p "$(postgres_port)" -U "$(setting POSTGRES_USER mpc_user)" "$@"
}

# Before anything is stopped for it.
check_database() {
    ! has_database || ! answers "$(postgres_host)" "$(postgres_port)" ||
        database_client psql -X -q -A -t -d "$(setting POSTGRES_DB mpc_system)" -c 'SELECT 1' \
            >/dev/null 2>&1 ||
        die "the database's owner cannot log in: POSTGRES_PASSWORD in $env_file is not his"
}

redis_is_ours() { redis_here; }
check_redis() { :; }
settings_of() { printf '%s\n' "$dir/$1.env"; }
# A busy machine answers late.
is_well() { { ask "$1" || ask "$1" || ask "$1"; } >/dev/null 2>&1; }
trial_place() { printf '%s\n' "$dir/trial"; }
ask_doctor() { "$quorate" doctor --env "$1" --program "$2"; }

make_roles() {
    local name
    for name in $(members); do
        [ -z "$(value "$name" DATA_DIR)" ] || make_role "$name"
    done
}

# is_running FILE WORD: the process in that file lives and is what WORD says.
is_running() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] &&
        { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q -- "$2"
}

# is_alive FILE: the same of a process that was started just now.
is_alive() { kill -0 "$(cat "$1")" 2>/dev/null; }

# wait_gone FILE WORD SECONDS
wait_gone() {
    local i
    for ((i = 0; i < $3 * 10; i++)); do
        is_running "$1" "$2" || return 0
        sleep 0.1
    done
    return 1
}

prepare_services() {
    local name words=()
    [ "$(setting TLS on)" = off ] || [ -e "$dir/up.json" ] || words+=(--tls)
    [ "${DEPLOY_PORTS:-}" != free ] || words+=(--free-ports)
    "$quorate" up --prepare --dir "$dir" "${words[@]}" || exit 1
    mkdir -p "$dir/made" "$dir/database"
    for name in $(members); do
        write_env "$name" "$dir/$name.env"
    done
    write_monitoring "$dir/prometheus"
}

# Returns 1 if they ended instead of being ready.
launch_services() {
    rm -f "$dir/ready.json"
    setsid nohup "$quorate" up --dir "$dir" --services "$services" --json >"$dir/ready.json" \
        2>>"$dir/log/up.log" </dev/null {lock}>&- &
    echo $! >"$dir/up.pid"
    until [ -s "$dir/ready.json" ]; do
        is_alive "$dir/up.pid" || return 1
        sleep 0.2
    done
}

# Without RabbitMQ no router comes up; without Redis all do.
enter_servers() {
    local said
    said=$(refused_logins "$dir/message-router.env")
    [[ $said != *RabbitMQ* ]] || die "$(grep RabbitMQ <<<"$said")"
    [ -z "$said" ] || say "$said"
}

# With DEPLOY_PORTS=free a port that another program took since it was chosen gives way as well.
mpc_up() {
    local tries=1 why
    if services_run; then
        say "the services run already"
        return
    fi
    [ "${DEPLOY_PORTS:-}" != free ] || tries=3
    servers_run || infra_up
    prepare_services
    enter_servers
    until launch_services; do
        why=$(tail -n 1 "$dir/log/up.log")
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ] || [[ $why != *"in use by another program"* ]]; then
            die "$why"
        fi
        prepare_services
    done
    say_ready
}

# `quorate up` goes on without those that do not come up.
say_ready() {
    local until=$((SECONDS + 5)) name absent=
    for name in $(members); do
        until ask "$name" >/dev/null 2>&1; do
            [ $SECONDS -lt $until ] || { absent="$absent${absent:+, }$name" && break; }
            sleep 0.2
        done
    done
    if [ -n "$absent" ]; then
        say "the API is at $(url_of account-service), but not ready: $absent; ./deploy.sh doctor" \
            "says why, and it is in $dir/log"
        exit 3
    fi
    say "the services are ready; the API is at $(url_of account-service)"
}

mpc_down() {
    services_run || return 0
    kill "$(cat "$dir/up.pid")"
    wait_gone "$dir/up.pid" "up --dir" 120 || die "quorate up (process $(cat "$dir/up.pid")) does not end"
    rm -f "$dir/up.pid"
    say "the services are stopped"
}

infra_up() { servers_up; }
infra_down() { servers_down; }

# $dir at last: with it goes the lock.
delete_all() { rm -rf "$infra_dir" "$dir"; }

url_of() {
    printf '%s://%s\n' "$(scheme_of "$1")" "$(target_of "$1")"
}

target_of() { printf '127.0.0.1:%s\n' "$(value "$1" HTTP_PORT)"; }

ask() {
    if [ "$(value "$1" TLS)" = off ]; then
        "$quorate" health "$(url_of "$1")"
    else
        "$quorate" health "$(url_of "$1")" --ca "$dir/tls/ca.crt"
    fi
}

show_health() {
    local name code=0 said
    servers_health || code=1
    [ -n "$(members)" ] || die "the system was never started: ./deploy.sh up"
    for name in $(members); do
        if said=$(ask "$name" 2>&1); then
            printf '%-20s healthy\n' "$name"
        else
            case $said in
            *status*healthy*ready*no*) said="it runs, but is not ready" ;;
            esac
            printf '%-20s not healthy: %s\n' "$name" "$(tr '\n' ' ' <<<"$said")"
            code=1
        fi
    done
    return $code
}

examine() { "$quorate" doctor --dir "$dir"; }

show_status() {
    local name state=stopped
    servers_status
    ! services_run || state="run by process $(cat "$dir/up.pid")"
    for name in $(members); do
        printf '%-20s %-28s %s\n' "$name" "$state" "$(url_of "$name")"
    done
    [ -n "$(members)" ] || printf 'services             never started\n'
}

show_logs() {
    local files=() f
    for f in "$dir"/log/*.log "$infra_dir"/*/log; do
        case $f in
        */"${2:-*}".log | */"${2:-*}"/log) ;;
        *) [ -z "$2" ] || continue ;;
        esac
        [ ! -f "$f" ] || files+=("$f")
    done
    [ ${#files[@]} -gt 0 ] || die "there is no log${2:+ of $2}"
    case $1 in
    follow) exec tail -n +1 -F -- "${files[@]}" ;;
    *) exec tail -n 100 -- "${files[@]}" ;;
    esac
}

open_shell() {
    [ -d "$dir/$1" ] || die "there is no service $1 in $dir"
    cd "$dir/$1" || exit 1
    PATH=$(dirname "$quorate"):$PATH exec "${SHELL:-/bin/sh}"
}

build_all() { "$root/scripts/build.sh"; }

build_anew() {
    rm -rf "$build"
    build_all
}
