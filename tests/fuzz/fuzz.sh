#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fuzz.sh SRCDIR SECONDS TARGET...: builds the targets with libFuzzer below ./fuzz-build and runs each
# for so many seconds.  Started by "make fuzz" in the build directory.  What is found along the way
# stays in fuzz-build/found/NAME and is used again next time; an input that fails is left in
# fuzz-build/crash-NAME-*, and ends the run.
set -eu

srcdir=$(cd "$1" && pwd)
seconds=$2
shift 2
make=${MAKE:-make}

mkdir -p fuzz-build
# A tree that was configured in place cannot be configured elsewhere too: take a copy of it.
if [ -f "$srcdir/config.status" ]; then
	$make distdir distdir=fuzz-build/source >/dev/null
	srcdir=$PWD/fuzz-build/source
fi
cd fuzz-build
if [ ! -f Makefile ]; then
	"$srcdir/configure" --quiet CC="${CC:-clang}" --enable-fuzz --with-sanitizer=address,undefined
fi
$make fuzz-programs

for target in "$@"; do
	name=${target##*fuzz_}
	mkdir -p "found/$name"
	echo "== $name: $seconds seconds"
	if ! "./$target" -max_total_time="$seconds" -timeout=20 -max_len=70000 \
		-artifact_prefix="crash-$name-" "found/$name" "$srcdir/tests/fuzz/corpus/$name" \
		>"$name.log" 2>&1; then
		tail -n 40 "$name.log"
		exit 1
	fi
	grep '^Done' "$name.log"
done
