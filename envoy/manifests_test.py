"""Checks what Kubernetes is given (`make manifests-test`, which fetches what this needs): the chart and the manifests.

Helm's own library lints the chart and renders it in every way that its values allow. What comes out, and the manifests for Istio and
Envoy Gateway, is held against the published schemas, unknown fields included. What cannot be had is said as NOT RUN.
"""

import json
import os
import pathlib
import subprocess
import sys

import yaml

HERE = pathlib.Path(__file__).parent
CHART = HERE / "helm/larder"
TOOLS = HERE.parent / ".tools/manifests"
KUBERNETES = "1.34"
problems = []


def problem(place, what):
    problems.append(f"{place}: {what}")


def not_run(what):
    print(f"NOT RUN: {what}")


# Values, and the kinds that come of them besides those that always do.
ALWAYS = ["Deployment", "Service"]
WAYS = {
    "as it is": ({}, ["Secret", "PodDisruptionBudget"]),
    "everything": (
        {
            "store": "redis://valkey:6379",
            "storeSecret": {"name": "valkey"},
            "secret": {"existing": "mine"},
            "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]},
            "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "prometheusRule": {"enabled": True},
            "dashboard": {"enabled": True},
            "imagePullSecrets": [{"name": "registry"}],
            "arguments": ["--max-waiting", "8192"],
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "podAnnotations": {"sidecar.istio.io/inject": "false"},
            "podDisruptionBudget": {"enabled": False},
        },
        ["NetworkPolicy", "ServiceMonitor", "PrometheusRule", "ConfigMap"],
    ),
    "alone": ({"replicas": 1, "store": "memory"}, ["Secret", "PodDisruptionBudget"]),
    "istio": ({"filter": {"kind": "istio"}}, ["Secret", "PodDisruptionBudget", "WasmPlugin", "DestinationRule"]),
    "envoy-gateway": (
        {"filter": {"kind": "envoy-gateway"}},
        ["Secret", "PodDisruptionBudget", "EnvoyExtensionPolicy", "Backend", "HTTPRoute", "BackendTrafficPolicy"],
    ),
}
# What the chart has to refuse.
WRONG = {
    "two replicas with a memory each": {"store": "memory"},
    "a word that is no store": {"store": "valkey:6379"},
    "a secret that is too short": {"secret": {"adminSecret": "short"}},
    "a field that is not there": {"replicaCount": 3},
    "a filter for another mesh": {"filter": {"kind": "linkerd"}},
}


def chart():
    """What the chart renders to, by way."""
    try:
        import helm_python as helm
    except ImportError:
        not_run("the chart: Helm's library (helm-python-sdk) cannot be had")
        return {}
    for message in helm.lint(str(CHART), strict=True).get("messages") or []:
        if "icon" not in json.dumps(message):
            problem("helm lint", message)
    loaded = helm.Chart.load(str(CHART))
    rendered = {}
    for way, (values, kinds) in WAYS.items():
        loaded.validate_schema(values)
        texts = loaded.render(values, name="larder", namespace="caches")
        found = [one for name, text in texts.items() if name.endswith(".yaml") for one in yaml.safe_load_all(text) if one]
        rendered[f"chart, {way}"] = found
        have, want = sorted(one["kind"] for one in found), sorted(ALWAYS + kinds)
        if have != want:
            problem(way, f"{have} in place of {want}")
    for way, values in WRONG.items():
        try:
            loaded.validate_schema(values)
            loaded.render(values, name="larder", namespace="caches")
            problem("chart", f"takes {way}")
        except helm.HelmError:
            pass
    print(f"chart: Helm {helm.helm_sdk_version()}, {len(WAYS)} ways and {len(WRONG)} wrong ones")
    return rendered


def of_kind(folder, kind):
    documents = yaml.safe_load_all((HERE / folder / "larder.yaml").read_text())
    return next(one for one in documents if one["kind"] == kind)


def asked(policy):
    return {name: content for name, content in policy["spec"].items() if name not in {"host", "targetRefs"}}


def meanings(rendered):
    """What no schema says."""
    for place, documents in rendered.items():
        by_kind = {one["kind"]: one for one in documents}
        if not by_kind:
            continue
        pod = by_kind["Deployment"]["spec"]["template"]
        service = by_kind["Service"]["spec"]
        labels = pod["metadata"]["labels"].items()
        if not service["selector"].items() <= labels:
            problem(place, "the Service selects other pods")
        names = {variable["name"] for variable in pod["spec"]["containers"][0]["env"]}
        if names != {"LARDER_ADMIN_STORE", "LARDER_ADMIN_SECRET", "LARDER_TOKEN"}:
            problem(place, f"the container has {names}")
        service_starts(place, pod["spec"]["containers"][0])
        if "Secret" in by_kind and set(by_kind["Secret"]["data"]) != {"LARDER_ADMIN_SECRET", "LARDER_TOKEN"}:
            problem(place, "the Secret has other keys")
        address = f"{service['ports'][0]['port']}||larder-admin.caches.svc.cluster.local"
        if "WasmPlugin" in by_kind and by_kind["WasmPlugin"]["spec"]["pluginConfig"]["admin"]["cluster"] != f"outbound|{address}":
            problem(place, "the filter asks another cluster")
        # How the service is asked is written twice.
        for kind, manifest in [("DestinationRule", "istio"), ("BackendTrafficPolicy", "gateway")]:
            if kind in by_kind and asked(by_kind[kind]) != asked(of_kind(manifest, kind)):
                problem(place, f"{kind} is not that of envoy/{manifest}/larder.yaml")
        if "PrometheusRule" in by_kind and by_kind["PrometheusRule"]["spec"] != yaml.safe_load((HERE / "grafana/alerts.yaml").read_text()):
            problem(place, "the alerts are others")
        if "ConfigMap" in by_kind:
            json.loads(by_kind["ConfigMap"]["data"]["larder.json"])


def service_starts(place, container):
    """larder-admin itself takes the container's arguments and environment."""
    program = os.environ.get("LARDER_ADMIN", "")
    if not os.path.isfile(program):
        return not_run("the container's arguments: no LARDER_ADMIN")
    made_up = {"LARDER_ADMIN_STORE": "redis://valkey:6379", "LARDER_ADMIN_SECRET": "x" * 32, "LARDER_TOKEN": "y" * 32}
    variables = {one["name"]: one.get("value") or made_up[one["name"]] for one in container["env"]}
    done = subprocess.run([program, *container["args"], "--check"], env=variables, capture_output=True, text=True)
    if done.returncode:
        problem(place, f"larder-admin refuses it: {done.stderr}")


def kubernetes(everything):
    try:
        import kubernetes_validate
    except ImportError:
        return not_run("Kubernetes' own kinds: kubernetes-validate cannot be had")
    checked = 0
    for place, document in everything:
        group = document["apiVersion"].split("/")[0]
        if "." in group and not group.endswith("k8s.io") or "gateway" in group:
            continue
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
            checked += 1
        except kubernetes_validate.ValidationError as error:
            problem(place, f"{document['kind']}: {error.message}")
    print(f"Kubernetes {KUBERNETES}: {checked} objects")


def packages(everything):
    """Istio's kinds, those of the Gateway API and of the Prometheus operator, by the schemas and types that npm packages make of their CRDs."""
    if not (TOOLS / "node_modules/typescript").is_dir():
        return not_run("kinds of Istio, the Gateway API and the Prometheus operator: node, or their packages, cannot be had")
    known = {
        "extensions.istio.io": "istio",
        "networking.istio.io": "istio",
        "gateway.networking.k8s.io": "gateway-api",
        "monitoring.coreos.com": "prometheus-operator",
    }
    types, values, places = [], [], []
    for place, document in everything:
        group, _, version = document["apiVersion"].partition("/")
        if group not in known:
            continue
        number, kind = len(places), document["kind"]
        module = f"@kubernetes-models/{known[group]}/{group}/{version}/{kind}"
        text = json.dumps(document)
        # An object literal with a field that the type has not is an error: so unknown ones are found.
        types.append(f'import type {{ I{kind} as K{number} }} from "{module}";\nexport const d{number}: K{number} = {text};\n')
        values.append(f'import {{ {kind} as K{number} }} from "{module}";\ncheck({number}, () => new K{number}({text} as any).validate());\n')
        places.append(f"{place}: {kind}")
    (TOOLS / "types.ts").write_text("".join(types))
    head = "function check(n: number, f: () => void) { try { f(); } catch (e: any) { console.log(n, e.message); } }\n"
    (TOOLS / "values.mjs").write_text((head + "".join(values)).replace("n: number, f: () => void", "n, f").replace("e: any", "e").replace(" as any", ""))
    flags = "--noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext --target es2022".split()
    done = subprocess.run(["node", "node_modules/typescript/bin/tsc", *flags, "types.ts"], cwd=TOOLS, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        problem("types", line)
    done = subprocess.run(["node", "values.mjs"], cwd=TOOLS, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        number, _, what = line.partition(" ")
        problem(places[int(number)], what)
    if done.returncode:
        problem("node", done.stderr)
    print(f"Istio, Gateway API, Prometheus operator: {len(places)} objects, {sorted({place.split(': ')[1] for place in places})}")


# Members of which anything is said by somebody else.
FREE = {"config", "value", "labels", "annotations"}
# What Envoy Gateway's kinds refuse besides fields that are misspelt: where, and what stands there.
REFUSED = [
    ("EnvoyExtensionPolicy", "spec.targetRefs.0.kind", "Service"),
    ("EnvoyExtensionPolicy", "spec.wasm.0.code.type", "HTTP"),
    ("EnvoyExtensionPolicy", "spec.wasm.0.code.http", {"url": "https://example.com/larder.wasm"}),
    ("EnvoyExtensionPolicy", "spec.wasm.0.code.pullPolicy", "Never"),
    ("EnvoyExtensionPolicy", "spec.wasm.0.failOpen", "true"),
    ("Backend", "spec.endpoints.0.fqdn.hostname", "larder-admin"),
    ("Backend", "spec.endpoints.0.fqdn.port", "8090"),
    ("Backend", "spec.endpoints.0.unix", {"path": "/run/larder"}),
    ("BackendTrafficPolicy", "spec.timeout.tcp.connectTimeout", "1 s"),
    ("BackendTrafficPolicy", "spec.healthCheck.active.type", "TCP"),
    ("BackendTrafficPolicy", "spec.healthCheck.active.http.expectedStatuses", ["2xx"]),
    ("EnvoyProxy", "spec.bootstrap.type", "JSONPatch"),
    ("EnvoyProxy", "spec.filterOrder.0.before", "envoy.filters.http.cors"),
    ("EnvoyProxy", "spec.filterOrder.0.after", "envoy.filters.http.router"),
    ("EnvoyProxy", "spec.provider.kubernetes.envoyDeployment.container.env.0.value", "x"),
    ("EnvoyPatchPolicy", "spec.targetRef.kind", "HTTPRoute"),
    ("EnvoyPatchPolicy", "spec.jsonPatches.0.operation.op", "remove"),
    ("EnvoyPatchPolicy", "spec.jsonPatches.0.operation.from", "/name"),
    ("EnvoyPatchPolicy", "spec.jsonPatches.0.type", "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"),
]


def misspelt(part):
    """The same with one of its members under another name, for each."""
    if isinstance(part, dict):
        for name, content in part.items():
            rest = {other: kept for other, kept in part.items() if other != name}
            yield name, {**rest, f"{name}x": content}
            if name not in FREE:
                yield from ((f"{name}.{where}", {**part, name: wrong}) for where, wrong in misspelt(content))
    elif isinstance(part, list):
        for number, item in enumerate(part):
            yield from ((f"{number}.{where}", part[:number] + [wrong] + part[number + 1 :]) for where, wrong in misspelt(item))


def replaced(document, where, content):
    changed = json.loads(json.dumps(document))
    *way, last = where.split(".")
    part = changed
    for step in way:
        part = part[int(step) if isinstance(part, list) else step]
    part[last] = content
    return changed


def envoy_gateway(everything):
    """Its CRDs are in no package: envoy/gateway/schemas.json has what is used of them."""
    try:
        import jsonschema
    except ImportError:
        return not_run("Envoy Gateway's kinds: jsonschema cannot be had")
    definitions = json.loads((HERE / "gateway/schemas.json").read_text())["definitions"]

    def errors(document):
        schema = {"$ref": f"#/definitions/{document['kind']}", "definitions": definitions}
        return list(jsonschema.Draft7Validator(schema).iter_errors(document))

    theirs = [(place, one) for place, one in everything if one["apiVersion"].startswith("gateway.envoyproxy.io/")]
    wrong = []
    for place, document in theirs:
        kind = document["kind"]
        for error in errors(document):
            problem(place, f"{kind}: {error.json_path}: {error.message}")
        # The schema is asked for by the kind, and so has to be told of a wrong one.
        wrong += [(place, f"{where} is misspelt", {"kind": kind, **one}) for where, one in misspelt(document)]
        wrong += [(place, f"{where} is {json.dumps(what)}", replaced(document, where, what)) for of, where, what in REFUSED if of == kind and place.startswith("gateway/")]
    for place, what, document in wrong:
        if not errors(document):
            problem(place, f"{document['kind']} is taken although {what}")
    print(f"Envoy Gateway: {len(theirs)} objects, and {len(wrong)} wrong ones")


def grafana():
    try:
        from grafana_foundation_sdk.models.dashboard import Dashboard
    except ImportError:
        return not_run("the dashboard's types: grafana-foundation-sdk cannot be had")
    text = json.loads((HERE / "grafana/larder.json").read_text())
    read = Dashboard.from_json(text)
    if len(read.panels) != len(text["panels"]) or read.uid != text["uid"]:
        problem("dashboard", "Grafana's own types read something else")
    ids = [panel["id"] for panel in text["panels"]]
    if len(ids) != len(set(ids)):
        problem("dashboard", "two panels have one id")
    taken = set()
    for panel in text["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        if at["x"] + at["w"] > 24 or cells & taken:
            problem("dashboard", f"{panel['title']} lies on another, or outside")
        taken |= cells
    print(f"Grafana: {len(ids)} panels")


def main():
    rendered = chart()
    everything = [(place, one) for place, found in rendered.items() for one in found]
    for folder in ["istio", "gateway"]:
        for path in sorted((HERE / folder).glob("*.yaml")):
            documents = yaml.safe_load_all(path.read_text())
            # A patch of a Deployment is no object.
            everything += [(f"{folder}/{path.name}", one) for one in documents if "kind" in one]
    meanings(rendered)
    kubernetes(everything)
    packages(everything)
    envoy_gateway(everything)
    grafana()
    for one in problems:
        print(f"WRONG: {one}")
    print(f"manifests-test: {'passed' if not problems else f'{len(problems)} problems'}")
    return 1 if problems else 0


sys.exit(main())
