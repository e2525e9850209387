#!/usr/bin/env bash
# Checks the client: types, lint, tests.
#
# The tests run ${SIDECALL_TEST_BINARY:-target/debug/sidecall}.
set -euo pipefail
cd "$(dirname "$0")"

./packages.sh
node_modules/.bin/tsc -p .
node_modules/.bin/biome check --error-on-warnings .
node_modules/.bin/vitest run "$@"
