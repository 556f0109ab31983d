#!/usr/bin/env bash
# From your own result files to a model, measured on articles that you checked.
#   examples/own_data.sh results.json        (their layout: examples/results.json)
# EDITOR opens what is to be checked. CTIFORGE_MODEL names the base model; without it the demo's small one is trained, which needs no GPU.
set -euo pipefail
results=${1:?give a file of results}
[ -e records ] || ctiforge harvest-extract --json-files "$results" --output records
[ -e review.jsonl ] || ctiforge testset create --input records --size 30 --output review.jsonl
# correct what is wrong: this is what every model is measured by
if [ -z "${EDITOR:-}" ]; then
  echo "error: nobody has reviewed review.jsonl yet, and EDITOR is not set: run this again with EDITOR=nano (or yours)," >&2
  echo "or correct review.jsonl in another way and run this again with EDITOR=true, which says that you have" >&2
  exit 2
fi
$EDITOR review.jsonl # unquoted: an editor may have flags, as in EDITOR="code --wait"
ctiforge testset import review.jsonl --name mine --annotator "${USER:-me}"
ctiforge run extract --json-files "$results" --test-set mine
ctiforge report
