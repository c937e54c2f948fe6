#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Metrics and OOM events of real containers, next to those of the stock shim.

load helper

STOCK=/usr/bin/containerd-shim-runc-v2

unified() {
	[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]
}

# The folder of a cgroup that has this controller.
folder() {
	if unified; then echo "/sys/fs/cgroup$2"; else echo "/sys/fs/cgroup/$1$2"; fi
}

freeze() {
	if unified; then
		echo "$2" >"$(folder freezer "$1")/cgroup.freeze"
	else
		if [ "$2" = 1 ]; then echo FROZEN; else echo THAWED; fi \
			>"$(folder freezer "$1")/freezer.state"
	fi
}

is_frozen() {
	if unified; then
		grep -qx 'frozen 1' "$(folder freezer "$1")/cgroup.events"
	else
		grep -qx FROZEN "$(folder freezer "$1")/freezer.state"
	fi
}

metrics() {
	task metrics --format json "$1"
}

# A number out of the metrics of a container; 0 if it is not there.
metric() {
	metrics "$1" | jq "($2) // 0"
}

# Threads count as well: just after its start runc's are still there.
has_pids() {
	[ "$(metric "$1" .pids.current)" = "$2" ]
}

oom_kills() {
	metric "$1" '.memory_oom_control.oom_kill // .memory_events.oom_kill'
}

has_topic() {
	topics_of "$1" | grep -qx "$2"
}

# How many descriptors of a process wait for OOM events.
oom_watches() {
	find "/proc/$1/fd" \( -lname 'anon_inode:\[eventfd\]' -o -lname '*/memory.events' \) \
		2>/dev/null | wc -l
}

watches() {
	[ "$(oom_watches "$1")" = "$2" ]
}

more_ooms() {
	[ "$(topics_of "$1" | grep -c oom)" -gt "$2" ]
}

no_ooms() {
	[ "$(grep -c /tasks/oom "$T/events")" = 0 ]
}

@test "metrics are those that the stock shim reads from the same cgroup" {
	local both=/$CONTAINERD_NAMESPACE/both i limits=(--memory-limit 67108864)
	[ -x "$(there "$STOCK")" ] || skip 'there is no stock shim'
	limits+=(--cpu-quota 50000 --cpu-period 100000)
	ctr_run -d --cgroup "$both" "${limits[@]}" "$IMAGE" c1 sh -c 'i=0
			while [ $i -lt 100000 ]; do i=$((i + 1)); done
			dd if=/dev/zero of=/x bs=1M count=5; echo >/ready; exec sleep 1000'
	soon test -e "/proc/$(task_pid c1)/root/ready"
	RUNTIME=$STOCK run ctr_run -d --cgroup "$both" "${limits[@]}" "$IMAGE" c2 sleep 1000
	[[ $output != *'cgroup is not empty'* ]] || skip 'this runc takes no cgroup that is in use'
	[ "$status" = 0 ]
	soon has_pids c1 2
	freeze "$both" 1
	soon is_frozen "$both"
	# The kernel adds up some of its numbers now and then: until they stand still.
	for i in {1..50}; do
		metrics c1 | jq -S . >"$T/ours"
		metrics c2 | jq -S . >"$T/stock"
		metrics c1 | jq -S . >"$T/again"
		cmp -s "$T/ours" "$T/again" && break
	done
	freeze "$both" 0
	diff "$T/ours" "$T/stock"
	[ "$(jq '.memory.usage.limit // .memory.usage_limit' "$T/ours")" = 67108864 ]
	[ "$(jq '.cpu.throttling.periods // .cpu.nr_periods' "$T/ours")" -gt 0 ]
	# The cgroup can only be removed by the one that goes last.
	task kill -s KILL c2
	soon is_status c2 STOPPED
	task kill -s KILL c1
	soon is_status c1 STOPPED
}

@test "metrics of a stopped container, and of one that is not there" {
	detached c1 sleep 1000
	soon has_pids c1 1
	task kill -s KILL c1
	soon is_status c1 STOPPED
	has_pids c1 0
	run metrics nobody
	[ "$status" != 0 ]
	[[ $output == *'not found'* ]]
}

@test "an init that runs out of memory: the OOM event, then the exit; ten times" {
	local i
	record_events
	for i in {1..10}; do
		ctr_run -d --memory-limit 16777216 "$IMAGE" "c$i" \
			sh -c 'until [ -e /go ]; do sleep 0.01; done; exec tail /dev/zero'
		go "c$i"
		soon has_topic "c$i" /tasks/exit
		[ "$(oom_kills "c$i")" -gt 0 ]
		deleted_with "c$i" 137
		ctr containers delete "c$i"
		soon has_topic "c$i" /tasks/delete
		topics_of "c$i" | uniq >"$T/topics"
		diff - "$T/topics" <<-END
		/tasks/create
		/tasks/start
		/tasks/oom
		/tasks/exit
		/tasks/delete
		END
	done
}

@test "a child and an exec that run out of memory, while the init lives on" {
	local before
	record_events
	ctr_run -d --memory-limit 33554432 "$IMAGE" c1 \
		sh -c 'tail /dev/zero; echo $? >/code; exec sleep 1000'
	soon test -s "/proc/$(task_pid c1)/root/code"
	[ "$(<"/proc/$(task_pid c1)/root/code")" = 137 ]
	soon has_topic c1 /tasks/oom
	before=$(topics_of c1 | grep -c oom)
	run task exec --exec-id e1 c1 tail /dev/zero
	[ "$status" = 137 ]
	soon more_ooms c1 "$before"
	is_status c1 RUNNING
	# That of the exec.
	soon has_topic c1 /tasks/exit
	[ "$(topics_of c1 | grep -c exit)" = 1 ]
}

@test "no OOM event for a container that just ends" {
	record_events
	detached c1 true
	deleted_with c1 0
	detached c2 sleep 1000
	task kill -s KILL c2
	deleted_with c2 137
	soon has_topic c2 /tasks/delete
	no_ooms
}

@test "one descriptor watches, until the exit" {
	local shim
	detached c1 sleep 1000
	shim=$(shim_pid c1)
	watches "$shim" 1
	task kill -s KILL c1
	soon is_status c1 STOPPED
	soon watches "$shim" 0
	[ -e "/proc/$shim/fd/0" ]
}

# Hundredths of a second that a process has computed.
ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

@test "a memory cgroup that is removed under a container: no event, no busy loop" {
	local shim pid path before i
	unified && skip 'its processes cannot be moved without one another'
	record_events
	detached c1 sleep 1000
	shim=$(shim_pid c1) pid=$(task_pid c1)
	path=$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup")
	watches "$shim" 1
	echo "$pid" >/sys/fs/cgroup/memory/cgroup.procs
	rmdir "/sys/fs/cgroup/memory$path"
	[ "$(metric c1 .memory.usage.usage)" = 0 ]
	soon has_pids c1 1
	before=$(ticks "$shim")
	for i in {1..20}; do
		has_pids c1 1
	done
	[ $(($(ticks "$shim") - before)) -le 5 ]
	task kill -s KILL c1
	soon watches "$shim" 0
	soon has_topic c1 /tasks/exit
	no_ooms
}
