#!/bin/sh
# Installs almenad for the calling user, without root: one file in ~/.local/bin.
#
#     curl -fsSL https://github.com/almena-network/daemon/releases/latest/download/install.sh | sh
#
# Again: upgrades. Data and configuration are never touched, except by --purge.

set -eu

BASE_URL=${ALMENAD_DOWNLOAD_BASE_URL:-https://github.com/almena-network/daemon/releases}
APPLICATION=network.almena.daemon

usage() {
  cat <<'END'
usage: install.sh [--version VERSION | --uninstall | --purge | --help]

  (nothing)          install or upgrade to the latest release
  --version VERSION  install this release, such as 2026.1.1
  --uninstall        remove the service and the executable; keep data and configuration
  --purge            the same, and delete data and configuration too

environment:
  ALMENAD_DOWNLOAD_BASE_URL  where releases are: BASE/latest/download/FILE and
                             BASE/download/vVERSION/FILE
END
}

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Prints the name of this machine's target.
find_target() {
  system=$(uname -s)
  machine=$(uname -m)
  case $system/$machine in
  Linux/x86_64 | Linux/amd64) target=x86_64-unknown-linux-gnu ;;
  Linux/aarch64 | Linux/arm64) target=aarch64-unknown-linux-gnu ;;
  Darwin/arm64) target=aarch64-apple-darwin ;;
  Darwin/x86_64)
    # A shell under Rosetta says x86_64 on an Apple processor too.
    if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
      target=aarch64-apple-darwin
    else
      fail "there is no almenad for Macs with Intel processors; it can run from source"
    fi
    ;;
  *) fail "there is no almenad for $system on $machine: known are Linux on x86_64 and aarch64, macOS on arm64" ;;
  esac
  if [ "$system" = Linux ] && has ldd && ldd --version 2>&1 | grep -qi musl; then
    fail "this Linux has musl instead of glibc, on which almenad does not run"
  fi
  printf '%s\n' "$target"
}

# The checksums come from the same place as the executable, so that place must be the right one.
check_base_url() {
  BASE_URL=${BASE_URL%/}
  case $BASE_URL in
  https://?*) ;;
  http://localhost | http://localhost[:/]* | http://127.0.0.1 | http://127.0.0.1[:/]* | http://\[::1\]*) ;;
  *) fail "cannot download from $BASE_URL: only https is allowed" ;;
  esac
}

# download FILE: fetches it from the release into the work folder.
download() {
  if [ -n "$version" ]; then
    url=$BASE_URL/download/v$version/$1
  else
    url=$BASE_URL/latest/download/$1
  fi
  if has curl; then
    case $url in
    # No redirect may leave encryption.
    https://*) curl --fail --silent --show-error --location --proto '=https' --connect-timeout 20 \
      --retry 2 --output "$work/$1" "$url" || fetched=no ;;
    *) curl --fail --silent --show-error --location --connect-timeout 20 \
      --retry 2 --output "$work/$1" "$url" || fetched=no ;;
    esac
  elif has wget; then
    wget -q -T 60 -O "$work/$1" "$url" || fetched=no
  else
    fail "neither curl nor wget is here: install one of them"
  fi
  if [ "${fetched:-yes}" = no ]; then
    fail "cannot download $url: check the network and, if you gave one, the version"
  fi
}

sha256() {
  if has sha256sum; then
    line=$(sha256sum "$1")
  elif has shasum; then
    line=$(shasum -a 256 "$1")
  elif has openssl; then
    line=$(openssl dgst -sha256 -r "$1")
  else
    fail "none of sha256sum, shasum and openssl is here, so the download cannot be verified"
  fi
  printf '%s\n' "${line%% *}"
}

# verify FILE: compares it with its line in SHA256SUMS.
verify() {
  expected=$(awk -v name="$1" '$2 == name || $2 == "*" name { print $1 }' "$work/SHA256SUMS")
  [ -n "$expected" ] || fail "SHA256SUMS of this release does not name $1: nothing was installed"
  actual=$(sha256 "$work/$1")
  [ "$expected" = "$actual" ] ||
    fail "$1 is not what the release says (SHA-256 is $actual, should be $expected): nothing was installed"
}

# True while the user's session runs the service.
service_runs() {
  case $(uname -s) in
  Darwin) launchctl print "gui/$(id -u)/$APPLICATION" >/dev/null 2>&1 ;;
  *) has systemctl && systemctl --user is-active --quiet almenad.service 2>/dev/null ;;
  esac
}

install_almenad() {
  check_base_url
  target=$(find_target)
  file=almenad-$target
  mkdir -p "$bin_dir"
  work=$(mktemp -d "$bin_dir/.almenad-install.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' HUP INT TERM

  printf 'Downloading almenad for %s ...\n' "$target"
  download SHA256SUMS
  download "$file"
  verify "$file"
  chmod 755 "$work/$file"
  # It must run here before it replaces one that does.
  name=$("$work/$file" --version) || fail "the downloaded almenad does not run on this machine: nothing was installed"

  if [ -e "$bin_dir/almenad" ]; then verb='Upgraded to'; else verb=Installed; fi
  mv -f "$work/$file" "$bin_dir/almenad"
  printf '%s %s: %s\n' "$verb" "$name" "$bin_dir/almenad"

  case :$PATH: in
  *:"$bin_dir":*) ;;
  *) printf 'Add it to your PATH: export PATH="%s:%s"\n' "$bin_dir" "\$PATH" ;;
  esac
  if service_runs; then
    "$bin_dir/almenad" daemon install ||
      printf 'install.sh: the service still runs the old almenad; try: almenad daemon install\n' >&2
  else
    printf 'Run it:                        almenad\n'
    printf 'Or run it whenever you log in: almenad daemon install\n'
  fi
}

data_dir() {
  case $(uname -s) in
  Darwin) printf '%s\n' "$HOME/Library/Application Support/$APPLICATION" ;;
  *)
    case ${XDG_DATA_HOME:-} in
    /*) printf '%s\n' "$XDG_DATA_HOME/$APPLICATION" ;;
    *) printf '%s\n' "$HOME/.local/share/$APPLICATION" ;;
    esac
    ;;
  esac
}

# A daemon in the foreground must not lose its data underway.
refuse_while_running() {
  pid=$(cat "$1/daemon/daemon.pid" 2>/dev/null) || return 0
  case $pid in
  "" | *[!0-9]*) return 0 ;;
  *) ;;
  esac
  if kill -0 "$pid" 2>/dev/null; then
    fail "almenad runs as process $pid and uses the data: stop it, then purge again"
  fi
}

uninstall_almenad() {
  check_base_url
  data=$(data_dir)
  if [ -e "$bin_dir/almenad" ]; then
    "$bin_dir/almenad" daemon uninstall ||
      fail "the service could not be removed, so nothing was; see the message above"
    [ "$1" != purge ] || refuse_while_running "$data"
    rm -f "$bin_dir/almenad"
    printf 'Removed %s\n' "$bin_dir/almenad"
  else
    [ "$1" != purge ] || refuse_while_running "$data"
    printf 'Nothing to uninstall: there is no %s\n' "$bin_dir/almenad"
  fi
  if [ "$1" = purge ]; then
    rm -rf "$data"
    [ "$(uname -s)" != Darwin ] || rm -f "$HOME/Library/Logs/$APPLICATION.log"
    printf 'Deleted data and configuration: %s\n' "$data"
  elif [ -e "$data" ]; then
    printf 'Kept data and configuration: %s\n' "$data"
  fi
}

# The version becomes a part of an address.
check_version() {
  version=${version#v}
  case $version in
  "" | *[!0-9A-Za-z.+-]* | [!0-9]*) fail "\"$version\" is no version; one is 2026.1.1" 2 ;;
  *) ;;
  esac
}

main() {
  action=install
  version=
  while [ $# -gt 0 ]; do
    case $1 in
    --version)
      [ $# -ge 2 ] || fail "--version needs a version, such as 2026.1.1" 2
      version=$2
      check_version
      shift
      ;;
    --version=*)
      version=${1#--version=}
      check_version
      ;;
    --uninstall) [ "$action" = purge ] || action=uninstall ;;
    --purge) action=purge ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      usage >&2
      fail "unknown argument: $1" 2
      ;;
    esac
    shift
  done
  [ -n "${HOME:-}" ] || fail "HOME is not set, so there is no place to install to"
  case $HOME in
  /*) ;;
  *) fail "HOME must be an absolute path, and is $HOME" ;;
  esac
  bin_dir=$HOME/.local/bin

  if [ "$action" = install ]; then
    install_almenad
  else
    uninstall_almenad "$action"
  fi
}

# Called last, so that half of a script that came through a pipe does nothing.
main "$@"
