#!/bin/sh
# Starts docker-compose.yaml and asks it for a cached and a never cached answer (`make compose-test`).
#
# It uses the Docker engine that runs, or starts one of its own (as root, where dockerd is
# installed) and stops it again. Where the images cannot be built, for want of a network, stand-ins
# under the same names are packed from the binaries of this machine and the libraries they load: an
# image needs no more than that, so this works air-gapped too. Without any engine only the file is
# checked, and that is said.
set -eu
cd "$(dirname "$0")"
root=$(cd .. && pwd)
compose_file=$PWD/docker-compose.yaml
work=$(mktemp -d)
engine=
project=larder-compose-test
export LARDER_PORT="${LARDER_PORT:-18080}"

say() { echo "compose-test: $*"; }
fail() {
    say "$*" >&2
    exit 1
}

compose() {
    if command -v docker-compose >/dev/null; then
        docker-compose --file "$compose_file" --project-name "$project" "$@"
    else
        docker compose --file "$compose_file" --project-name "$project" "$@"
    fi
}

# Polls: until LIMIT-IN-SECONDS COMMAND...
until_true() {
    left=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.2
    done
}

finish() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "${up:-}" ]; then
        [ "$status" = 0 ] || compose logs --no-color --tail 40 || true
        compose down --timeout 5 >/dev/null 2>&1 || true
    fi
    if [ -n "$engine" ]; then
        [ "$status" = 0 ] || tail -5 "$work/dockerd.log"
        kill "$engine" 2>/dev/null && wait "$engine" 2>/dev/null || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

start_engine() {
    docker info >/dev/null 2>&1 && return 0
    [ "$(id -u)" = 0 ] && command -v dockerd >/dev/null || return 1
    DOCKER_HOST=unix://$work/docker.sock
    export DOCKER_HOST
    dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" \
        --pidfile "$work/dockerd.pid" >"$work/dockerd.log" 2>&1 &
    engine=$!
    until_true 30 docker info && return 0
    say "dockerd does not start here:" && tail -3 "$work/dockerd.log"
    kill "$engine" 2>/dev/null && wait "$engine" 2>/dev/null || true
    engine=
    return 1
}

check_file_only() {
    if command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1; then
        compose config >/dev/null || fail "docker-compose.yaml is not valid"
    else
        python3 -m venv "$work/venv" && "$work/venv/bin/pip" --quiet install pyyaml ||
            fail "there is nothing to read YAML with: install docker-compose"
        "$work/venv/bin/python" - "$compose_file" <<'PYTHON' || fail "docker-compose.yaml is not valid"
import sys, yaml
services = yaml.safe_load(open(sys.argv[1]))["services"]
assert set(services) == {"envoy", "origin"}, services
PYTHON
    fi
    say "no Docker engine (on Debian: apt-get install docker.io docker-compose, and run this as root)."
    say "ONLY the file was checked; it is valid. Nothing was started."
}

# stand_in IMAGE FILE-ON-THIS-MACHINE=PATH-IN-IMAGE...
stand_in() {
    image=$1 tree=$work/tree
    shift
    rm -rf "$tree"
    for pair in "$@"; do
        install -D "${pair%%=*}" "$tree${pair#*=}"
        # A static program loads nothing, and a module is no program: then there is nothing to add.
        for library in $(ldd "${pair%%=*}" 2>/dev/null | grep -o '/[^ ]*'); do
            install -D "$library" "$tree$library"
        done
    done
    mkdir -p "$tree/tmp" "$tree/etc/envoy"
    tar -C "$tree" -c . | docker import - "$image" >/dev/null
}

make_images() {
    if compose build >"$work/build.log" 2>&1; then
        say "images built"
        return
    fi
    say "images cannot be built here ($(grep . "$work/build.log" | tail -1)); packing stand-ins"
    envoy=${ENVOY_BIN:-$(command -v envoy || echo "$root/.tools/bin/envoy")}
    target=${CARGO_TARGET_DIR:-$root/target}
    (cd "$root" && cargo build --quiet --package larder-harness --bin larder-origin)
    stand_in larder-envoy "$envoy=/usr/local/bin/envoy" "$root/dist/larder.wasm=/etc/larder/larder.wasm"
    stand_in larder-origin "$target/debug/larder-origin=/usr/local/bin/larder-origin"
}

x_cache() {
    curl -sS -o /dev/null -D - "http://127.0.0.1:$LARDER_PORT$1" | tr -d '\r' | sed -n 's/^x-cache: //p'
}

expect() {
    found=$(x_cache "$1")
    [ "$found" = "$2" ] || fail "$1 says x-cache: $found, not $2"
    say "$1 -> $found"
}

if ! start_engine; then
    check_file_only
    exit 0
fi
make_images
up=1
compose up --no-build --detach >"$work/up.log" 2>&1 || fail "$(cat "$work/up.log")"
until_true 60 curl -fsS "http://127.0.0.1:$LARDER_PORT/api/health" || fail "nothing answers on port $LARDER_PORT"
expect '/api/analytics/aggregate?days=7' MISS
expect '/api/analytics/aggregate?days=7' HIT
expect '/api/predictive/churn' BYPASS
say "passed"
