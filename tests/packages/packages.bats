#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A node's life with the package, one test after the other: it is installed, upgraded
# and removed, over containers that live. Run by tests/packages/check, in a Debian that
# is thrown away, with its packages in /debs.

bats_require_minimum_version 1.5.0
load ../host/helper

# Not helper's: the shim comes from the package, and the containers outlive a test.
setup_file() {
	local dir=/var/tmp/brass
	load_library
	files >/before
	dpkg -i /debs/brass_*.deb /debs/libttrpc-dev_*.deb
	mkdir "$dir"
	make_image "$dir"
	start_containerd "$dir"
	keep
}

teardown() {
	:
}

# Regular files and links that a package may own.
files() {
	find /usr /etc /var/lib ! -type d ! -path '/var/lib/dpkg/*' | sort
}

installed() {
	dpkg-query -W -f '${Version}' brass
}

binary_of() {
	readlink "/proc/$(shim_pid "$1")/exe"
}

waits() {
	detached "$1" sh -c 'trap "exit 3" TERM; while :; do sleep 1 & wait; done'
}

ends_with_3() {
	task kill "$1"
	deleted_with "$1" 3
	ctr containers delete "$1"
}

@test "installed: a container runs, the tool and its page are there" {
	ctr_run --rm "$IMAGE" first echo hello >"$T/out"
	[ "$(<"$T/out")" = hello ]
	brass --version | grep -qF "$(installed | sed 's/-.*//')"

	[ "$(stat -c %a /usr/bin/containerd-shim-brass-v2)" = 755 ]
}

@test "the examples name the shim where it is" {
	local path
	# Documents are not unpacked here.
	path=$(dpkg-deb --fsys-tarfile /debs/brass_*.deb |
		tar -xO ./usr/share/doc/brass/examples/containerd/config.toml |
		sed -n 's/^ *runtime_path = "\(.*\)"/\1/p')
	[ -x "$path" ]
}

@test "libttrpc-dev: pkg-config's file names what is there" {
	local pc
	pc=$(dpkg -L libttrpc-dev | grep '/libttrpc\.pc$')
	[ -f "$(sed -n 's/^libdir=//p' "$pc")/libttrpc.a" ]
	[ -f "$(sed -n 's/^includedir=//p' "$pc")/ttrpc/ttrpc.h" ]
}

@test "upgraded: the container and its shim live on, new ones get the new shim" {
	local pid shim
	waits old
	pid=$(task_pid old) shim=$(shim_pid old)
	dpkg -i /debs/later.deb
	[[ $(installed) == *+later ]]
	[ "$(task_pid old)" = "$pid" ]
	[ "$(shim_pid old)" = "$shim" ]
	[ "$(binary_of old)" = '/usr/bin/containerd-shim-brass-v2 (deleted)' ]
	exec_prints old check 'echo alive' alive
	waits new
	[ "$(binary_of new)" = /usr/bin/containerd-shim-brass-v2 ]
	stop_containerd
	restart_containerd
	ends_with_3 old
	ends_with_3 new
}

@test "downgraded: as well" {
	waits old
	dpkg -i /debs/brass_*.deb
	[[ $(installed) != *+later ]]
	ends_with_3 old
}

@test "removed: the container lives on and ends as it would; a new one is refused" {
	waits last
	dpkg --remove brass 2>"$T/err"
	grep -q 'containers run under 1 of its shims' "$T/err"
	[ ! -e /usr/bin/containerd-shim-brass-v2 ]
	exec_prints last check 'echo alive' alive
	ends_with_3 last
	run ! ctr_run --rm "$IMAGE" none true
	[[ $output == *'containerd-shim-brass-v2'* ]]
}

@test "purged: no file of it is left, nor any of a container" {
	dpkg --purge brass libttrpc-dev
	no_leftovers
	stop_containerd
	keep
	diff /before <(files | grep -v ^/var/lib/containerd)
}
