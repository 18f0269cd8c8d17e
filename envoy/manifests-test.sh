#!/bin/sh
# Fetches what manifests_test.py needs into .tools/manifests, and runs it (`make manifests-test`): Helm's library and Kubernetes'
# schemas are packages of PyPI, the types of Istio's kinds and others are packages of npm. What cannot be had is left out, and said.
set -eu
cd "$(dirname "$0")/.."
tools=.tools/manifests
mkdir -p "$tools"

if [ ! -x "$tools/venv/bin/python" ]; then
    python3 -m venv "$tools/venv" || { echo "NOT RUN: manifests-test: python3 with venv is needed" >&2; exit 0; }
    for package in pyyaml==6.0.4 helm-python-sdk==0.2.2 kubernetes-validate jsonschema grafana-foundation-sdk; do
        "$tools/venv/bin/pip" --quiet --disable-pip-version-check install "$package" || echo "manifests-test: no $package" >&2
    done
fi
if command -v npm >/dev/null && [ ! -d "$tools/node_modules/typescript" ]; then
    echo '{"private": true, "type": "module"}' >"$tools/package.json"
    (cd "$tools" && npm install --silent --no-audit --no-fund --ignore-scripts typescript@5 @kubernetes-models/istio@3.0.1 \
        @kubernetes-models/gateway-api@2.0.0 @kubernetes-models/prometheus-operator@6.0.0) ||
        echo "manifests-test: no packages from npm" >&2
fi
"$tools/venv/bin/python" -c 'import yaml' 2>/dev/null || { echo "NOT RUN: manifests-test: there is nothing to read YAML with" >&2; exit 0; }
exec "$tools/venv/bin/python" envoy/manifests_test.py
