#!/bin/sh
# The clients in the releases that are locked here, each in an environment of its own.
# install.sh UV PYTHON, from the project's folder; fails where npm or a registry is missing.
set -eu
uv=$1 python=$2
rm -f .venv-clients/stamp
command -v npm >/dev/null
trap wait EXIT
waited=''
for folder in tests/clients/npm/*/; do
  (cd "$folder" && exec npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error) &
  waited="$waited $!"
done
for lock in tests/clients/pypi/*.txt; do
  venv=.venv-clients/$(basename "$lock" .txt)
  "$uv" venv --quiet --clear --python "$python" "$venv"
  VIRTUAL_ENV=$venv "$uv" pip sync --quiet --require-hashes "$lock"
done
for each in $waited; do wait "$each"; done
touch .venv-clients/stamp
