#!/usr/bin/env bash
# on_both_databases.sh PYTEST...: all tests on PostgreSQL, then those marked both_databases on SQLite.
# Both passes run, whatever the first one finds.
set -uo pipefail
failed=0
TEST_DATABASE=postgresql "$@" || failed=1
TEST_DATABASE=sqlite "$@" -m both_databases || failed=1
exit $failed
