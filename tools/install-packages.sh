#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/install-packages.sh "purpose" package...
# Installs those of the Debian packages that are missing. With none missing it needs neither root nor a network.
set -euo pipefail

purpose=$1
shift

missing=()
for package in "$@"; do
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then missing+=("$package"); fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "rowmill: to $purpose, these Debian packages (or your system's equivalents) are needed: ${missing[*]}" >&2
  echo "rowmill: this system has no apt-get; install them and run the CMake presets by hand (see README.md)" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "rowmill: to $purpose, these packages are missing: ${missing[*]}" >&2
    echo "rowmill: run this as root, or install sudo, or install them first" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing, to $purpose: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
