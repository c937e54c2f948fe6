#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks Kubernetes manifests against the fields of the API that ours use.

manifests.py FILE...: prints what is wrong, a line each; status 1 if anything is.
There is no API server to ask, and kubectl without one passes unknown fields on.
"""

import sys

import yaml

STRINGS = {"*": str}
ENV = [{"name!": str, "value": str}]
MOUNTS = [{"name!": str, "mountPath!": str, "readOnly": bool, "mountPropagation": str}]
PROBE = {"exec": {"command": [str]}, "periodSeconds": int}
CONTAINER = {
    "name!": str, "image!": str, "imagePullPolicy": str, "command": [str], "args": [str],
    "env": ENV, "securityContext": {"privileged": bool}, "volumeMounts": MOUNTS,
    "readinessProbe": PROBE, "resources": {"requests": STRINGS, "limits": STRINGS},
}
POD = {
    "hostPID": bool, "nodeSelector": STRINGS,
    "tolerations": [{"key": str, "operator": str, "effect": str}],
    "initContainers": [CONTAINER], "containers!": [CONTAINER],
    "volumes": [{"name!": str, "hostPath": {"path!": str, "type": str}}],
}
META = {"name!": str, "namespace": str, "labels": STRINGS}
KINDS = {
    ("node.k8s.io/v1", "RuntimeClass"): {"metadata!": META, "handler!": str},
    ("apps/v1", "DaemonSet"): {
        "metadata!": META,
        "spec!": {
            "selector!": {"matchLabels": STRINGS},
            "template!": {"metadata!": {"labels": STRINGS}, "spec!": POD},
        },
    },
}


def check(value, schema, where):
    """Yields what does not fit."""
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            yield f"{where}: an object is needed"
            return
        for key in value:
            known = schema.get(key, schema.get(key + "!", schema.get("*")))
            if known is None:
                yield f"{where}.{key}: unknown"
            else:
                yield from check(value[key], known, f"{where}.{key}")
        for key in schema:
            if key.endswith("!") and key[:-1] not in value:
                yield f"{where}.{key[:-1]}: missing"
    elif isinstance(schema, list):
        if not isinstance(value, list):
            yield f"{where}: a list is needed"
            return
        for i, item in enumerate(value):
            yield from check(item, schema[0], f"{where}[{i}]")
    elif type(value) is not schema:
        yield f"{where}: a {schema.__name__} is needed"


def check_relations(doc):
    """What the API server refuses beside the types."""
    spec = doc["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for key, value in spec["selector"]["matchLabels"].items():
        if labels.get(key) != value:
            yield f".spec.selector: {key} is not a label of the pods"
    pod = spec["template"]["spec"]
    volumes = {v["name"] for v in pod.get("volumes", [])}
    for container in pod.get("initContainers", []) + pod["containers"]:
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f".spec: no volume {mount['name']}"
    # What ends soon need not see what the node unmounts.
    for container in pod["containers"]:
        for mount in container.get("volumeMounts", []):
            if mount.get("mountPropagation") != "HostToContainer":
                yield (f".spec: {container['name']} without mountPropagation "
                       "keeps the node's mounts")


def check_document(doc):
    kind = (doc.pop("apiVersion", None), doc.pop("kind", None))
    if kind not in KINDS:
        return [f"unknown: {kind}"]
    found = list(check(doc, KINDS[kind], ""))
    if not found and "spec" in doc:
        found = list(check_relations(doc))
    return found


def main():
    bad = 0
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            for doc in yaml.safe_load_all(file):
                for line in check_document(doc):
                    print(f"{name}: {line}")
                    bad = 1
    return bad


sys.exit(main())
