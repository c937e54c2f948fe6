#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# "brass explain" of a bundle that containerd has made: what it prints is what the shim
# runs, word for word.

load helper

# The helper's, whose BRASS_BUILD is another one from then on.
eval "$(declare -f setup_file | sed '1s/setup_file/shared_setup_file/')"
setup_file() {
	BRASS=$(realpath -e "$BRASS_BUILD/brass")
	export BRASS
	shared_setup_file
}

# $T/my-runc: runc, which notes its words in $T/calls, as a shell would have to be told.
make_runtime() {
	cat >"$T/my-runc" <<-END
	#!/bin/bash
	printf '%q ' "\$0" "\$@" >>"$T/calls"
	echo >>"$T/calls"
	exec runc "\$@"
	END
	chmod +x "$T/my-runc"
	cat >"$T/options.toml" <<-END
	BinaryName = "$T/my-runc"
	Root = "$T/root"
	NoNewKeyring = true
	END
}

bundle() {
	echo "$CONTAINERD_DIR/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE/$1"
}

# A command's words as printf %q has them, with the shim's descriptors all the same.
plain() {
	# Where the bundle is on a disk an exec's pid file is not in it.
	sed -E 's|/proc/[0-9]+/fd/[0-9]+|/proc/PID/fd/N|g; s|/pty-[0-9-]+\.sock|/pty.sock|
		s|(--pid-file) [^ ]*/exec-[^ ]*\.pid|\1 EXEC.pid|'
}

# What explain has printed, run by a runtime that only notes.
printed() {
	cat >"$T/show" <<-END
	show() { printf '%q ' "$T/my-runc" "\$@"; echo; }
	END
	sed -nE -e "s|^$T/my-runc (.*)|show \1|" -e '/^show .*<</s/ <<.*//' -e '/^show/p' "$1" \
		>>"$T/show"
	LOG=/proc/1/fd/1 PROCESS=/proc/1/fd/1 CONSOLE=/proc/1/fd/1/pty-1.sock bash -eu "$T/show"
}

same_commands() {
	diff <(plain <"$T/calls") <(printed "$T/explained" | plain)
}

@test "the runtime is called as explain says" {
	make_runtime
	ctr_run -d --runtime-config-path "$T/options.toml" "$IMAGE" c1 sleep 1000
	"$BRASS" explain --as create "$(bundle c1)" >"$T/explained"
	task kill -s KILL c1
	soon is_status c1 STOPPED
	task delete c1 || [ $? = 137 ]
	same_commands
	[ "$(wc -l <"$T/calls")" = 4 ]
}

# The words of an exec's process come from the client, the rest of the line is ours.
@test "an exec, too" {
	make_runtime
	ctr_run -d --runtime-config-path "$T/options.toml" "$IMAGE" c1 sleep 1000
	: >"$T/calls"
	task exec --exec-id e1 c1 true
	"$BRASS" explain --as exec "$(bundle c1)" | sed '/^# The same/,$d' >"$T/explained"
	same_commands
	[ "$(wc -l <"$T/calls")" = 1 ]
}

@test "a container with a terminal, and an exec in it" {
	make_runtime
	script -qec "ctr run -d --tty --runtime $RUNTIME --runtime-config-path $T/options.toml \
		--fifo-dir $FIFOS $IMAGE c1 sleep 1000" /dev/null </dev/null 3>&-
	"$BRASS" explain --as create "$(bundle c1)" >"$T/explained"
	grep -q -- --console-socket "$T/calls"
	diff <(head -n 2 "$T/calls" | plain) <(printed "$T/explained" | head -n 2 | plain)
}

@test "options of either kind, also behind a link" {
	echo '{"binary_name": "/opt/runc1"}' >"$T/options.json"
	echo 'BinaryName = "/opt/runc2"' >"$T/options.toml"
	ln -s options.json "$T/json"
	ln -s options.toml "$T/toml"
	"$BRASS" explain --options "$T/json" - <<<'{"ociVersion": "1.0.2"}' | grep -q /opt/runc1
	"$BRASS" explain --options "$T/toml" - <<<'{"ociVersion": "1.0.2"}' | grep -q /opt/runc2
}

@test "a bundle that cannot be read is an error, with its place" {
	mkdir "$T/b"
	run "$BRASS" explain "$T/b"
	[ "$status" = 2 ]
	[ "$output" = "brass explain: $T/b/config.json: no such file or directory" ]
	printf '{\n "process": {"args": "sh"}}' >"$T/b/config.json"
	run "$BRASS" explain "$T/b"
	[ "$status" = 2 ]
	[[ $output == *'config.json:2:22: process.args: an array is needed, found a string' ]]
	run "$BRASS" explain --as exec - <<<'{"cwd": 5}'
	[ "$status" = 2 ]
	[[ $output == *'stdin:1:9: cwd: a string is needed, found a number' ]]
	run "$BRASS" explain --as nothing "$T/b"
	[ "$status" = 2 ]
	run "$BRASS" explain --options "$T/none" - <<<'{}'
	[ "$status" = 2 ]
	[[ $output == *"$T/none: no such file or directory" ]]
}

# A document's text must not become a command, whatever is in it.
@test "what is printed of a hostile document is harmless" {
	mkdir -p "$T/b/rootfs"
	cat >"$T/b/config.json" <<-'END'
	{"ociVersion": "1.0.2\n touch /tmp/x", "root": {"path": "r\n$(touch evil)"},
	 "process": {"cwd": "$(touch evil)", "args": ["'; touch evil #", "\u001b[2J\u202e"],
	   "env": ["A=\nEND\ntouch evil"]},
	 "mounts": [{"destination": "/a'b\ntouch evil", "type": "tmpfs\ntouch evil",
	   "source": "`touch evil`", "options": ["\ntouch evil", "ro", "x'y"]}],
	 "linux": {"cgroupsPath": "/a\ntouch evil\n", "maskedPaths": ["/x\ntouch evil"],
	   "resources": {"cpu": {"cpus": "0\ntouch evil"}, "unified": {"\nEND\n": "\u0007"}}}}
	END
	"$BRASS" explain "$T/b" >"$T/out"
	[ -z "$(tr -d '[:print:]\n\t' <"$T/out")" ]
	mkdir "$T/bin" "$T/w"
	for name in runc mount umount mkdir mknod containerd-shim-brass-v2 touch; do
		printf '#!/bin/sh\n%s\n' "$([ $name != touch ] || echo ': >evil')" >"$T/bin/$name"
		chmod +x "$T/bin/$name"
	done
	sed -i 's/^cd /: /' "$T/out"
	(cd "$T/w" && PATH=$T/bin:$PATH bash -e "$T/out" </dev/null)
	[ -z "$(find "$T" -name evil)" ]
}
