#!/usr/bin/env bash
# load.sh BED: builds stand-ins for the upstream images of MinIO and PostgreSQL from a test bed's MinIO and Debian's
# PostgreSQL, and for the next version of `control`; gives them to its node, builds MinIO's client, and writes
# build/standins.values.yaml for the coordinator's chart, and build/next.values.yaml for an upgrade of both.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
bed=$1
home=${WARDROUND_CLUSTER_HOME:-$HOME/.cache/wardround-cluster}
mkdir -p build/standins

# MinIO is one static program; it needs a /tmp and the authorities of nobody.
root=$(mktemp -d); trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{usr/bin,tmp,etc}
install -m 755 "$home/platform/bin/minio" "$root/usr/bin/minio"
"$bed/pack-image.sh" localhost/wardround/minio:1 "$root" '["/usr/bin/minio"]' build/standins/minio.tar

# Its client, with which docs/operations.md copies buckets; of the version that MinIO itself is built from.
PATH=$PATH:/usr/local/go/bin GOBIN=$PWD/build/standins GOTOOLCHAIN=local CGO_ENABLED=0 nice go install \
  -trimpath -ldflags '-s -w' github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9 ||
  echo "standins: mc cannot be built here; the test that copies the exchange's buckets needs it" >&2

"$bed/images/build.sh" tests/cluster/standins/postgres/Dockerfile localhost/wardround/postgres:1 tests/cluster/standins/postgres
"$bed/images/save.sh" localhost/wardround/postgres:1 build/standins/postgres.tar

# What an upgrade brings: another digest of the image `control`.
"$bed/images/build.sh" tests/cluster/standins/next/Dockerfile localhost/wardround/control:next tests/cluster/standins/next
"$bed/images/save.sh" localhost/wardround/control:next build/standins/next.tar

"$bed/load-image.sh" build/standins/minio.tar build/standins/postgres.tar build/standins/next.tar
images=("$bed/enter.sh" ctr --namespace k8s.io images)
"${images[@]}" import --base-name localhost/wardround/control --digests - <build/standins/next.tar
digest=$("${images[@]}" list name==localhost/wardround/control:next | awk 'NR == 2 { print $3 }')
cat >build/standins.values.yaml <<'YAML'
images:
  minio: localhost/wardround/minio:1
  postgres: localhost/wardround/postgres:1
YAML
cat >build/next.values.yaml <<YAML
images:
  control: localhost/wardround/control@$digest
YAML
