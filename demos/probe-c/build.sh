#!/bin/sh
# Builds the demo with compiler CC (default: cc) against the library in FOLDER and puts it there.
#     cargo build --release -p hotsled-probe && CC=clang demos/probe-c/build.sh target/release
set -eu
folder=${1:?usage: [CC=compiler] build.sh FOLDER-OF-libhotsled_probe.a [PROGRAM]}
program=${2:-$folder/probe-c}
here=$(dirname "$0")
# Only the functions to be probed need sleds; -fno-ipa-ra is gcc's, and clang does without.
sleds=-fpatchable-function-entry=16
"${CC:-cc}" --version | grep -qi clang || sleds="$sleds -fno-ipa-ra"
"${CC:-cc}" -O2 -Wall -Wextra -Werror $sleds -c "$here/price.c" -o "$program.price.o"
"${CC:-cc}" -O2 -Wall -Wextra -Werror -I"$here/../../probe/include" "$here/main.c" "$program.price.o" \
    "$folder/libhotsled_probe.a" -pthread -lgcc_s -lrt -lm -ldl -o "$program"
rm "$program.price.o"
