#!/bin/sh
# Create the virtual environment .venv from requirements.txt, with the first interpreter that works.
# A command named python3.13 may exist and still fail (a pyenv shim of a version not selected), so
# each candidate has to run and to report its version. Usage: tools/make_venv.sh [PYTHON]
set -eu
cd "$(dirname "$0")/.."

usable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

find_python() {
    for candidate in "$@" python3.13 python3.14 python3.12 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3 \
        /usr/local/bin/python3 /opt/homebrew/bin/python3; do
        if command -v "$candidate" >/dev/null 2>&1 && usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    cat >&2 <<'EOF'
No Python 3.12 or newer with the modules venv and ensurepip was found. One of these gives one:
  Debian 13, Ubuntu 24.04 or newer:  sudo apt-get install python3 python3-venv
  any system with pyenv:             pyenv install 3.13
  any system with uv:                uv python install 3.13
  macOS with Homebrew:               brew install python@3.13
Then run the command again, or name the interpreter: make PYTHON=/path/to/python3.13 ...
EOF
    return 1
}

python=$(find_python "$@")
echo "Creating .venv with $("$python" --version) ($python)"
rm -rf .venv
"$python" -m venv .venv

# uv takes a tenth of pip's time for the same hashed file; pip fetches uv itself, by its hash.
awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements.txt >.venv/uv.txt
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --require-hashes -r requirements.txt

# Bytecode of what each task imports, compiled now: a shell that exports PYTHONDONTWRITEBYTECODE
# would otherwise pay half a second at every module call, forever. The many collections that
# nothing here uses are left out.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
collections="$site/ansible_collections"
for part in "$site" "$collections/amazon" "$collections/ansible" "$collections/community/aws" \
    "$collections/community/crypto" "$collections/community/library_inventory_filtering_v1"; do
    [ "$part" = "$site" ] || { echo "$part"; continue; }
    for folder in "$site"/*/; do
        [ "$folder" = "$collections/" ] || echo "${folder%/}"
    done
done | env -u PYTHONDONTWRITEBYTECODE PYTHONWARNINGS=ignore .venv/bin/python -m compileall -q -j 0 -i - >/dev/null || true

touch .venv/complete
