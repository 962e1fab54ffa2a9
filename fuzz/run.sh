#!/usr/bin/env bash
# Run one fuzz target for some seconds and tell how many inputs it tried; the log and what was found stay in build/fuzz.
# Usage: run.sh NAME SECONDS SEEDS [OPTION...]
set -euo pipefail
name=$1 seconds=$2 seeds=$3
shift 3
mkdir -p "build/fuzz/$name.corpus" "build/fuzz/$name.found"
"build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$name.found/" "$@" "build/fuzz/$name.corpus" "$seeds" >"build/fuzz/$name.log" 2>&1 || {
    tail -40 "build/fuzz/$name.log"
    echo "$name: failed; its input lies in build/fuzz/$name.found"
    exit 1
}
awk -v name="$name" '/stat::number_of_executed_units/ { print name ": " $2 " inputs, nothing found" }' "build/fuzz/$name.log"
