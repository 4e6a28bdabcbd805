# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# The processes of a system, as `quorate up` planned them in $dir, and the file of each.
# shellcheck disable=SC2034  # used by containers.sh and servers.sh
server_names="postgres redis rabbitmq"

# What .env cannot say for all processes at once: addresses, ports, files, roles.
own="LISTEN_HOST HTTP_PORT HTTP_PORT_ALSO GRPC_PORT DATA_DIR TLS TLS_CERT TLS_KEY GRPC_TLS_CERT GRPC_TLS_KEY
GRPC_TLS_CA GRPC_TLS_CRL COORDINATOR_ADDR ROUTER_ADDR ADVERTISE_ADDR INITIATOR_KEY_FILE
IDENTITY_KEY_FILE CERTIFICATE_FILE CA_KEY INITIATOR_KEYS POSTGRES_HOST POSTGRES_PORT POSTGRES_DB
POSTGRES_USER POSTGRES_PASSWORD POSTGRES_SCHEMA POSTGRES_TLS REDIS_HOST REDIS_PORT RABBITMQ_HOST
RABBITMQ_PORT RABBITMQ_TLS RABBITMQ_PASSWORD REDIS_PASSWORD REDIS_PLAINTEXT
BACKUP_DIR"
own=$(printf '%s' "$own" | tr '\n' ' ')

members() {
    local f
    for f in "$dir"/*.env; do
        [ ! -e "$f" ] || basename "$f" .env
    done
}

program_of() {
    case $1 in
    party-*) echo server-party ;;
    *) echo "$1" ;;
    esac
}

# value NAME VARIABLE: of a process's own file.
value() { sed -n "s/^$2=//p" "$dir/$1.env" | tail -n 1; }

role_of() {
    case $1 in
    account-service) echo mpc_account ;;
    session-coordinator) echo mpc_coordinator ;;
    *) printf 'mpc_%s\n' "$(tr - _ <<<"$1")" ;;
    esac
}

schema_of() {
    case $1 in
    account-service) echo account ;;
    session-coordinator) echo coordinator ;;
    *) role_of "$1" ;;
    esac
}

# backup_place DIRECTORY: where a party puts its backups.
backup_place() {
    [ -z "$(setting BACKUP_RECIPIENT)" ] || printf 'BACKUP_DIR=%s\n' "$1"
}

# write_env MEMBER FILE: as `quorate up` made it, then .env, then what placed MEMBER says.
write_env() {
    local program reads name lines=$2.lines
    half_written=$2
    program=$(program_of "$1")
    reads=$(variables "$program")
    [ -e "$dir/made/$1.env" ] || cp "$dir/$1.env" "$dir/made/$1.env"
    cp "$dir/made/$1.env" "$2.new"
    {
        lines_for "$program" "$own"
        placed "$1"
    } | while IFS= read -r name; do
        [ -z "${name#*=}" ] || ! grep -qx "${name%%=*}" <<<"$reads" || printf '%s\n' "$name"
    done >"$lines"
    merge "$2.new" <"$lines"
    rm -f "$lines"
    mv "$2.new" "$2"
    half_written=
}

# write_monitoring PLACE: what Prometheus reads. target_of MEMBER says where it is to be asked.
write_monitoring() {
    local name between='['
    mkdir -p "$1"
    cp "$root/deploy/prometheus/alerts.yml" "$1/"
    if [ -e "$dir/tls/ca.crt" ]; then
        cp "$dir/tls/ca.crt" "$root/deploy/prometheus/prometheus.yml" "$1/"
    else
        sed '/tls_config:/,/ca_file:/d' "$root/deploy/prometheus/prometheus.yml" >"$1/prometheus.yml"
    fi
    for name in $(members); do
        printf '%s\n  {"targets": ["%s"], "labels": {"__scheme__": "%s", ' "$between" \
            "$(target_of "$name")" "$(scheme_of "$name")"
        printf '"service": "%s", "member": "%s"}}' "$(program_of "$name")" "$name"
        between=,
    done >"$1/targets.new"
    printf '\n]\n' >>"$1/targets.new"
    mv "$1/targets.new" "$1/targets.json"
}

scheme_of() {
    if [ "$(value "$1" TLS)" = off ]; then
        echo http
    else
        echo https
    fi
}
