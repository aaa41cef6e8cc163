#!/bin/sh
# Install the portal into a virtual environment: install.sh VENV REQUIREMENT
# Every failure is one sentence on stderr and exit code 1.
set -u
venv=$1
requirement=$2
python=${PYTHON:-python3}

fail() {
    printf 'hanoiic: %s\n' "$1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "$python was not found; install Python 3.11 or newer (Debian: apt-get install python3 python3-venv) or set PYTHON. [python_missing]"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version 2>&1) is too old; install Python 3.11 or newer, or set PYTHON=/path/to/python3.11. [python_too_old]"
if [ ! -x "$venv/bin/python" ]; then
    printf 'Making the virtual environment %s …\n' "$venv"
    "$python" -m venv "$venv" >/dev/null 2>&1 || {
        rm -rf "$venv"
        fail "$python can't make a virtual environment in $(pwd); install its venv module (Debian: apt-get install python3-venv) and check that the folder can be written. [venv_failed]"
    }
fi
printf 'Installing the portal and what it needs (some minutes the first time) …\n'
log=$venv/install.log
if ! "$venv/bin/python" -m pip install -e "$requirement" >"$log" 2>&1; then
    reason=$(grep -E '^ *(ERROR|error)' "$log" | tail -n 1)
    if grep -qE 'NewConnectionError|name resolution|ConnectTimeout|Max retries|requirement setuptools' "$log"; then
        fail "the packages can't be downloaded: there is no network, or PyPI is not reached; connect and run it again (log: $log). [packages_unreachable]"
    elif grep -qE 'No space left on device' "$log"; then
        fail "the disk is full; free about 1.5 GB and run it again (log: $log). [disk_full]"
    elif grep -qE 'No matching distribution|not a supported wheel' "$log"; then
        fail "a package has no wheel for this platform: $reason (log: $log). [wheel_missing]"
    fi
    fail "the installation failed: $reason (log: $log). [install_failed]"
fi
