#!/usr/bin/env bash
# run.sh [stage...]: the checks of this collection, all of them by default. Prints durations, a table and, last, a
# pytest summary with one test for each result. What it starts is gone when it ends.
set -euo pipefail
cd "$(dirname "$0")/../.."

all=(host lint changelog sanity unit build images integration molecule)
# Seconds after which a stage is given up.
declare -A limit=([host]=600 [lint]=600 [changelog]=60 [sanity]=900 [unit]=900 [build]=300 [images]=1500
    [integration]=900 [molecule]=2700)
stages=("$@")
[ $# -gt 0 ] || stages=("${all[@]}")
for stage in "${stages[@]}"; do
    [ -x "tests/ci/stages/$stage" ] || {
        echo "run.sh: unknown stage $stage; there are: ${all[*]}" >&2
        exit 2
    }
done

export VENV=${VENV:-.venv}
tests/ci/venv.sh "$VENV" requirements-test.txt
PATH=$(cd "$VENV" && pwd)/bin:$PATH
export PATH

export CI_DIR=$PWD/.cache/ci
mkdir -p "$CI_DIR"
exec 8>"$CI_DIR/lock"
flock -n 8 || {
    echo "run.sh: another run is under way in this checkout; waiting for it"
    flock 8
}
find "$CI_DIR" -mindepth 1 -maxdepth 1 ! -name lock ! -name '*-venv' -exec rm -rf {} +
export CI_RESULTS=$CI_DIR/results.tsv CI_RUN=$$-$RANDOM
: >"$CI_RESULTS"

pid=
# shellcheck disable=SC2317,SC2329
finish() {
    local status=$?
    trap - EXIT
    [ -z "$pid" ] || { kill -TERM "$pid" && wait "$pid"; } 2>/dev/null || true
    tests/ci/cleanup.sh || status=1
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

tests/ci/cleanup.sh snapshot
for stage in "${stages[@]}"; do
    printf '\n==== %s\n' "$stage"
    begin=$SECONDS
    status=0
    # A process of its own group, so that giving up ends everything that it started.
    timeout --kill-after=60 "${limit[$stage]}" "tests/ci/stages/$stage" 8>&- \
        > >(exec tee "$CI_DIR/$stage.log" 8>&-) 2>&1 &
    pid=$!
    wait "$pid" || status=$?
    pid=
    seconds=$((SECONDS - begin))
    case $status in
    0) outcome=passed ;;
    124 | 137) outcome="failed (given up after ${limit[$stage]} s)" ;;
    *) outcome="failed ($status)" ;;
    esac
    printf '%s\t%s\t%s\n' "$stage" "$outcome" "$seconds" >>"$CI_RESULTS"
    printf -- '---- %s: %s in %s s\n' "$stage" "$outcome" "$seconds"
    # Without an engine, what needs one can only fail, slowly.
    [ "$stage:$status" = host:0 ] || [ "$stage" != host ] || break
done

printf '\n==== clean-up\n'
begin=$SECONDS
if tests/ci/cleanup.sh; then outcome=passed; else outcome='failed (see above)'; fi
printf 'clean-up\t%s\t%s\n' "$outcome" "$((SECONDS - begin))" >>"$CI_RESULTS"

printf '\n%-24s %8s  %s\n' stage seconds result
awk -F '\t' '{printf "%-24s %8s  %s\n", $1, $3, $2}' "$CI_RESULTS"
printf '%-24s %8s\n\n' total "$SECONDS"
status=0
python -m pytest -q --tb=line -p no:cacheprovider tests/ci/test_results.py || status=$?
trap - EXIT
exit "$status"
