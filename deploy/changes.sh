# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# What .env says now against what runs: looked at before anything is stopped for it. What a mode
# knows of itself: check_database, check_redis, redis_is_ours, settings_of, is_well, trial_place and
# ask_doctor.

# refused_logins FILE: what Redis and RabbitMQ do not take of a router that has these settings.
refused_logins() {
    ask_doctor "$1" message-router | sed -n 's/^message-router: //p' |
        grep -E '^(Redis: (WRONGPASS|NOAUTH|ERR )|RabbitMQ refused)' || true
}

# check_logins COMMAND: a Redis of ours takes another password when it is started again.
check_logins() {
    local said
    [ -e "$dir/made/message-router.env" ] || return 0
    [ "$1" = restart ] || check_redis
    trial=$(trial_place message-router)
    write_env message-router "$trial"
    said=$(refused_logins "$trial")
    rm -f "$trial"
    trial=
    [ "$1" != restart ] || ! redis_is_ours || said=$(grep -v '^Redis' <<<"$said") || true
    [ -z "$said" ] || die "$(head -n 1 <<<"$said")"
}

# A party that serves has opened its shares: with the key that it has, or with the next one.
check_master_key() {
    local name known new
    new=$(setting CRYPTO_MASTER_KEY)
    [ -n "$new" ] && [ "$(setting VAULT env)" = env ] || return 0
    for name in $(members); do
        known=$(sed -n 's/^CRYPTO_MASTER_KEY\(_NEXT\)\{0,1\}=//p' "$(settings_of "$name")" \
            2>/dev/null) || continue  # it was never started
        if [ -z "$known" ] || ! is_well "$name"; then
            continue
        fi
        [[ $'\n'${known,,}$'\n' = *$'\n'"${new,,}"$'\n'* ]] ||
            die "CRYPTO_MASTER_KEY in $env_file is not the key that the shares of $name are sealed" \
                "with: set that one again; docs/keys.md says how it is changed"
    done
}

# check_changes COMMAND
check_changes() {
    check_database
    check_logins "$1"
    check_master_key
}
