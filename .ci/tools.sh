#!/bin/sh
# Installs what the tests need beside Go, Node and make, where a tool is missing
# and Debian's package manager is there. It says what it does.
set -eu

packages=""
need() { # need TOOL PACKAGE
	command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
need chromium chromium         # the page and engine.wasm in a browser
need qemu-aarch64 qemu-user    # the arm64 assembly
need clang clang               # the C guest
need wasm-ld lld
need nginx nginx               # the transports behind a proxy
need redis-server redis-server # state/redis, on one server and on a cluster
need curl curl                 # the command lines of docs/transports
python3 -c 'import ensurepip' >/dev/null 2>&1 || packages="$packages python3-venv" # the Python SDK's client

if [ -z "$packages" ]; then
	echo "== tools: all there"
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "== tools: please install:$packages (until then their tests are skipped, and fail in CI)"
	exit 0
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "== tools: installing$packages"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $packages >/dev/null
