#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a container, its image and other users of the host must not get at
# (.github/SECURITY.md), with real containers.

load helper
eval "host_$(declare -f setup_file)"

setup_file() {
	BRASS=$(realpath -e "$BRASS_BUILD/brass")
	export BRASS
	host_setup_file
}

# From inside, into the file /NAME: "fd NUMBER TARGET" of each descriptor of the init and
# of the shell itself, which goes on. (A subshell: its own stdout is that file.)
look() {
	echo "(for p in 1 \$\$; do for f in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ ! -L /proc/\$p/fd/\$f ] || echo fd \$f \$(readlink /proc/\$p/fd/\$f); done; done) >/$1.new
		mv /$1.new /$1; exec sleep 1000"
}

# What it has found is stdio: 0 to 2, pipes, terminals, /dev/null.
only_stdio() {
	local file=/proc/$1/root/$2 bad
	soon [ -e "$file" ]
	[ "$(grep -c '^fd [0-2] ' "$file")" -ge 3 ] || { cat "$file"; return 1; }
	bad=$(grep -vE '^fd [0-2] (pipe:\[[0-9]+\]|/dev/null|/dev/pts/[0-9]+|/dev/console|/[0-9]+)$' "$file" |
		grep -vE '^fd 1[0-9] /dev/tty$' || :) # the shell's, if it has a terminal
	[ -z "$bad" ] || { echo "$2: $bad"; return 1; }
}

# A client that is given a terminal, and leaves. (In the terminal's foreground, whatever
# $SHELL does with a last command: from behind, its first change of it would stop it.)
at_terminal() {
	script -qec "exec timeout --foreground -k 5 60 $*" /dev/null </dev/null >"$T/said" ||
		{ cat "$T/said"; return 1; }
}

@test "a container has no descriptor but its stdio, nor has an exec" {
	local pid
	detached c1 sh -c "$(look init)"
	pid=$(task_pid c1)
	only_stdio "$pid" init
	[ "$(find "/proc/$pid/fd" -type l | wc -l)" = 3 ]
	task exec -d --exec-id e1 c1 sh -c "$(look exec)"
	only_stdio "$pid" exec
	at_terminal ctr task exec -d -t --exec-id e2 --fifo-dir "$FIFOS" c1 sh -c "'$(look exec-tty)'"
	only_stdio "$pid" exec-tty
	at_terminal ctr run -d -t --runtime "$RUNTIME" --fifo-dir "$FIFOS" "$IMAGE" c2 sh -c "'$(look tty)'"
	only_stdio "$(task_pid c2)" tty
	task kill -a -s KILL c1
	task kill -a -s KILL c2
}

@test "a container gets the environment of its document, and no more" {
	ctr_run --rm --env A=1 "$IMAGE" c1 env | sort >"$T/env"
	grep -vE '^(A=1|PATH=.*|HOSTNAME=.*|HOME=.*|SHLVL=.*|PWD=.*|TERM=.*)$' "$T/env" && return 1
	grep -qx A=1 "$T/env"
}

@test "the socket is for root alone" {
	local shim socket
	detached c1 sleep 1000
	shim=$(shim_pid c1)
	socket=$(sed 's|^unix://||' "$CONTAINERD_DIR/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE/c1/address")
	[ "$(stat -c '%a %u %g %F' "$socket")" = '600 0 0 socket' ]
	[[ $(stat -c '%a %u' "${socket%/*}") =~ ^7[01][01]\ 0$ ]]
	# Nobody can reach it, and who can is not heard (test-wire has that).
	! setpriv --reuid=65534 --regid=65534 --clear-groups "$BRASS" call "unix://$socket" Connect
	"$BRASS" call "unix://$socket" Connect | grep -q "$shim"
	task kill -s KILL c1
}

# An image whose folders are links to the host's, however they are written.
hostile_rootfs() {
	mkdir -p "$T/victim" "$T/rootfs/bin"
	echo precious >"$T/victim/file"
	cp /bin/busybox "$T/rootfs/bin/busybox"
	ln -s busybox "$T/rootfs/bin/sh"
	ln -s busybox "$T/rootfs/bin/sleep"
	ln -s "$T/victim" "$T/rootfs/m"
	ln -s "../../../../../../../../../../$T/victim" "$T/rootfs/n"
	ln -s /proc/self/cwd "$T/rootfs/o"
	ln -s "$T/victim/file" "$T/rootfs/p"
	ln -s "$T/victim" "$T/rootfs/etc"
	mkdir "$T/rootfs/proc" "$T/rootfs/sys" "$T/rootfs/dev" "$T/rootfs/tmp" "$T/rootfs/run"
}

@test "an image full of links: mounts stay inside, and nothing outside is changed" {
	local m
	hostile_rootfs
	mkdir "$T/src"
	echo from outside >"$T/src/file"
	for m in m/x n/x o/x m n; do
		timeout 60 ctr run -d --runtime "$RUNTIME" --fifo-dir "$FIFOS" --rootfs \
			--mount "type=bind,src=$T/src,dst=/$m,options=rbind:rw" \
			"$T/rootfs" c1 sleep 1000 >"$T/said" 2>&1 && {
			[ "$(grep -c " $T/victim" /proc/self/mountinfo)" = 0 ]
			task kill -s KILL c1
			deleted_with c1 137
		}
		ctr containers rm c1 2>/dev/null || :
		[ "$(cat "$T/victim/file")" = precious ]
		[ "$(ls "$T/victim")" = file ]
		! grep -q " $T/" /proc/self/mountinfo
	done
}

@test "a container that moves its folders about while it is deleted" {
	local i rootfs
	for i in 1 2 3 4 5; do
		detached c1 sh -c 'while :; do mkdir -p /a/b; mv /a /x; ln -s / /a; rm /a; mv /x /a; done'
		rootfs=$CONTAINERD_DIR/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE/c1/rootfs
		task kill -s KILL c1
		deleted_with c1 137
		! grep -q " $rootfs" /proc/self/mountinfo
		ctr containers rm c1
	done
	mountpoint -q /proc
}

@test "ids that would be paths are refused" {
	local id
	for id in ../x a/b .. . '' "$(printf 'a\nb')" "$(printf '%077d' 0)"; do
		run ctr_run -d "$IMAGE" "$id" sleep 1000
		[ "$status" != 0 ] || { echo "id $id"; return 1; }
		run env -C "$T" "$BRASS_BUILD/containerd-shim-brass-v2" -namespace "$CONTAINERD_NAMESPACE" \
			-address "$CONTAINERD_ADDRESS" -id "$id" start
		[ "$status" != 0 ] || { echo "start of $id"; return 1; }
		[ ! -e "$T/address" ]
	done
}
