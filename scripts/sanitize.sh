#!/usr/bin/env bash
# Runs what the macro makes of sections (tests/fixtures/expansion) under the sanitizers of nightly Rust, and under
# Miri where that is installed: scripts/sanitize.sh [address|thread|miri]; without a word, both sanitizers.
# Needs: rustup toolchain install nightly; rustup component add rust-src --toolchain nightly.
set -euo pipefail
cd "$(dirname "$0")/.."

target=x86_64-unknown-linux-gnu

under() { # under SANITIZER: std is built with it, too, or it would not see std's locks
    echo "== $1 sanitizer"
    RUSTFLAGS="-Zsanitizer=$1" CARGO_TARGET_DIR="target/sanitize-$1" \
        cargo +nightly test -Zbuild-std --target "$target" --lib -p hotsled-test-expansion
}

miri() {
    echo "== Miri"
    # The engine needs Linux itself; without it sections run on worker threads all the same.
    MIRIFLAGS="-Zmiri-disable-isolation" cargo +nightly miri test --lib -p hotsled-test-expansion
}

rustup component list --toolchain nightly --installed | grep -q rust-src ||
    rustup component add rust-src --toolchain nightly
case "${1:-both}" in
    address | thread) under "$1" ;;
    miri) miri ;;
    both) under address && under thread ;;
    *) echo "unknown: $1; there are address, thread and miri" >&2 && exit 2 ;;
esac
