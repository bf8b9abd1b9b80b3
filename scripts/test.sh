#!/usr/bin/env bash
# Checks everything: format, lints, licences, imports, tests, documentation, models.
# Installs what is missing on Debian as root; otherwise says what to install.
# A missing component or a failed step is a failure of the whole.
set -uo pipefail
cd "$(dirname "$0")/.."

summary=()
failed=0
begin=$SECONDS

need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "== installing $2 (for $1)"
        apt-get install -y -q "$2" || { apt-get update -q && apt-get install -y -q "$2"; }
    fi
    command -v "$1" >/dev/null && return
    echo "missing: $1. Install it with: apt-get install $2" >&2
    exit 1
}

need_file() { # need_file FILE PACKAGE: as need, for what has no command
    [ -e "$1" ] && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "== installing $2 (for $1)"
        apt-get install -y -q "$2" || { apt-get update -q && apt-get install -y -q "$2"; }
    fi
    [ -e "$1" ] && return
    echo "missing: $1. Install it with: apt-get install $2" >&2
    exit 1
}

step() { # step NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    echo
    echo "== $name: $*"
    if "$@"; then
        summary+=("ok      $((SECONDS - start)) s  $name")
    else
        summary+=("FAILED  $((SECONDS - start)) s  $name")
        failed=1
    fi
}

command -v cargo >/dev/null || { echo "missing: cargo. Install Rust 1.95 from https://rustup.rs" >&2; exit 1; }
need cc gcc
need clang-19 clang-19
need ld.lld lld
need mold mold
need ld.gold binutils
need gdb gdb
need spirv-val spirv-tools
need_file /usr/lib/x86_64-linux-gnu/libvulkan.so.1 libvulkan1
need_file /usr/share/vulkan/icd.d/lvp_icd.x86_64.json mesa-vulkan-drivers
need_file /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json vulkan-validationlayers
need chromium chromium
need chromedriver chromium-driver
need python3 python3
need pip3 python3-pip
ptxas() { # NVIDIA's assembler alone, from its wheel
    [ -x target/ptxas/nvidia/cuda_nvcc/bin/ptxas ] && return
    python3 -m pip install -q --target target/ptxas --no-deps nvidia-cuda-nvcc-cu12==12.9.86
    [ -x target/ptxas/nvidia/cuda_nvcc/bin/ptxas ]
}
step "ptxas" ptxas
if ! command -v cargo-deny >/dev/null; then
    step "cargo-deny" cargo install --locked cargo-deny
fi

step "format" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets -- -D warnings
step "licences, bans, sources" cargo deny check bans licenses sources
# The debug programs that whole-system tests run by name.
step "programs" cargo build --workspace
step "device host without Vulkan" cargo check -p hotsled-device --no-default-features
step "tests, import arrows among them" cargo test --workspace --no-fail-fast
seed=$(date +%s)
step "random sections, others each time" env HOTSLED_SECTIONS_SEED="$seed" cargo test -p hotsled-tests --test random
step "loom models" cargo test -p hotsled-runtime --lib model
step "sections of a release binary" cargo test --release -p hotsled-cli --test inspect real_program
step "torture, a minute" cargo run --release -p torture -- switch --seconds 60
step "torture, what must fail" cargo run --release -p torture -- must-fail
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps -q

echo
echo "== summary after $((SECONDS - begin)) s (advisories are not checked: they need a database from the network)"
printf '%s\n' "${summary[@]}"
exit "$failed"
