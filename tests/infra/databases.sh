#!/usr/bin/env bash
# databases.sh COMMAND...: run COMMAND with PostgreSQL in PGHOST, PGPORT, PGUSER, PGPASSWORD.
# The one that PGHOST names; else the one on 127.0.0.1; else one of its own, gone afterwards.
set -euo pipefail

if [ -n "${PGHOST:-}" ]; then
    exec "$@"
fi

export PGPORT="${PGPORT:-5432}" PGUSER="${PGUSER:-postgres}"
if command -v psql >/dev/null &&
    psql -h 127.0.0.1 -w -d postgres -c 'SELECT 1' >/dev/null 2>&1; then
    PGHOST=127.0.0.1 exec "$@"
fi
unset PGPORT PGUSER

newest_server() { ls /usr/lib/postgresql 2>/dev/null | sort -n | tail -n 1; }

if [ -z "$(newest_server)" ] || ! command -v pg_virtualenv >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "The tests need PostgreSQL. Either install it (apt-get install -y postgresql" \
            "postgresql-common), or set PGHOST, PGPORT, PGUSER and PGPASSWORD to a server" \
            "on which this user may create databases." >&2
        exit 1
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q postgresql postgresql-common
fi
# In a directory of its own (-t): what a killed run left under /etc/postgresql must not stop the next
# one, and two checkouts may test at once.
exec pg_virtualenv -t -v "$(newest_server)" -o fsync=off "$@"
