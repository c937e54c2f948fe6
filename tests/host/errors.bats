#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The most usual failures, each provoked for real: the user sees what the table of the
# README says ("When something fails"), word for word.

load helper

teardown() {
	! mountpoint -q "$BATS_TEST_TMPDIR/full" || umount "$BATS_TEST_TMPDIR/full"
	remove_containers
	no_leftovers
}

# The text of the README's row.
promised() {
	sed -n "s/^| $1 | \`\(.*\)\` |.*/\1/p" "$root/README.md"
}

# says ROW COMMAND...: the command fails, and what it prints has the row's text in it.
says() {
	local text
	text=$(promised "$1")
	[ -n "$text" ] || { echo "no row \"$1\" in README.md"; return 1; }
	run "${@:2}"
	[ "$status" != 0 ] || { echo "no failure: $output"; return 1; }
	[[ $output == *"$text"* ]] || { printf 'promised: %s\nseen: %s\n' "$text" "$output"; return 1; }
	ctr container rm c1 2>/dev/null || :
}

# Options of runc are taken by ctr for its own name of the shim only.
with_runc() {
	RUNTIME=io.containerd.runc.v2 ctr_run --runc-binary "$1" "$IMAGE" c1 true
}

# The file as /f in the container, which is to run it.
running_file() {
	ctr_run --mount "type=bind,src=$1,dst=/f,options=rbind" "$IMAGE" c1 /f
}

# "start" of the shim in this folder.
start_in() {
	(cd "$1" && "$BRASS_BUILD/containerd-shim-brass-v2" -namespace default \
		-address "$CONTAINERD_DIR/none.sock" -id "$2" start </dev/null 2>&1)
}

@test "the runtime" {
	says 'no runc' with_runc no-runc
	says 'no runc at that path' with_runc /nowhere/runc
	touch "$T/plain"
	says 'runc may not be executed' with_runc "$T/plain"
	printf '\177ELF\0\0\0\0' >"$T/foreign"
	chmod +x "$T/foreign"
	says 'runc is of another machine' with_runc "$T/foreign"
	says 'systemd driver without systemd' env RUNTIME=io.containerd.runc.v2 \
		timeout 60 ctr run --runtime io.containerd.runc.v2 --fifo-dir "$FIFOS" \
		--runc-systemd-cgroup --cgroup a.slice:b:c "$IMAGE" c1 true
}

@test "the command" {
	says 'command not found' ctr_run "$IMAGE" c1 nosuch
	says 'no command at that path' ctr_run "$IMAGE" c1 /nosuch
	echo text >"$T/plain"
	says 'command may not be executed' running_file "$T/plain"
	cp "$T/plain" "$T/text"
	chmod +x "$T/text"
	says 'command in a wrong format' running_file "$T/text"
	says 'working directory is a file' ctr_run --cwd /bin/busybox "$IMAGE" c1 true
	says 'read-only rootfs' ctr_run --read-only "$IMAGE" c1 touch /file
	detached c2 sleep 1000
	says 'exec: command not found' task exec --exec-id e1 c2 nosuch
	task kill -s KILL c2
}

@test "what the container is given" {
	# On cgroup v2 the kernel kills it instead, and runc guesses why.
	[ -e /sys/fs/cgroup/cgroup.controllers ] || says 'memory limit too small for runc' ctr_run --memory-limit 65536 "$IMAGE" c1 true
	says 'mount without a source' ctr_run \
		--mount type=bind,src=/nowhere,dst=/m,options=rbind "$IMAGE" c1 true
	says 'namespace that is not there' ctr_run --with-ns network:/nowhere "$IMAGE" c1 true
	says 'no rootfs' ctr_run --rootfs /nowhere c1 true
	says 'no logger' ctr_run --log-uri binary:///nowhere/logger "$IMAGE" c1 true
	says 'unknown kind of log' ctr_run --log-uri tape:///dev/st0 "$IMAGE" c1 true
}

@test "the bundle" {
	mkdir "$T/empty" "$T/broken" "$T/full"
	says 'no config.json' start_in "$T/empty" c9
	echo '{"ociVersion": "1.0.2",' >"$T/broken/config.json"
	says 'broken config.json' start_in "$T/broken" c9
	says 'bad id' start_in "$T/broken" '../c9'
	mount -t tmpfs -o size=8k tmpfs "$T/full"
	echo '{"ociVersion":"1.0.2"}' >"$T/full/config.json"
	cat /dev/zero >"$T/full/fill" 2>/dev/null || :
	says 'disk full' start_in "$T/full" c9
}

@test "the table has no row that is not provoked here" {
	local row
	sed -n '/^### When something fails/,/^##/s/^| \([^|]*\) | `.*/\1/p' "$root/README.md" >"$T/rows"
	[ "$(wc -l <"$T/rows")" -ge 20 ]
	while read -r row; do
		grep -qF "says '$row' " "$BATS_TEST_FILENAME" || { echo "row: $row"; return 1; }
	done <"$T/rows"
}
