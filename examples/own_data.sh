#!/usr/bin/env bash
# From your own result files to a model, measured on articles that you checked.
#   examples/own_data.sh results.json        (their layout: examples/results.json)
# CTIFORGE_MODEL names the base model; without it the demo's small one is trained, which needs no GPU.
set -euo pipefail
results=${1:?give a file of results}
[ -e records ] || ctiforge harvest-extract --json-files "$results" --output records
[ -e review.jsonl ] || ctiforge testset create --input records --size 30 --output review.jsonl
"${EDITOR:-true}" review.jsonl # correct what is wrong: this is what every model is measured by
ctiforge testset import review.jsonl --name mine --annotator "${USER:-me}"
ctiforge run extract --json-files "$results" --test-set mine
ctiforge report
