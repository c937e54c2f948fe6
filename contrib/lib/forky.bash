# SPDX-License-Identifier: Apache-2.0
# Debian forky as the place where containerd, runc and criu run: those of Debian 12 are
# old, and its criu does not run on newer kernels at all. Only the mounts are its own;
# processes, network, cgroups, /run and /tmp are those of the machine, so that sockets,
# FIFOs and bundles are found under the same names on both sides. Sourced; needs root.
#
#   forky_make        makes the root once, with mmdebstrap, and keeps it in $FORKY_ROOT
#                     (about 300 MB; made again when the list below has changed).
#                     2: forky's mirror cannot be reached
#   forky_enter DIR   starts a process that holds a mount namespace whose root is forky's,
#                     read-only; its pid is then $FORKY_PID. In DIR/bin come to lie
#                     containerd, ctr, runc and crun, which run forky's: for PATH
#   in_forky CMD...   runs CMD there; $BRASS_BUILD, if set, is first in its PATH
#   forky_leave       ends that process; the namespace ends with its last one

# The sanitizers' libraries are for a shim that is built with them.
FORKY_PACKAGES=containerd,runc,crun,criu,iptables,kmod,libasan8,libubsan1
: "${FORKY_ROOT:=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/brass/forky}"
FORKY_PID=${FORKY_PID-}

# The mirror by which apt works on this machine.
forky_mirror() {
	local mirror
	mirror=$(sed -nE 's/^(URIs:|deb( \[.*\])?) +(https?:[^ ]*\/debian)\/?( .*)?$/\3/p' -s \
		/etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
		head -n 1)
	echo "${mirror:-http://deb.debian.org/debian}"
}

forky_is_current() {
	[ "$(cat "$FORKY_ROOT/etc/brass-packages" 2>/dev/null)" = "$FORKY_PACKAGES" ]
}

forky_build() {
	local new=$FORKY_ROOT.new.$$ r log
	log=$(mktemp) || return
	apt-config dump | grep -iE '^Acquire::(https?::.*proxy|check-)' >"$log.apt"
	echo 'Acquire::Check-Valid-Until "false"; Acquire::Retries "3";' >>"$log.apt"
	mmdebstrap --format=directory --variant=minbase \
		--include="$FORKY_PACKAGES" --aptopt="$log.apt" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		forky "$new" "$(forky_mirror)" >"$log" 2>&1 &&
		echo "$FORKY_PACKAGES" >"$new/etc/brass-packages" &&
		rm -rf --one-file-system "$FORKY_ROOT" && mv "$new" "$FORKY_ROOT"
	r=$?
	if [ $r != 0 ]; then
		tail -n 5 "$log" >&2
		grep -qE 'Could not (connect|resolve)|Unable to connect|Temporary failure' "$log" &&
			r=2
		rm -rf --one-file-system "$new"
	fi
	rm -f "$log" "$log.apt"
	return $r
}

forky_make() {
	local lock
	forky_is_current && return
	mkdir -p "${FORKY_ROOT%/*}" || return
	exec {lock}>"$FORKY_ROOT.lock" || return
	flock "$lock"
	forky_is_current || forky_build
	local r=$?
	exec {lock}>&-
	return $r
}

# Becomes the holder, in a new mount namespace. Its root must be the root of the
# namespace, not a chroot, or runc's own pivot_root fails.
forky_hold() {
	local dir
	mount --make-rprivate / && mount --bind "$FORKY_ROOT" "$FORKY_ROOT" &&
		cd "$FORKY_ROOT" || return
	for dir in proc sys dev run tmp; do
		mount --rbind "/$dir" "$dir" || return
	done
	mount -o remount,bind,ro . && pivot_root . . && umount -l . && cd / || return
	echo ready
	exec sleep infinity <&- >&-
}

in_forky() {
	nsenter --mount="/proc/$FORKY_PID/ns/mnt" -- \
		env PATH="${BRASS_BUILD:+$BRASS_BUILD:}/usr/sbin:/usr/bin:/sbin:/bin" "$@"
}

forky_enter() {
	local dir=$1 answer name
	export FORKY_ROOT
	export -f forky_hold
	exec {answer}< <(exec unshare --mount bash -c forky_hold </dev/null 3>&-)
	FORKY_PID=$!
	IFS= read -r -u "$answer" name
	exec {answer}<&-
	[ "$name" = ready ] || return 1
	mkdir -p "$dir/bin"
	for name in containerd ctr runc crun; do
		printf '#!/usr/bin/env bash\nFORKY_PID=%s\n%s\nin_forky %s "$@"\n' "$FORKY_PID" \
			"$(declare -f in_forky | sed 's/^\( *\)nsenter/\1exec nsenter/')" \
			"$name" >"$dir/bin/$name"
		chmod +x "$dir/bin/$name"
	done
}

forky_leave() {
	[ -z "$FORKY_PID" ] || kill "$FORKY_PID" 2>/dev/null || :
	FORKY_PID=''
}
