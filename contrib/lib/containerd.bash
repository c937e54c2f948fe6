# SPDX-License-Identifier: Apache-2.0
# A containerd of one's own in a folder, and a small image for it. Sourced by
# contrib/demo and by tests/host/*.bats; needs root, bash, containerd, runc and
# busybox-static. Never touches the system's containerd, needs no systemd, and works
# under `set -eu`.
#
# Before: BRASS_BUILD is the folder with containerd-shim-brass-v2 (default: build/
# of this tree); it is put first in containerd's PATH.
#
#   make_image DIR          DIR/image.tar (docker-archive: busybox and its links),
#                           named $IMAGE; and as $PAUSE_IMAGE, in which it only waits
#   start_containerd DIR    starts containerd with root, state, socket, config.toml and
#                           containerd.log in DIR, waits until it answers, imports
#                           DIR/image.tar if it is there. The same DIR again (after
#                           stop_containerd) is a restart. Sets and exports, so that a
#                           plain `ctr` talks to it:
#                             CONTAINERD_ADDRESS CONTAINERD_NAMESPACE (unique)
#                             CONTAINERD_SNAPSHOTTER (overlayfs where it works, or native)
#                           and sets CONTAINERD_PID and CONTAINERD_DIR.
#                           CONTAINERD_EXTRA: text added to config.toml (first start).
#                           CONTAINERD_CRI: not empty: with the CRI plugin.
#                           CONTAINERD_BIN: another containerd.
#   ctr ARGS                ctr; the FIFOs of `ctr run` and `ctr tasks exec` come to lie in
#                           DIR instead of /run/containerd/fifo, where a ctr that is
#                           killed leaves them
#   stop_containerd [SIG]   ends containerd (TERM; KILL after 10 s), containers live on
#   task_pid ID             pid of the container's init
#   shim_pid ID             pid of the shim that serves it
#   remove_containers       kills and deletes all tasks and containers through ctr
#   wait_for SECONDS CMD... runs CMD until it succeeds; 1 if it never did
#   leftovers               prints, a line each, what of this containerd's containers is
#                           there still: processes, mounts, cgroups, sockets, runc state;
#                           nothing and 1 (as grep) if there is none. For use after the
#                           containers were deleted; see also no_leftovers.
#   no_leftovers            waits up to 20 s for leftovers to be none; prints them if not
#   cleanup                 everything away by force, DIR too; safe to call at any time
#                           and twice (for trap)

IMAGE=brass.test/busybox:latest
PAUSE_IMAGE=brass.test/pause:latest
: "${BRASS_BUILD:=$(cd -P "${BASH_SOURCE[0]%/*}/../.." && pwd)/build}"
CONTAINERD_PID='' CONTAINERD_DIR=''
SHIM_SOCKETS=/run/containerd/s

make_image() {
	local dir=$1 work layer config arch applet name names=''
	work=$(mktemp -d "$dir/image.XXXXXX") || return
	mkdir -p "$work"/root/{bin,etc,tmp,proc,sys,dev,root}
	cp /bin/busybox "$work/root/bin/busybox"
	for applet in $(/bin/busybox --list); do
		[ -e "$work/root/bin/$applet" ] || ln -s busybox "$work/root/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$work/root/etc/passwd"
	echo 'root:x:0:' >"$work/root/etc/group"
	tar -C "$work/root" --owner=0 --group=0 --sort=name --mtime=@0 \
		-cf "$work/layer.tar" .
	layer=$(sha256sum "$work/layer.tar") && layer=${layer%% *}
	case $(uname -m) in
	x86_64) arch=amd64 ;;
	aarch64) arch=arm64 ;;
	*) arch=$(uname -m) ;;
	esac
	config='{"architecture":"'$arch'","os":"linux","config":{"Env":["PATH=/bin"],'
	config+='"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:'
	config+=$layer'"]}}'
	printf '%s' "$config" >"$work/busybox.json"
	printf '%s' "${config/'"/bin/sh"'/'"/bin/sleep","2147483647"'}" >"$work/pause.json"
	for name in "$IMAGE" "$PAUSE_IMAGE"; do
		names+=",{\"Config\":\"$(basename "${name%:*}").json\",\"RepoTags\":[\"$name\"],"
		names+='"Layers":["layer.tar"]}'
	done
	echo "[${names#,}]" >"$work/manifest.json"
	tar -C "$work" -cf "$dir/image.tar" manifest.json busybox.json pause.json layer.tar
	rm -rf "$work"
}

wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# Does overlayfs work on the file system of this folder (not on top of another)?
overlay_works() {
	local d
	d=$(mktemp -d "$1/overlay.XXXXXX") || return
	mkdir "$d"/{l,u,w,m}
	mount -t overlay -o "lowerdir=$d/l,upperdir=$d/u,workdir=$d/w" overlay "$d/m" \
		2>/dev/null && umount "$d/m"
	local r=$?
	rm -rf --one-file-system "$d"
	return $r
}

write_config() {
	cat <<-END
	version = 2
	root = "$1/root"
	state = "$1/state"
	disabled_plugins = [${CONTAINERD_CRI:+#}"io.containerd.grpc.v1.cri",
	  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
	  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
	  "io.containerd.snapshotter.v1.devmapper",
	  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
	[grpc]
	  address = "$1/containerd.sock"
	[debug]
	  level = "debug"
	${CONTAINERD_EXTRA:-}
	END
}

start_containerd() {
	local dir
	dir=$(cd -P "$1" && pwd) || return
	if [ "$dir" != "$CONTAINERD_DIR" ]; then
		CONTAINERD_DIR=$dir
		# The namespace names cgroups and runc's state, so it must be nobody else's.
		CONTAINERD_NAMESPACE=brass-$$-$RANDOM
		CONTAINERD_ADDRESS=$dir/containerd.sock
		CONTAINERD_SNAPSHOTTER=native
		overlay_works "$dir" && CONTAINERD_SNAPSHOTTER=overlayfs
		export CONTAINERD_NAMESPACE CONTAINERD_ADDRESS CONTAINERD_SNAPSHOTTER
		# From 2.2 on ctr says on stderr, each time, that cgroup v1 is to go.
		export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
		write_config "$dir" >"$dir/config.toml"
	fi
	# A session of its own: Ctrl-C is for the caller, who then cleans up. Bats waits
	# for whoever holds its descriptor 3.
	PATH=$BRASS_BUILD:$PATH setsid "${CONTAINERD_BIN:-containerd}" \
		--config "$dir/config.toml" >>"$dir/containerd.log" 2>&1 3>&- </dev/null &
	CONTAINERD_PID=$!
	if ! wait_for 30 containerd_answers; then
		echo "containerd does not answer; the end of its log:" >&2
		tail -n 5 "$dir/containerd.log" >&2
		return 1
	fi
	if [ -f "$dir/image.tar" ] && [ -z "$(ctr images ls -q)" ]; then
		ctr images import --snapshotter "$CONTAINERD_SNAPSHOTTER" \
			"$dir/image.tar" >/dev/null
	fi
}

ctr() {
	case "$1 ${2-}" in
	run\ *) command ctr run --fifo-dir "$CONTAINERD_DIR/fifo" "${@:2}" ;;
	'task exec' | 'tasks exec' | 't exec')
		command ctr tasks exec --fifo-dir "$CONTAINERD_DIR/fifo" "${@:3}" ;;
	*) command ctr "$@" ;;
	esac
}

# An end of containerd ends the waiting as well, as an answer would.
containerd_answers() {
	kill -0 "$CONTAINERD_PID" 2>/dev/null || return 0
	[ -S "$CONTAINERD_ADDRESS" ] && ctr version >/dev/null 2>&1
}

containerd_gone() {
	[ ! -e "/proc/$CONTAINERD_PID" ] || grep -qs '^State:.Z' "/proc/$CONTAINERD_PID/status"
}

stop_containerd() {
	[ -n "$CONTAINERD_PID" ] || return 0
	kill "-${1:-TERM}" "$CONTAINERD_PID" 2>/dev/null || :
	wait_for 10 containerd_gone || kill -KILL "$CONTAINERD_PID" || :
	wait "$CONTAINERD_PID" 2>/dev/null || :
	CONTAINERD_PID=''
}

task_pid() {
	ctr tasks ls | awk -v id="$1" '$1 == id { print $2 }'
}

shim_pid() {
	awk '$1 == "PPid:" { print $2 }' "/proc/$(task_pid "$1")/status"
}

remove_containers() {
	local id
	for id in $(timeout 10 ctr tasks ls -q 2>/dev/null); do
		timeout 20 ctr tasks delete --force "$id" >/dev/null 2>&1 || :
	done
	for id in $(timeout 10 ctr containers ls -q 2>/dev/null); do
		timeout 20 ctr containers delete "$id" >/dev/null 2>&1 || :
	done
}

# Shims and what they started: known by the daemon's address among the arguments or in
# the environment, by the bundle they stand in, or by the cgroup.
owned_pids() {
	{
		grep -lsF -f - /proc/[0-9]*/cmdline <<<"$CONTAINERD_ADDRESS" || :
		grep -lsF -f - /proc/[0-9]*/environ <<<"TTRPC_ADDRESS=$CONTAINERD_ADDRESS" \
			|| :
		grep -lsF -f - /proc/[0-9]*/cgroup <<<"/$CONTAINERD_NAMESPACE/" || :
		find /proc/[0-9]* -maxdepth 1 -name cwd -lname "$CONTAINERD_DIR/state/*" \
			2>/dev/null || :
	} | cut -d/ -f3 | sort -un | while read -r pid; do
		case $pid in
		$$ | "$BASHPID" | "$CONTAINERD_PID" | "${DOCKERD_PID-}") ;;
		*) [ ! -e "/proc/$pid" ] || echo "$pid" ;;
		esac
	done
}

# Where containerd sees them: it may live in a mount namespace of its own (debian.bash).
owned_mounts() {
	awk -v dir="$CONTAINERD_DIR/" 'index($5, dir) == 1 { print $5 }' \
		"/proc/${CONTAINERD_PID:-self}/mountinfo" | sort -r
}

# What a container had; runc leaves the folder of the namespace itself.
owned_cgroups() {
	find /sys/fs/cgroup -depth -type d -path "*/$CONTAINERD_NAMESPACE/*" 2>/dev/null || :
}

# Sockets that this containerd was told of; others of the folder are another's.
owned_sockets() {
	local path
	grep -ohsE "$SHIM_SOCKETS/[0-9a-f]{64}" "$CONTAINERD_DIR/containerd.log" | sort -u |
		while read -r path; do
			[ ! -S "$path" ] || echo "$path"
		done
}

leftovers() {
	{
		owned_pids | while read -r pid; do
			printf 'process %s: ' "$pid"
			tr '\0' ' ' <"/proc/$pid/cmdline"
			echo
		done
		owned_mounts | sed 's/^/mount /'
		owned_cgroups | sed 's/^/cgroup /'
		owned_sockets | sed 's/^/socket /'
		# crun has an empty folder of its own there, whose name is no container's.
		find "/run/containerd/runc/$CONTAINERD_NAMESPACE" -mindepth 1 -maxdepth 1 \
			! -name '.*' 2>/dev/null | sed 's/^/runc state /'
		find "$CONTAINERD_DIR"/state/io.containerd.runtime.v2.task -mindepth 2 \
			-maxdepth 2 2>/dev/null | sed 's/^/bundle /'
	} 2>/dev/null | grep .
}

no_leftovers() {
	wait_for 20 none_left && return
	leftovers
	return 1
}

none_left() {
	! leftovers >/dev/null
}

cleanup() {
	[ -n "$CONTAINERD_DIR" ] || return 0
	[ -z "$CONTAINERD_PID" ] || containerd_gone || remove_containers
	stop_containerd
	local x sockets
	sockets=$(owned_sockets)
	for x in $(owned_pids); do
		kill -KILL "$x" 2>/dev/null || :
	done
	wait_for 5 no_owned_pids || :
	for x in $(owned_mounts); do
		umount -l "$x" || :
	done
	for x in $(owned_cgroups); do
		rmdir "$x" 2>/dev/null || :
	done
	find /sys/fs/cgroup -maxdepth 2 -type d -name "$CONTAINERD_NAMESPACE" \
		-exec rmdir {} + 2>/dev/null || :
	# shellcheck disable=SC2086
	[ -z "$sockets" ] || rm -f $sockets
	rm -rf --one-file-system "/run/containerd/runc/$CONTAINERD_NAMESPACE" "$CONTAINERD_DIR"
	CONTAINERD_DIR=''
}

no_owned_pids() {
	[ -z "$(owned_pids)" ]
}
