#!/usr/bin/env bash
# sizes.sh IMAGE…: the uncompressed size of each image and of its layers, in MB, the base's first.
set -euo pipefail
for image in "$@"; do
    printf '\n%s: %s MB\n' "$image" "$(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%.0f", $1 / 1e6}')"
    docker history --no-trunc --human=false --format '{{.Size}}	{{.CreatedBy}}' "$image" | tac |
        awk -F '\t' '$1 > 50000 {text = $2; gsub(/[ \t]+/, " ", text); printf "%8.1f  %s\n", $1 / 1e6, substr(text, 1, 110)}'
done
