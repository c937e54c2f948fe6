#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers live on while containerd is away; and are cleaned up when the shim is.

load helper

# A container that writes 4000 numbered lines, slowly, once /go is there; exit code 9.
# writer ID [OPTION]...
writer() {
	ctr_run -d "${@:2}" "$IMAGE" "$1" sh -c 'while [ ! -e /go ]; do sleep 0.05; done
		i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i + 1))
		[ $((i % 10)) != 0 ] || usleep 4000; done; exit 9'
}

lines_at_least() {
	[ "$(wc -l <"$T/out")" -ge "$1" ]
}

reader() {
	cat "$FIFOS"/*/"$1-stdout" >"$T/out" 3>&- &
	background+=($!)
}

# What is left of the lines behind so many bytes has come.
whole_after() {
	[ "$(wc -c <"$T/out")" -ge "$(($(seq -f 'line %.0f' 0 3999 | wc -c) - $1))" ]
}

check_lines() {
	soon lines_at_least 4000
	seq -f 'line %.0f' 0 3999 | cmp - "$T/out"
}

@test "containerd is killed and restarted while a container writes" {
	writer c1
	reader c1
	go c1
	soon lines_at_least 300
	stop_containerd KILL
	soon lines_at_least 1500
	restart_containerd
	is_status c1 RUNNING || is_status c1 STOPPED
	check_lines
	deleted_with c1 9
}

@test "the same without a relay: no byte is lost or doubled by two readers and a restart" {
	writer c1 --annotation io.brass.stdio=direct
	[[ $(readlink "/proc/$(task_pid c1)/fd/1") == */c1-stdout ]]
	# Takes no byte more than it prints, and then is gone.
	timeout 60 dd bs=1 count=3000 if="$(echo "$FIFOS"/*/c1-stdout)" of="$T/first" 3>&- &
	client=$!
	background+=("$client")
	go c1
	ended_with "$client" 0
	stop_containerd KILL
	restart_containerd
	reader c1
	soon is_status c1 STOPPED
	deleted_with c1 9
	soon whole_after 3000
	seq -f 'line %.0f' 0 3999 | cmp - <(cat "$T/first" "$T/out")
}

@test "the reader goes away and comes back while a container writes" {
	writer c1
	timeout 0.5 cat "$FIFOS"/*/c1-stdout >"$T/none" 3>&- || :
	reader c1
	go c1
	check_lines
	deleted_with c1 9
}

@test "a container exits while containerd is away: the code is known afterwards" {
	local pid
	detached c1 sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 21'
	pid=$(task_pid c1)
	stop_containerd
	touch "/proc/$pid/root/go"
	soon gone "$pid"
	restart_containerd
	deleted_with c1 21
}

@test "kill, exec and delete after a restart of containerd" {
	detached c1 sleep 1000
	stop_containerd
	restart_containerd
	is_status c1 RUNNING
	exec_prints c1 e1 'echo hello' hello
	task kill -s KILL c1
	deleted_with c1 137
}

@test "the shim is killed: containerd cleans up with delete" {
	local pid shim
	record_events
	detached c1 sleep 1000
	pid=$(task_pid c1)
	shim=$(shim_pid c1)
	kill -KILL "$shim"
	soon eval '[ -z "$(task_status c1)" ]'
	soon gone "$pid"
	soon eval 'topics_of c1 | grep -q delete'
	[ "$(topics_of c1 | tr '\n' ' ')" = "/tasks/create /tasks/start /tasks/exit /tasks/delete " ]
	grep /tasks/exit "$T/events" | grep -q '"exit_status":137'
	[ -z "$(runc --root "/run/containerd/runc/$CONTAINERD_NAMESPACE" list -q)" ]
	ctr containers delete c1
}

@test "the shim is killed after the exit: the true code is published" {
	local shim
	record_events
	detached c1 sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 12'
	shim=$(shim_pid c1)
	go c1
	soon is_status c1 STOPPED
	kill -KILL "$shim"
	soon eval 'topics_of c1 | grep -q delete'
	[ "$(grep /tasks/delete "$T/events" | grep -c '"exit_status":12')" = 1 ]
}

@test "the shim is killed while containerd is away" {
	local pid shim
	detached c1 sleep 1000
	pid=$(task_pid c1)
	shim=$(shim_pid c1)
	stop_containerd
	kill -KILL "$shim"
	soon gone "$shim"
	restart_containerd
	soon eval '[ -z "$(task_status c1)" ]'
	soon gone "$pid"
}
