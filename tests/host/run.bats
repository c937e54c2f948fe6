#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ctr, containerd, brass and runc together: what a user does every day.

load helper

@test "stdout and stderr arrive, each where it belongs" {
	ctr_run --rm "$IMAGE" c1 sh -c 'echo out; echo err >&2' >"$T/out" 2>"$T/err"
	[ "$(<"$T/out")" = out ]
	[ "$(<"$T/err")" = err ]
}

@test "exit codes 0, 7 and 137 come back" {
	ctr_run --rm "$IMAGE" c0 true
	run ctr_run --rm "$IMAGE" c7 sh -c 'exit 7'
	[ "$status" = 7 ]
	detached c9 sleep 1000
	task kill -s KILL c9
	deleted_with c9 137
	detached c0b true
	deleted_with c0b 0
}

@test "stdin goes through, and its end" {
	seq 1 200000 >"$T/in"
	ctr_run --rm "$IMAGE" c1 cat <"$T/in" >"$T/out"
	cmp "$T/in" "$T/out"
}

@test "an end of stdin without data" {
	with_stdin ctr_run --rm "$IMAGE" c1 sh -c 'echo ready; cat; echo end'
	soon grep -q ready "$T/out"
	exec 7>&-
	wait "$client"
	[ "$(<"$T/out")" = $'ready\nend' ]
}

@test "exec: output, stdin, exit code" {
	detached c1 sleep 1000
	exec_prints c1 e1 'echo hello' hello 5
	exec_prints c1 e1 'echo again' again 0
	rm "$T/in"
	with_stdin task exec --exec-id e2 c1 sh -c 'echo ready; cat'
	soon grep -q ready "$T/out"
	echo 'from the client' >&7
	exec 7>&-
	wait "$client"
	[ "$(<"$T/out")" = $'ready\nfrom the client' ]
	task kill -s KILL c1
}

@test "exec of a program that is not there says so" {
	detached c1 sleep 1000
	run task exec --exec-id e1 c1 no-such-program
	[ "$status" != 0 ]
	[[ $output == *"$(not_found no-such-program)"* ]]
	is_status c1 RUNNING
}

@test "twenty execs at once" {
	local i pids=()
	detached c1 sleep 1000
	for i in {1..20}; do
		task exec --exec-id "e$i" c1 sh -c "echo $i >/out$i; exit $i" 3>&- &
		pids+=($!)
	done
	for i in {1..20}; do
		ended_with "${pids[i - 1]}" "$i"
		[ "$(<"/proc/$(task_pid c1)/root/out$i")" = "$i" ]
	done
}

@test "kill: TERM is delivered, a second KILL finds nothing" {
	detached c1 sh -c 'trap "exit 33" TERM; while :; do sleep 0.1; done'
	soon grep -q '^SigCgt:.*4...$' "/proc/$(task_pid c1)/status"
	task kill -s TERM c1
	soon is_status c1 STOPPED
	run task kill -s KILL c1
	[ "$status" != 0 ]
	[[ $output == *'process already finished: not found'* ]]
	deleted_with c1 33
}

@test "kill --all reaches every process" {
	local pid
	detached c1 sh -c 'sleep 1001 & sleep 1002'
	soon eval '[ "$(task ps c1 | wc -l)" = 3 ]' # a line for the heading
	pid=$(task_pid c1)
	task kill -s KILL --all c1
	soon is_status c1 STOPPED
	gone "$pid"
}

# In v1 a frozen process does not even die of SIGKILL.
freeze() {
	local file state=FROZEN path
	path=$(sed -n 's/^[0-9]*:freezer://p' "/proc/$1/cgroup")
	file=/sys/fs/cgroup/freezer$path/freezer.state
	[ -e "$file" ] || { file=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/cgroup.freeze state=1; }
	echo "$state" >"$file"
	[ "$state" = 1 ] || soon grep -q FROZEN "$file"
}

@test "frozen by somebody else: SIGKILL is the end" {
	detached c1 sh -c 'sleep 1000 & sleep 1000; :'
	freeze "$(task_pid c1)"
	task kill -s KILL c1
	deleted_with c1 137
	detached c2 sleep 1000
	freeze "$(task_pid c2)"
	task kill -a -s KILL c2
	deleted_with c2 137
}

@test "pids of a container, execs included" {
	detached c1 sleep 1000
	task exec -d --exec-id e1 c1 sleep 1001
	run task ps c1
	[ "$status" = 0 ]
	[[ $output == *"$(task_pid c1)"* ]]
	[ "${#lines[@]}" = 3 ]
	[[ $output == *e1* ]]
}

@test "delete: the code once, then nothing" {
	detached c1 sh -c 'exit 3'
	deleted_with c1 3
	run task delete c1
	[ "$status" != 0 ]
}

@test "110 MB of output, byte for byte" {
	local expected
	expected=$(seq 1 14000000 | head -c 110000000 | sha256sum)
	ctr_run --rm "$IMAGE" c1 sh -c 'seq 1 14000000 | head -c 110000000' >"$T/out"
	[ "$(sha256sum <"$T/out")" = "$expected" ]
}

@test "events: all of a life, in order" {
	record_events
	detached c1 sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 4'
	task exec --exec-id e1 c1 true
	go c1
	deleted_with c1 4
	soon eval 'topics_of c1 | grep -q delete'
	[ "$(topics_of c1 | tr '\n' ' ')" = "/tasks/create /tasks/start /tasks/exec-added \
/tasks/exec-started /tasks/exit /tasks/exit /tasks/delete " ]
	grep '"id":"c1"' "$T/events" | grep /tasks/exit | grep -q '"exit_status":4'
}

@test "a container that never ran can be deleted" {
	timeout 20 ctr containers create --runtime "$RUNTIME" "$IMAGE" c1 sleep 1000
	timeout 20 ctr containers delete c1
}

@test "the runtime is missing: its name is in the error" {
	RUNTIME=io.containerd.runc.v2
	run ctr_run --rm --runc-binary no-runc "$IMAGE" c1 true
	[ "$status" != 0 ]
	[[ $output == *'"no-runc"'* ]]
}

@test "the program is missing, or is none: runc's own words arrive" {
	run ctr_run --rm "$IMAGE" c1 no-such-program
	[ "$status" != 0 ]
	[[ $output == *'OCI runtime create failed'* ]]
	[[ $output == *"$(not_found no-such-program)"* ]]
	run ctr_run --rm "$IMAGE" c2 /etc/passwd
	[ "$status" != 0 ]
	[[ ${output,,} == *'permission denied'* || $output == *'/etc/passwd'*'is not executable'* ]]
	run ctr_run --rm --cwd /no/such/dir --env A=1 "$IMAGE" c3 true
	[ "$status" = 0 ] || [[ $output == *'/no/such/dir'* ]]
}

@test "a config that runc refuses" {
	run ctr_run --rm --mount type=nosuchfs,src=none,dst=/x "$IMAGE" c1 true
	[ "$status" != 0 ]
	[[ $output == *'OCI runtime create failed'* ]]
}

@test "a config of half a megabyte" {
	local i args=()
	for i in {1..100}; do
		args+=(--annotation "big.$i=$(printf '%05000d' "$i")")
	done
	run ctr_run --rm "${args[@]}" "$IMAGE" c1 echo fine
	[ "$status" = 0 ]
	[ "$output" = fine ]
}

@test "null IO" {
	ctr_run -d --null-io "$IMAGE" c1 sh -c 'echo x && echo y >&2 && exit 6; exit 1'
	deleted_with c1 6
}

@test "under the name of the stock shim" {
	RUNTIME=io.containerd.runc.v2
	run ctr_run --rm "$IMAGE" c1 echo hello
	[ "$output" = hello ]
	detached c2 sleep 1000
	[ "$(cut -d' ' -f2 "/proc/$(shim_pid c2)/stat")" = "(containerd-shim)" ]
	cmp "/proc/$(shim_pid c2)/exe" "$BRASS_BUILD/containerd-shim-brass-v2"
}

@test "the container sees nothing of the shim" {
	# No pipeline: its pipe would be among them, as long as the shell builds it.
	run ctr_run --rm "$IMAGE" c1 sh -c 'cd /proc/1/fd && echo *'
	[ "$output" = "0 1 2 3" ] || [ "$output" = "0 1 2" ] # 3: the folder, while it is read
	run ctr_run --rm "$IMAGE" c2 env
	[[ $output != *TTRPC_ADDRESS* ]]
}
