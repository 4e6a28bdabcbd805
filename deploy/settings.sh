# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# The operator's .env: what stands there, whether the services accept it, and which of it each
# program gets. Values never stand in the arguments of a process.

programs="account-service session-coordinator message-router server-party server-party-api"

need_programs() {
    local p
    for p in $programs; do
        [ -x "$services/quorate-$p" ] ||
            die "there is no $services/quorate-$p; ./deploy.sh build makes it"
    done
    [ -x "$quorate" ] || die "there is no $quorate; ./deploy.sh build makes it"
}

# variables PROGRAM: what it reads.
variables() {
    "$services/quorate-$1" --help | sed -n 's/^  \([A-Z0-9_]*\)  (.*/\1/p'
}

# setting NAME [DEFAULT]: from the environment, else .env, else DEFAULT.
setting() {
    local value=${!1:-}
    [ -n "$value" ] || [ ! -r "$env_file" ] || value=$(awk -v name="$1" '
        { sub(/^[ \t]*(export )?/, ""); at = index($0, "=") }
        at && substr($0, 1, at - 1) ~ "^" name "[ \t]*$" {
            value = substr($0, at + 1)
            gsub(/^[ \t]+|[ \t\r]+$/, "", value)
            quote = substr(value, 1, 1)
            if (length(value) > 1 && (quote == "\"" || quote == "\047") &&
                substr(value, length(value)) == quote)
                value = substr(value, 2, length(value) - 2)
            print value
        }' "$env_file")
    printf '%s\n' "${value:-${2:-}}"
}

# What deploy.sh makes itself stands here as something of the right form.
made=(LISTEN_HOST=127.0.0.1 TLS=off COORDINATOR_ADDR=127.0.0.1:1 ROUTER_ADDR=127.0.0.1:1
    INITIATOR_KEY_FILE=made IDENTITY_KEY_FILE=made CERTIFICATE_FILE=made BACKUP_DIR=made
    CA_KEY=1111111111111111111111111111111111111111111111111111111111111111
    INITIATOR_KEYS=1111111111111111111111111111111111111111111111111111111111111111)

need_env_file() {
    [ -r "$env_file" ] || die "there is no $env_file: copy .env.prod.example and fill it in"
}

# Every program looks at .env; the first fault is told in its words. Nothing was changed before.
check_settings() {
    local p words=("${made[@]}")
    need_programs
    need_env_file
    for p in POSTGRES REDIS RABBITMQ; do
        # only a password is there: the server is ours
        [ -n "$(setting ${p}_HOST)" ] || [ -z "$(setting ${p}_PASSWORD)" ] ||
            words+=("${p}_HOST=127.0.0.1" "${p}_TLS=off")
    done
    for p in $programs; do
        env "${words[@]}" "$services/quorate-$p" --check --env-file "$env_file" >/dev/null || exit 1
    done
    for p in POSTGRES_PASSWORD RABBITMQ_PASSWORD; do
        [ -n "$(setting $p)" ] || die "$p is not set in $env_file"
    done
}

# lines_for PROGRAM OWN: NAME=VALUE of what .env and environment set for it, without the names OWN.
lines_for() {
    local name value
    for name in $(variables "$1"); do
        case " $2 " in *" $name "*) continue ;; esac
        value=$(setting "$name")
        [ -z "$value" ] || printf '%s=%s\n' "$name" "$value"
    done
}

# merge FILE: lines on stdin replace those of FILE with the same name, or are added.
merge() {
    local new
    new=$(mktemp "$1.XXXXXX")
    awk -v base="$1" '
        { name = substr($0, 1, index($0, "=") - 1); value[name] = $0; order[++n] = name }
        END {
            while ((getline line < base) > 0) {
                name = substr(line, 1, index(line, "=") - 1)
                if (name in value && !(name in done))
                    print value[name]
                else if (!(name in done) || name == "")
                    print line
                if (name in value)
                    done[name] = 1
            }
            for (i = 1; i <= n; i++)
                if (!(order[i] in done)) {
                    print value[order[i]]
                    done[order[i]] = 1
                }
        }' >"$new"
    mv "$new" "$1"
}

# secret FILE: make it, 48 hex digits, unless it is there.
make_secret() {
    [ -s "$1" ] || head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$1"
}
