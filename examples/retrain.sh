#!/usr/bin/env bash
# Install or change the chart with examples/retrain.yaml, check it from here and from inside, and retrain once now.
#   NAMESPACE=intel examples/retrain.sh [further helm flags]
# The Secrets that the values name exist already: docs/guides/kubernetes.md.
set -euo pipefail
cd "$(dirname "$0")/.."
namespace=${NAMESPACE:-ctiforge}
helm upgrade --install ctiforge helm/ctiforge --namespace "$namespace" --values examples/retrain.yaml "$@"
helm test ctiforge --namespace "$namespace" --logs
CTIFORGE_NAMESPACE=$namespace ctiforge doctor --backend kubernetes
kubectl --namespace "$namespace" create job "retrain-$(date +%s)" --from=cronjob/ctiforge-retrain-extract
CTIFORGE_NAMESPACE=$namespace ctiforge runs --backend kubernetes
