#!/bin/sh
# Resolves every lock anew. Called by `make lock` with the environment's folder.
#
# The locks are universal (one file for Python 3.11 to 3.13 and every platform) and carry hashes, so
# that an installation takes exactly the files that were resolved. They name no index: where packages
# come from is a setting of the machine, and the same lock serves a mirror.
set -eu
venv=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$venv/bin/python" -m venv "$scratch/uv"
"$scratch/uv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt

resolve() { # source, lock, further arguments
    source=$1 lock=$2
    shift 2
    touch "$lock"
    # Resolving onto the present lock keeps what need not move.
    grep -v '^#' "$lock" > "$scratch/lock" || true
    "$scratch/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --output-file "$scratch/lock" "$@" "$source"
    {
        echo "# Every package of this environment, by exact version and hash. Written by \`make lock\`;"
        echo "# what is asked for stands in $source. Where packages come from is the machine's setting."
        cat "$scratch/lock"
    } > "$lock.new"
    mv "$lock.new" "$lock"
    echo "$lock: $(grep -c '^[a-z].*==' "$lock") packages"
}

# All extras together are resolved first and thrown away: that they can live in one environment is a
# promise of pyproject.toml, although only what is used today is installed.
"$scratch/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --all-extras \
    --output-file "$scratch/all" pyproject.toml

resolve pyproject.toml requirements/callplane.txt --extra server --extra sandbox --extra webex --extra carriers --extra rating --extra tracing --extra dev
# The image holds what its processes and verbs need, and no tools of tests; and it is built with its
# own builder. What both locks name has one version.
resolve pyproject.toml requirements/image.txt --constraint requirements/callplane.txt --extra server --extra webex --extra carriers --extra rating --extra tracing
resolve requirements/build.in requirements/build.txt --constraint requirements/callplane.txt
resolve requirements/stacks.in requirements/stacks.txt
resolve requirements/go.in requirements/go.txt
resolve requirements/lock.in requirements/lock.txt
