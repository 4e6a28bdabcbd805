#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Run the whole system: in containers where an engine answers, as processes of this machine where
# none does. docs/operations.md says what each command does; ./deploy.sh help lists them.
#
# The configuration is .env (.env.example says what may stand there); a variable of the environment
# wins. Where things are: BUILD (build/), DEPLOY_DIR (quorate-data/), DEPLOY_INFRA_DIR
# (quorate-data-infra/), DEPLOY_ENV_FILE (.env). DEPLOY_WAIT: see take_lock. DEPLOY_MODE is native or containers; without it
# the engine decides at the first start. This file finds out what is meant and where; deploy/*.sh
# do it.
set -euo pipefail
umask 077
root=$(cd "$(dirname "$0")" && pwd)

absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s/%s\n' "$root" "$1" ;;
    esac
}

build=$(absolute "${BUILD:-build}")
dir=$(absolute "${DEPLOY_DIR:-quorate-data}")
infra_dir=$(absolute "${DEPLOY_INFRA_DIR:-quorate-data-infra}")
env_file=$(absolute "${DEPLOY_ENV_FILE:-.env}")
quorate=$build/cli/quorate
services=$build/services

say() { printf 'deploy.sh: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

usage() {
    cat <<'END'
usage: ./deploy.sh COMMAND

  up                     start everything: infrastructure, then the services
  down                   stop everything; what is stored stays
  restart                down, then up
  logs [SVC]             follow the logs, of one service or of all
  logs-tail [SVC]        their last 100 lines
  status                 what runs
  health                 ask every service; exit code 1 unless all are healthy and ready
  build                  build programs, and images where containers are used
  build-no-cache         the same from nothing
  infra up|down          PostgreSQL, Redis and RabbitMQ alone
  mpc up|down|restart    the services alone
  shell [SVC]            a shell where that service has its files
  doctor                 what is wrong, and what to do about it; exit code 1 if anything is
  test-api               create an account, sign, and check both, through the API
  backup FILE            everything that is stored, sealed to BACKUP_RECIPIENT, into a new file
  backup-signer          the public key that signs backups: keep it, restore asks for it
  restore FILE KEY [--signed-by SIGNER] [--accept-age]
                         the same back to a machine that has nothing; KEY: the recipient's key
                         file; SIGNER: the key that signed it, as backup showed it, or a person is
                         asked; a backup of more than three days ago needs --accept-age
  clean [--yes]          stop everything and delete all that is stored, keys included
  help                   this page

Services: account-service, session-coordinator, message-router, server-party-api, party-1, party-2,
party-3, postgres, redis, rabbitmq. Configuration: .env; docs/operations.md says more.
END
}

# mode_of_system: in which way what is stored was made; nothing if there is none.
mode_of_system() {
    if [ -d "$dir/container" ]; then
        echo containers
    elif [ -e "$dir/up.json" ] || [ -d "$infra_dir" ]; then
        echo native
    fi
}

has_engine() {
    docker info >/dev/null 2>&1 && { docker compose version || docker-compose version; } \
        >/dev/null 2>&1
}

# A system stays in its mode; the first start takes containers where they can be had.
find_mode() {
    local wish=${DEPLOY_MODE:-} there
    there=$(mode_of_system)
    case $wish in
    '' | native | containers) ;;
    *) die "DEPLOY_MODE must be native or containers, not $wish" ;;
    esac
    [ -z "$there" ] || [ "${wish:-$there}" = "$there" ] ||
        die "the system in $dir was made with DEPLOY_MODE=$there and stays so: unset DEPLOY_MODE," \
            "or make another system with another DEPLOY_DIR and DEPLOY_INFRA_DIR"
    wish=${wish:-$there}
    if [ "$wish" = native ]; then
        echo native
    elif has_engine; then
        echo containers
    elif [ -z "$wish" ]; then
        echo native
    else
        die "${there:+the system in $dir runs in containers: }no Docker engine with docker compose" \
            "answers"
    fi
}

# One command at a time changes something. The lock is on the directory itself, which is made for it
# and goes again if nothing comes into it; $dir/doing says who has it. What is started and lives on
# must not hold it: {lock}>&-. DEPLOY_WAIT: seconds to wait for it, for who cannot ask again.
lock=
take_lock() {
    until [ -n "$lock" ]; do
        mkdir -p "$dir"
        exec {lock}<"$dir"
        flock -w "${DEPLOY_WAIT:-0}" "$lock" ||
            die "$(cat "$dir/doing" 2>/dev/null || echo another command) runs: try again when it has ended"
        # clean may have taken it away
        [ "$dir" -ef "/proc/self/fd/$lock" ] || { exec {lock}<&- && lock=; }
    done
    trap finish EXIT
    printf './deploy.sh %s (process %s)\n' "$1" $$ >"$dir/doing"
}

# At the end of whoever has the lock: what is half done, named here, is taken back.
undo=
half_written=
trial=
finish() {
    [ -z "$undo" ] || ("$undo") || true
    [ -z "$trial" ] || rm -f "$trial"
    [ -z "$half_written" ] || rm -f "$half_written".lines "$half_written".new*
    rm -f "$dir/doing"
    # what quorate up holds while it looks at a wish that it refuses
    [ "$(ls -A "$dir" 2>/dev/null)" != lock ] || rm -f "$dir/lock"
    rmdir "$dir" 2>/dev/null || true
}

# is_void PLACE: there is nothing, or what take_lock made.
is_void() { [ ! -e "$1" ] || [ "$(ls -A "$1")" = doing ]; }

# wrong: the usage is told, exit code 2.
wrong() {
    say "$*; ./deploy.sh help lists the commands"
    exit 2
}

# the_one NAME ARGUMENT...: there is at most one.
at_most_one() {
    [ $# -le 2 ] || wrong "$1 takes one service at most"
}

do_up() {
    infra_up
    mpc_up
}

do_down() {
    mpc_down
    infra_down
}

do_part() {
    local part=$1 wish=${2:-}
    case $part-$wish in
    infra-up | mpc-up | mpc-restart) check_settings ;;
    esac
    case $part-$wish in
    infra-up) infra_up ;;
    infra-down) infra_down ;;
    mpc-up) mpc_up ;;
    mpc-down) mpc_down ;;
    mpc-restart)
        check_changes "mpc restart"
        mpc_down
        mpc_up
        ;;
    infra-*) wrong "infra takes up or down" ;;
    *) wrong "mpc takes up, down or restart" ;;
    esac
}

do_clean() {
    local answer=
    case ${1:-} in
    --yes) answer=yes ;;
    '')
        say "this deletes every key and share in $dir, and the databases: type yes to go on"
        read -r answer || true
        ;;
    *) wrong "clean takes --yes or nothing" ;;
    esac
    [ "$answer" = yes ] || die "nothing was deleted"
    do_down
    delete_all
    say "deleted: $dir and $infra_dir"
}

main() {
    local command=${1:-help} mode doing=
    [ $# -eq 0 ] || shift
    case $command in
    up | down | restart | status | health | doctor | build | build-no-cache | test-api | \
        backup-signer)
        [ $# -eq 0 ] || wrong "$command takes nothing more"
        ;;
    logs | logs-tail | shell) at_most_one "$command" "$@" ;;
    infra | mpc)
        at_most_one "$command" "$@"
        doing=${1:-}
        ;;
    backup) [ $# -eq 1 ] || wrong "backup takes the new file" ;;
    restore) [ $# -ge 2 ] || wrong "restore takes the backup and the key's file" ;;
    clean) ;;
    help | -h | --help)
        usage
        return
        ;;
    *) wrong "there is no command $command" ;;
    esac
    mode=$(find_mode)
    . "$root/deploy/settings.sh"
    . "$root/deploy/check.sh"
    . "$root/deploy/changes.sh"
    # shellcheck source=deploy/native.sh
    . "$root/deploy/$mode.sh"
    . "$root/deploy/backup.sh"
    case $command in
    up | down | restart | infra | mpc | build | build-no-cache | backup | restore | clean)
        take_lock "$command${doing:+ $doing}"
        ;;
    esac
    case $command in
    status | health | backup) need_env_file ;;
    esac
    case $command in
    up)
        check_settings
        do_up
        ;;
    down) do_down ;;
    restart)
        check_settings
        check_changes restart
        do_down
        do_up
        ;;
    infra | mpc) do_part "$command" "$@" ;;
    logs) show_logs follow "${1:-}" ;;
    logs-tail) show_logs last "${1:-}" ;;
    status) show_status ;;
    health) show_health ;;
    doctor) examine ;;
    build) build_all ;;
    build-no-cache) build_anew ;;
    shell) open_shell "${1:-account-service}" ;;
    test-api) test_api ;;
    backup) backup_all "$@" ;;
    backup-signer) show_signer ;;
    restore) restore_all "$@" ;;
    clean) do_clean "$@" ;;
    esac
}

main "$@"
