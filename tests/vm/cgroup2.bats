#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# On a machine that has nothing but cgroup v2: limits, out of memory in nested cgroups,
# pause, kill of all; where systemd is PID 1, through its driver. Run by tests/matrix.

load ../host/helper
eval "host_$(declare -f setup_file)"

setup_file() {
	BRASS=$(realpath -e "$BRASS_BUILD/brass")
	export BRASS
	host_setup_file
}

has_systemd() {
	[ -d /run/systemd/system ]
}

# The systemd driver is asked for by an option that ctr has for the stock name only.
box() {
	local id=$1 options=()
	shift
	if has_systemd; then
		RUNTIME=io.containerd.runc.v2
		options=(--runc-systemd-cgroup --cgroup "system.slice:brass:$id")
	fi
	ctr_run -d "${options[@]}" "${@:1:$#-1}" "$IMAGE" "$id" sh -c "${@: -1}"
}

folder_of() {
	echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(task_pid "$1")/cgroup")"
}

has_topic() {
	topics_of "$1" | grep -qx "$2"
}

has_line() {
	grep -qx "$2" "$1"
}

# systemd removes the empty.
is_empty() {
	[ ! -d "$1" ] || has_line "$1/cgroup.events" 'populated 0' 2>/dev/null
}

ready() {
	soon test -e "/proc/$(task_pid "$1")/root/ready"
}

end() {
	task kill -s KILL --all "$1"
	soon is_status "$1" STOPPED
	task delete "$1" || [ $? = 137 ]
	ctr containers delete "$1"
}

@test "this machine has cgroup v2 alone" {
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]
	[ ! -e /sys/fs/cgroup/memory ]
}

@test "limits, and metrics of version 2" {
	local folder
	box c1 --memory-limit 67108864 --cpu-quota 50000 --cpu-period 100000 \
		'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo >/ready; exec sleep 1000'
	ready c1
	folder=$(folder_of c1)
	if has_systemd; then
		[ "$folder" = /sys/fs/cgroup/system.slice/brass-c1.scope ]
		systemctl is-active brass-c1.scope
	fi
	has_line "$folder/memory.max" 67108864
	has_line "$folder/cpu.max" '50000 100000'
	task metrics --format json c1 >"$T/metrics"
	[ "$(jq .memory.usage_limit "$T/metrics")" = 67108864 ]
	[ "$(jq .memory.usage "$T/metrics")" -gt 0 ]
	[ "$(jq .cpu.usage_usec "$T/metrics")" -gt 1000 ]
	[ "$(jq .pids.current "$T/metrics")" -ge 1 ]
	end c1
	! has_systemd || soon eval '! systemctl is-active --quiet brass-c1.scope'
}

update() {
	"$BRASS" call -n "$CONTAINERD_NAMESPACE" "$1" Update "{\"resources\": $2}"
}

@test "update: the new limits are those of the cgroup; what is not named stays" {
	local folder
	box c1 --memory-limit 67108864 'exec sleep 1000'
	folder=$(folder_of c1)
	update c1 '{"memory": {"limit": 33554432}, "cpu": {"quota": 20000, "period": 100000}}'
	has_line "$folder/memory.max" 33554432
	has_line "$folder/cpu.max" '20000 100000'
	update c1 '{"pids": {"limit": 50}}'
	has_line "$folder/pids.max" 50
	has_line "$folder/memory.max" 33554432
	[ "$(task metrics --format json c1 | jq '.memory.usage_limit, .pids.limit' | xargs)" = \
		'33554432 50' ]
	! has_systemd || [ "$(systemctl show -P MemoryMax brass-c1.scope)" = 33554432 ]
	run update c1 '{"memory": {"limit": -5}}'
	[ "$status" != 0 ]
	is_status c1 RUNNING
	end c1
}

@test "out of memory: the event, then the exit; three times" {
	local i
	record_events
	for i in {1..3}; do
		box "c$i" --memory-limit 16777216 'until [ -e /go ]; do sleep 0.01; done
			exec tail /dev/zero'
		go "c$i"
		soon has_topic "c$i" /tasks/exit
		deleted_with "c$i" 137
		ctr containers delete "c$i"
		soon has_topic "c$i" /tasks/delete
		[ "$(topics_of "c$i" | uniq | tr '\n' ' ')" = \
			'/tasks/create /tasks/start /tasks/oom /tasks/exit /tasks/delete ' ]
	done
}

@test "out of memory in a nested cgroup, of a limit of its own: the event; the container lives" {
	local folder
	record_events
	box c1 'echo >/ready; exec sleep 1000'
	ready c1
	folder=$(folder_of c1)
	mkdir "$folder"/{init,child}
	task_pid c1 >"$folder/init/cgroup.procs"
	echo +memory >"$folder/cgroup.subtree_control"
	echo 8M >"$folder/child/memory.max"
	sh -c 'echo $$ >"$1/cgroup.procs"; exec tail /dev/zero' - "$folder/child" 3>&- ||
		[ $? = 137 ]
	grep -qx 'oom_kill 1' "$folder/child/memory.events"
	soon has_topic c1 /tasks/oom
	is_status c1 RUNNING
	[ "$(task metrics --format json c1 | jq .memory_events.oom_kill)" = 1 ]
	end c1
}

@test "pause freezes, resume goes on" {
	box c1 'i=0; while :; do i=$((i + 1)); echo $i >/count; sleep 0.01; done'
	soon test -s "/proc/$(task_pid c1)/root/count"
	task pause c1
	is_status c1 PAUSED
	has_line "$(folder_of c1)/cgroup.events" 'frozen 1'
	task resume c1
	is_status c1 RUNNING
	has_line "$(folder_of c1)/cgroup.events" 'frozen 0'
	end c1
}

@test "kill of all reaches who has left the session, and the nested" {
	local pid folder nested
	box c1 'setsid sleep 1001 & setsid sleep 1002 & echo >/ready; exec sleep 1000'
	ready c1
	pid=$(task_pid c1) folder=$(folder_of c1)
	mkdir "$folder/nested"
	nested=$(pgrep -f 'sleep 1001')
	echo "$nested" >"$folder/nested/cgroup.procs"
	task kill -s KILL --all c1
	soon is_status c1 STOPPED
	soon gone "$nested"
	soon gone "$pid"
	deleted_with c1 137
}

# In the machine's pid namespace the end of the init is nobody's end but its own. Whoever
# forks and exits all the time is never there any more when its pid was read.
storm() {
	box "$1" --with-ns pid:/proc/1/ns/pid \
		'run() { run & }; run; run; sleep 1001 & echo >/ready; exec sleep 1000'
	ready "$1"
	folder=$(folder_of "$1")
	has_line "$folder/cgroup.events" 'populated 1'
}

@test "a storm of forks has no chance against the kill of all" {
	local folder
	storm c1
	task kill -s KILL --all c1
	soon is_empty "$folder"
	deleted_with c1 137
}

@test "nor what is left of it when the init ends by itself" {
	local folder
	storm c1
	task kill -s TERM c1
	soon is_empty "$folder"
	deleted_with c1 143
}

@test "the frozen are killed: the paused, and whom somebody else froze, nested too" {
	local folder nested
	box c1 'sleep 1001 & exec sleep 1000'
	task pause c1
	task kill -s KILL c1
	deleted_with c1 137
	ctr containers delete c1
	box c1 'sleep 1001 & echo >/ready; exec sleep 1000'
	ready c1
	folder=$(folder_of c1)
	nested=$(pgrep -f 'sleep 1001')
	mkdir "$folder/nested"
	echo "$nested" >"$folder/nested/cgroup.procs"
	echo 1 >"$folder/nested/cgroup.freeze"
	echo 1 >"$folder/cgroup.freeze"
	soon has_line "$folder/cgroup.events" 'frozen 1'
	task kill -s KILL --all c1
	soon gone "$nested"
	deleted_with c1 137
	ctr containers delete c1
	box c1 'echo >/ready; exec sleep 1000'
	ready c1
	folder=$(folder_of c1)
	echo 1 >"$folder/cgroup.freeze"
	soon has_line "$folder/cgroup.events" 'frozen 1'
	kill -KILL "$(task_pid c1)"
	deleted_with c1 137
}

@test "crun, on cgroup v2" {
	printf '#!/bin/sh\nexec crun "$@"\n' >"$T/my-crun"
	chmod +x "$T/my-crun"
	RUNTIME=io.containerd.runc.v2
	ctr_run -d --runc-binary "$T/my-crun" --memory-limit 67108864 "$IMAGE" c1 sleep 1000
	has_line "$(folder_of c1)/memory.max" 67108864
	exec_prints c1 e1 'echo hello' hello 5
	task pause c1
	is_status c1 PAUSED
	task resume c1
	[ "$(task metrics --format json c1 | jq .memory.usage_limit)" = 67108864 ]
	task kill -s KILL c1
	deleted_with c1 137
}
