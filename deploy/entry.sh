#!/bin/sh
# What the images start: `entry.sh status` is the command `switchyard status`, without the set-up of a checkout.
set -eu
root=$(CDPATH='' cd -P "$(dirname "$(readlink -f "$0")")/.." && pwd -P)
build=$(CDPATH='' cd -P "$root/node_modules/.switchyard/current" && pwd -P)
set -- --import "file://$build/observability.telemetry.mjs" "$build/cli.main.mjs" "$@"
# Keys of models, as lines NAME=value; only the service that asks models has the file.
if [ -n "${SWITCHYARD_MODEL_KEYS:-}" ]; then set -- --env-file="$SWITCHYARD_MODEL_KEYS" "$@"; fi
exec node "$@"
