#!/bin/sh
# Installs the Debian packages named in the given lists, once: what is already there is not touched, and no
# service is started on this machine (a temporary policy-rc.d says no; whatever stood there is put back).
# Usage: apt-install.sh LIST…
set -eu

wanted=$(cat "$@" | sed 's/#.*//' | tr -s ' \n' '\n\n' | sed '/^$/d' | sort -u)
missing=""
for package in $wanted; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "  Debian packages: all there"
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "sereno: no apt-get here; Sereno installs itself on Debian 12. Install by your system's means:$missing" >&2
    exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "sereno: root is needed once, to install:$missing" >&2
    echo "sereno: run 'sudo make setup' (or 'sudo apt-get install$missing') and then the same command again" >&2
    exit 2
fi

policy=/usr/sbin/policy-rc.d
kept=""
restore() {
    rm -f "$policy"
    if [ -n "$kept" ]; then mv "$kept" "$policy"; fi
}
if [ -e "$policy" ]; then
    kept="$policy.sereno-kept.$$"
    mv "$policy" "$kept"
fi
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "  Debian packages to install:$missing"
echo "  (a few minutes on a slow line)"
apt-get update -q
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing
