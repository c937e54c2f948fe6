#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The checker among the real ones: what containerd writes is clean, what nobody takes is
# refused with its place, and behind runc's own words is the finding that they are about.

load helper

# The helper's, whose BRASS_BUILD is another one from then on.
eval "$(declare -f setup_file | sed '1s/setup_file/shared_setup_file/')"
setup_file() {
	BRASS=$(realpath -e "$BRASS_BUILD/brass")
	export BRASS
	shared_setup_file
}

# spec SED...: what "runc spec" writes, changed, as $T/config.json; its rootfs is $T/rootfs.
spec() {
	local change=()
	mkdir -p "$T/rootfs/bin"
	cp /bin/busybox "$T/rootfs/bin/sh"
	[ -e "$T/spec.json" ] || { (cd "$T" && runc spec && mv config.json spec.json); }
	for s in "$@"; do change+=(-e "$s"); done
	sed -e 's/"terminal": true/"terminal": false/' \
		-e "s|\"path\": \"rootfs\"|\"path\": \"$T/rootfs\"|" "${change[@]}" \
		"$T/spec.json" >"$T/config.json"
}

run_spec() {
	run timeout 60 ctr run --runtime "$RUNTIME" --fifo-dir "$FIFOS" --config "$T/config.json" c1
	ctr container rm c1 2>/dev/null || :
}

bundle() {
	echo "$CONTAINERD_DIR/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE/$1"
}

@test "what containerd and runc write is clean" {
	detached c1 sleep 1000
	run "$BRASS" validate "$(bundle c1)"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *"config.json (config): nothing to say against it" ]]
	spec
	run "$BRASS" validate "$T"
	echo "$output"
	[ "$status" = 0 ]
}

@test "what nobody takes is refused, with its place" {
	spec 's|"cwd": "/"|"cwd": "b"|'
	run_spec
	echo "$output"
	[ "$status" != 0 ]
	[[ $output =~ config\.json:1:[0-9]+:\ process\.cwd:\ \"b\"\ is\ no\ absolute\ path:\ invalid\ argument ]]
	spec 's|"type": "network"|"type": "pid"|'
	run_spec
	echo "$output"
	[ "$status" != 0 ]
	[[ $output =~ config\.json:1:[0-9]+:\ linux\.namespaces\[[0-9]\]\.type:\ there\ are\ two ]]
}

@test "behind runc's words is what they are about" {
	spec 's|"type": "tmpfs"|"type": "bind"|'
	run_spec
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *'to rootfs at "/dev": '*' (config.json:1:'*'mounts[1]: the type "bind" needs'* ]]
	# There is much to be said against this one, and nothing that runc fails for.
	spec 's|"cwd": "/"|"cwd": "/", "consoleSize": {"height": 1, "width": 1}|' 's|"sh"|"nosuch"|' \
		's|"type": "mqueue"|"type": "bind"|'
	run_spec
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *'(config.json:1:'*'mounts[4]'* ]]
	spec 's|"cwd": "/"|"cwd": "/", "consoleSize": {"height": 1, "width": 1}|' 's|"sh"|"nosuch"|'
	run_spec
	echo "$output"
	[ "$status" != 0 ]
	[[ $output == *'executable file not found'* && $output != *'config.json:'* ]]
}

@test "findings have colours on a terminal, and nowhere else" {
	local red=$'\033[1;31m'
	spec 's|"cwd": "/"|"cwd": "b"|'
	run "$BRASS" validate "$T"
	[ "$status" = 2 ]
	[[ $output == *error* && $output != *$'\033'* ]]
	run script -qec "env -u NO_COLOR $BRASS validate $T" /dev/null </dev/null 3>&-
	[[ $output == *"${red}error:"* ]]
	run script -qec "NO_COLOR=1 $BRASS validate $T" /dev/null </dev/null 3>&-
	[[ $output == *error* && $output != *$'\033['* ]]
}
