#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a user of Docker does every day. The daemon is that of $HOST_SUITE (trixie or
# forky), over a containerd of its own; it knows brass as its default runtime, or has it in
# the place of the stock shim (HOST_RUNTIME).

bats_require_minimum_version 1.5.0
load ../host/helper
eval "host_$(declare -f setup_file)"
eval "host_$(declare -f teardown_file)"
eval "host_$(declare -f setup)"
[ "$HOST_SUITE" != host ] || HOST_SUITE=trixie

keep_dockerd() {
	echo "DOCKERD_PID=$DOCKERD_PID" >"$BATS_FILE_TMPDIR/dockerd"
}

# Runtimes by containerd's name are known without configuration; that of the stock shim is
# Docker's own "runc".
default_runtime() {
	case $RUNTIME in
	io.containerd.runc.v2) echo runc ;;
	*) echo "$RUNTIME" ;;
	esac
}

start_dockerd() {
	local dir=$CONTAINERD_DIR
	cat >"$dir/docker.json" <<-END
	{"runtimes": {"by-file": {"runtimeType": "io.containerd.brass.v2", "options":
	 {"TypeUrl": "containerd.runc.v1.Options", "ConfigPath": "$dir/options.toml"}}}}
	END
	dockerd --host "unix://$dir/docker.sock" --containerd "$CONTAINERD_ADDRESS" \
		--containerd-namespace "$CONTAINERD_NAMESPACE" \
		--containerd-plugins-namespace "$CONTAINERD_NAMESPACE-plugins" \
		--data-root "$BATS_FILE_TMPDIR/docker-data" --exec-root "$dir/docker-run" \
		--pidfile "$dir/docker.pid" --config-file "$dir/docker.json" \
		--bridge none --iptables=false --ip6tables=false --live-restore \
		--cgroup-parent "/$CONTAINERD_NAMESPACE" \
		--exec-opt native.cgroupdriver=cgroupfs \
		--default-runtime "$(default_runtime)" \
		>>"$dir/dockerd.log" 2>&1 3>&- </dev/null &
	DOCKERD_PID=$!
	keep_dockerd
	wait_for 60 dockerd_answers
	docker version >/dev/null || { tail -n 20 "$dir/dockerd.log" && return 1; }
}

# Its end ends the waiting as well.
dockerd_answers() {
	gone "$DOCKERD_PID" || docker version >/dev/null 2>&1
}

stop_dockerd() {
	kill "-${1:-TERM}" "$DOCKERD_PID"
	wait_for 30 gone "$DOCKERD_PID"
}

setup_file() {
	host_setup_file
	load_library
	cp /bin/busybox "$BRASS_BUILD/ps" # for dockerd, which has none in its Debian
	export DOCKER_HOST=unix://$CONTAINERD_DIR/docker.sock DOCKER_CONFIG=$BATS_FILE_TMPDIR/docker
	start_dockerd
	tar -xOf "$CONTAINERD_DIR/image.tar" layer.tar | docker import - "$IMAGE" >/dev/null
}

teardown_file() {
	local pid
	load_library
	. "$BATS_FILE_TMPDIR/dockerd"
	docker ps -aq | xargs -r timeout 60 "$BATS_FILE_TMPDIR/bin/docker" rm -f >/dev/null
	stop_dockerd || kill -KILL "$DOCKERD_PID"
	host_teardown_file
}

setup() {
	host_setup
	. "$BATS_FILE_TMPDIR/dockerd"
}

teardown() {
	local pid
	for pid in "${background[@]}"; do
		kill "$pid" 2>/dev/null || :
	done
	docker ps -aq | xargs -r timeout 60 "$BATS_FILE_TMPDIR/bin/docker" rm -f >/dev/null
	soon no_root_mounted && clean_afterwards
}

no_root_mounted() {
	! grep "$BATS_FILE_TMPDIR/docker-data/overlay2/" "/proc/$DOCKERD_PID/mountinfo"
}

docker() {
	timeout -k 5 90 "$BATS_FILE_TMPDIR/bin/docker" "$@"
}

# docker run [OPTION]..., the command after the image's name.
run_box() {
	docker run --network none "$@"
}

shell() {
	run_box -d --name "$1" "${@:3}" "$IMAGE" sh -c "$2" >/dev/null
}

is() {
	[ "$(docker inspect -f "$2" "$1")" = "$3" ]
}

pid_of() {
	docker inspect -f '{{.State.Pid}}' "$1"
}

logged() {
	docker logs "$1" 2>&1 | grep -qx -- "$2"
}

# A command at a terminal, with what is typed on stdin.
at_terminal() {
	script -qefc "$(printf '%q ' exec timeout --foreground -k 5 90 "$BATS_FILE_TMPDIR/bin/docker" "$@")" /dev/null
}

@test "run: both streams, code, and brass it is" {
	local code=0
	run_box --rm "$IMAGE" sh -c 'echo out; echo err >&2; exit 7' >"$T/out" 2>"$T/err" || code=$?
	[ "$code" = 7 ]
	[ "$(<"$T/out")" = out ]
	[ "$(<"$T/err")" = err ]
	seq 1 100000 >"$T/in"
	run_box --rm -i "$IMAGE" cat <"$T/in" | cmp - "$T/in"
	shell c1 'sleep 1000'
	cmp "/proc/$(awk '$1 == "PPid:" { print $2 }' "/proc/$(pid_of c1)/status")/exe" \
		"$BRASS_BUILD/containerd-shim-brass-v2"
}

@test "run --runtime: by containerd's name for it" {
	shell c1 'sleep 1000' --runtime io.containerd.brass.v2
	cmp "/proc/$(awk '$1 == "PPid:" { print $2 }' "/proc/$(pid_of c1)/status")/exe" \
		"$BRASS_BUILD/containerd-shim-brass-v2"
	is c1 '{{.HostConfig.Runtime}}' io.containerd.brass.v2
}

@test "a runtime of daemon.json with its options in a file" {
	echo 'BinaryName = "/nowhere/runc"' >"$CONTAINERD_DIR/options.toml"
	run ! run_box --rm --runtime by-file "$IMAGE" true
	[[ $output == *'/nowhere/runc: no such file or directory'* ]]
	echo 'BinaryName = "runc"' >"$CONTAINERD_DIR/options.toml"
	run_box --rm --runtime by-file "$IMAGE" true
}

@test "a program that is not there: the message, and 127" {
	run -127 run_box --rm "$IMAGE" no-such-program
	[[ $output == *no-such-program* ]]
}

@test "exec: code, stdin, user, environment; at a terminal" {
	local code=0
	shell c1 'sleep 1000'
	docker exec -e A=b -u 1000 c1 sh -c 'echo $A; id -u; exit 5' >"$T/out" || code=$?
	[ "$code" = 5 ]
	[ "$(<"$T/out")" = $'b\n1000' ]
	[ "$(echo hello | docker exec -i c1 cat)" = hello ]
	code=0
	echo 'tty; exit 6' | at_terminal exec -it c1 sh >"$T/out" || code=$?
	[ "$code" = 6 ]
	grep -q /dev/pts/ "$T/out"
	run docker exec c1 no-such-program
	[ "$status" = 127 ] || [ "$status" = 126 ]
	is c1 '{{.State.Status}}' running
}

@test "logs: all of it, and while it comes; attach" {
	shell c1 'i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i + 1)); done; echo err >&2
		while [ ! -e /go ]; do sleep 0.05; done; echo end; exit 3'
	soon logged c1 err
	docker logs c1 2>/dev/null | cmp - <(seq 0 1999)
	docker logs -f c1 >"$T/followed" 2>&1 3>&- &
	background+=($!)
	docker attach --no-stdin c1 >"$T/attached" 2>&1 3>&- &
	background+=($!)
	soon grep -qx err "$T/followed"
	touch "/proc/$(pid_of c1)/root/go"
	[ "$(docker wait c1)" = 3 ]
	soon grep -qx end "$T/followed"
}

@test "attach with stdin" {
	run_box -di --name c1 "$IMAGE" sh -c 'read x; echo got $x; read x; exit 4' >/dev/null
	with_stdin docker attach c1
	echo hello >&7
	soon grep -qx 'got hello' "$T/out"
	echo bye >&7
	ended_with "$client" 4
	exec 7>&-
}

@test "stop: SIGTERM, then SIGKILL; kill by any signal; pause" {
	shell polite 'trap "exit 42" TERM; echo ready; while :; do sleep 0.05; done'
	shell deaf 'trap "" TERM; trap "exit 43" USR1; echo ready; while :; do sleep 0.05; done'
	soon logged polite ready
	soon logged deaf ready
	docker stop -t 60 polite
	is polite '{{.State.ExitCode}}' 42
	docker pause deaf
	is deaf '{{.State.Status}}' paused
	docker unpause deaf
	docker kill -s USR1 deaf
	[ "$(docker wait deaf)" = 43 ]
	docker start deaf
	soon logged deaf ready
	docker stop -t 1 deaf
	is deaf '{{.State.ExitCode}}' 137
}

@test "restart policies" {
	shell failing 'exit 3' --restart on-failure:2
	shell always 'echo once; while [ ! -e /go ]; do sleep 0.05; done; rm /go; exit 0' \
		--restart always
	soon is failing '{{.RestartCount}} {{.State.Status}}' '2 exited'
	soon logged always once
	touch "/proc/$(pid_of always)/root/go"
	soon is always '{{.RestartCount}} {{.State.Status}}' '1 running'
	kill -KILL "$(pid_of always)"
	soon is always '{{.RestartCount}} {{.State.Status}}' '2 running'
	docker stop -t 0 always
	is always '{{.State.Status}}' exited
	docker restart -t 0 always
	is always '{{.State.Status}}' running
}

@test "health checks" {
	shell c1 'touch /well; sleep 1000' --health-cmd 'test -e /well' --health-interval 1s \
		--health-retries 1
	wait_for 30 is c1 '{{.State.Health.Status}}' healthy
	docker exec c1 rm /well
	wait_for 30 is c1 '{{.State.Health.Status}}' unhealthy
}

@test "events: a life, and out of memory" {
	local since
	shell c1 'exit 4' # what was before, even in the same second, is not asked for
	docker rm -f c1 >/dev/null
	since=$(date +%s.%N)
	shell c1 'exit 5'
	[ "$(docker wait c1)" = 5 ]
	shell c2 'tail /dev/zero' -m 16m
	[ "$(docker wait c2)" = 137 ]
	soon is c2 '{{.State.OOMKilled}}' true
	docker rm c1 >/dev/null
	docker events --since "$since" --until "$(($(date +%s) + 1))" --filter type=container \
		--format '{{.Actor.Attributes.name}} {{.Action}} {{.Actor.Attributes.exitCode}}' \
		>"$T/events"
	cat "$T/events"
	[ "$(sed -n 's/^c1 \([a-z]*\) .*/\1/p' "$T/events" | tr '\n' ' ')" = \
		'create start die destroy ' ]
	grep -qx 'c1 die 5' "$T/events"
	[ "$(sed -n 's/^c2 \([a-z]*\) .*/\1/p' "$T/events" | uniq | tr '\n' ' ')" = \
		'create start oom die ' ]
}

@test "stats, top and update" {
	shell c1 'sleep 1001 & dd if=/dev/zero of=/dev/shm/x bs=1M count=8; echo ready; sleep 1000' \
		-m 64m
	soon logged c1 ready
	run docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' c1
	[[ $output =~ MiB\ /\ 64MiB\ [23]$ ]]
	docker top c1 -o pid,args | grep -q 'sleep 1001'
	docker update -m 96m --memory-swap 96m c1
	run docker stats --no-stream --format '{{.MemUsage}}' c1
	[[ $output == *' / 96MiB' ]]
}

@test "--init reaps what is nobody's" {
	shell c1 '(sleep 0 &) ; sleep 0.1; echo ready; sleep 1000' --init
	soon logged c1 ready
	[ "$(docker exec c1 cat /proc/1/comm)" = docker-init ]
	soon eval '! docker exec c1 cat /proc/[0-9]*/status | grep -q "^State:.Z"'
	docker stop -t 60 c1
	is c1 '{{.State.ExitCode}}' 143
}

@test "live restore: dockerd is killed and comes back, and so does containerd" {
	local pid
	shell c1 'i=0; while [ ! -e /go ]; do echo $i; i=$((i + 1)); usleep 10000; done; exit 9'
	shell c2 'while [ ! -e /go ]; do sleep 0.05; done; exit 10'
	pid=$(pid_of c2)
	soon logged c1 20
	stop_dockerd KILL
	touch "/proc/$pid/root/go"
	soon gone "$pid"
	start_dockerd
	is c1 '{{.State.Status}}' running
	soon is c2 '{{.State.Status}} {{.State.ExitCode}}' 'exited 10'
	[ "$(docker exec c1 echo alive)" = alive ]
	stop_containerd KILL
	restart_containerd
	soon eval '[ "$(docker exec c1 echo alive)" = alive ]'
	touch "/proc/$(pid_of c1)/root/go"
	[ "$(docker wait c1)" = 9 ]
}
