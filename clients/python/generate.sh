#!/usr/bin/env bash
# Generates the package's stubs from proto/: `make stubs`. The same input gives the
# same bytes; a test holds them against what is committed.
#
#   generate.sh [FOLDER]     into FOLDER instead of src/sidecall/_proto
#
# Wants a Python with grpcio-tools: PYTHON, else the tests', else python3.
set -euo pipefail
cd "$(dirname "$0")"

python=${PYTHON:-${SIDECALL_TEST_PYTHON:-python3}}
folder=${1:-src/sidecall/_proto}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m grpc_tools.protoc -I ../../proto -I proto \
    --python_out="$work" --pyi_out="$work" sidecall/v1/sidecall.proto sidecall/client/v1/refusal.proto
mv "$work"/sidecall/v1/* "$work"/sidecall/client/v1/* "$work"

mkdir -p "$folder"
for name in sidecall refusal; do
    # Where the module stands in this package, for what asks a message for it.
    sed -E "s/'sidecall\.[a-z0-9.]*${name}_pb2'/'sidecall._proto.${name}_pb2'/" \
        "$work/${name}_pb2.py" >"$folder/${name}_pb2.py"
    cp "$work/${name}_pb2.pyi" "$folder/"
done
