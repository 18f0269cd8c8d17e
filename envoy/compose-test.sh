#!/bin/sh
# Starts docker-compose.one.yaml and docker-compose.yaml, and tries them (`make compose-test`): the one Envoy is asked for a cached
# and a never cached answer, and the fleet has the smoke part of the end-to-end suite run against it.
#
# It uses the Docker engine that runs, or starts one of its own (as root, where dockerd is
# installed) and stops it again. Where the images cannot be built, for want of a network, stand-ins
# under the same names are packed from the binaries of this machine and the libraries they load: an
# image needs no more than that, so this works air-gapped too. Without any engine only the files are
# checked, and that is said.
set -eu
cd "$(dirname "$0")"
root=$(cd .. && pwd)
work=$(mktemp -d)
engine=
borrowed=
up=
project=larder-compose-test
export LARDER_PORT="${LARDER_PORT:-18080}"
export LARDER_PORT_2=$((LARDER_PORT + 1)) LARDER_PAGE_PORT=$((LARDER_PORT + 10)) LARDER_PAGE_PORT_2=$((LARDER_PORT + 11))
# The smoke part calls the management API and the service with these.
export LARDER_TOKEN=compose-test-token LARDER_ADMIN_SECRET=compose-test-secret-and-nothing-else

say() { echo "compose-test: $*"; }
fail() {
    say "$*" >&2
    exit 1
}

# compose FILE ARGUMENTS...
compose() {
    file=$PWD/$1
    shift
    if command -v docker-compose >/dev/null; then
        docker-compose --file "$file" --project-name "$project" "$@"
    else
        docker compose --file "$file" --project-name "$project" "$@"
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

take_down() {
    [ -z "$up" ] || compose "$up" down --volumes --timeout 5 >/dev/null 2>&1 || true
    up=
}

finish() {
    status=$?
    trap - EXIT INT TERM
    [ "$status" = 0 ] || [ -z "$up" ] || compose "$up" logs --no-color --tail 40 || true
    take_down
    [ -z "$borrowed" ] || docker rmi "$borrowed" >/dev/null 2>&1 || true
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

# check_file FILE SERVICE...
check_file() {
    file=$1
    shift
    if command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1; then
        found=$(compose "$file" config --services | sort | tr '\n' ' ') || fail "$file is not valid"
    else
        [ -x "$work/venv/bin/python" ] || { python3 -m venv "$work/venv" && "$work/venv/bin/pip" --quiet install pyyaml; } ||
            fail "there is nothing to read YAML with: install docker-compose"
        found=$("$work/venv/bin/python" - "$file" <<'PYTHON'
import sys, yaml
print(*sorted(yaml.safe_load(open(sys.argv[1]))["services"]), "")
PYTHON
        ) || fail "$file is not valid"
    fi
    [ "$found" = "$* " ] || fail "$file has the services $found, not $*"
}

check_files_only() {
    check_file docker-compose.one.yaml envoy origin
    check_file docker-compose.yaml admin-1 admin-2 envoy-1 envoy-2 origin valkey
    say "no Docker engine (on Debian: apt-get install docker.io docker-compose, and run this as root)."
    say "ONLY the files were checked; they are valid. Nothing was started."
}

# put FILE-ON-THIS-MACHINE=PATH-IN-IMAGE: into the tree, with the libraries it loads.
put() {
    install -D "${1%%=*}" "$tree${1#*=}"
    # A static program loads nothing, and a module is no program: then there is nothing to add.
    for library in $(ldd "${1%%=*}" 2>/dev/null | grep -o '/[^ ]*'); do
        install -D "$library" "$tree$library"
    done
}

# stand_in IMAGE FILE-ON-THIS-MACHINE=PATH-IN-IMAGE...; bash and grep are for the health checks.
stand_in() {
    image=$1 tree=$work/tree
    shift
    rm -rf "$tree"
    for pair in "$(command -v bash)=/bin/bash" "$(command -v grep)=/bin/grep" "$@"; do
        put "$pair"
    done
    mkdir -p "$tree/tmp" "$tree/etc/envoy" "$tree/data"
    tar -C "$tree" -c . | docker import --change 'ENV PATH=/usr/local/bin:/bin' --change 'WORKDIR /data' - "$image" >/dev/null
}

make_images() {
    if compose docker-compose.yaml build >"$work/build.log" 2>&1 && compose docker-compose.yaml pull valkey >>"$work/build.log" 2>&1; then
        say "images built"
        return
    fi
    say "images cannot be built here ($(grep . "$work/build.log" | tail -1)); packing stand-ins"
    envoy=${ENVOY_BIN:-$(command -v envoy || echo "$root/.tools/bin/envoy")}
    valkey=${VALKEY_BIN:-$(command -v valkey-server || echo "$root/.tools/bin/valkey-server")}
    target=${CARGO_TARGET_DIR:-$root/target}
    (cd "$root" && cargo build --quiet --package larder-admin && cargo build --quiet --package larder-harness --bin larder-origin)
    stand_in larder-envoy "$envoy=/usr/local/bin/envoy" "$root/dist/larder.wasm=/etc/larder/larder.wasm"
    stand_in larder-origin "$target/debug/larder-origin=/usr/local/bin/larder-origin"
    stand_in larder-admin "$target/debug/larder-admin=/usr/local/bin/larder-admin"
    image=$(sed -n 's/^ *image: *\(valkey.*\)$/\1/p' docker-compose.yaml)
    docker image inspect "$image" >/dev/null 2>&1 && return
    # That name is somebody else's, so it does not stay.
    borrowed=$image
    cat >"$work/valkey-cli" <<'SHELL'
#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/6379 && printf 'PING\r\n' >&3 && read -r answer <&3 && [ "$answer" = $'+PONG\r' ]
SHELL
    chmod +x "$work/valkey-cli"
    stand_in "$image" "$valkey=/usr/local/bin/valkey-server" "$work/valkey-cli=/usr/local/bin/valkey-cli"
}

start() {
    up=$1
    compose "$1" up --no-build --detach >"$work/up.log" 2>&1 || fail "$(cat "$work/up.log")"
}

x_cache() {
    curl -sS -o /dev/null -D - "http://127.0.0.1:$LARDER_PORT$1" | tr -d '\r' | sed -n 's/^x-cache: //p'
}

expect() {
    found=$(x_cache "$1")
    [ "$found" = "$2" ] || fail "$1 says x-cache: $found, not $2"
    say "$1 -> $found"
}

healthy() {
    [ "$(compose docker-compose.yaml ps | grep -c '(healthy)')" = 5 ]
}

if ! start_engine; then
    check_files_only
    exit 0
fi
make_images

say "one Envoy"
start docker-compose.one.yaml
until_true 60 curl -fsS "http://127.0.0.1:$LARDER_PORT/api/health" || fail "nothing answers on port $LARDER_PORT"
expect '/api/analytics/aggregate?days=7' MISS
expect '/api/analytics/aggregate?days=7' HIT
expect '/api/predictive/churn' BYPASS
take_down

say "a fleet"
start docker-compose.yaml
until_true 90 healthy || fail "not all of it is healthy in time: $(compose docker-compose.yaml ps)"
cd "$root"
LARDER_SMOKE_ENVOYS="127.0.0.1:$LARDER_PORT,127.0.0.1:$LARDER_PORT_2" \
    LARDER_SMOKE_ADMINS="127.0.0.1:$LARDER_PAGE_PORT,127.0.0.1:$LARDER_PAGE_PORT_2" \
    cargo test --quiet --package larder --test e2e fleet::smoke || { cd envoy; fail "the smoke part failed"; }
cd envoy
take_down
say "passed"
