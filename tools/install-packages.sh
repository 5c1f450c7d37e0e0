#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/install-packages.sh "purpose" package...
# Installs those of the Debian packages that are missing. With none missing it needs neither root nor a network.
set -euo pipefail

if [ $# -lt 2 ]; then
  echo 'usage: tools/install-packages.sh "purpose" package...' >&2
  exit 2
fi
purpose=$1
shift

missing=()
for package in "$@"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
  if [ "$status" != installed ]; then missing+=("$package"); fi
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

# fail <what to do>: says what is missing, why it is needed, and what to do about it.
fail() {
  echo "rowmill: to $purpose, these Debian packages are missing: ${missing[*]}" >&2
  echo "rowmill: $1" >&2
  exit 1
}

if ! command -v apt-get >/dev/null; then
  fail "this system has no apt-get: install what they hold by its own means, and use the CMake presets"
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then fail "run this as root, or install sudo, or have them installed first"; fi
  as_root=(sudo)
fi
echo "Installing, to $purpose: ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update || fail "apt-get update failed"
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null || fail "apt-get could not install them"
