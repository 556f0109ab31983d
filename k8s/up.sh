#!/usr/bin/env bash
# Brings the development cluster up: kind, images, PostgreSQL and S3, the chart, the demo corpora. Safe to repeat.
# Needs docker, kind, kubectl and helm. Everything of this machine that it makes lies in .ctiforge/kind.
set -euo pipefail
cd "$(dirname "$0")/.."
NAME=${KIND_NAME:-ctiforge}
NODE_IMAGE=${KIND_NODE_IMAGE:-kindest/node:v1.34.4}
NAMESPACE=ctiforge
HOME_FOLDER=$PWD/.ctiforge/kind
export KUBECONFIG=$HOME_FOLDER/kubeconfig

say() { printf '== %s (%s s)\n' "$*" "$SECONDS"; }

for tool in docker kind kubectl helm; do
    command -v "$tool" >/dev/null || { echo "error: $tool is not on PATH: install it, then make kind-up again" >&2; exit 2; }
done
docker info >/dev/null 2>&1 || { echo "error: no Docker engine answers: start it, then make kind-up again" >&2; exit 2; }
mkdir -p "$HOME_FOLDER" && chmod 700 "$HOME_FOLDER"

if ! kind get clusters 2>/dev/null | grep -qx "$NAME"; then
    say "creating cluster $NAME"
    kind create cluster --name "$NAME" --image "$NODE_IMAGE" --config k8s/kind.yaml --wait 180s --quiet
fi
kind export kubeconfig --name "$NAME" --quiet

say "building images"
make --no-print-directory images services-image TAG=dev

say "loading images"
kind load docker-image ctiforge-services:dev ctiforge-train:dev --name "$NAME" --nodes "$NAME-control-plane" --quiet
kind load docker-image ctiforge-cpu:dev --name "$NAME" --quiet

# credentials are made once and never leave this folder and the cluster's secrets
if [ ! -e "$HOME_FOLDER/services.env" ]; then
    ( umask 077
      secret() { head -c 24 /dev/urandom | base64 | tr -d '+/=\n'; }
      printf 'AWS_ACCESS_KEY_ID=ctiforge\nAWS_SECRET_ACCESS_KEY=%s\n' "$(secret)" > "$HOME_FOLDER/store.env"
      printf 'POSTGRES_PASSWORD=%s\n' "$(secret)" > "$HOME_FOLDER/services.env" )
fi
password=$(sed -n 's/^POSTGRES_PASSWORD=//p' "$HOME_FOLDER/services.env")

say "development PostgreSQL and S3"
kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
kubectl label namespace "$NAMESPACE" --overwrite pod-security.kubernetes.io/enforce=restricted >/dev/null
apply_secret() { kubectl -n "$NAMESPACE" create secret generic "$1" --from-env-file=/dev/stdin --dry-run=client -o yaml | kubectl apply -f - >/dev/null; }
apply_secret services < "$HOME_FOLDER/services.env"
apply_secret ctiforge-store < "$HOME_FOLDER/store.env"
echo "DATABASE_URL=postgresql://ctiforge:$password@postgres.$NAMESPACE.svc:5432/postgres" | apply_secret ctiforge-database
kubectl -n "$NAMESPACE" apply -f k8s/services/services.yaml >/dev/null
kubectl -n "$NAMESPACE" rollout status deployment/postgres deployment/s3 --timeout 180s >/dev/null

say "chart"
helm upgrade --install ctiforge helm/ctiforge --namespace "$NAMESPACE" -f k8s/values.yaml --wait >/dev/null

say "demo corpora"
{ sed 's/^/export /' "$HOME_FOLDER/store.env"
  echo "export DATABASE_URL=postgresql://ctiforge:$password@127.0.0.1:15432/postgres"
  echo "export AWS_ENDPOINT_URL=http://127.0.0.1:18333 AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"; } > "$HOME_FOLDER/laptop.env"
( . "$HOME_FOLDER/laptop.env"
  .venv/bin/python k8s/bucket.py
  .venv/bin/python -m ctiforge.programs.demo_database load --store s3://ctiforge/dev )

kubectl config set-context --current --namespace "$NAMESPACE" >/dev/null
say "ready"
echo "next: make train-extract BACKEND=kubernetes, or make train-os-bert BACKEND=kubernetes"
echo "(ctiforge finds the cluster with: export KUBECONFIG=$KUBECONFIG)"
