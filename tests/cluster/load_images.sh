#!/usr/bin/env bash
# load_images.sh [NAME...]: gives a node the images in build/images (all, or some), by the digests of
# build/images.lock.json, for a cluster that pulls from no registry. WARDROUND_CTR is how to reach containerd's `ctr`
# on the node: "docker exec -i kind-control-plane ctr", "sudo k3s ctr", "minikube ssh --native-ssh=false -- sudo ctr".
# WARDROUND_IMAGES and WARDROUND_IMAGES_LOCK name another folder and lock, as of a bundle (docs/air-gapped.md).
set -euo pipefail
build="$(dirname "${BASH_SOURCE[0]}")/../../build"
export WARDROUND_IMAGES="${WARDROUND_IMAGES:-$build/images}"
export WARDROUND_IMAGES_LOCK="${WARDROUND_IMAGES_LOCK:-$build/images.lock.json}"
read -ra ctr <<<"${WARDROUND_CTR:-ctr} --namespace k8s.io images"

# One line an image: its name without a tag, the whole reference, the archive.
list() {
  python3 - "$@" <<'PYTHON'
import json, os, pathlib, sys

for reference in dict.fromkeys(json.loads(pathlib.Path(os.environ["WARDROUND_IMAGES_LOCK"]).read_text()).values()):
    name = reference.partition("@")[0]
    archive = pathlib.Path(os.environ["WARDROUND_IMAGES"]) / f"{name.rpartition('/')[2]}.tar"
    if archive.exists() and (archive.stem in sys.argv[1:] or not sys.argv[1:]):
        print(name, reference, archive)
PYTHON
}

while read -r name reference archive <&3; do
  # A pod's image is looked up by the very name it gives: an import makes NAME:TAG, and with --digests NAME@DIGEST.
  "${ctr[@]}" import --base-name "$name" --digests - <"$archive"
  "${ctr[@]}" list --quiet "name==$reference" </dev/null | grep -qxF "$reference" || {
    echo "load_images.sh: $archive is not $reference, which the lock names" >&2
    exit 1
  }
done 3< <(list "$@")
