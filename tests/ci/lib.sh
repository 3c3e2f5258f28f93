# shellcheck shell=bash
# Sourced by stages that have several results.
broken=0

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# result NAME COMMAND...: run it; its outcome becomes a line of its own in the closing table.
result() {
    local name=$1 begin=$SECONDS outcome=passed status=0
    shift
    "$@" || status=$?
    [ "$status" = 0 ] || {
        outcome="failed ($status)"
        broken=1
    }
    printf '%s\t%s\t%s\n' "$name" "$outcome" "$((SECONDS - begin))" >>"$CI_RESULTS"
}

finish() {
    exit "$broken"
}
