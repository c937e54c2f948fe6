#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Several containers: in one shim, and many at once.

load helper

in_pod() {
	local id=$1
	shift
	ctr_run -d --annotation io.kubernetes.cri.sandbox-id=pod "$IMAGE" "$id" "$@"
}

@test "two containers of a pod share a shim, and do not share anything else" {
	local shim
	in_pod pod sleep 1000
	in_pod c1 sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 8'
	shim=$(shim_pid pod)
	[ "$(shim_pid c1)" = "$shim" ]
	[ "$(find "$CONTAINERD_DIR/state" -name address | wc -l)" = 2 ]
	go c1
	deleted_with c1 8
	is_status pod RUNNING
	in_pod c2 sleep 1000
	[ "$(shim_pid c2)" = "$shim" ]
	task kill -s KILL pod
	deleted_with pod 137
	is_status c2 RUNNING
	exec_prints c2 e1 'echo alive' alive
	task kill -s KILL c2
	deleted_with c2 137
	soon gone "$shim"
}

@test "containers without the annotation have a shim each" {
	detached c1 sleep 1000
	detached c2 sleep 1000
	[ "$(shim_pid c1)" != "$(shim_pid c2)" ]
}

@test "a pod survives a restart of containerd" {
	local shim
	in_pod pod sleep 1000
	in_pod c1 sleep 1000
	shim=$(shim_pid pod)
	stop_containerd KILL
	restart_containerd
	is_status pod RUNNING
	is_status c1 RUNNING
	[ "$(shim_pid c1)" = "$shim" ]
	in_pod c2 sleep 1000
	[ "$(shim_pid c2)" = "$shim" ]
}

no_state_of_runc() {
	[ -z "$(ls "/run/containerd/runc/$CONTAINERD_NAMESPACE" 2>/dev/null)" ]
}

@test "the shim of a pod is killed: all its containers are cleaned up" {
	local pid pids=()
	in_pod pod sleep 1000
	for id in c1 c2 c3; do
		in_pod "$id" sh -c 'sleep 2000 & exec sleep 1000'
		pids+=("$(task_pid "$id")")
	done
	task exec -d --exec-id e1 c1 sleep 3000
	task kill -s KILL c3
	soon is_status c3 STOPPED
	pids+=("$(task_pid pod)" $(task pids c1 | awk 'NR > 1 { print $1 }'))
	kill -KILL "$(shim_pid pod)"
	soon eval '[ -z "$(task ls -q)" ]'
	for pid in "${pids[@]}"; do
		soon gone "$pid"
	done
	# The tasks go first, and only then has "delete" done its work.
	soon no_state_of_runc
}

@test "a failed create in a pod leaves no pipe in its shim (CRI's leak test)" {
	local shim
	ctr_run -d --null-io --annotation io.kubernetes.cri.sandbox-id=pod "$IMAGE" pod sleep 1000
	shim=$(shim_pid pod)
	run in_pod c1 no-such-program
	[ "$status" != 0 ]
	[ "$(find "/proc/$shim/fd" -lname 'pipe:*' | wc -l)" = 0 ]
}

# Their output goes to files: on a busy machine ctr 1.6 loses the end of what it relays
# itself, over any shim.
@test "twenty containers at once, each with its own output and code" {
	local i pids=()
	for i in {1..20}; do
		ctr_run -d --log-uri "file://$T/out$i" "$IMAGE" "c$i" \
			sh -c "seq $i 20000; exit $i" 3>&- &
		pids+=($!)
	done
	for i in {1..20}; do
		ended_with "${pids[i - 1]}" 0
	done
	for i in {1..20}; do
		deleted_with "c$i" "$i"
		seq "$i" 20000 | cmp - "$T/out$i"
	done
}
