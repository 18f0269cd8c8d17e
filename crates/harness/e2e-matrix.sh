#!/bin/sh
# Runs the end-to-end tests once with each of ENVOYS, and says at the end how each fared (`make e2e-matrix`). TESTS are words:
# a test is run if its name has one of them; without any, all are. What a run has printed stays in .tools/.
set -eu
cd "$(dirname "$0")/../.."
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

verdicts=
status=0
for line in ${ENVOYS:?the release lines of Envoy to try}; do
    ENVOY_BIN=$(crates/harness/tools.sh envoy "$line")
    export ENVOY_BIN
    log=.tools/e2e-$line.log
    echo "e2e-matrix: Envoy $line"
    # Each word of TESTS is an argument.
    # shellcheck disable=SC2086
    if cargo test --package larder --test e2e -- ${TESTS:-} >"$log" 2>&1; then
        word=
    else
        word="FAILED, see $log"
        status=1
        sed -n '/^failures:$/,$p' "$log"
    fi
    # Words that no test has would otherwise look like a success.
    found=$(sed -n 's/^test result: [^.]*\. \([0-9]* passed; [0-9]* failed\).*/\1/p' "$log")
    case $found in
    "" | "0 passed; 0 failed") word="nothing was run, see $log" status=1 ;;
    esac
    verdicts="$verdicts
  Envoy $line: ${found:-no result} ${word}"
done
echo "e2e-matrix:$verdicts"
exit "$status"
