#!/usr/bin/env bash
# Checks the package as it is installed: builds wheel and sdist, installs the wheel
# into an environment of its own, and runs lints, types and tests. `make test` does.
#
#   check.sh [ARGUMENTS OF PYTEST]
#
# SIDECALL_TEST_PYTHON   the tests' Python (`make tools` installs it and says where)
# SIDECALL_TEST_BINARY   the program; else target/debug/sidecall
set -euo pipefail
cd "$(dirname "$0")"

python=${SIDECALL_TEST_PYTHON:?is set by make test}
SIDECALL_TEST_BINARY=$(realpath "${SIDECALL_TEST_BINARY:-../../target/debug/sidecall}")
export SIDECALL_TEST_BINARY
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m ruff format --quiet --no-cache --check . || {
    echo 'clients/python: run `ruff format .`' >&2
    exit 1
}
"$python" -m ruff check --quiet --no-cache .
"$python" -m mypy --config-file pyproject.toml --cache-dir "$work/mypy" src/sidecall

"$python" -m build --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 || {
    cat "$work/build.log" >&2
    exit 1
}

# An environment of its own, with the tests' packages beside it.
"$python" -m venv --without-pip "$work/venv"
site=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/tools.pth"
"$python" -m pip --python "$work/venv/bin/python" install --quiet --disable-pip-version-check \
    --no-index --no-deps "$work"/dist/*.whl

cp -r tests "$work/tests"
# As a user's own code sees the types of what is installed.
(cd "$work" && "$python" -m mypy --strict --warn-unused-ignores --cache-dir "$work/mypy" \
    --python-executable "$work/venv/bin/python" tests/typed_use.py)
SIDECALL_TEST_SOURCE=$PWD
export SIDECALL_TEST_SOURCE
cd "$work"
venv/bin/python -m pytest --quiet -p no:cacheprovider -c "$SIDECALL_TEST_SOURCE/pyproject.toml" \
    --rootdir "$work" tests "$@"
