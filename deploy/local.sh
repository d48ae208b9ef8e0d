#!/bin/sh
# Start Milvus Admin for this machine only: `make demo` (embedded Milvus Lite), `make demo-sso` (the
# same with an identity provider) and `make run` (the Milvus at MILVUS_URI). Keeps its data, keys and
# password in var/demo, var/demo-sso or var/run.
set -eu

mode=$1
port=${PORT:-8000}
python=.venv/bin/python
data=$PWD/var/$mode
umask 077
mkdir -p "$data"

running() { [ -s "$data/pid" ] && kill -0 "$(cat "$data/pid")" 2>/dev/null; }

if running; then
    echo "It is already running, as process $(cat "$data/pid"). Stop that one first." >&2
    exit 1
fi

random() { $python -c "import secrets; print(secrets.token_urlsafe($1))"; }
for key in secret-key audit-key; do
    [ -s "$data/$key" ] || random 48 > "$data/$key"
done

use_password() {
    if [ -n "${DEMO_PASSWORD:-}" ]; then
        printf '%s\n' "$DEMO_PASSWORD" > "$data/password"
    elif [ ! -s "$data/password" ]; then
        random 9 > "$data/password"
    fi
    DEMO_PASSWORD=$(cat "$data/password")
    export DEMO_PASSWORD
}

use_lite() {
    unset MILVUSADMIN_CONFIG MILVUS_TOKEN MILVUS_TOKEN_FILE MILVUS_PROTECTED MILVUS_REAUTH MILVUS_STRICT_DROP
    unset MILVUS_UNPROTECT_DELAY
    export MILVUS_URI="$data/milvus.db" MILVUS_LABEL=Demo MILVUS_COLOR=violet MILVUS_RECYCLE_BIN=7d
}

explain() {
    cat <<TEXT

  Milvus Admin is at  http://127.0.0.1:$port/   (this machine only; Ctrl+C stops it)

  accounts   viewer       sees everything, drops nothing
             operator     moves to the recycle bin and restores, or drops where there is none
             purger       purges from the recycle bin
             unprotector  ends protections
             approver     approves what others request
             creator      creates dropped collections again, empty
             auditor      reads the audit log
  password   $DEMO_PASSWORD

TEXT
}

export LOOPBACK_ONLY=1 DATA_DIR="$data" LOG_LEVEL="${LOG_LEVEL:-warning}"
export SECRET_KEY_FILE="$data/secret-key" AUDIT_KEY_FILE="$data/audit-key"
export AUDIT_LOG_FILE="$data/audit.jsonl"
unset SECRET_KEY AUDIT_KEY DATABASE_URL DATABASE_URL_FILE DEBUG

# Report a port in use before doing anything else.
want_port() {
    $python -c "
import socket, sys
probe = socket.socket(); probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try: probe.bind(('127.0.0.1', $2))
except OSError as problem: sys.exit(f'Port $2 is not free ({problem.strerror}). Choose one: make $mode $1=8123')
"
}

want_port PORT "$port"
case $mode in
demo)
    use_password
    use_lite
    export SIGN_IN=local
    sample=
    ;;
demo-sso)
    . deploy/demo-sso.sh
    want_port PROVIDER_PORT "$provider_port"
    install_provider
    use_lite
    use_provider
    sample=--sample-only
    ;;
*)
    use_password
    sample=--accounts-only
    if [ -z "${MILVUS_URI:-}${MILVUSADMIN_CONFIG:-}" ]; then
        echo "Say which Milvus: MILVUS_URI=http://HOST:19530 MILVUS_TOKEN=user:password make run" >&2
        exit 2
    fi
    ;;
esac

.venv/bin/pybabel -q compile --domain django --directory collections_app/locale
$python manage.py migrate --verbosity 0
$python manage.py collectstatic --noinput --verbosity 0
$python manage.py seed_demo $sample
explain

# One process: the file of Milvus Lite has one owner, which runs the background tasks, too. Where
# possible, they run beside it.
companion=
case $mode in
run)
    $python manage.py work >/dev/null & companion=$!
    ;;
demo-sso) start_provider ;;
esac
.venv/bin/gunicorn milvusadmin.wsgi -b "127.0.0.1:$port" -k gthread -w 1 --threads 8 \
    --no-control-socket --log-level warning -p "$data/pid" &
server=$!
trap 'kill $server $companion 2>/dev/null; wait $server 2>/dev/null; exit 0' INT TERM HUP
status=0
wait $server || status=$?
[ -z "$companion" ] || kill $companion 2>/dev/null
exit $status
