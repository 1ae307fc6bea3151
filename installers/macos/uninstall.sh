#!/bin/sh
# Removes what the package installed, and the agents of this Mac's users. Data is kept, unless
# --purge is given: then the data of the person who asks goes too.
#
#     sudo /usr/local/share/almenad/uninstall.sh [--purge]
set -eu

label=network.almena.daemon
purge=no

case ${1:-} in
"") ;;
--purge) purge=yes ;;
*)
  echo "usage: sudo $0 [--purge]" >&2
  exit 2
  ;;
esac

if [ "$(id -u)" -ne 0 ]; then
  echo "almenad: this needs administrator rights: sudo $0" >&2
  exit 5
fi

# A user's files are removed as that user: a link in somebody's home must not lead root astray.
for home in /Users/*; do
  agent=$home/Library/LaunchAgents/$label.plist
  [ -e "$agent" ] || continue
  user=$(stat -f %Su "$home")
  launchctl bootout "gui/$(id -u "$user")/$label" 2>/dev/null || true
  sudo -H -u "$user" rm -f "$agent"
  echo "almenad: removed the agent of $user"
done

rm -f /usr/local/bin/almenad
rm -rf /usr/local/share/almenad
pkgutil --forget "$label" >/dev/null 2>&1 || true

user=${SUDO_USER:-root}
home=$(sudo -H -u "$user" sh -c 'printf %s "$HOME"')
data="$home/Library/Application Support/$label"
if [ "$purge" = yes ]; then
  sudo -H -u "$user" rm -rf "$data" "$home/Library/Logs/$label.log"
  echo "almenad: removed, with the data of $user"
elif [ -e "$data" ]; then
  echo "almenad: removed; kept the data of $user: $data"
else
  echo "almenad: removed"
fi
