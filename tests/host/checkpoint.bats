#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Checkpoint and restore with a real criu: containerd 2.1, runc and criu of a newer
# Debian (contrib/lib/debian.bash). First as ctr does it; then call by call, for what ctr
# cannot say.

load helper
eval "host_$(declare -f setup_file)"
eval "host_$(declare -f teardown_file)"
eval "host_$(declare -f setup)"
eval "host_$(declare -f teardown)"
. "$root/contrib/lib/debian.bash"

setup_file() {
	local r=0
	if grep -q 'CRIU=no' "$BRASS_BUILD/containerd-shim-brass-v2"; then
		echo 'this shim was built with CRIU=no' >"$BATS_FILE_TMPDIR/skip"
		return
	fi
	debian_make forky || r=$?
	if [ "$r" = 2 ]; then
		echo "forky's mirror cannot be reached" >"$BATS_FILE_TMPDIR/skip"
		return
	fi
	[ "$r" = 0 ]
	BRASS=$(realpath -e "$BRASS_BUILD/brass")
	TICKER=$BATS_FILE_TMPDIR/ticker
	"${CC:-gcc}" -static -O1 -o "$TICKER" "$root/tests/host/ticker.c"
	debian_enter forky "$BATS_FILE_TMPDIR"
	PATH=$BATS_FILE_TMPDIR/bin:$PATH
	export BRASS TICKER DEBIAN_PID PATH
	host_setup_file
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/skip" ] || return 0
	host_teardown_file
}

setup() {
	[ ! -e "$BATS_FILE_TMPDIR/skip" ] || skip "$(<"$BATS_FILE_TMPDIR/skip")"
	host_setup
	record_events
}

teardown() {
	local pid id
	[ ! -e "$BATS_FILE_TMPDIR/skip" ] || return 0
	if [ -z "${BATS_TEST_COMPLETED-}" ]; then
		cat "$T"/*/log 2>/dev/null || :
		for pid in $(owned_pids); do
			kill -KILL "$pid" 2>/dev/null || :
		done
		wait_for 5 no_owned_pids || :
		books list -q | while read -r id; do
			books delete --force "$id"
		done
		owned_sockets | xargs -r rm -f
	fi
	host_teardown || return
	# criu's folders lie in those of the bundle's, and are not kept.
	[ -z "$(find "$T" -path '*/criu-work*')" ]
}

# runc, with the books of the shims.
books() {
	in_debian runc --root "/run/containerd/runc/$CONTAINERD_NAMESPACE" "$@"
}

# ---------------------------------------------------------------- the container's output

# Collects what comes out of a FIFO into FILE.
collect() {
	cat "$1" >"$2" 3>&- &
	background+=($!)
}

# The last number that has arrived.
last() {
	tr -d '\r' <"$1" | grep -E '^[0-9]+$' | tail -n 1
}

ticks_beyond() {
	[ "$(last "$1")" -gt "$2" ] 2>/dev/null
}

# It goes on from where it is now.
goes_on() {
	local now
	now=$(last "$1")
	soon ticks_beyond "$1" "${now:-0}"
}

# What came out of FILE..., one after the other, is N, N + 1, N + 2 ...: nothing twice, no
# gap. N is $FIRST, or any: ctr itself reads until it is detached.
no_gap() {
	cat "$@" | tr -d '\r' | grep -E '^[0-9]+$' | awk -v first="${FIRST-}" '
		NR == 1 { due = first != "" ? first : $1 }
		$1 != due { print "line", NR, "is", $1, "not", due; exit 1 }
		{ due++ }'
}

events_were() {
	[ "$(topics_of "$1" | sed 's|/tasks/||' | tr '\n' ' ')" = "$2 " ]
}

# events_are ID TOPIC...: all that it had.
events_are() {
	soon events_were "$1" "${*:2}" || { topics_of "$1" && return 1; }
}

# ---------------------------------------------------------------- by ctr

ticker() {
	FIRST=''
	ctr_run -d --mount "type=bind,src=$TICKER,dst=/ticker,options=rbind:ro" "$IMAGE" "$1" \
		/ticker
	collect "$FIFOS"/*/"$1-stdout" "$T/$1.txt"
	soon ticks_beyond "$T/$1.txt" 5
}

# Two images of one second would have the same name.
forget_images() {
	ctr images ls -q | grep checkpoint/ | xargs -r "$BATS_FILE_TMPDIR/bin/ctr" images rm \
		>/dev/null
}

@test "ctr: a checkpoint that leaves the container running" {
	ticker c1
	task checkpoint --image-path "$T/img" --work-path "$T/work" c1
	forget_images
	[ -e "$T/img/inventory.img" ]
	[ -e "$T/work/dump.log" ]
	is_status c1 RUNNING
	goes_on "$T/c1.txt"
	run task exec --exec-id e1 c1 echo hello
	[ "$output" = hello ]
	go_to_end c1
	soon is_status c1 STOPPED
	run task delete c1
	[[ $output == *'exit code 42'* ]]
	no_gap "$T/c1.txt"
	events_are c1 create start paused resumed exec-added exec-started exit exit delete
}

# Makes /stop in the container, at which the ticker ends.
go_to_end() {
	touch "/proc/$(task_pid "$1")/root/stop"
}

@test "ctr: a checkpoint that ends the container" {
	ticker c1
	task checkpoint --exit --image-path "$T/img" --work-path "$T/work" c1
	forget_images
	soon is_status c1 STOPPED
	run task delete c1
	[[ $output == *'exit code 137'* ]]
	events_are c1 create start paused exit delete
	no_gap "$T/c1.txt"
}

@test "ctr: a checkpoint in an image, restored as another container" {
	local n fifo
	ticker c1
	timeout 30 ctr containers checkpoint --image --task c1 brass.test/ck:1
	task kill -s KILL c1
	soon is_status c1 STOPPED
	run task delete c1
	ctr containers delete c1
	n=$(last "$T/c1.txt")
	# This ctr does not stay, so its output is read by somebody else.
	timeout 30 ctr containers restore --live c2 brass.test/ck:1 >"$T/first" 2>&1
	is_status c2 RUNNING
	fifo=$(find "/proc/$(shim_pid c2)/fd" -lname '*/c2-stdout' -printf '%l\n' | head -n 1)
	collect "$fifo" "$T/c2.txt"
	soon ticks_beyond "$T/c2.txt" "$n"
	# It went on from where the other one was.
	[ "$(cat "$T/first" "$T/c2.txt" | head -n 1)" -gt 5 ]
	run task exec --exec-id e1 c2 echo hello
	[ "$output" = hello ]
	go_to_end c2
	soon is_status c2 STOPPED
	run task delete c2
	[[ $output == *'exit code 42'* ]]
	events_are c2 create start exec-added exec-started exit exit delete
	ctr images rm brass.test/ck:1 >/dev/null
}

@test "ctr: what cannot be restored stays created, and can be deleted" {
	ticker c1
	timeout 30 ctr containers checkpoint --image --task c1 brass.test/ck:2
	# In the same cgroup, where there is somebody already.
	run timeout 30 ctr containers restore --live c2 brass.test/ck:2
	[ "$status" != 0 ]
	[[ $output == *'OCI runtime restore failed: '* ]]
	is_status c2 CREATED
	run task kill -s KILL c2
	[ "$status" != 0 ]
	[[ $output == *'no such container: not found'* ]]
	task delete c2
	ctr containers delete c2
	is_status c1 RUNNING
	goes_on "$T/c1.txt"
	events_are c2 create delete
	ctr images rm brass.test/ck:2 >/dev/null
}

# ---------------------------------------------------------------- call by call

FIRST=0

# bundle ID [ARG]...: a bundle in $T/ID whose command is /ticker ARG...; TTY=true: with a
# terminal. All of a test have one root.
bundle() {
	local id=$1 dir=$T/$1 args
	shift
	args=$(jq -cn '["/ticker"] + $ARGS.positional' --args "$@")
	if [ ! -d "$T/rootfs" ]; then
		mkdir -p "$T"/rootfs/{bin,proc,sys,dev,tmp}
		cp "$TICKER" "$T/rootfs/ticker"
		cp /bin/busybox "$T/rootfs/bin/busybox"
		ln -s busybox "$T/rootfs/bin/sh"
		ln -s busybox "$T/rootfs/bin/echo"
	fi
	mkdir -p "$dir" "$T/work-$id"
	ln -s "$T/work-$id" "$dir/work"
	: >"$dir/log"
	in_debian runc spec --bundle "$dir"
	jq --argjson args "$args" --arg root "$T/rootfs" --argjson tty "${TTY:-false}" \
		--arg cgroup "/$CONTAINERD_NAMESPACE/$id" \
		'.process.args = $args | .process.terminal = $tty | .linux.cgroupsPath = $cgroup |
		.root = { path: $root, readonly: false }' "$dir/config.json" >"$dir/new"
	mv "$dir/new" "$dir/config.json"
}

# shim ID [NAME=VALUE]...: a shim for that bundle.
shim() {
	local id=$1
	shift
	# shellcheck disable=SC2016
	SOCKET=$(in_debian env TTRPC_ADDRESS="$CONTAINERD_ADDRESS.ttrpc" "$@" sh -c 'cd "$1" &&
		shift && exec containerd-shim-brass-v2 "$@" start' sh "$T/$id" \
		-namespace "$CONTAINERD_NAMESPACE" -address "$CONTAINERD_ADDRESS" \
		-publish-binary /usr/bin/containerd -id "$id" </dev/null 3>&-)
	SOCKET=${SOCKET#*unix://} SOCKET=${SOCKET%%\"*}
	[ -S "$SOCKET" ]
}

# FIELD=VALUE... as a request in JSON. VALUE is a string unless it is true, a number or an
# object; FIELD may be one of a message inside ("options.exit").
request() {
	# shellcheck disable=SC2016
	jq -nc 'reduce $ARGS.positional[] as $arg ({};
		($arg | index("=")) as $at | ($arg[:$at] | split(".")) as $path |
		$arg[$at + 1:] as $text |
		if $path[-1] == "empty_namespaces" then setpath($path; getpath($path) + [$text])
		else setpath($path; if $text | startswith("{") or test("^(true|[0-9]+)$") then
			$text | fromjson
			else $text end) end)' --args "$@"
}

# call METHOD [FIELD=VALUE]...: prints the reply; a failure also where bats shows it.
call() {
	local method=$1 r=0 reply
	shift
	reply=$(timeout -k 5 60 "$BRASS" call --timeout 60000 "$SOCKET" "$method" \
		"$(request "$@")" 2>&1) || r=$?
	[ "$r" = 0 ] || echo "$method $* said: $reply" >&2
	echo "$reply"
	return "$r"
}

# refused TEXT METHOD [FIELD=VALUE]...: TEXT is a pattern.
refused() {
	local pattern=$1 method=$2
	shift 2
	run timeout -k 5 60 "$BRASS" call --timeout 60000 "$SOCKET" "$method" "$(request "$@")"
	[ "$status" = 1 ]
	# shellcheck disable=SC2053
	[[ ${output#"brass call: $method: "} == $pattern ]] ||
		{ echo "$method $* said: $output"; return 1; }
}

field() {
	jq -r ".$1"
}

state_is() {
	[ "$(call State id="$1" | field status)" = "$2" ]
}

# created ID [FIELD=VALUE]...: its output goes to $T/OUT.txt, OUT being $OUT or the ID.
created() {
	local id=$1 out=${OUT:-$1}
	shift
	[ -p "$T/$out.out" ] || mkfifo "$T/$out.out"
	collect "$T/$out.out" "$T/$out.txt"
	call Create id="$id" bundle="$T/$id" stdout="$T/$out.out" "$@" >/dev/null
}

started() {
	local id=$1
	call Start id="$id" >/dev/null
	state_is "$id" RUNNING
	soon ticks_beyond "$T/${OUT:-$id}.txt" "${2:-5}"
}

# ended ID CODE: lets it end, and deletes it; the shim stays.
ended() {
	touch "$T/rootfs/stop"
	deleted "$1" "$2"
	rm "$T/rootfs/stop"
}

deleted() {
	[ "$(call Wait id="$1" | field exit_status)" = "$2" ]
	state_is "$1" STOPPED
	[ "$(call Delete id="$1" | field exit_status)" = "$2" ]
}

shutdown() {
	call Shutdown
	[ ! -e "$SOCKET" ]
}

# One that ticks, in a shim of its own.
running() {
	bundle "$@"
	shim "$1"
	created "$1" ${TTY:+terminal=true}
	started "$1"
}

# A container d1 that was dumped to $T/img and is gone; its last number is in $T/d1.txt.
dumped() {
	running d1 "$@"
	call Checkpoint id=d1 path="$T/img" options.exit=true $DUMP_OPTIONS
	deleted d1 137
}

@test "a running container, and a paused one, are dumped and stay what they were" {
	running d1
	call Checkpoint id=d1 path="$T/img"
	[ -e "$T/img/inventory.img" ]
	state_is d1 RUNNING
	goes_on "$T/d1.txt"
	# Without a path: the runtime's own default.
	call Checkpoint id=d1
	[ -e "$T/d1/checkpoint/inventory.img" ]
	goes_on "$T/d1.txt"
	call Pause id=d1
	call Checkpoint id=d1 path="$T/img2" options.work_path="$T/work"
	state_is d1 PAUSED
	[ -e "$T/work/dump.log" ]
	call Resume id=d1
	goes_on "$T/d1.txt"
	[ -z "$(ls -A "$T/work-d1")" ]
	ended d1 42
	shutdown
	no_gap "$T/d1.txt"
	events_are d1 create start paused resumed exit delete
}

@test "dumped with exit, and restored under the same name in the same shim" {
	local waited
	dumped
	OUT=again
	created d1 checkpoint="$T/img"
	state_is d1 CREATED
	call Wait id=d1 >"$T/waited" 3>&- &
	waited=$!
	started d1 "$(last "$T/d1.txt")"
	[ "$(call Pids id=d1 | field 'processes[].pid')" = "$(call State id=d1 | field pid)" ]
	[[ $(call Stats id=d1 | field 'stats."@type"') == io.containerd.cgroups.* ]]
	call Pause id=d1
	state_is d1 PAUSED
	call Resume id=d1
	goes_on "$T/again.txt"
	ended d1 42
	wait "$waited"
	[ "$(field exit_status <"$T/waited")" = 42 ]
	shutdown
	no_gap "$T/d1.txt" "$T/again.txt"
	events_are d1 create start exit delete create start paused resumed exit delete
	grep '"d1"' "$T/events" | grep /tasks/create | grep -q "\"checkpoint\":\"$T/img\""
}

@test "restored twice, under other names, with exec, stdin and kill" {
	bundle d1
	shim d1
	mkfifo "$T/d1.in"
	exec {in}<>"$T/d1.in"
	created d1 stdin="$T/d1.in"
	started d1
	echo one >&"$in"
	soon grep -qx 'read one' "$T/d1.txt"
	call Checkpoint id=d1 path="$T/img" options.exit=true
	deleted d1 137
	bundle d2
	mkfifo "$T/d2.in"
	created d2 stdin="$T/d2.in" checkpoint="$T/img"
	exec {in2}<>"$T/d2.in"
	started d2 "$(last "$T/d1.txt")"
	echo two >&"$in2"
	soon grep -qx 'read two' "$T/d2.txt"
	bundle d3
	created d3 checkpoint="$T/img"
	started d3 "$(last "$T/d1.txt")"
	mkfifo "$T/e1.out"
	collect "$T/e1.out" "$T/e1.txt"
	call Exec id=d2 exec_id=e1 stdout="$T/e1.out" \
		'spec={"args":["/bin/sh","-c","echo from exec; exit 5"],"cwd":"/"}'
	call Start id=d2 exec_id=e1 >/dev/null
	[ "$(call Wait id=d2 exec_id=e1 | field exit_status)" = 5 ]
	call Delete id=d2 exec_id=e1 >/dev/null
	[ "$(<"$T/e1.txt")" = 'from exec' ]
	call Kill id=d3 signal=9
	deleted d3 137
	goes_on "$T/d2.txt"
	ended d2 42
	shutdown
	exec {in}<&- {in2}<&-
	no_gap "$T/d1.txt" "$T/d2.txt"
	events_are d2 create start exec-added exec-started exit exit delete
	events_are d3 create start exit delete
}

@test "with a terminal" {
	TTY=true
	running d1
	call Checkpoint id=d1 path="$T/img0"
	goes_on "$T/d1.txt"
	call Checkpoint id=d1 path="$T/img" options.terminal=true options.exit=true
	deleted d1 137
	bundle d2
	mkfifo "$T/d2.in"
	exec {in}<>"$T/d2.in"
	created d2 terminal=true stdin="$T/d2.in" checkpoint="$T/img"
	started d2 "$(last "$T/d1.txt")"
	call ResizePty id=d2 width=90 height=33
	mkfifo "$T/e1.out"
	collect "$T/e1.out" "$T/e1.txt"
	call Exec id=d2 exec_id=e1 stdout="$T/e1.out" 'spec={"args":
		["/bin/sh","-c","busybox stty size </proc/1/fd/1"],"env":["PATH=/bin"],"cwd":"/"}'
	call Start id=d2 exec_id=e1 >/dev/null
	call Wait id=d2 exec_id=e1
	call Delete id=d2 exec_id=e1 >/dev/null
	[ "$(<"$T/e1.txt")" = '33 90' ]
	echo line >&"$in"
	soon grep -q 'read line' "$T/d2.txt"
	ended d2 42
	shutdown
	exec {in}<&-
	no_gap "$T/d1.txt" "$T/d2.txt"
}

@test "a dump that fails: criu's log, and the container goes on" {
	running d1 lock
	refused "Unknown: runc did not terminate successfully: exit status 1: criu failed: *\
 path= $T/d1/criu-dump.log" Checkpoint id=d1 path="$T/img0" options.exit=true
	[[ $output != *$'\n'* ]]
	grep -q 'file-locks' "$T/d1/criu-dump.log"
	[ -z "$(ls -A "$T/work-d1")" ]
	state_is d1 RUNNING
	goes_on "$T/d1.txt"
	# A caller's folder is the caller's.
	refused 'Unknown: *' Checkpoint id=d1 path="$T/img0" options.work_path="$T/work"
	[ -e "$T/work/dump.log" ]
	# What does not even come to criu.
	rm "$T/d1/criu-dump.log"
	refused 'Unknown: *"bogus"*' Checkpoint id=d1 path="$T/img0" options.empty_namespaces=bogus
	[ ! -e "$T/d1/criu-dump.log" ]
	refused 'InvalidArgument: 17 empty namespaces*' Checkpoint id=d1 \
		options.empty_namespaces={1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h}
	goes_on "$T/d1.txt"
	call Checkpoint id=d1 path="$T/img" options.exit=true options.file_locks=true
	deleted d1 137
	no_gap "$T/d1.txt"
	shutdown
}

@test "a connection survives with open_tcp" {
	running d1 tcp
	refused 'Unknown: *criu failed*' Checkpoint id=d1 path="$T/img0"
	grep -q 'tcp-established' "$T/d1/criu-dump.log"
	goes_on "$T/d1.txt"
	call Checkpoint id=d1 path="$T/img" options.open_tcp=true
	goes_on "$T/d1.txt"
	ended d1 42
	shutdown
}

@test "every option becomes its flag, in order" {
	bundle d1
	shim d1
	printf '#!/bin/sh\necho "$*" >>%s/argv\nexec runc "$@"\n' "$T" >"$T/runc"
	chmod +x "$T/runc"
	created d1 options.binary_name="$T/runc"
	started d1
	call Checkpoint id=d1 path="$T/img" options.open_tcp=true options.external_unix_sockets=true \
		options.terminal=true options.file_locks=true options.empty_namespaces=network \
		options.cgroups_mode=soft options.image_path=/nowhere options.work_path="$T/w"
	grep -oE ' checkpoint .*' "$T/argv" | cmp - <<-END
	 checkpoint --image-path $T/img --work-path $T/w --tcp-established --ext-unix-sk\
	 --shell-job --file-locks --empty-ns network --leave-running d1
	END
	ended d1 42
	shutdown
}

@test "created from a checkpoint and never started" {
	dumped
	bundle d2
	created d2 checkpoint="$T/img"
	state_is d2 CREATED
	[ "$(call State id=d2 | field pid)" = 0 ]
	refused 'NotFound: no such container: not found' Kill id=d2 signal=9
	refused 'NotFound: no such container: not found' Kill id=d2 signal=15 all=true
	refused 'Unknown: cannot checkpoint a task in created state' Checkpoint id=d2
	refused 'Unknown: cannot pause task in created state' Pause id=d2
	refused 'Unknown: cannot resume task in created state' Resume id=d2
	refused 'Unknown: cannot exec in a created state' Exec id=d2 exec_id=e1 'spec={}'
	refused 'NotFound: *' Stats id=d2
	[ "$(call Delete id=d2 | field exited_at)" = 0001-01-01T00:00:00Z ]
	refused 'NotFound: container not created: not found' State id=d2
	shutdown
	events_are d2 create delete
}

@test "a restore that fails can be repeated, or the container deleted" {
	dumped
	bundle d2
	mkdir "$T/images"
	created d2 checkpoint="$T/images"
	refused "Unknown: OCI runtime restore failed: *$T/images/descriptors.json*" Start id=d2
	# Its reader may have seen an end of file by now, or not: the next try has its own.
	kill "${background[-1]}" 2>/dev/null || :
	# criu itself fails.
	cp "$T"/img/* "$T/images"
	echo nonsense >"$T/images/pstree.img"
	refused 'Unknown: OCI runtime restore failed: *criu failed*' Start id=d2
	state_is d2 CREATED
	[ -z "$(books list -q)" ]
	cp "$T/img/pstree.img" "$T/images"
	collect "$T/d2.out" "$T/d2.txt"
	started d2 "$(last "$T/d1.txt")"
	ended d2 42
	no_gap "$T/d1.txt" "$T/d2.txt"
	bundle d3
	created d3 checkpoint=/nonexistent
	refused 'Unknown: OCI runtime restore failed: *' Start id=d3
	call Delete id=d3 >/dev/null
	shutdown
	events_are d2 create start exit delete
	events_are d3 create delete
}

@test "restored, but nobody reads its output: nothing of it stays" {
	local pid
	bundle d1
	shim d1 BRASS_FIFO_TIMEOUT_MS=300
	created d1
	started d1
	call Checkpoint id=d1 path="$T/img" options.exit=true
	deleted d1 137
	mkfifo "$T/d2.out"
	bundle d2
	call Create id=d2 bundle="$T/d2" stdout="$T/d2.out" checkpoint="$T/img"
	refused 'DeadlineExceeded: failed to start io pipe copy: nobody opened *' Start id=d2
	state_is d2 CREATED
	[ "$(call State id=d2 | field pid)" = 0 ]
	[ -z "$(books list -q)" ]
	[ -z "$(owned_cgroups | grep d2)" ]
	collect "$T/d2.out" "$T/d2.txt"
	started d2 "$(last "$T/d1.txt")"
	ended d2 42
	no_gap "$T/d1.txt" "$T/d2.txt"
	shutdown
	events_are d2 create start exit delete
}

@test "Kill ends a restore that is under way" {
	local start
	dumped
	bundle d2
	printf '#!/bin/sh\ncase " $* " in *" restore "*) touch %s/there
		while [ ! -e %s/go ]; do sleep 0.05; done ;; esac\nexec runc "$@"\n' "$T" "$T" \
		>"$T/runc"
	chmod +x "$T/runc"
	created d2 checkpoint="$T/img" options.binary_name="$T/runc"
	call Start id=d2 >"$T/start" 2>&1 3>&- &
	start=$!
	soon test -e "$T/there"
	state_is d2 CREATED
	call Kill id=d2 signal=9
	wait "$start" && false
	grep -F 'OCI runtime restore failed: killed before it had started' "$T/start"
	state_is d2 CREATED
	[ -z "$(books list -q)" ]
	touch "$T/go"
	started d2 "$(last "$T/d1.txt")"
	call Kill id=d2 signal=9
	deleted d2 137
	shutdown
	events_are d2 create start exit delete
}
