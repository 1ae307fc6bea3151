#!/usr/bin/env bash
# Shares a folder from two daemons to a third, each on a host of its own (network namespaces). The
# third is killed with -9 twice while it fetches and once while it installs; at the end the hashes
# of both ends are compared. Needs Linux, root and `ip` (iproute2); cleans up after itself.
#
#   sudo bash examples/share_folder.sh [MiB]     # 64 by default, 32 at least; 1024 for a GiB
#
# ALMENAD is the command that runs almenad; else the source with the Deno of the README.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=${1:-64}
if [ -n "${ALMENAD:-}" ]; then
  read -ra almenad <<<"$ALMENAD"
else
  # npx asks its registry each time, which the hosts below cannot reach: so Deno itself, and once.
  deno=$(npx -y deno@2.9.3 eval 'console.log(Deno.execPath())')
  "$deno" install --quiet
  almenad=("$deno" run -A main.ts)
fi
work=$(mktemp -d)
net=share$$

say() { echo "== $*"; }
# on <host> <words…>: almenad on that host
on() { ip netns exec "$net-$1" "${almenad[@]}" --data-dir "$work/$1" "${@:2}"; }
pid_of() { cat "$work/$1/daemon/daemon.pid"; }
hashes() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum); }

# kill9 <host>: ends its daemon at once and waits until it is gone
kill9() {
  local pid
  pid=$(pid_of "$1")
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}

# Waits until carol knows that alice and bob have the album.
see_both() {
  until on carol library ls --format json | grep -q '"version":"7".*"peers":2'; do sleep 0.3; done
}

# MiB of the film that carol has on disk
fetched() { echo $(($(stat -c %b "$work/carol/library/album/film.bin" 2>/dev/null || echo 0) / 2048)); }

clean_up() {
  for host in alice bob carol; do
    kill "$(pid_of $host 2>/dev/null)" 2>/dev/null || true
  done
  sleep 1
  for host in alice bob carol lan; do ip netns del "$net-$host" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT

say "three hosts on one switch"
ip netns add "$net-lan"
ip -n "$net-lan" link add name switch type bridge
ip -n "$net-lan" link set switch up
number=0
for host in alice bob carol; do
  number=$((number + 1))
  ip netns add "$net-$host"
  ip -n "$net-$host" link add eth0 type veth peer name "$host" netns "$net-lan"
  ip -n "$net-lan" link set "$host" master switch up
  ip -n "$net-$host" addr add "10.88.0.$number/24" dev eth0
  ip -n "$net-$host" link set lo up
  ip -n "$net-$host" link set eth0 up
done

say "a folder of $mib MiB"
mkdir -p "$work/album/notes"
head -c "${mib}M" /dev/urandom >"$work/album/film.bin"
head -c 3M /dev/urandom >"$work/album/music.bin"
echo "read me" >"$work/album/notes/readme.txt"

# Slow enough that there is a middle to kill it in.
mkdir -p "$work/carol/config"
printf '[library]\ndownload_limit = %d\n' $((mib * 1024 * 1024 / 5)) >"$work/carol/config/config.toml"

for host in alice bob carol; do on $host start >/dev/null; done
for host in alice bob; do
  on $host library add "$work/album" --version 7
  on $host library scan
done
see_both
on carol library ls

on carol library get album --no-install --no-wait
for round in 1 2; do
  until [ "$(fetched)" -ge $((round * 4)) ]; do sleep 0.02; done
  kill9 carol
  [ ! -e "$work/carol/library/album/version.ini" ] || { say "too late: it was complete"; exit 1; }
  say "killed while it fetched, round $round: $(fetched) MiB were there"
  on carol start >/dev/null # and it goes on by itself
done
until on carol library search album --format json | grep -q '"downloaded":true'; do sleep 0.3; done

for try in 1 2 3 4 5; do
  on carol library install album --no-wait >"$work/said" &
  installing=$!
  while [ ! -e "$work/carol/library/album/.local.installing" ] &&
    [ ! -e "$work/carol/library/album/local" ]; do :; done
  kill9 carol
  wait $installing || true
  [ -e "$work/carol/library/album/local" ] || break
  say "it was faster than the kill, try $try"
  on carol start >/dev/null
  on carol library uninstall album
done
say "killed while it installed: nothing half done counts"
on carol start >/dev/null
on carol library install album
on carol library verify album

hashes "$work/album" >"$work/sent"
hashes "$work/carol/library/album/local" >"$work/installed"
diff "$work/sent" "$work/installed"
say "equal: $(wc -l <"$work/sent") files have the same hashes at both ends"
