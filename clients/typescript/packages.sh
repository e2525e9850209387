#!/usr/bin/env bash
# Installs what the client is built and tested with, as tests/tools.sh does, into a
# folder named after what is in it, and links it as node_modules.
set -euo pipefail
cd "$(dirname "$0")"

tools=${SIDECALL_TOOLS:-${HOME:?}/.cache/sidecall}
folder=$tools/ts-$(cat package-lock.json .npmrc | sha256sum | cut -c1-12)
if [ ! -e "$folder/.complete" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    echo "typescript: filling $folder" >&2
    cp package.json package-lock.json .npmrc "$folder"
    # Not `npm ci`, which wants every platform's binaries in the lock file.
    (cd "$folder" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
    touch "$folder/.complete"
fi
# A folder that somebody filled by hand is left alone.
if [ -L node_modules ] || [ ! -e node_modules ]; then ln -sfn "$folder/node_modules" node_modules; fi
