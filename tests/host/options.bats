#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Options of the runtime: as TOML in a file (ctr --runtime-config-path; what CRI does
# for runtimes that it does not know), and as the bundles of two shims keep them.

load helper

# Under the stock shim's name ctr knows options of its own (typed, below).
RUNTIME=io.containerd.brass.v2

# $T/my-runc: runc, which notes its arguments in $T/calls and does without systemd.
make_runtime() {
	cat >"$T/my-runc" <<-END
	#!/bin/bash
	echo "\$*" >>"$T/calls"
	args=()
	for a; do [ "\$a" = --systemd-cgroup ] || args+=("\$a"); done
	exec runc "\${args[@]}"
	END
	chmod +x "$T/my-runc"
}

# A detached container whose options are the TOML on stdin.
with_toml() {
	local id=$1
	shift
	cat >"$T/options.toml"
	ctr_run -d --runtime-config-path "$T/options.toml" "$@" "$IMAGE" "$id" sleep 1000
}

# What the runtime keeps for each container.
state_file() {
	if [ "$HOST_RUNC" = crun ]; then echo status; else echo state.json; fi
}

bundle() {
	echo "$CONTAINERD_DIR/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE/$1"
}

end() {
	task kill -s KILL "$1"
	soon is_status "$1" STOPPED
	task delete "$1" || [ $? = 137 ]
}

# Of all but the "delete" command, which never has the flag (contract 1.13).
calls_without_systemd() {
	grep -v -e ' --systemd-cgroup ' -e ' delete --force ' "$T/calls"
}

logged() {
	grep -qF "$1" "$CONTAINERD_DIR/containerd.log"
}

@test "BinaryName and Root in a file take effect" {
	make_runtime
	with_toml c1 <<-END
	# made by hand
	BinaryName = "$T/my-runc"
	Root = '$T/root'
	END
	[ -e "$T/root/$CONTAINERD_NAMESPACE/c1/$(state_file)" ]
	[ ! -e "/run/containerd/runc/$CONTAINERD_NAMESPACE/c1" ]
	task exec --exec-id e1 c1 true
	[ "$(<"$(bundle c1)/runtime")" = "$T/my-runc" ]
	[ "$(<"$(bundle c1)/options.json")" = \
		"{\"binary_name\":\"$T/my-runc\",\"root\":\"$T/root\"}" ]
	end c1
	[ -z "$(ls "$T/root/$CONTAINERD_NAMESPACE")" ]
	grep -q "^--root $T/root/$CONTAINERD_NAMESPACE .* create " "$T/calls"
	grep -q "^--root $T/root/$CONTAINERD_NAMESPACE .* exec " "$T/calls"
	[ -z "$(grep -v "^--root $T/root/$CONTAINERD_NAMESPACE " "$T/calls")" ]
}

@test "crun by its name" {
	command -v crun >/dev/null || skip 'no crun'
	! grep -q ' /sys/fs/cgroup/unified ' "/proc/$CONTAINERD_PID/mountinfo" ||
		skip 'crun refuses cgroups in hybrid mode; tests/matrix has it'
	with_toml c1 <<<"binary_name = 'crun'"
	[ "$(<"$(bundle c1)/runtime")" = crun ]
	[ -e "/run/containerd/runc/$CONTAINERD_NAMESPACE/c1/status" ]
	end c1
}

@test "SystemdCgroup, NoPivotRoot and NoNewKeyring are passed on" {
	make_runtime
	with_toml c1 <<-END
	[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.brass.options]
	  BinaryName = "$T/my-runc"
	  NoPivotRoot = false
	  NoNewKeyring = true
	  SystemdCgroup = true
	END
	end c1
	grep -q -- ' create .*--no-new-keyring' "$T/calls"
	[ -z "$(grep -- --no-pivot "$T/calls")" ]
	[ -z "$(calls_without_systemd)" ]
}

@test "the systemd driver's form of a path is enough where systemd runs, unless the file says no" {
	[ "$HOST_RUNC" = runc ] || skip 'crun finds out by itself, and there is no systemd'
	make_runtime
	with_toml c1 --cgroup "brass.slice:test:$CONTAINERD_NAMESPACE" <<-END
	BinaryName = "$T/my-runc"
	END
	end c1
	if [ -d /run/systemd/system ]; then
		[ -z "$(calls_without_systemd)" ]
	else
		[ -z "$(grep -- --systemd-cgroup "$T/calls")" ]
	fi
	rm "$T/calls"
	with_toml c2 --cgroup "brass.slice:test:$CONTAINERD_NAMESPACE" <<-END
	BinaryName = "$T/my-runc"
	SystemdCgroup = false
	END
	end c2
	[ -z "$(grep -- --systemd-cgroup "$T/calls")" ]
	[ -z "$(find /sys/fs/cgroup -type d -name "brass.slice:test:$CONTAINERD_NAMESPACE")" ]
}

# As the runtime gets them: it gives them on to the user of the process, and newer crun
# to the group as well.
@test "IoUid and IoGid own the pipes" {
	cat >"$T/my-runc" <<-END
	#!/bin/bash
	[[ " \$* " != *" create "* ]] || stat -L -c %F:%u:%g /proc/\$\$/fd/{1,2} >"$T/owners"
	exec runc "\$@"
	END
	chmod +x "$T/my-runc"
	with_toml c1 <<-END
	BinaryName = "$T/my-runc"
	io_uid = 1_000
	io_gid = 0x7d0
	END
	[ "$(<"$T/owners")" = $'fifo:1000:2000\nfifo:1000:2000' ]
	end c1
}

@test "what is unknown in the file is named in the log" {
	with_toml c1 <<<$'# x\nSystemd = true\n[runsc_config]\nnetwork = "host"'
	end c1
	soon logged "$T/options.toml:2: the unknown key Systemd is ignored"
	soon logged "$T/options.toml:3: the table runsc_config is ignored"
}

@test "what is wrong in the file is an error with file, line and key" {
	run with_toml c1 <<<$'# x\nBinaryName = 5'
	[ "$status" != 0 ]
	[[ $output == *"$T/options.toml:2: BinaryName: a string is needed, found an integer"* ]]
	run with_toml c2 <<<'BinaryName = crun'
	[[ $output == *"$T/options.toml:1: BinaryName: \"crun\" is no value; a string needs quotes"* ]]
	run ctr_run -d --runtime-config-path "$T/none.toml" "$IMAGE" c3 true
	[[ $output == *"$T/none.toml: no such file or directory"* ]]
	run ctr_run -d --runtime-config-path options.toml "$IMAGE" c4 true
	[[ $output == *'"options.toml" is no absolute path'* ]]
	[ -z "$(task ls -q)" ]
}

# The next ones use options that ctr has for this runtime only. $BRASS_BUILD is this
# file's own; a shim is exchanged as an update of a package would do it.
typed() {
	RUNTIME=io.containerd.runc.v2 ctr_run -d --runc-binary "$T/my-runc" \
		--runc-root "$T/root" "$IMAGE" "$1" sleep 1000
}

install_shim() {
	cp "$1" "$BRASS_BUILD/new"
	mv "$BRASS_BUILD/new" "$BRASS_BUILD/containerd-shim-runc-v2"
}

install_stock() {
	[ -x "$(there /usr/bin/containerd-shim-runc-v2)" ] || skip 'no stock shim'
	install_shim "$(there /usr/bin/containerd-shim-runc-v2)"
}

install_brass() {
	install_shim "$BRASS_BUILD/containerd-shim-brass-v2"
}

# The shim of c1 is killed: containerd runs "delete" of what is installed now.
delete_after_death() {
	local init
	init=$(task_pid c1)
	: >"$T/calls"
	kill -KILL "$(shim_pid c1)"
	soon no_task c1
	soon gone "$init"
	soon test ! -e "$T/root/$CONTAINERD_NAMESPACE/c1"
	grep -q "^--root $T/root/$CONTAINERD_NAMESPACE .*delete --force c1" "$T/calls"
	soon test ! -e "$(bundle c1)"
}

no_task() {
	[ -z "$(task_status "$1")" ]
}

@test "both shims write the same options.json and runtime" {
	local file
	make_runtime
	install_stock
	typed c1
	for file in options.json runtime; do
		cp "$(bundle c1)/$file" "$T/$file"
		stat -c %a "$(bundle c1)/$file" >"$T/$file.mode"
	done
	end c1
	install_brass
	typed c2
	for file in options.json runtime; do
		cmp "$(bundle c2)/$file" "$T/$file"
		[ "$(stat -c %a "$(bundle c2)/$file")" = "$(<"$T/$file.mode")" ]
	done
	end c2
}

@test "ours deletes a bundle of the stock shim, with its options" {
	make_runtime
	install_stock
	typed c1
	install_brass
	delete_after_death
}

@test "the stock shim deletes a bundle of ours, with its options" {
	local socket
	make_runtime
	install_brass
	typed c1
	socket=$(<"$(bundle c1)/address")
	install_stock
	delete_after_death
	install_brass
	# Which the stock shim leaves to the next one of that address.
	rm "${socket#unix://}"
}
