#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# containerd, ctr, shim and runc in the user namespace of a user who is nobody on this
# machine, as rootlesskit and newuidmap make it: its root is uid 51234 here, /run is its
# own. The cgroups of the first tests are the user's (delegated), those of the last are not.
# On cgroup v2 alone systemd delegates one, or what it does is done by hand, and it is the
# root of a cgroup namespace.

load helper
eval "host_$(declare -f setup_file)"
eval "host_$(declare -f setup)"
eval "host_$(declare -f teardown)"
eval "host_$(declare -f teardown_file)"
USER_ID=51234
CGROUP=${CGROUP-} UNIT=${UNIT-}

has_v1() {
	[ -d /sys/fs/cgroup/memory ]
}

in_user_namespace() {
	[ "$(readlink "/proc/$1/ns/user")" != "$(readlink /proc/self/ns/user)" ]
}

# Makes $CGROUP, with an empty cgroup in it for what is started there.
delegate_cgroup() {
	local unit=brass-rootless-$$
	has_v1 && return
	if [ -d /run/systemd/system ]; then
		systemd-run --quiet --collect --unit "$unit" -p Delegate=yes sh -c '
			cd "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)"
			mkdir keep && echo 0 >keep/cgroup.procs && exec sleep infinity'
		UNIT=$unit
		CGROUP=/sys/fs/cgroup$(systemctl show -P ControlGroup "$unit")
		soon eval '[ -d "$CGROUP/keep" ] && [ -z "$(cat "$CGROUP/cgroup.procs")" ]'
	else
		CGROUP=/sys/fs/cgroup/$unit
		echo '+cpu +io +memory +pids' >/sys/fs/cgroup/cgroup.subtree_control
		mkdir "$CGROUP"
	fi
	export CGROUP UNIT
	mkdir "$CGROUP/init"
	chown "$USER_ID:$USER_ID" "$CGROUP"{,/init}{,/cgroup.{procs,threads,subtree_control}}
}

# A process that holds the namespaces; debian_leave ends it. Its maps are what newuidmap
# would write for a line of /etc/subuid.
enter_debian() {
	local go answer ready file name namespaces='--user --mount --net --ipc'
	delegate_cgroup
	has_v1 || namespaces+=' --cgroup'
	mkdir "$BATS_FILE_TMPDIR/bin"
	mkfifo "$BATS_FILE_TMPDIR/go"
	exec {go}<>"$BATS_FILE_TMPDIR/go"
	exec {answer}< <(
		has_v1 || echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups \
			unshare $namespaces --propagation private sh -c 'read -r go &&
			{ [ -z "$1" ] || mount --bind "$1" /sys/fs/cgroup; } &&
			mount -t tmpfs tmpfs /run && echo ready && exec sleep infinity <&- >&-' \
			- "$CGROUP" <&"$go" 3>&-
	)
	export DEBIAN_PID=$!
	wait_for 30 in_user_namespace "$DEBIAN_PID"
	for file in uid_map gid_map; do
		cat <<<$'0 '$USER_ID$' 1\n1 300000 65536' >"/proc/$DEBIAN_PID/$file"
	done
	echo go >&"$go"
	read -r -t 30 -u "$answer" ready
	exec {go}<&- {answer}<&-
	[ "$ready" = ready ]
	[ -z "$CGROUP" ] || echo "$DEBIAN_PID" >"$CGROUP/init/cgroup.procs"
	if [ "$HOST_SUITE" != host ]; then
		debian_make "$HOST_SUITE"
		export -f debian_pivot
		# Its owner could not reach that Debian: the mounts are made for him.
		nsenter --target "$DEBIAN_PID" --mount bash -c \
			"debian_pivot '$DEBIAN_CACHE/$HOST_SUITE'" 3>&-
	fi
	for name in containerd ctr; do
		printf '#!/bin/sh\n%s\nexec nsenter --target %s %s -- env %s %s "$@"\n' \
			"${CGROUP:+echo \$\$ >$CGROUP/init/cgroup.procs}" "$DEBIAN_PID" "$namespaces" \
			"XDG_RUNTIME_DIR=$dir PATH=$BRASS_BUILD:/usr/sbin:/usr/bin:/sbin:/bin" \
			"$name" >"$BATS_FILE_TMPDIR/bin/$name"
		chmod +x "$BATS_FILE_TMPDIR/bin/$name"
	done
	export PATH=$BATS_FILE_TMPDIR/bin:$PATH
}

# Before containerd starts in it.
extra_config() {
	chown -R "$USER_ID:$USER_ID" "$dir"
}

# In the hierarchies of v1 a folder is all that a user needs; those of cpuset start empty.
delegate_cgroups() {
	local folder file
	has_v1 || return 0
	for folder in /sys/fs/cgroup/*/; do
		folder+=$CONTAINERD_NAMESPACE
		mkdir "$folder"
		for file in cpuset.cpus cpuset.mems; do
			[ ! -e "$folder/$file" ] || cat "$folder/../$file" >"$folder/$file"
		done
		chown "$USER_ID:$USER_ID" "$folder"
	done
}

setup_file() {
	host_setup_file
	delegate_cgroups
}

teardown_file() {
	local namespace=$CONTAINERD_NAMESPACE
	host_teardown_file
	if has_v1; then
		rmdir /sys/fs/cgroup/*/"$namespace" 2>/dev/null || :
	elif [ -n "$UNIT" ]; then
		systemctl stop "$UNIT"
	else
		rmdir "$CGROUP"{/*/,}
	fi
}

setup() {
	host_setup
	FIFOS=$CONTAINERD_DIR/fifo
}

# /run is another one there.
teardown() {
	host_teardown
	soon nothing_in_run
}

nothing_in_run() {
	[ -z "$(ls "$(there "/run/containerd/s")" \
		"$(there "/run/containerd/runc/$CONTAINERD_NAMESPACE")" 2>/dev/null | grep -v :)" ]
}

owner_of() {
	stat -c %u "/proc/$1"
}

@test "run: output and code; all of it belongs to the user" {
	run ctr_run --rm "$IMAGE" c1 sh -c 'id -u; exit 7'
	[ "$status" = 7 ]
	[ "$output" = 0 ]
	detached c2 sleep 1000
	[ "$(owner_of "$(task_pid c2)")" = "$USER_ID" ]
	[ "$(owner_of "$(shim_pid c2)")" = "$USER_ID" ]
	[ -S "$(there "$(sed s,^unix://,, \
		"$CONTAINERD_DIR/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE/c2/address")")" ]
}

@test "exec, pids, limits, pause, kill, delete" {
	ctr_run -d --memory-limit 67108864 "$IMAGE" c1 sh -c 'sleep 1000; true'
	run task exec --exec-id e1 c1 sh -c 'exit 5'
	[ "$status" = 5 ]
	[ "$(task ps c1 | wc -l)" = 3 ]
	[ "$(task metrics --format json c1 | jq '.memory | .usage_limit // .usage.limit')" = 67108864 ]
	task pause c1
	is_status c1 PAUSED
	task resume c1
	task kill --all -s KILL c1
	deleted_with c1 137
}

@test "events: all of a life, in order" {
	record_events
	detached c1 sleep 1000
	task exec --exec-id e1 c1 true
	task kill -s KILL c1
	deleted_with c1 137
	soon eval '[ "$(topics_of c1 | tail -n 1)" = /tasks/delete ]'
	[ "$(topics_of c1 | tr '\n' ' ')" = "/tasks/create /tasks/start /tasks/exec-added \
/tasks/exec-started /tasks/exit /tasks/exit /tasks/delete " ]
}

@test "containerd is killed and comes back" {
	detached c1 sh -c 'trap "exit 9" TERM; while :; do sleep 0.05; done'
	soon grep -q '^SigCgt:.*4...$' "/proc/$(task_pid c1)/status"
	stop_containerd KILL
	restart_containerd
	task kill -s TERM c1
	deleted_with c1 9
}

@test "the shim is killed: its container is cleaned up" {
	local pid
	detached c1 sh -c 'sleep 2000 & exec sleep 1000'
	pid=$(task_pid c1)
	kill -KILL "$(shim_pid c1)"
	soon eval '[ -z "$(task ls -q)" ]'
	soon gone "$pid"
}

@test "without a cgroup: run, exec, kill" {
	local rootfs=$CONTAINERD_DIR/rootfs pid
	ctr oci spec | jq --arg rootfs "$rootfs" '.root = { path: $rootfs } |
		.linux.cgroupsPath = "" | .linux.resources = {} | .process.terminal = false |
		.process.env = ["PATH=/bin"] | .process.args = ["sleep", "1000"]' \
		>"$CONTAINERD_DIR/spec.json"
	[ -z "$CGROUP" ] || chown 0:0 "$CGROUP"{,/init}{,/cgroup.procs}
	mkdir "$rootfs"
	tar -xOf "$CONTAINERD_DIR/image.tar" layer.tar | tar -x --no-same-owner -C "$rootfs"
	chown -R "$USER_ID:$USER_ID" "$rootfs"
	ctr_run -d --config "$CONTAINERD_DIR/spec.json" c1
	pid=$(task_pid c1)
	[ "$(cut -d: -f3 "/proc/$pid/cgroup")" = "$(cut -d: -f3 "/proc/$CONTAINERD_PID/cgroup")" ]
	run task exec --exec-id e1 c1 sh -c 'exit 5'
	[ "$status" = 5 ]
	task kill -s KILL c1
	deleted_with c1 137
	soon gone "$pid"
}
