#!/usr/bin/env bash
# Installs what the tests need beside Rust, by package name and pinned version,
# and prints it as the variables that the tests read.
#
# Everything lands in ${SIDECALL_TOOLS:-~/.cache/sidecall}, in folders named
# after what is in them, so a second clone finds it again and a changed pin
# makes a new folder. Nothing outside is touched, except that as root a missing
# Debian package is installed.
set -euo pipefail
cd "$(dirname "$0")"

tools=${SIDECALL_TOOLS:-${HOME:?}/.cache/sidecall}
# With `jaeger`, that alone.
only=${1:-}
missing=()

# need COMMAND PACKAGE WORDS: COMMAND must succeed; if not, PACKAGE (where there
# is one) is installed, else WORDS say what to do.
need() {
    if eval "$1" >/dev/null 2>&1; then return; fi
    if [ -n "$2" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "tools: installing $2" >&2
        { apt-get update -q && apt-get install -q -y --no-install-recommends "$2"; } >&2 || true
        if eval "$1" >/dev/null 2>&1; then return; fi
    fi
    missing+=("$3")
}

need 'cargo --version' '' 'Rust 1.90 or later: cargo is not on the path'
if [ "$only" != jaeger ]; then
    need 'cc --version' 'gcc libc6-dev' 'a C compiler: apt-get install gcc libc6-dev'
    need 'python3 -c "import sys; sys.exit(sys.version_info < (3, 10))"' 'python3' \
        'Python 3.10 or later, as python3'
    need 'python3 -c "import ensurepip, venv"' 'python3-venv' \
        "Python's venv module: apt-get install python3-venv"
    need 'node -e "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"' '' 'Node.js 20 or later, as node'
    need 'npm --version' 'npm' 'npm, which comes with Node.js'
    need 'redis-server --version' 'redis-server' 'Redis: apt-get install redis-server'
fi

# want COMMAND PACKAGE WORDS: as `need`, and without it WORDS say which tests go.
want() {
    local so_far=${#missing[@]}
    need "$1" "$2" "$3"
    if [ ${#missing[@]} -eq "$so_far" ]; then return; fi
    unset "missing[$so_far]"
    echo "tools: $3" >&2
    return 1
}

go=$(command -v go || echo /usr/local/go/bin/go)
if want "$go version" '' 'left out: Jaeger, Helm and kustomize, which are built with Go 1.26 or later'; then
    has_go=1
fi
if [ "$only" != jaeger ] && want 'chromium --version' 'chromium' "left out: Jaeger's page in a browser, which is Debian's package chromium"; then
    has_chromium=1
fi

if [ ${#missing[@]} -gt 0 ]; then
    echo 'tools: the tests need, and this machine lacks:' >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
fi

key() { cat "$@" | sha256sum | cut -c1-12; }

# once FOLDER COMMAND…: runs COMMAND in a new folder and keeps it as FOLDER only
# when all of it went well.
once() {
    local folder=$1
    shift
    if [ -e "$folder/.complete" ]; then return; fi
    rm -rf "$folder"
    mkdir -p "$folder"
    echo "tools: filling $folder" >&2
    (cd "$folder" && "$@") >&2
    touch "$folder/.complete"
}

if [ "$only" != jaeger ]; then
    python=$tools/python-$({ python3 --version; cat clients/python/requirements.txt; } | key)
    fill_python() {
        python3 -m venv .
        bin/pip install --quiet --disable-pip-version-check --requirement "$1"
    }
    once "$python" fill_python "$PWD/clients/python/requirements.txt"

    node=$tools/node-$(key clients/node/package.json clients/node/package-lock.json)
    fill_node() {
        cp "$1/package.json" "$1/package-lock.json" .
        # Not `npm ci`, which wants every platform's binaries in the lock file. No scripts:
        # a package's own installer fetches what no lock file names.
        npm install --ignore-scripts --no-audit --no-fund --loglevel=error
    }
    once "$node" fill_node "$PWD/clients/node"
fi

# What looks at manifests: downloads that need no processor, while others are built. The
# scanner has an environment of its own, since it pins half of what is in it.
downloads=()
if [ "$only" != jaeger ]; then
    manifests=$tools/manifests-$({ python3 --version; cat deploy/manifests.txt; } | key)
    checkov=$tools/checkov-$({ python3 --version; cat deploy/checkov.txt; } | key)
    once "$manifests" fill_python "$PWD/deploy/manifests.txt" &
    downloads+=($!)
    once "$checkov" fill_python "$PWD/deploy/checkov.txt" &
    downloads+=($!)
fi

# Jaeger itself, and its page, which its Go module does not hold: a crate does.
jaeger=$tools/jaeger-$(key jaeger/go.mod jaeger/go.sum jaeger/ui/Cargo.lock)
fill_jaeger() {
    "$go" build -C "$1" -ldflags '-s -w' -o "$PWD/jaeger" github.com/jaegertracing/jaeger/cmd/jaeger
    local manifest
    manifest=$(cargo metadata --format-version 1 --locked --manifest-path "$1/ui/Cargo.toml" |
        python3 -c 'import json, sys
print(*(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "otlp-embedded"))')
    cp -r "$(dirname "$manifest")/jaeger-ui/build" ui
}
if [ -n "${has_go:-}" ]; then once "$jaeger" fill_jaeger "$PWD/jaeger"; fi

# What renders deploy/.
helm=$tools/helm-4.2.4
kustomize=$tools/kustomize-5.8.1
fill_go() { GOBIN=$PWD "$go" install -ldflags '-s -w' "$1"; }
if [ "$only" != jaeger ] && [ -n "${has_go:-}" ]; then
    once "$helm" fill_go helm.sh/helm/v4/cmd/helm@v4.2.4
    once "$kustomize" fill_go sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
fi
for download in "${downloads[@]}"; do wait "$download"; done

if [ "$only" != jaeger ]; then
    cat <<VARIABLES
SIDECALL_TEST_PYTHON=$python/bin/python
SIDECALL_TEST_NODE_MODULES=$node/node_modules
SIDECALL_TEST_REDIS=$(command -v redis-server)
SIDECALL_TEST_MANIFESTS_PYTHON=$manifests/bin/python
SIDECALL_TEST_CHECKOV=$checkov/bin/checkov
VARIABLES
    if [ -n "${has_go:-}" ]; then
        echo "SIDECALL_TEST_HELM=$helm/helm"
        echo "SIDECALL_TEST_KUSTOMIZE=$kustomize/kustomize"
    fi
fi
if [ -n "${has_go:-}" ]; then
    echo "SIDECALL_TEST_JAEGER=$jaeger/jaeger"
    echo "SIDECALL_TEST_JAEGER_UI=$jaeger/ui"
fi
if [ -n "${has_chromium:-}" ]; then echo "SIDECALL_TEST_CHROMIUM=$(command -v chromium)"; fi
