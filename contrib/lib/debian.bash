# SPDX-License-Identifier: Apache-2.0
# Another Debian as the place where containerd, Docker, runc, crun and criu run: those of
# this machine are of one age only, and its criu may not run on newer kernels at all. Only
# the mounts are its own; processes, network, cgroups, /run and /tmp are those of the
# machine, so that sockets, FIFOs and bundles are found under the same names on both
# sides. Sourced; needs root.
#
#   debian_make SUITE       makes the root of trixie or forky once, with mmdebstrap, and
#                           keeps it in $DEBIAN_CACHE (about 500 MB each; made again when
#                           the list below has changed). 2: the mirror cannot be reached.
#                           SUITE-PURPOSE is one of its own, for another $DEBIAN_PACKAGES
#                           and, if need be, $DEBIAN_ARCHITECTURES (amd64,arm64)
#   debian_enter SUITE DIR  starts a process that holds a mount namespace whose root is
#                           that of SUITE, read-only; its pid is then $DEBIAN_PID. In
#                           DIR/bin come to lie containerd, ctr, runc, crun, dockerd and
#                           docker, which run those of SUITE: for PATH. SUITE "host": the
#                           root stays
#                           $DEBIAN_LEGACY, if not empty: without the cgroup v2 hierarchy
#                           that stands beside those of v1, since crun refuses such a mix
#   in_debian CMD...        runs CMD there; $BRASS_BUILD, if set, is first in its PATH
#   debian_leave            ends that process; the namespace ends with its last one

# The sanitizers' libraries are for a shim that is built with them.
DEBIAN_PACKAGES=containerd,runc,crun,criu,docker.io,docker-cli,iptables,kmod,libasan8,libubsan1
: "${DEBIAN_CACHE:=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/brass/debian}"
DEBIAN_PID=${DEBIAN_PID-}

# The mirror by which apt works on this machine.
debian_mirror() {
	local mirror
	mirror=$(sed -nE 's/^(URIs:|deb( \[.*\])?) +(https?:[^ ]*\/debian)\/?( .*)?$/\3/p' -s \
		/etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
		head -n 1)
	echo "${mirror:-http://deb.debian.org/debian}"
}

# Reads what apt said.
mirror_is_away() {
	grep -qE 'Could not (connect|resolve)|Unable to connect|Temporary failure'
}

debian_is_current() {
	[ "$(cat "$DEBIAN_CACHE/$1/etc/brass-packages" 2>/dev/null)" = "$DEBIAN_PACKAGES" ]
}

debian_build() {
	local suite=$1 root=$DEBIAN_CACHE/$1 new=$DEBIAN_CACHE/$1.new.$$ r log
	log=$(mktemp) || return
	apt-config dump | grep -iE '^Acquire::(https?::.*proxy|check-)' >"$log.apt"
	# A mirror may carry an expired index of a suite that moves.
	echo 'Acquire::Check-Valid-Until "false"; Acquire::Retries "3";' >>"$log.apt"
	mmdebstrap --format=directory --variant=minbase \
		${DEBIAN_ARCHITECTURES:+--architectures="$DEBIAN_ARCHITECTURES"} \
		--include="$DEBIAN_PACKAGES" --aptopt="$log.apt" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"${suite%%-*}" "$new" "$(debian_mirror)" >"$log" 2>&1 &&
		rm -rf "$new"/var/cache/apt/* "$new"/var/lib/apt/lists/* &&
		echo "$DEBIAN_PACKAGES" >"$new/etc/brass-packages" &&
		rm -rf --one-file-system "$root" && mv "$new" "$root"
	r=$?
	if [ $r != 0 ]; then
		tail -n 5 "$log" >&2
		mirror_is_away <"$log" && r=2
		rm -rf --one-file-system "$new"
	fi
	rm -f "$log" "$log.apt"
	return $r
}

debian_make() {
	local lock
	debian_is_current "$1" && return
	mkdir -p "$DEBIAN_CACHE" || return
	exec {lock}>"$DEBIAN_CACHE/$1.lock" || return
	flock "$lock"
	debian_is_current "$1" || debian_build "$1"
	local r=$?
	exec {lock}>&-
	return $r
}

# Its root must be the root of the namespace, not a chroot, or runc's own pivot_root fails.
debian_pivot() {
	local dir
	mount --bind "$1" "$1" && cd "$1" || return
	for dir in proc sys dev run tmp; do
		mount --rbind "/$dir" "$dir" || return
	done
	# CNI keeps books below it.
	mount -t tmpfs tmpfs var/lib && mount -o remount,bind,ro . && pivot_root . . && umount -l . && cd /
}

# Becomes the holder, in a new mount namespace.
debian_hold() {
	mount --make-rprivate / || return
	[ "$1" = host ] || debian_pivot "$DEBIAN_CACHE/$1" || return
	if [ -n "${DEBIAN_LEGACY-}" ] && mountpoint -q /sys/fs/cgroup/unified; then
		umount /sys/fs/cgroup/unified || return
	fi
	echo ready
	exec sleep infinity <&- >&-
}

in_debian() {
	nsenter --mount="/proc/$DEBIAN_PID/ns/mnt" -- \
		env PATH="${BRASS_BUILD:+$BRASS_BUILD:}/usr/sbin:/usr/bin:/sbin:/bin" "$@"
}

debian_enter() {
	local dir=$2 answer name
	export DEBIAN_CACHE DEBIAN_LEGACY=${DEBIAN_LEGACY-}
	export -f debian_hold debian_pivot
	exec {answer}< <(exec unshare --mount bash -c "debian_hold $1" </dev/null 3>&-)
	DEBIAN_PID=$!
	IFS= read -r -u "$answer" name
	exec {answer}<&-
	[ "$name" = ready ] || return 1
	mkdir -p "$dir/bin"
	for name in containerd ctr runc crun dockerd docker; do
		printf '#!/usr/bin/env bash\nDEBIAN_PID=%s\n%s\nin_debian %s "$@"\n' \
			"$DEBIAN_PID" \
			"$(declare -f in_debian | sed 's/^\( *\)nsenter/\1exec nsenter/')" \
			"$name" >"$dir/bin/$name"
		chmod +x "$dir/bin/$name"
	done
}

debian_leave() {
	[ -z "$DEBIAN_PID" ] || kill "$DEBIAN_PID" 2>/dev/null || :
	DEBIAN_PID=''
}
