#!/usr/bin/env bash
# docs.sh FOLDER: fetches, through npm, what tests/openapi/package.json names (into FOLDER/npm), and puts
# Swagger UI's files for /docs into FOLDER/docs. Where that was done before and nothing has changed since,
# it does nothing. No package's own scripts are run.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
wanted=$here/../../tests/openapi
folder=$(readlink -m "$1")

mkdir -p "$folder/npm" "$folder/docs"
if ! cmp -s "$wanted/package-lock.json" "$folder/npm/installed-lock.json"; then
	cp "$wanted/package.json" "$wanted/package-lock.json" "$folder/npm"
	(cd "$folder/npm" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
	cp "$wanted/package-lock.json" "$folder/npm/installed-lock.json"
fi
for file in swagger-ui.css swagger-ui-bundle.js; do
	cp "$folder/npm/node_modules/swagger-ui-dist/$file" "$folder/docs/$file"
done
