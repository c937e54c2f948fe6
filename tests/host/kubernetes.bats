#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# contrib/kubernetes: the installer on the directory of a node, what containerd reads of
# the result, and the manifests. Starts nothing.

root=${BATS_TEST_FILENAME%/tests/host/*}

setup() {
	T=$BATS_TEST_TMPDIR
	HOST=$T/host
	SHIM=$T/shim
	RESTART="echo restarted >>$T/restarts"
	export HOST SHIM RESTART
	mkdir -p "$HOST/etc/containerd" "$HOST/proc"
	printf '#!/bin/sh\necho one\n' >"$SHIM"
	chmod 755 "$SHIM"
	config=$HOST/etc/containerd/config.toml
}

node() {
	"$root/contrib/kubernetes/node" "$@"
}

restarts() {
	touch "$T/restarts"
	[ "$(grep -c . "$T/restarts" || :)" = "$1" ]
}

# Names, modes, contents of all that is on the node.
snapshot() {
	(cd "$HOST" && find . ! -type d -printf '%p %m %l\n' -type f -exec sha256sum {} + | sort)
}

# A configuration as nodes have it. $1: version, $2: name of CRI's plugin.
write_config() {
	cat >"$config" <<-END
	version = $1
	root = "/var/lib/containerd"
	[plugins."$2"]
	  [plugins."$2".containerd]
	    default_runtime_name = "runc"
	    [plugins."$2".containerd.runtimes.runc]
	      runtime_type = "io.containerd.runc.v2"
	      [plugins."$2".containerd.runtimes.runc.options]
	        SystemdCgroup = true
	END
	chmod 640 "$config"
}

# install_and_remove: both twice; in between "$@", which looks at the result.
install_and_remove() {
	snapshot >"$T/before"
	node install
	restarts 1
	node status
	snapshot >"$T/installed"
	node install
	restarts 1
	snapshot | diff "$T/installed" -
	"$@"
	node uninstall
	restarts 2
	snapshot | diff "$T/before" -
	node uninstall
	restarts 2
	run node status
	[ "$status" = 1 ]
}

# What a containerd makes of the configuration has the runtime, and still has runc's options.
read_by() {
	"$@" -c "$config" config dump >"$T/dump"
	grep -A20 'runtimes.brass\]' "$T/dump" |
		grep -qE 'runtime_type = ["'\'']io.containerd.brass.v2'
	grep -A9 'runtimes.brass.options\]' "$T/dump" | grep -q 'SystemdCgroup = true'
	grep -A9 'runtimes.runc.options\]' "$T/dump" | grep -q 'SystemdCgroup = true'
}

@test "a node with containerd 1.x" {
	write_config 2 io.containerd.grpc.v1.cri
	install_and_remove read_by containerd
}

@test "a node with containerd 2.x" {
	local r=0
	write_config 3 io.containerd.cri.v1.runtime
	. "$root/contrib/lib/debian.bash"
	debian_make forky || r=$?
	[ $r != 2 ] || skip "the mirror of Debian forky cannot be reached"
	[ $r = 0 ]
	debian_enter forky "$T"
	install_and_remove read_by in_debian containerd || r=$?
	debian_leave
	return $r
}

@test "a node without a configuration, and one whose last line has no end" {
	install_and_remove grep -q '^version = 2' "$config"
	rm -f "$T/restarts"
	write_config 2 io.containerd.grpc.v1.cri
	truncate -s -1 "$config"
	install_and_remove read_by containerd
}

@test "k3s: the template, of either version" {
	template_of k3s
}

@test "RKE2: the same in its own folder" {
	template_of rke2
}

template_of() {
	local k3s=$HOST/var/lib/rancher/$1/agent/etc/containerd
	mkdir -p "$k3s"
	echo 'version = 2' >"$k3s/config.toml"
	install_and_remove grep -q 'grpc.v1.cri".containerd.runtimes.brass\]' \
		"$k3s/config.toml.tmpl"
	rm -f "$T/restarts"
	echo 'version = 3' >"$k3s/config.toml"
	printf '{{ template "base" . }}\n# mine\n' >"$k3s/config-v3.toml.tmpl"
	install_and_remove grep -q 'cri.v1.runtime".containerd.runtimes.brass\]' \
		"$k3s/config-v3.toml.tmpl"
}

@test "what somebody has changed meanwhile stays" {
	write_config 2 io.containerd.grpc.v1.cri
	node install
	sed -i '2s/.*/root = "\/elsewhere"/' "$config"
	sed -n '2,9p' "$config" >"$T/mine"
	node uninstall
	sed -n '2,9p' "$config" | diff "$T/mine" -
	! grep -q brass "$config"
}

@test "a shim that runs is replaced by a new file, and one that was there comes back" {
	local shim=$HOST/usr/local/bin/containerd-shim-brass-v2
	mkdir -p "${shim%/*}"
	echo 'of somebody else' >"$shim"
	snapshot >"$T/before"
	node install
	exec 8<"$shim"
	printf '#!/bin/sh\necho two\n' >"$SHIM"
	node install
	grep -q two "$shim"
	grep -q one <&8
	exec 8<&-
	restarts 1
	node uninstall
	snapshot | diff "$T/before" -
}

@test "it is not taken away below containers that run" {
	node install
	mkdir "$HOST/proc/77"
	printf '/usr/local/bin/containerd-shim-brass-v2\0-id\0x\0' >"$HOST/proc/77/cmdline"
	run node uninstall
	[ "$status" = 1 ]
	[[ $output == *'containers still run under brass'* ]]
	node status
	FORCE=1 node uninstall
}

@test "another version of the configuration is refused, and nothing written to it" {
	echo 'version = 9' >"$config"
	run node install
	[ "$status" = 1 ]
	[[ $output == *"version 9 of containerd's configuration"* ]]
	[ "$(<"$config")" = 'version = 9' ]
	[ ! -e "$HOST/usr" ]
	restarts 0
}

# wrong SED OUTPUT: the uninstaller's manifest with this change has this fault.
wrong() {
	sed "$1" "$root/contrib/kubernetes/uninstall.yaml" >"$T/wrong.yaml"
	run "$root/tests/host/manifests.py" "$T/wrong.yaml"
	[ "$status" = 1 ]
	[ "$output" = "$T/wrong.yaml: $2" ]
}

@test "the manifests are what Kubernetes understands" {
	"$root/tests/host/manifests.py" "$root"/contrib/kubernetes/*.yaml
	wrong s/hostPID/hostPid/ .spec.template.spec.hostPid:\ unknown
	wrong 's/privileged: true/privileged: "yes"/' \
		'.spec.template.spec.initContainers[0].securityContext.privileged: a bool is needed'
	wrong 's/^        - name: host$/        - name: disk/' '.spec: no volume host'
	wrong '/^      containers:/,${/image:/d}' \
		'.spec.template.spec.containers[0].image: missing'
}

@test "handler, RuntimeClass and the runtime in containerd have one name" {
	grep -qx 'handler: brass' "$root/contrib/kubernetes/brass.yaml"
	grep -q 'runtimes\.brass\]' "$root/contrib/kubernetes/node"
}
