# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# Everything that is stored, keys included, in one file that is sealed to BACKUP_RECIPIENT, and back
# to a machine that has nothing. In it: $dir without logs and without what only lives while
# something runs, the database's dump and .env. $dir/backup holds the last two meanwhile.

# Files of a moment; a database that is a file is there only if nobody writes it.
backup_leaves=(--exclude=./log --exclude=./*.pid --exclude=./ready.json --exclude=./doing
    --exclude=./*/*.lock)

database_name() { setting POSTGRES_DB mpc_system; }

# roles VERB PREPOSITION: who owns the database gets into the roles, or out again.
roles() {
    local name
    for name in $(members); do
        [ -z "$(value "$name" DATA_DIR)" ] ||
            printf '%s "%s" %s CURRENT_USER;' "$1" "$(role_of "$name")" "$2"
    done | database_client psql -X -q -v ON_ERROR_STOP=1 -d "$(database_name)"
}

# Whether he is in them, or may be.
in_roles=
leave_roles() {
    local code=0
    [ -n "$in_roles" ] || return 0
    roles REVOKE FROM || code=$?
    in_roles=
    [ $code -eq 0 ] || say "the database's owner cannot leave the roles"
    return $code
}

# as_roles COMMAND...: with the roles' rights, which an owner who is no superuser has not. Whoever
# calls it has leave_roles in $undo.
as_roles() {
    local code=0
    in_roles=yes
    roles GRANT TO || die "the database's owner cannot get into the roles that he made"
    ("$@") || code=$?
    leave_roles || exit 1
    return $code
}

# The dump is a moment of the database. Files are read after it: what they know of burns is newer.
# What is there is of one that was cut off: who has the lock is alone.
collect() {
    rm -rf "$dir/backup"
    mkdir "$dir/backup"
    cp "$env_file" "$dir/backup/env"
    printf '%s\n' "$dir" >"$dir/backup/place"
    date -u +%Y-%m-%dT%H:%M:%SZ >"$dir/backup/time"
    if has_database; then
        as_roles database_client pg_dump --format=custom "$(database_name)" >"$dir/backup/database" ||
            die "the database cannot be dumped"
    elif services_run; then
        die "the databases are files that are being written: ./deploy.sh mpc down first"
    fi
}

# The key that signs backups: its public half is the system's own name, CA_KEY of every process.
signing_key() { printf '%s\n' "$dir/keys/ca.key"; }

show_signer() {
    [ -e "$dir/message-router.env" ] || die "the system was never started: ./deploy.sh up"
    value message-router CA_KEY
}

# A file that grew meanwhile is no fault (tar's exit code 1), nor one that is gone; but what collect
# made is there, before and after.
pack() {
    tar -C "$dir" "${backup_leaves[@]}" --warning=no-file-changed --warning=no-file-ignored \
        -cf - . || [ $? -eq 1 ] || return 1
    [ -e "$dir/backup/time" ] && { [ -e "$dir/backup/database" ] || ! has_database; }
}

# end_backup: what is not finished is nothing.
unfinished=
end_backup() {
    leave_roles || true
    rm -rf "$dir/backup"
    [ -z "$unfinished" ] || rm -f "$unfinished"
}

backup_all() {
    local recipient said
    recipient=$(setting BACKUP_RECIPIENT)
    [ -n "$recipient" ] ||
        die "BACKUP_RECIPIENT is not set in $env_file: quorate backup key makes one"
    [ ! -e "$1" ] || die "$1 exists already"
    [ ! -e "$1.part" ] || die "$1.part is there: another backup is under way, or was cut off"
    [ -e "$dir/up.json" ] || die "the system was never started: ./deploy.sh up"
    need_database
    undo=end_backup
    collect
    unfinished=$1.part
    # the file gets its name when both programs have told that it is whole
    if ! said=$(pack | "$quorate" backup seal --to "$recipient" --sign-key "$(signing_key)" \
        --out "$unfinished") || ! ln "$unfinished" "$1"; then
        die "nothing was backed up"
    fi
    printf '%s\n' "${said/"$unfinished"/"$1"}"
    say "the system is in $1; it can be opened by the recipient's key alone"
    say "restore asks who signed it, with the key above, the same each time: keep it where nobody" \
        "who can write $1 can change it"
}

# What was half done is taken back: the next try finds the machine as this one did.
undo_restore() {
    leave_roles || true
    [ ! -e "$dir/up.json" ] || infra_down
    delete_all
}

# ask_signer: whoever knows the recipient's public text can make such a file, but not sign it.
ask_signer() {
    local answer=
    say "who signed the backup? Type the key, as ./deploy.sh backup or backup-signer showed it"
    read -r answer || true
    [ -n "$answer" ] || die "nothing was restored"
    printf '%s\n' "$answer"
}

is_key() { [[ $1 =~ ^[0-9a-f]{64}$ ]]; }

# unpack FILE KEY SIGNER [OPTION]
unpack() {
    local file=$1 key=$2 signer=$3
    shift 3
    mkdir -p "$dir"
    "$quorate" backup open --key "$key" --signed-by "$signer" "$@" --out "$dir/archive" "$file" ||
        exit 1
    tar -C "$dir" -xpf "$dir/archive" || die "$file cannot be unpacked"
    rm -f "$dir/archive"
    [ -e "$dir/backup/place" ] ||
        die "$file is not whole: what says where and when it was made, and the database, is not in it"
    # files name each other by whole paths
    [ "$(cat "$dir/backup/place")" = "$dir" ] ||
        die "$file is of $(cat "$dir/backup/place"): it is restored to there (DEPLOY_DIR)"
    [ "$(mode_of_system)" = "$mode" ] || die "$file is of a system of DEPLOY_MODE=$(mode_of_system)"
    say "$file is of $(cat "$dir/backup/time"): accounts, burned pairs and freezes since then are" \
        "forgotten"
    if [ ! -e "$env_file" ]; then
        cp "$dir/backup/env" "$env_file"
        say "$env_file is as it was"
    elif ! cmp -s "$dir/backup/env" "$env_file"; then
        say "$env_file is not the one of the backup, and stays"
    fi
}

# Roles are not in a dump; they are made as at the first start, with schemas that must be empty.
load_database() {
    make_roles
    as_roles fill_schemas
}

fill_schemas() {
    local name
    for name in $(members); do
        [ -z "$(value "$name" DATA_DIR)" ] ||
            database_client psql -X -q -v ON_ERROR_STOP=1 -d "$(database_name)" \
                -c "DROP SCHEMA \"$(schema_of "$name")\"" ||
            die "the database holds something already"
    done
    database_client pg_restore --exit-on-error --single-transaction -d "$(database_name)" \
        <"$dir/backup/database" || die "the database cannot be restored"
}

# restore_all FILE KEY [--signed-by SIGNER] [--accept-age]
restore_all() {
    local place file=$1 key=$2 signer='' options=()
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
        --signed-by)
            [ $# -ge 2 ] || wrong "--signed-by takes the key"
            signer=$2
            shift
            ;;
        --accept-age) options+=(--accept-age) ;;
        *) wrong "restore takes --signed-by and --accept-age, not $1" ;;
        esac
        shift
    done
    for place in "$dir" "$infra_dir"; do
        is_void "$place" || die "$place exists: a backup is restored to where nothing is"
    done
    place=$(stored_volumes | paste -sd ' ')
    [ -z "$place" ] || die "volumes exist ($place): a backup is restored to where nothing is"
    [ -n "$signer" ] || signer=$(ask_signer) || exit 1
    is_key "$signer" || die "--signed-by takes the 64 hex digits that ./deploy.sh backup or" \
        "backup-signer showed"
    undo=undo_restore
    unpack "$file" "$key" "$signer" "${options[@]}"
    check_settings
    [ -e "$dir/backup/database" ] || ! used_database ||
        die "$file has no database, and the system in it used one: take another backup"
    infra_up
    [ ! -e "$dir/backup/database" ] || load_database || exit 1
    rm -rf "$dir/backup"
    undo=
    say "restored; ./deploy.sh up starts the services"
}
