#!/usr/bin/env bash
# Makes the Wine root in which tests/e2e/windows_wine_test.ts runs the Windows executable.
#
# Debian 12's own Wine 8 is too old for the Windows build of the runtime, so Wine 10 comes from Debian 13 (trixie),
# in a folder of its own that leaves the machine's packages alone. Safe to run again: a finished root is kept.
#
# Use: tests/support/wine/setup.sh [--force]      prints the root's path on its last line
# Needs: root, debootstrap, about 2 GB of disk, and the Debian mirror this machine's apt is set up with.
set -euo pipefail

root="${XDG_CACHE_HOME:-$HOME/.cache}/almenad/wine"
stamp="$root/.ready-1" # raise the number when what is installed below changes

fail() { echo "wine setup: $1" >&2; exit 1; }

# The mirror as apt knows it, whatever form its sources are written in; apt-get update must have run once.
mirror() {
  # shellcheck disable=SC2016  # apt fills the placeholder in, not the shell
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' |
    head -n 1
}

inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
}

[ "${1:-}" = "--force" ] && rm -f "$stamp"
if [ -e "$stamp" ]; then
  echo "$root"
  exit 0
fi
[ "$(id -u)" = 0 ] || fail "must run as root, because debootstrap and chroot need it"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
uri=$(mirror)
[ -n "$uri" ] || fail "apt knows no Debian mirror yet: run apt-get update"

# A half-made root from an interrupted run is of no use, and debootstrap refuses to go on with it.
rm -rf "$root"
mkdir -p "$root"
debootstrap --variant=minbase trixie "$root" "$uri" >&2
# No service may be started by a package's script in there.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# The machine's way to the mirror (proxy, trusted certificates) holds inside as well.
for file in /etc/resolv.conf /etc/apt/apt.conf; do
  [ -e "$file" ] && cp -L "$file" "$root$file"
done
find /etc/apt/apt.conf.d -name '*proxy*' -exec cp {} "$root/etc/apt/apt.conf.d/" ';'
inside apt-get update -q >&2
inside apt-get install -y -q --no-install-recommends wine wine64 >&2
inside apt-get clean
# A fresh Windows, made once and copied by each test; Wine needs /proc, its own here.
# shellcheck disable=SC2016  # $1 is the inner shell's
unshare --mount --pid --fork --kill-child sh -c '
  mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" && chroot "$1" env -i \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 WINEDEBUG=-all WINEPREFIX=/opt/prefix \
    sh -c "wine --version && wineboot --init && wineserver --wait"
' sh "$root" >&2
[ -f "$root/opt/prefix/system.reg" ] || fail "Wine did not make its Windows folder in $root/opt/prefix"
touch "$stamp"
echo "$root"
