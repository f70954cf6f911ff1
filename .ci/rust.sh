#!/bin/sh
# Prints ",rust" where cargo can build for wasm32-unknown-unknown, which rustup adds
# if it can; says on stderr what is missing otherwise.
if command -v rustup >/dev/null 2>&1; then
	rustup target add wasm32-unknown-unknown >/dev/null 2>&1 || true
fi
if command -v cargo >/dev/null 2>&1 && [ -d "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/wasm32-unknown-unknown" ]; then
	echo ",rust"
else
	echo "== tools: Rust for wasm32-unknown-unknown is not here; its guests are skipped" >&2
fi
