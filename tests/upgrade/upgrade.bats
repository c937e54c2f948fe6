#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What an operator does to a node with living containers: puts brass in the place of the
# stock shim and takes it off again, with each containerd; upgrades containerd and runc
# under running shims, and goes back. Everything runs in the newest Debian, where the
# programs of the older ones run as well; they are replaced as a package would do it.

load ../host/helper
eval "host_$(declare -f setup_file)"
HOST_SUITE=forky RUNTIME=io.containerd.runc.v2
# Not that of $BRASS_BUILD, which is first in PATH, but what runs it in that Debian.
CONTAINERD_BIN=$BATS_FILE_TMPDIR/bin/containerd

# A program takes the place of another, which may be running.
replace() {
	cp "$1" "$BRASS_BUILD/.new"
	mv "$BRASS_BUILD/.new" "$BRASS_BUILD/$2"
}

# Where the files of a Debian are; "host" is this machine's.
files_of() {
	[ "$1" = host ] || echo "$DEBIAN_CACHE/$1"
}

use_containerd() {
	local name
	for name in bin/containerd bin/ctr sbin/runc; do
		replace "$(files_of "$1")/usr/$name" "${name#*/}"
	done
}

# brass, or the shim that belongs to a containerd.
use_shim() {
	case $1 in
	brass) replace "$BRASS_BUILD/containerd-shim-brass-v2" containerd-shim-runc-v2 ;;
	*) replace "$(files_of "$1")/usr/bin/containerd-shim-runc-v2" containerd-shim-runc-v2 ;;
	esac
}

# containerd stops, is replaced, and finds its containers again.
move_to() {
	stop_containerd
	use_containerd "$1"
	restart_containerd
	[[ $(containerd_version) == "$(version_of "$1")"* ]]
}

version_of() {
	case $1 in
	host) echo 1.6 ;;
	trixie) echo 1.7 ;;
	forky) echo 2.1 ;;
	esac
}

setup_file() {
	local debian
	for debian in trixie forky; do
		debian_make_or_skip "$debian"
	done
	host_setup_file
}

debian_make_or_skip() {
	. "$root/contrib/lib/debian.bash"
	debian_make "$1" || { [ $? = 2 ] && skip "no mirror for $1"; }
}

# A container that counts until /go is there, and answers USR1; it ends with the code. It
# begins when it is listened to: ctr takes what comes before.
make_box() {
	detached "$1" sh -c 'while [ ! -e /begin ]; do usleep 20000; done
		trap "echo usr1" USR1; i=0
		while [ ! -e /go ]; do echo $i; i=$((i + 1)); usleep 20000; done; exit '"$2"
	cat "$FIFOS"/*/"$1-stdout" >"$T/log-$1" 3>&- &
	background+=($!)
	pids[$1]=$(task_pid "$1")
	touch "/proc/${pids[$1]}/root/begin"
}

in_log() {
	grep -qx "$2" "$T/log-$1"
}

log_grows() {
	local before
	before=$(wc -l <"$T/log-$1")
	soon eval "[ \$(wc -l <'$T/log-$1') -gt $before ]"
}

# Everything that a client does with a container that lives.
is_well() {
	local id=$1
	is_status "$id" RUNNING
	[ "$(task_pid "$id")" = "${pids[$id]}" ]
	exec_prints "$id" e1 'echo hello' hello 5
	log_grows "$id"
	task pause "$id"
	is_status "$id" PAUSED
	task resume "$id"
	[ "$(task metrics --format json "$id" | jq '.pids.current >= 1')" = true ]
	[ "$(task ps "$id" | grep -cw "${pids[$id]}")" = 1 ]
	task kill -s USR1 "$id"
	soon eval "[ \$(grep -cx usr1 '$T/log-$id') = $((++signals[$id])) ]"
}

# It ends by itself, or is killed; nothing of its log was lost.
ends() {
	local id=$1 code=$2
	go "$id"
	deleted_with "$id" "$code"
	log_is_whole "$id"
	ctr containers delete "$id"
}

is_killed() {
	task kill -s KILL "$1"
	deleted_with "$1" 137
	log_is_whole "$1"
	ctr containers delete "$1"
}

log_is_whole() {
	grep -vx usr1 "$T/log-$1" >"$T/counted"
	seq 0 "$(($(wc -l <"$T/counted") - 1))" | cmp - "$T/counted"
}

is_of() {
	case $2 in
	brass) cmp "/proc/$(shim_pid "$1")/exe" "$BRASS_BUILD/containerd-shim-brass-v2" ;;
	*) cmp "/proc/$(shim_pid "$1")/exe" "$(files_of "$2")/usr/bin/containerd-shim-runc-v2" ;;
	esac
}

# Containers of both shims at one time, each made while the other's still live.
there_and_back() {
	local version=$1
	declare -A pids signals
	use_shim "$version"
	move_to "$version"
	make_box stock1 11
	make_box stock2 12
	make_box stock3 13
	is_of stock1 "$version"
	use_shim brass
	is_well stock1
	make_box brass1 21
	make_box brass2 22
	make_box brass3 23
	is_of brass1 brass
	ends stock2 12
	move_to "$version"
	is_well stock1
	is_well brass1
	is_killed stock3
	use_shim "$version"
	make_box stock4 14
	is_of stock4 "$version"
	ends brass2 22
	is_well brass1
	move_to "$version"
	is_well brass1
	is_killed brass3
	ends brass1 21
	ends stock1 11
	ends stock4 14
}

@test "containerd 1.6: from its shim to brass and back" {
	there_and_back host
}

@test "containerd 1.7: from its shim to brass and back" {
	there_and_back trixie
}

@test "containerd 2.1: from its shim to brass and back" {
	there_and_back forky
}

# What ends while containerd is away is told to the next one.
under_brass() {
	local step=0 version id pid
	declare -A pids signals
	use_shim brass
	for version; do
		step=$((step + 1))
		if [ $step -gt 1 ]; then
			pid=${pids[away]}
			stop_containerd
			touch "/proc/$pid/root/go"
			soon gone "$pid"
			use_containerd "$version"
			restart_containerd
			deleted_with away "3$((step - 1))"
			log_is_whole away
			ctr containers delete away
		else
			move_to "$version"
		fi
		for id in $(task ls -q); do
			is_well "$id"
		done
		make_box "of$step" "4$step"
		make_box "short$step" "5$step"
		make_box away "3$step"
		[ $step = 1 ] || ends "short$((step - 1))" "5$((step - 1))"
	done
	is_killed of1
	for id in $(task ls -q); do
		is_well "$id"
	done
	ends of2 42
	ends of3 43
}

@test "containerd 1.6, 1.7, 2.1 and 1.6 again under running shims" {
	under_brass host trixie forky host
}

in_pod() {
	ctr_run -d --annotation io.kubernetes.cri.sandbox-id=pod "$IMAGE" "$@"
}

# The socket is found by its name, whoever listens on it.
a_pod_of_both() {
	local version=$1 first=$2 second=$3 shim
	use_shim "$first"
	move_to "$version"
	in_pod pod sleep 1000
	shim=$(shim_pid pod)
	use_shim "$second"
	in_pod c1 sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 8'
	[ "$(shim_pid c1)" = "$shim" ]
	exec_prints c1 e1 'echo hello' hello 5
	go c1
	deleted_with c1 8
	task kill -s KILL pod
	deleted_with pod 137
	soon gone "$shim"
	ctr containers delete pod
	ctr containers delete c1
}

@test "a container of brass joins a pod of the stock shim, and the other way round" {
	local version
	for version in host trixie forky; do
		a_pod_of_both "$version" "$version" brass
		a_pod_of_both "$version" brass "$version"
	done
}
