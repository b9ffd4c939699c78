#!/bin/sh
# Runs the unit tests on each of the given Python versions this machine has.
#
#   t/run_all_pythons.sh 3.10 3.12
#
# A version is looked for as pythonX.Y on PATH, then among pyenv's. Each gets
# an environment of its own, .venv-X.Y, the oldest one with the oldest drivers
# (requirements/oldest.txt). Fails if a version fails; versions that are not
# there are named and skipped.
set -u
cd "$(dirname "$0")/.." || exit 1
export PIP_CONSTRAINT="$PWD/requirements/oldest.txt"

answers() {  # answers X.Y PROGRAM: PROGRAM runs (a shim may not) and is X.Y
    [ "$("$2" -c 'import sys; print("%d.%d" % sys.version_info[:2])' \
        2>/dev/null)" = "$1" ]
}

locate() {  # locate X.Y: print the path of a working interpreter
    for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/"python$1"; do
        if answers "$1" "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

passed="" failed="" absent=""
for version in "$@"; do
    if ! python=$(locate "$version"); then
        absent="$absent $version"
        continue
    fi
    echo "=== Python $version: $python"
    if "${MAKE:-make}" --no-print-directory unit \
        VENV=".venv-$version" PYTHON="$python" WORKERS="${WORKERS:-0}"; then
        passed="$passed $version"
    else
        failed="$failed $version"
    fi
done

echo "=== passed:${passed:- none}; failed:${failed:- none}; absent:${absent:- none}"
[ -z "$failed" ]
