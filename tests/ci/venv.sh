#!/usr/bin/env bash
# venv.sh VENV REQUIREMENTS: a virtual environment with these requirements. Does nothing when it is up to date.
set -euo pipefail

venv=$1 requirements=$2
minimum=3.11

fail() {
    printf 'venv: %s\n' "$*" >&2
    exit 1
}

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# A suitable Python with ensurepip, else one without, so that it is known what to install.
find_python() {
    local candidate found=
    for candidate in "${PYTHON:-}" python3 /usr/bin/python3 python3.11 python3.12 python3.13; do
        if [ -z "$candidate" ] || ! candidate=$(command -v "$candidate") || ! suits "$candidate"; then continue; fi
        found=${found:-$candidate}
        makes_venvs "$candidate" && found=$candidate && break
    done
    echo "$found"
}

with_apt() {
    command -v apt-get >/dev/null || fail "Python $minimum or later with its venv module is needed: $1"
    [ "$(id -u)" = 0 ] || fail "as root, run: apt-get update && apt-get install python3 python3-venv"
    echo "venv: installing python3-venv" >&2
    apt-get update -qq || fail "apt-get update failed"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null ||
        fail "python3-venv could not be installed"
}

# Everything that the outcome depends on, files named by -r included.
wanted() {
    local included
    included=$(sed -n 's/^-r *//p' "$requirements" | sed "s|^|$(dirname "$requirements")/|")
    # shellcheck disable=SC2086
    cat "$requirements" $included | sha256sum | cut -d ' ' -f 1
}

[ -r "$requirements" ] || fail "$requirements cannot be read"
stamp=$venv/.installed-$(basename "$requirements")
digest=$(wanted)
if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null && [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ]; then
    exit 0
fi

if ! { [ -x "$venv/bin/python" ] && suits "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
    python=$(find_python)
    if [ -z "$python" ] || ! makes_venvs "$python"; then
        with_apt "${python:-none was found}"
        python=$(find_python)
        { [ -n "$python" ] && makes_venvs "$python"; } || fail "no Python $minimum or later with its venv module was found"
    fi
    "$python" -m venv --clear "$venv" || fail "$python could not make $venv"
fi

echo "venv: installing $(basename "$requirements") into $venv" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore -r "$requirements" ||
    fail "pip could not install $requirements (see above)"
echo "$digest" >"$stamp"
