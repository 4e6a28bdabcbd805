# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# test-api: through the API, as a backend would. $dir/client.json says where it is.

# step TEXT COMMAND...: its output is kept in $answer.
step() {
    local text=$1
    shift
    answer=$("$@") || die "test-api: $text failed"
    printf 'ok  %s\n' "$text"
}

field() { printf '%s' "$answer" | sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' | head -n 1; }

# A client file with another key must be of no use.
wrong_key() {
    local client
    client=$(mktemp "$dir/client.XXXXXX")
    sed 's/\("api_key": *"\)/\1not-/' "$dir/client.json" >"$client"
    if "$quorate" parties --client "$client" >"$client.out" 2>&1; then
        rm -f "$client" "$client.out"
        say "a wrong API key was accepted"
        return 1
    fi
    if ! grep -q unauthorized "$client.out"; then
        cat "$client.out" >&2
        rm -f "$client" "$client.out"
        return 1
    fi
    rm -f "$client" "$client.out"
}

test_api() {
    local account
    [ -e "$dir/client.json" ] || die "the system was never started: ./deploy.sh up"
    step "the system is ready" "$quorate" status --dir "$dir" --json
    step "a wrong API key is refused" wrong_key
    step "an account is created" "$quorate" account create --user deploy-test --dir "$dir" --json
    account=$(field account_id)
    step "its certificate is the parties'" "$quorate" account verify "$account" --dir "$dir" --json
    step "it signs" "$quorate" sign --account "$account" --dir "$dir" --json --message-hash \
        "$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')"
    step "it is listed" "$quorate" account show "$account" --dir "$dir" --json
    printf 'the API works: account %s\n' "$account"
}
