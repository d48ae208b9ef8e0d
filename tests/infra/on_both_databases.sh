#!/usr/bin/env bash
# on_both_databases.sh PYTEST...: all tests on PostgreSQL, and at the same time, in one process, those marked
# both_databases on SQLite. What these say comes at the end.
set -uo pipefail
failed=0
said="$(mktemp)"
trap 'rm -f "$said"' EXIT
TEST_DATABASE=sqlite "$@" -n 1 -m both_databases > "$said" 2>&1 &
second=$!
TEST_DATABASE=postgresql "$@" || failed=1
echo "On SQLite:"
wait "$second" || failed=1
cat "$said"
exit $failed
