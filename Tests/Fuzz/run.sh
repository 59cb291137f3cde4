#!/usr/bin/env bash
# Runs the fuzzers under AddressSanitizer and UndefinedBehaviorSanitizer, each from its corpus.
#
#   Tests/Fuzz/run.sh SECONDS [NAME ...]      NAME as in fuzz_NAME.c; without names, all of them
#
# Needs clang with libFuzzer (Swift's has it: CLANG=...) and, for differential and polymarket, libjansson-dev. New inputs go to build/, not to the corpus. A finding is left in
# build/NAME-* and its file is named; run build/fuzz_NAME FILE to see it again.
set -euo pipefail

seconds=${1:?usage: run.sh SECONDS [NAME ...]}
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
clang=${CLANG:-clang}
build=${APUS_FUZZ_BUILD:-$here/build}
flags=(-std=c11 -O1 -g -D_GNU_SOURCE -I"$root/CSources/CApusRing/include" -I"$root/CSources/CApusProtocol/include"
    -I"$root/CSources/CApusProtocol" -I"$here")
sanitize=(-fuse-ld=lld -Wno-unused-command-line-argument -fsanitize=address,undefined -fno-sanitize-recover=undefined)
mkdir -p "$build"

names=("$@")
if [ ${#names[@]} = 0 ]; then
    for source in "$here"/fuzz_*.c; do
        name=$(basename "$source" .c)
        names+=("${name#fuzz_}")
    done
fi

# As many at once as there are processors.
started=0
failed=0
spawn() {
    if [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; then
        started=$((started - 1))
        wait -n || failed=$((failed + 1))
    fi
    started=$((started + 1))
    "$@" &
}
finish() {
    for ((; started > 0; started--)); do wait -n || failed=$((failed + 1)); done
}

objects=()
for source in "$root"/CSources/CApusRing/*.c "$root"/CSources/CApusProtocol/*.c; do
    object=$build/$(basename "$source" .c).o
    objects+=("$object")
    spawn "$clang" "${flags[@]}" "${sanitize[@]}" -fsanitize=fuzzer-no-link -c "$source" -o "$object"
done
finish
[ "$failed" = 0 ]
rm -f "$build/libapus.a"
ar rcs "$build/libapus.a" "${objects[@]}"

fuzz() {
    local name=$1 libraries runs
    # A fuzzer that needs a library says so in a line "// link: ...".
    read -r -a libraries <<<"$(sed -n 's|^// link: ||p' "$here/fuzz_$name.c")"
    "$clang" "${flags[@]}" "${sanitize[@]}" -fsanitize=fuzzer "$here/fuzz_$name.c" "$build/libapus.a" \
        -lcrypto -lsecp256k1 "${libraries[@]}" -o "$build/fuzz_$name"
    mkdir -p "$build/found/$name" "$here/corpus/$name"
    if "$build/fuzz_$name" -max_total_time="$seconds" -timeout=20 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$build/$name-" "$build/found/$name" "$here/corpus/$name" >"$build/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
        echo "fuzz $name: $runs runs in $seconds s, no finding"
    else
        echo "fuzz $name: FAILED, see $build/$name.log" >&2
        tail -n 40 "$build/$name.log" >&2
        return 1
    fi
}
for name in "${names[@]}"; do spawn fuzz "$name"; done
finish
echo "fuzzers: $((${#names[@]} - failed)) passed, $failed failed"
[ "$failed" = 0 ]
