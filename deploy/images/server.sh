#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# server postgres | redis | rabbitmq: in a container, with the files of /run/secrets (password,
# tls.crt, tls.key, ca.crt), what is stored in /data, and what is made at each start in /run/server.
set -euo pipefail
umask 077
secrets=/run/secrets
home=/run/server
password=$(cat $secrets/password)

start_postgres() {
    local bin
    bin=$(echo /usr/lib/postgresql/*/bin)
    if [ ! -e /data/pg/PG_VERSION ]; then
        rm -rf /data/pg
        "$bin/initdb" -D /data/pg -A scram-sha-256 -U "$SERVER_USER" --pwfile=$secrets/password \
            -E UTF8 --locale=C --data-checksums
        echo 'hostssl all all all scram-sha-256' >>/data/pg/pg_hba.conf
    fi
    # again after a first start that was cut off; an error says that it is there
    echo "CREATE DATABASE $SERVER_DATABASE" |
        "$bin/postgres" --single -D /data/pg postgres >$home/made 2>&1 || { cat $home/made; exit 1; }
    cp $secrets/tls.key $home/tls.key
    exec "$bin/postgres" -D /data/pg -c listen_addresses='*' -c unix_socket_directories=$home \
        -c max_connections=200 -c ssl=on -c ssl_cert_file=$secrets/tls.crt \
        -c ssl_key_file=$home/tls.key
}

start_redis() {
    printf 'bind 0.0.0.0\nport 6379\ndir %s\nsave ""\nappendonly no\nrequirepass %s\n' $home \
        "$password" >$home/redis.conf
    exec redis-server $home/redis.conf
}

start_rabbitmq() {
    cp $secrets/tls.key $home/tls.key
    printf '%s\n' 'listeners.tcp = none' 'listeners.ssl.1 = 0.0.0.0:5671' \
        "ssl_options.cacertfile = $secrets/ca.crt" "ssl_options.certfile = $secrets/tls.crt" \
        "ssl_options.keyfile = $home/tls.key" 'ssl_options.verify = verify_none' \
        "default_user = $SERVER_USER" "default_pass = $password" 'log.console = true' \
        "default_vhost = $SERVER_VHOST" 'disk_free_limit.absolute = 50MB' >$home/rabbitmq.conf
    echo '[].' >$home/plugins
    : >$home/env.conf
    export HOME=/data LANG=C.UTF-8 RABBITMQ_NODENAME=quorate@localhost RABBITMQ_LOGS=- \
        RABBITMQ_MNESIA_BASE=/data/mnesia RABBITMQ_LOG_BASE=$home \
        RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$home/plugins \
        RABBITMQ_CONF_ENV_FILE=$home/env.conf RABBITMQ_DIST_PORT=25672 ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
    exec /usr/lib/rabbitmq/bin/rabbitmq-server
}

case ${1:-} in
postgres) start_postgres ;;
redis) start_redis ;;
rabbitmq) start_rabbitmq ;;
*) exec "$@" ;;
esac
