# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# The services as containers. Keys and files are made as for processes, by `quorate up --prepare` in
# $dir; $dir/container/NAME/secrets is what the container NAME sees of them, NAME/data is its own.
. "$root/deploy/members.sh"
. "$root/deploy/image.sh"

mounts=$dir/container
# Root gives the files to a user that nobody is.
user=$(id -u):$(id -g)
[ "$(id -u)" != 0 ] || user=10001:10001

if docker compose version >/dev/null 2>&1; then
    compose_command=(docker compose)
else
    compose_command=(docker-compose)
fi

# container_of MEMBER
container_of() {
    case $1 in
    party-*) echo "server-$1" ;;
    *) echo "$1" ;;
    esac
}

port_of() { value "$1" HTTP_PORT; }

# Inside the network.
target_of() {
    case $1 in
    account-service) echo "$1:4000" ;;
    *) printf '%s:8080\n' "$(container_of "$1")" ;;
    esac
}

compose() {
    local files=(-f "$root/deploy/docker-compose.yml")
    [ "$(setting ENVIRONMENT production)" != production ] ||
        files+=(-f "$root/deploy/docker-compose.prod.yml")
    env QUORATE_DIR="$mounts" QUORATE_USER="$user" QUORATE_IMAGE="$(quorate_image)" \
        SERVERS_IMAGE="$(servers_image)" PROMETHEUS_IMAGE="$(prometheus_image)" TZ="$(setting TZ UTC)" \
        POSTGRES_USER="$(setting POSTGRES_USER mpc_user)" \
        POSTGRES_DB="$(setting POSTGRES_DB mpc_system)" \
        RABBITMQ_USER="$(setting RABBITMQ_USER mpc_user)" \
        RABBITMQ_VHOST="$(setting RABBITMQ_VHOST /)" ACCOUNT_PORT="$(port_of account-service)" \
        COORDINATOR_PORT="$(port_of session-coordinator)" ROUTER_PORT="$(port_of message-router)" \
        PARTY_API_PORT="$(port_of server-party-api)" \
        "${compose_command[@]}" -p "${COMPOSE_PROJECT_NAME:-quorate}" "${files[@]}" "$@"
}

# is_here SERVER: it is a container of ours; its HOST in .env says that it runs elsewhere.
is_here() { [ -z "$(setting "${1^^}_HOST")" ]; }

servers_here() {
    local name
    for name in $server_names; do
        ! is_here "$name" || echo "$name"
    done
}

# certify NAME HOSTS [OPTION...]: tls.crt and tls.key in its secrets, for the names by which others
# reach it. DEPLOY_HOSTS are this machine's: parties on other hosts call it by them.
certify() {
    local place=$mounts/$1/secrets name=$1 hosts=$2,localhost,127.0.0.1${DEPLOY_HOSTS:+,$DEPLOY_HOSTS}
    shift 2
    mkdir -p "$place" "$mounts/$name/data"
    # without DEPLOY_HOSTS the names stay
    if [ -e "$place/tls.crt" ] && [ -n "${DEPLOY_HOSTS:-}" ] &&
        [ "$(cat "$place/hosts" 2>/dev/null)" != "$hosts" ]; then
        rm -f "$place/tls.crt" "$place/tls.key"
    fi
    if [ ! -e "$place/tls.crt" ]; then
        "$quorate" pki issue "container-$name" --dir "$dir/tls" --out "$place" --hosts "$hosts" \
            "$@" >/dev/null || exit 1
        printf '%s\n' "$hosts" >"$place/hosts"
    fi
    cp "$dir/tls/ca.crt" "$dir/tls/crl.pem" "$place/"
}

prepare_server() {
    certify "$1" "$1"
    give_authority "$1" "$mounts/$1/secrets"
    case $1 in
    postgres) setting POSTGRES_PASSWORD >"$mounts/$1/secrets/password" ;;
    rabbitmq) setting RABBITMQ_PASSWORD >"$mounts/$1/secrets/password" ;;
    redis)
        make_secret "$dir/database/redis"
        setting REDIS_PASSWORD "$(cat "$dir/database/redis")" >"$mounts/$1/secrets/password"
        ;;
    esac
}

prepare_service() {
    local place=$mounts/$1/secrets
    mkdir -p "$place"
    case $1 in
    party-* | server-party-api)
        cp "$dir/$1/identity.key" "$dir/$1/party.cert" "$place/"
        if [ "$1" = server-party-api ]; then
            certify "$1" "$1,mpc-$1" --party delegate-1 --role delegate
        else
            certify "$1" "server-$1" --party "$1"
        fi
        ;;
    *) certify "$1" "$1,mpc-$1" ;;
    esac
    if [ "$1" = account-service ]; then
        cp "$dir/keys/initiator.key" "$place/"
        give_file WEBHOOK_CA "$place/webhook-ca.crt"
    fi
    give_authority postgres "$place"
    give_authority rabbitmq "$place"
    write_env "$1" "$place/service.env"
}

# authority_of SERVER: the file, as containers see it; give_authority SERVER PLACE puts it there.
authority_of() {
    if is_here "$1"; then
        echo /run/secrets/ca.crt
    else
        echo "/run/secrets/$1-ca.crt"
    fi
}
give_authority() {
    ! is_here "$1" || return 0
    give_file "${1^^}_TLS_CA" "$2/$1-ca.crt"
    give_file "${1^^}_TLS_CRL" "$2/$1-crl.pem"
}

# crl_of SERVER: the revocation list of that authority, as containers see it; empty if there is none.
crl_of() {
    if is_here "$1"; then
        echo /run/secrets/crl.pem
    elif [ -n "$(setting "${1^^}_TLS_CRL")" ]; then
        echo "/run/secrets/$1-crl.pem"
    fi
}

# give_file VARIABLE FILE: what .env names on this machine becomes FILE.
give_file() {
    local from
    from=$(setting "$1")
    [ -z "$from" ] || cp "$from" "$2" || die "$1: $from cannot be read"
}

# Where a service finds others, its files and its servers, in its container.
placed() {
    backup_place /data/backup
    printf '%s\n' LISTEN_HOST=0.0.0.0 HTTP_PORT=8080 GRPC_PORT=50051 TLS=on DATA_DIR=/data \
        TLS_CERT=/run/secrets/tls.crt TLS_KEY=/run/secrets/tls.key \
        GRPC_TLS_CERT=/run/secrets/tls.crt GRPC_TLS_KEY=/run/secrets/tls.key \
        GRPC_TLS_CA=/run/secrets/ca.crt GRPC_TLS_CRL=/run/secrets/crl.pem \
        COORDINATOR_ADDR=mpc-session-coordinator:50051 ROUTER_ADDR=mpc-message-router:50051 \
        ADVERTISE_ADDR=mpc-session-coordinator:50051 \
        INITIATOR_KEY_FILE=/run/secrets/initiator.key IDENTITY_KEY_FILE=/run/secrets/identity.key \
        CERTIFICATE_FILE=/run/secrets/party.cert
    [ "$1" != account-service ] || echo HTTP_PORT_ALSO=4000
    [ -z "$(setting WEBHOOK_CA)" ] || echo WEBHOOK_CA=/run/secrets/webhook-ca.crt
    placed_servers
    make_secret "$dir/database/$1"
    printf '%s\n' "POSTGRES_HOST=$(setting POSTGRES_HOST postgres)" \
        "POSTGRES_PORT=$(setting POSTGRES_PORT 5432)" \
        "POSTGRES_TLS=$(setting POSTGRES_TLS verify-full)" \
        "POSTGRES_TLS_CA=$(authority_of postgres)" "POSTGRES_TLS_CRL=$(crl_of postgres)" \
        "POSTGRES_DB=$(setting POSTGRES_DB mpc_system)" \
        "POSTGRES_USER=$(role_of "$1")" "POSTGRES_SCHEMA=$(schema_of "$1")" \
        "POSTGRES_PASSWORD=$(cat "$dir/database/$1")"
}

placed_servers() {
    printf '%s\n' "REDIS_HOST=$(setting REDIS_HOST redis)" "REDIS_PORT=$(setting REDIS_PORT 6379)" \
        "RABBITMQ_HOST=$(setting RABBITMQ_HOST rabbitmq)" \
        "RABBITMQ_PORT=$(setting RABBITMQ_PORT 5671)" \
        "RABBITMQ_TLS=$(setting RABBITMQ_TLS verify-full)" \
        "RABBITMQ_TLS_CA=$(authority_of rabbitmq)" "RABBITMQ_TLS_CRL=$(crl_of rabbitmq)" \
        "RABBITMQ_PASSWORD=$(setting RABBITMQ_PASSWORD)"
    if is_here redis; then
        printf 'REDIS_PLAINTEXT=true\nREDIS_PASSWORD=%s\n' "$(cat "$mounts/redis/secrets/password")"
    else
        printf '%s\n' "REDIS_PASSWORD=$(setting REDIS_PASSWORD)" \
            "REDIS_PLAINTEXT=$(setting REDIS_PLAINTEXT false)"
    fi
}

# What the one that makes roles and schemas is given.
prepare_tools() {
    local place=$mounts/tools/secrets name
    mkdir -p "$place"
    cp "$dir/tls/ca.crt" "$dir/tls/crl.pem" "$place/"
    give_authority postgres "$place"
    setting POSTGRES_PASSWORD >"$place/owner"
    printf 'set -e\nexport PGSSLCRL=%s\n' "$(crl_of postgres)" >"$place/init.sh"
    for name in $(members); do
        variables "$(program_of "$name")" | grep -qx DATA_DIR || continue
        cp "$dir/database/$name" "$place/$name"
        printf 'quorate db init --host %s --port %s --ca %s --database %s --owner %s' \
            "$(setting POSTGRES_HOST postgres)" "$(setting POSTGRES_PORT 5432)" \
            "$(authority_of postgres)" "$(setting POSTGRES_DB mpc_system)" "$(setting POSTGRES_USER mpc_user)"
        printf ' --owner-password-file /run/secrets/owner --role %s --schema %s' \
            "$(role_of "$name")" "$(schema_of "$name")"
        printf ' --password-file /run/secrets/%s\n' "$name"
    done >>"$place/init.sh"
}

prepare() {
    local name words=()
    need_images
    [ "${DEPLOY_PORTS:-}" != free ] || words+=(--free-ports)
    "$quorate" up --prepare --tls --dir "$dir" "${words[@]}" || exit 1
    mkdir -p "$dir/made" "$dir/database" "$mounts"
    # client.json gets the key that is valid
    printf 'MPC_API_KEY=%s\n' "$(setting MPC_API_KEY)" | merge "$dir/account-service.env"
    "$quorate" up --prepare --dir "$dir" || exit 1
    for name in $server_names; do
        prepare_server "$name"
    done
    for name in $(members); do
        prepare_service "$name"
    done
    prepare_tools
    write_monitoring "$mounts/prometheus"
    # the servers' user is not ours; nobody else gets into $dir
    for name in $server_names prometheus; do
        chmod -R a+rX "$mounts/$name"
    done
    [ "$(id -u)" != 0 ] || chown -R "$user" "$mounts"
}

need_images() {
    local image
    for image in "$(quorate_image)" "$(servers_image)" $(! is_monitored || prometheus_image); do
        docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image" >/dev/null 2>&1 ||
            die "there is no image $image; ./deploy.sh build makes it"
    done
}

# state_of SERVICE: healthy, starting, unhealthy, exited, absent
state_of() {
    local id
    id=$(compose ps -q "$1" 2>/dev/null)
    [ -n "$id" ] || { echo absent; return; }
    docker inspect -f '{{if eq .State.Status "running"}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$id"
}

# await SECONDS SERVICE...: until all are healthy.
await() {
    local until=$((SECONDS + $1)) name
    shift
    for name in "$@"; do
        until [ "$(state_of "$name")" = healthy ]; do
            [ $SECONDS -lt $until ] ||
                die "$name is $(state_of "$name"):" \
                    "$(compose logs --no-color --tail 1 "$name" | tail -n 1)"
            sleep 1
        done
    done
}

service_names() {
    local name
    for name in $(members); do
        container_of "$name"
    done
}

has_database() { :; }
used_database() { :; }
need_database() {
    ! is_here postgres || [ "$(state_of postgres)" = healthy ] ||
        die "PostgreSQL does not run: ./deploy.sh infra up"
}
stored_volumes() {
    docker volume ls -q --filter \
        "label=com.docker.compose.project=${COMPOSE_PROJECT_NAME:-quorate}"
}
services_run() { [ "$(state_of account-service)" != absent ]; }

# database_client PROGRAM ARGUMENT...: one of PostgreSQL's own, as the database's owner, whose
# password is read from OWNER, a file in a container: of the server, or, for a server elsewhere, one
# that is made of the same image.
database_client() {
    local words
    # shellcheck disable=SC2016  # the container's shell
    local command='PGPASSWORD=$(cat "$OWNER") exec /usr/lib/postgresql/*/bin/"$0" -U "$SERVER_USER" "$@"'
    words=(-e "OWNER=${OWNER:-/run/secrets/password}" -e PGCONNECT_TIMEOUT=10)
    if is_here postgres; then
        compose exec -T "${words[@]}" -e PGHOST=127.0.0.1 postgres sh -c "$command" "$@"
    else
        compose run --rm -T --no-deps --entrypoint sh "${words[@]}" \
            -e "PGHOST=$(setting POSTGRES_HOST)" -e "PGPORT=$(setting POSTGRES_PORT 5432)" \
            -e "PGSSLMODE=$(setting POSTGRES_TLS verify-full)" \
            -e "PGSSLROOTCERT=$(authority_of postgres)" -e "PGSSLCRL=$(crl_of postgres)" \
            postgres -c "$command" "$@"
    fi
}

# Before anything is stopped for it, with the password of .env. A server that does not answer is no
# reason not to start it again.
check_database() {
    local said
    [ -e "$dir/up.json" ] || return 0
    said=$(setting POSTGRES_PASSWORD | OWNER=/dev/stdin database_client psql -X -q -A -t \
        -d "$(setting POSTGRES_DB mpc_system)" -c 'SELECT 1' 2>&1) && return
    [[ $said != *"authentication failed"* ]] ||
        die "the database's owner cannot log in: POSTGRES_PASSWORD in $env_file is not his"
}

redis_is_ours() { is_here redis; }
# It runs with the password that it was started with.
check_redis() {
    ! is_here redis || [ ! -e "$mounts/redis/secrets/password" ] ||
        [ "$(setting REDIS_PASSWORD "$(cat "$dir/database/redis")")" = \
            "$(cat "$mounts/redis/secrets/password")" ] ||
        die "REDIS_PASSWORD in $env_file is not the one that Redis runs with: ./deploy.sh restart" \
            "gives it to both, or set that one again"
}
settings_of() { printf '%s\n' "$mounts/$1/secrets/service.env"; }
is_well() { [ "$(state_of "$(container_of "$1")")" = healthy ]; }
trial_place() { printf '%s\n' "$mounts/$1/secrets/trial"; }
# In a container like the process's own. What compose says of that is not asked for.
ask_doctor() {
    [ "$(id -u)" != 0 ] || chown "$user" "$1"
    compose run --rm -T --no-deps --entrypoint quorate "$(container_of "$2")" doctor \
        --env "/run/secrets/$(basename "$1")" --program "$2" 2>/dev/null
}

make_roles() {
    compose run --rm --no-deps tools /run/secrets/init.sh >/dev/null ||
        die "the database's owner cannot make the roles: is POSTGRES_PASSWORD the first one?"
}

infra_up() {
    local names
    prepare
    mapfile -t names < <(servers_here)
    [ ${#names[@]} -gt 0 ] || return 0
    compose up -d "${names[@]}" >&2
    await 180 "${names[@]}"
}

# All servers of ours.
is_up() {
    local name
    for name in $(servers_here); do
        [ "$(state_of "$name")" = healthy ] || return 1
    done
}

mpc_up() {
    local names
    prepare
    is_up || infra_up
    make_roles
    mapfile -t names < <(service_names)
    compose up -d --no-deps "${names[@]}" >&2
    await 300 "${names[@]}"
    if is_monitored; then
        compose --profile monitoring up -d prometheus >&2
        await 60 prometheus
    fi
    say "the services are ready; the API is at https://127.0.0.1:$(port_of account-service)"
}

mpc_down() {
    local names
    [ -e "$dir/up.json" ] || return 0
    mapfile -t names < <(service_names)
    compose rm -s -f "${names[@]}" >&2
}

infra_down() {
    [ -e "$dir/up.json" ] || return 0
    compose --profile monitoring down --remove-orphans >&2
}

delete_all() {
    [ ! -e "$dir/up.json" ] || compose --profile monitoring down -v --remove-orphans >&2
    rm -rf "$dir"
}

show_health() {
    local name state code=0
    [ -e "$dir/up.json" ] || die "the system was never started: ./deploy.sh up"
    for name in $server_names; do
        is_here "$name" || printf '%-20s elsewhere, at %s\n' "$name" "$(setting "${name^^}_HOST")"
    done
    for name in $(servers_here) $(members); do
        state=$(state_of "$(container_of "$name")")
        [ "$state" = healthy ] || { state="not healthy: $state" && code=1; }
        printf '%-20s %s\n' "$name" "$state"
    done
    return $code
}

# Each in its container, where its files and addresses are.
examine() {
    local name code=0
    for name in $(members); do
        compose exec -T "$(container_of "$name")" quorate doctor --env /run/secrets/service.env \
            --program "$(program_of "$name")" || code=1
    done
    return $code
}

show_status() { compose ps; }

show_logs() {
    local words=(--follow)
    [ "$1" = follow ] || words=(--tail 100)
    # shellcheck disable=SC2046  # nothing or one name
    compose logs --no-color "${words[@]}" $([ -z "$2" ] || container_of "$2")
}

open_shell() {
    local words=()
    [ -t 0 ] || words+=(-T)
    compose exec "${words[@]}" "$(container_of "$1")" sh
}

build_all() {
    "$root/scripts/build.sh"
    build_images
}

build_anew() {
    rm -rf "$build"
    "$root/scripts/build.sh"
    build_images --no-cache
}
