#!/usr/bin/env bash
# Installs what offshoot needs and this machine lacks. Debian 12, root. Does nothing when all is there.
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }

packages=()
need() { command -v "$1" >/dev/null 2>&1 || [ -x "$1" ] || packages+=("$2"); }
need gcc build-essential
need c++ g++
need cmake cmake
need ip iproute2
need nft nftables
need runc runc
need curl curl
need strace strace
need valgrind valgrind
need chromium chromium
need /usr/bin/python3 python3
/usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
/usr/bin/python3 -c 'import pip' 2>/dev/null || packages+=(python3-pip)
command -v node >/dev/null 2>&1 || packages+=(nodejs)
command -v npm >/dev/null 2>&1 || packages+=(npm)
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)

if [ ${#packages[@]} -gt 0 ]; then
    say "installing ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# Debian 12 has Node 18; the runtime nodejs20.x wants Node 20, which the npm registry carries as a package.
node_20() { [ -x "$1" ] && [[ "$("$1" --version)" == v20.* ]]; }
if ! node_20 /usr/bin/node && ! node_20 /usr/local/bin/node; then
    say "installing Node 20 from the npm registry into /usr/local/lib/offshoot-node"
    npm install --silent --no-audit --no-fund --prefix /usr/local/lib/offshoot-node node@20 >/dev/null
    ln -sf /usr/local/lib/offshoot-node/node_modules/node/bin/node /usr/local/bin/node
fi

command -v cargo >/dev/null 2>&1 || { say "Rust is missing: install it with rustup (https://rustup.rs)"; exit 3; }
