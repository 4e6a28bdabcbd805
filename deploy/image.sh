# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # deploy.sh sets what is used here
# Images: what was built here goes into one from nothing; the servers' stands on a base image.

# stage ROOT: the file system of the services' image.
stage() {
    local f libraries
    mkdir -p "$1/usr/bin" "$1/etc/ssl/certs" "$1/data" "$1/tmp" "$1/run/secrets"
    for f in "$quorate" "$services"/quorate-*; do
        [ ! -f "$f" ] || strip -o "$1/usr/bin/$(basename "$f")" "$f"
    done
    cp -L /bin/dash "$1/usr/bin/sh"
    libraries=$(for f in "$1"/usr/bin/*; do ldd "$f"; done | grep -o '/[^ ]*' | sort -u)
    for f in $libraries; do
        mkdir -p "$1$(dirname "$f")"
        cp -L "$f" "$1$f"
    done
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/" 2>/dev/null || true
    mkdir -p "$1/usr/share"
    [ ! -d /usr/share/zoneinfo ] || cp -RL /usr/share/zoneinfo "$1/usr/share/"
    rm -rf "$1/usr/share/zoneinfo/right" "$1/usr/share/zoneinfo/posix"
    echo 'quorate:x:10001:10001::/data:/usr/bin/sh' >"$1/etc/passwd"
    echo 'quorate:x:10001:' >"$1/etc/group"
    echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
    chmod -R u+w,go+rX "$1"
    chmod 1777 "$1/tmp"
}

quorate_image() { printf '%s\n' "${QUORATE_IMAGE:-quorate:latest}"; }
servers_image() { printf '%s\n' "${SERVERS_IMAGE:-quorate-servers:latest}"; }
prometheus_image() { printf '%s\n' "${PROMETHEUS_IMAGE:-quorate-prometheus:latest}"; }
is_monitored() { [ "${DEPLOY_MONITORING:-off}" != off ]; }

# Where no registry has it, the base is made from the packages' own source.
base_image() {
    local base=${BASE_IMAGE:-debian:bookworm-slim} place
    if docker image inspect "$base" >/dev/null 2>&1 || docker pull -q "$base" >/dev/null 2>&1; then
        return
    fi
    command -v debootstrap >/dev/null ||
        die "there is no image $base, no registry that has it, and no debootstrap to make it"
    say "making $base by debootstrap"
    place=$(mktemp -d)
    debootstrap --variant=minbase bookworm "$place/root" >"$place/log" 2>&1 ||
        die "debootstrap failed: $(tail -n 1 "$place/log")"
    tar -C "$place/root" -c . | docker import - "$base" >/dev/null
    rm -rf "$place"
}

# build_images [OPTION...] of docker build.
build_images() {
    local place
    place=$(mktemp -d)
    stage "$place/root"
    cp "$root/deploy/images/Dockerfile" "$place/"
    docker build -q "$@" -t "$(quorate_image)" "$place" >/dev/null
    rm -rf "$place"
    say "built: $(quorate_image)"
    base_image
    build_on_base "$(servers_image)" Dockerfile.servers "$@"
    ! is_monitored || [ -n "${PROMETHEUS_IMAGE:-}" ] ||
        build_on_base "$(prometheus_image)" Dockerfile.prometheus "$@"
}

# build_on_base IMAGE DOCKERFILE [OPTION...]
build_on_base() {
    local image=$1 file=$2
    shift 2
    docker build -q --network host "$@" -t "$image" --build-arg \
        "BASE_IMAGE=${BASE_IMAGE:-debian:bookworm-slim}" -f "$root/deploy/images/$file" \
        "$root/deploy/images" >/dev/null
    say "built: $image"
}
