#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# contrib/kubernetes: the installer on the directory of a node, what containerd reads of
# the result, and the manifests.

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

teardown() {
	! declare -F cleanup >/dev/null || cleanup
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

# Puts containerd 2.x into $T/bin.
enter_forky() {
	local r=0
	. "$root/contrib/lib/debian.bash"
	debian_make forky || r=$?
	[ $r != 2 ] || skip "the mirror of Debian forky cannot be reached"
	[ $r = 0 ]
	cleanup() { debian_leave; }
	debian_enter forky "$T"
}

@test "a node with containerd 2.x" {
	write_config 3 io.containerd.cri.v1.runtime
	enter_forky
	install_and_remove read_by in_debian containerd
}

@test "a node with containerd 2.3, whose configuration is of version 4" {
	write_config 4 io.containerd.cri.v1.runtime
	install_and_remove grep -qx '\[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.brass\]' "$config"
}

@test "a node without a configuration, and one whose last line has no end" {
	install_and_remove has_default
	rm -f "$T/restarts"
	write_config 2 io.containerd.grpc.v1.cri
	truncate -s -1 "$config"
	install_and_remove read_by containerd
}

has_default() {
	grep -q '^version = 2' "$config"
	containerd -c "$config" config dump >"$T/dump"
	grep -A20 'runtimes.runc\]' "$T/dump" | grep -q 'runtime_type = "io.containerd.runc.v2"'
}

cri_is() {
	ctr plugins ls | grep -qE " cri +.* $1 *\$"
}

@test "CRI still loads where the configuration names no runtime" {
	. "$root/contrib/lib/containerd.bash"
	local dir=$HOST/etc/containerd
	CONTAINERD_CRI=1 start_containerd "$dir"
	cri_is ok
	stop_containerd
	cp "$config" "$T/before"
	node install
	start_containerd "$dir"
	cri_is ok
	node uninstall
	diff "$T/before" "$config"
	printf '[plugins."io.containerd.grpc.v1.cri".containerd]\ndefault_runtime_name = "x"\n' \
		>>"$config"
	node install
	! grep -q 'runtimes\.runc\]' "$config"
}

# What is there already, as somebody has written it by hand.
add_by_hand() {
	cat >>"$config" <<-END
	    [ plugins.'io.containerd.grpc.v1.cri' . containerd.runtimes.brass ] # by hand
	      pod_annotations = ["a=b"]
	      runtime_type = "$1"# so
	END
}

@test "a runtime brass that somebody else has written is used, or refused, but not changed" {
	write_config 2 io.containerd.grpc.v1.cri
	add_by_hand io.containerd.brass.v2
	snapshot >"$T/before"
	node install
	node status
	restarts 0
	containerd -c "$config" config dump >/dev/null
	node uninstall
	snapshot | diff "$T/before" -
	write_config 2 io.containerd.grpc.v1.cri
	add_by_hand io.containerd.other.v2
	snapshot >"$T/before"
	run node install
	[ "$status" = 1 ]
	[[ $output == *' /etc/containerd/config.toml:10: '* ]]
	snapshot | diff "$T/before" -
}

@test "what the installer wrote is known after an editor has given it other ends of line" {
	write_config 2 io.containerd.grpc.v1.cri
	node install
	sed -i 's/$/\r/' "$config"
	node install
	read_by containerd
	sed -i 's/\r*$/\r/' "$config"
	node uninstall
	[ "$(grep -c "$(printf '\r$')" "$config")" = 9 ]
	[ "$(grep -c . "$config")" = 9 ]
	node install
	sed -i '/^# END/d' "$config"
	cp "$config" "$T/before"
	run node install
	[ "$status" = 1 ]
	[[ $output == *'"# END brass" is missing'* ]]
	diff "$T/before" "$config"
}

@test "links are those of the node, and stay" {
	write_config 2 io.containerd.grpc.v1.cri
	mkdir -p "$HOST/brass-nowhere/local" "$HOST/usr"
	mv "$config" "$HOST/brass-nowhere/c.toml"
	ln -s /brass-nowhere "$HOST/elsewhere"
	ln -s /../../elsewhere/../brass-nowhere/c.toml "$config"
	ln -s /elsewhere/local "$HOST/usr/local"
	install_and_remove on_the_node
	ln -sfn config.toml "$config"
	run node install
	[ "$status" = 1 ]
	[[ $output == *'too many links'* ]]
}

on_the_node() {
	grep -q brass "$HOST/brass-nowhere/c.toml"
	[ -x "$HOST/brass-nowhere/local/bin/containerd-shim-brass-v2" ]
	[ -L "$config" ]
}

@test "a restart that failed is done the next time" {
	write_config 2 io.containerd.grpc.v1.cri
	snapshot >"$T/before"
	RESTART=false run node install
	[ "$status" = 1 ]
	run node status
	[ "$status" = 1 ]
	install_again
	RESTART=false run node uninstall
	[ "$status" = 1 ]
	[ -e "$HOST/usr/local/bin/containerd-shim-brass-v2" ]
	node uninstall
	restarts 2
	snapshot | diff "$T/before" -
}

install_again() {
	node install
	restarts 1
	node status
	node install
	restarts 1
}

@test "k3s: the template, of either version" {
	template_of k3s
}

@test "RKE2: the same in its own folder" {
	template_of rke2
}

template_of() {
	local k3s=$HOST/var/lib/rancher/$1/agent/etc/containerd version
	mkdir -p "$k3s"
	echo 'version = 2' >"$k3s/config.toml"
	install_and_remove grep -q 'grpc.v1.cri".containerd.runtimes.brass\]' \
		"$k3s/config.toml.tmpl"
	node install
	[ "$(grep -c 'runtimes\.runc\]' "$k3s/config.toml.tmpl")" = 0 ]
	node uninstall
	for version in 3 4; do
		rm -f "$T/restarts"
		echo "version = $version" >"$k3s/config.toml"
		printf '{{ template "base" . }}\n# mine\n' >"$k3s/config-v3.toml.tmpl"
		install_and_remove grep -q 'cri.v1.runtime".containerd.runtimes.brass\]' \
			"$k3s/config-v3.toml.tmpl"
	done
}

@test "by hand after an upgrade of the package its new shim is installed" {
	local shim=$HOST/usr/local/bin/containerd-shim-brass-v2
	local package=$T/bin/containerd-shim-brass-v2
	snapshot >"$T/before"
	mkdir -p "$T/bin"
	mv "$SHIM" "$package"
	unset SHIM
	PATH=${shim%/*}:$T/bin:$PATH
	node install
	printf '#!/bin/sh\necho two\n' >"$package"
	run node status
	[ "$status" = 1 ]
	node install
	cmp "$package" "$shim"
	node status
	rm "$package"
	run node install
	[ "$status" = 1 ]
	[[ $output == *'no shim beside this script, nor another one in PATH'* ]]
	run node status
	[ "$status" = 0 ]
	[[ $output == *'there is no other shim to compare it with'* ]]
	node uninstall
	snapshot | diff "$T/before" -
	run node status
	[ "$status" = 1 ]
}

@test "a shim of the node that is in the place itself is used, and stays" {
	local shim=$HOST/usr/local/bin/containerd-shim-brass-v2
	mkdir -p "${shim%/*}"
	mv "$SHIM" "$shim"
	unset SHIM
	PATH=${shim%/*}:$PATH install_and_remove test -x "$shim"
}

@test "the shim of a package is in PATH, and that beside the script comes first" {
	local tree=$T/tree
	write_config 2 io.containerd.grpc.v1.cri
	mkdir -p "$tree" "$T/bin"
	cp "$root/contrib/kubernetes/node" "$tree"
	cp "$SHIM" "$T/bin/containerd-shim-brass-v2"
	unset SHIM
	PATH=$T/bin:$PATH "$tree/node" install
	cmp "$T/bin/containerd-shim-brass-v2" "$HOST/usr/local/bin/containerd-shim-brass-v2"
	printf '#!/bin/sh\necho beside\n' >"$tree/containerd-shim-brass-v2"
	chmod 755 "$tree/containerd-shim-brass-v2"
	PATH=$T/bin:$PATH "$tree/node" install
	cmp "$tree/containerd-shim-brass-v2" "$HOST/usr/local/bin/containerd-shim-brass-v2"
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

@test "a full disk costs nobody a file" {
	local dir=$HOST/usr/local/bin
	mkdir -p "$dir"
	mount -t tmpfs -o size=64k tmpfs "$dir"
	cleanup() { umount "$HOST/usr/local/bin"; }
	head -c 40000 /dev/urandom >"$dir/containerd-shim-brass-v2"
	head -c 40000 /dev/urandom >"$SHIM"
	snapshot >"$T/before"
	run node install
	[ "$status" = 1 ]
	snapshot | diff "$T/before" -
	mount -o remount,size=1m "$dir"
	install_and_remove cmp "$SHIM" "$dir/containerd-shim-brass-v2"
}

@test "a link in the place of the shim comes back as it was" {
	local dir=$HOST/usr/local/bin to
	local link=$dir/containerd-shim-brass-v2
	mkdir -p "$dir" "$HOST/brass-opt"
	echo 'of somebody else' >"$HOST/brass-opt/shim"
	for to in /brass-opt/shim ../../../brass-opt/shim /brass-nowhere; do
		rm -f "$T/restarts"
		ln -sfn "$to" "$link"
		install_and_remove cmp "$SHIM" "$link"
	done
	export CONFIG=$config BIN_DIR=$dir FORCE=1
	for to in "$HOST/brass-opt/shim" /brass-nowhere; do
		ln -sfn "$to" "$link"
		snapshot >"$T/before"
		HOST=/ node install
		cmp "$SHIM" "$link"
		HOST=/ node uninstall
		snapshot | diff "$T/before" -
	done
}

@test "a link to the same shim stays, and whose it is says the node" {
	local link=$HOST/usr/local/bin/containerd-shim-brass-v2
	mkdir -p "${link%/*}" "$HOST$T"
	cp "$SHIM" "$HOST/brass-shim"
	ln -s /brass-shim "$link"
	install_and_remove [ -L "$link" ]
	rm -f "$T/restarts"
	ln -sfn "$SHIM" "$link"
	echo 'of somebody else' >"$HOST$SHIM"
	install_and_remove [ ! -L "$link" ]
}

@test "it is not taken away below containers that run" {
	local shim=$T/containerd-shim-brass-v2
	node install
	cp /bin/sleep "$shim"
	ln -s containerd-shim-brass-v2 "$T/containerd-shim-runc-v2"
	"$T/containerd-shim-runc-v2" 300 3>&- &
	ln -s "/proc/$!" "$HOST/proc/$!"
	until [ "/proc/$!/exe" -ef "$shim" ]; do :; done
	stays
	rm "$shim"
	stays
	node status
	FORCE=1 node uninstall
	kill $!
	wait $! || :
	node install
	node uninstall
}

stays() {
	run node uninstall
	[ "$status" = 1 ]
	[[ $output == *'containers still run under brass'* ]]
}

@test "a configuration that cannot be written leaves nothing beside it" {
	write_config 2 io.containerd.grpc.v1.cri
	mount --bind "$config" "$config"
	run node install
	umount "$config"
	[ "$status" = 1 ]
	[[ $output == *'cannot write /etc/containerd/config.toml'* ]]
	[ "$(ls -A "$HOST/etc/containerd")" = config.toml ]
}

@test "a version in quotes is a version, and that of a table is none" {
	write_config 2 io.containerd.grpc.v1.cri
	sed -i '1s/.*/[debug]\n  "version" = 9\n/;1!d' "$config"
	run node install
	[ "$status" = 1 ]
	[[ $output == *"version 1 of containerd's configuration"* ]]
	write_config 2 io.containerd.grpc.v1.cri
	sed -i '1s/.*/"version" = 2# two/' "$config"
	install_and_remove read_by containerd
}

# The node's containerd is asked; $config is in its place.
ask_containerd() {
	export CONFIG=$config BIN_DIR=$HOST/bin FORCE=1
}

# refused SED...: with this change of the configuration.
refused() {
	sed -i "$@" "$config"
	snapshot >"$T/before"
	HOST=/ run node install
	[ "$status" = 1 ]
	[[ $output == *'has a file of "imports" a section for it'* ]]
	snapshot | diff "$T/before" -
}

taken() {
	snapshot >"$T/before"
	HOST=/ node install
	HOST=/ node uninstall
	snapshot | diff "$T/before" -
}

imports() {
	echo "1s,\$,\nimports = [\"$T/import.toml\"],"
}

# disables PLUGIN, in more than one line.
disables() {
	echo "1s,\$,\ndisabled_plugins = [\"io.containerd.snapshotter.v1.zfs\"\,\n\"$1\"],"
}

@test "what containerd 1.x would not read is found before anything is changed" {
	ask_containerd
	printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "x"\n' \
		>"$T/import.toml"
	write_config 2 io.containerd.grpc.v1.cri
	refused "$(imports)"
	echo 'version = 2' >"$T/import.toml"
	taken
	write_config 2 io.containerd.grpc.v1.cri
	refused "$(disables io.containerd.grpc.v1.cri)"
}

@test "what containerd 2.x would not read is found before anything is changed" {
	local version plugin off
	enter_forky
	ask_containerd
	PATH=$T/bin:$PATH
	for version in 2 3; do
		plugin=io.containerd.cri.v1.runtime
		[ $version = 3 ] || plugin=io.containerd.grpc.v1.cri
		write_config $version $plugin
		taken
		for off in grpc.v1.cri cri.v1.runtime cri.v1.images; do
			write_config $version $plugin
			refused "$(disables io.containerd.$off)"
		done
	done
	echo 'version = 2' >"$T/import.toml"
	write_config 3 io.containerd.cri.v1.runtime
	sed -i "$(imports)" "$config"
	taken
	echo 'version = 3' >"$T/import.toml"
	write_config 2 io.containerd.grpc.v1.cri
	refused "$(imports)"
	printf '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.brass]\n%s\n' \
		'runtime_type = "io.containerd.other.v2"' >>"$T/import.toml"
	write_config 3 io.containerd.cri.v1.runtime
	refused "$(imports)"
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

# wrong NAME SED OUTPUT: this manifest with this change has this fault.
wrong() {
	sed "$2" "$root/contrib/kubernetes/$1.yaml" >"$T/wrong.yaml"
	run "$root/tests/host/manifests.py" "$T/wrong.yaml"
	[ "$status" = 1 ]
	[ "$output" = "$T/wrong.yaml: $3" ]
}

@test "the manifests are what Kubernetes understands" {
	"$root/tests/host/manifests.py" "$root"/contrib/kubernetes/*.yaml
	wrong uninstall s/hostPID/hostPid/ .spec.template.spec.hostPid:\ unknown
	wrong uninstall 's/privileged: true/privileged: "yes"/' \
		'.spec.template.spec.initContainers[0].securityContext.privileged: a bool is needed'
	wrong uninstall 's/^        - name: host$/        - name: disk/' '.spec: no volume host'
	wrong uninstall '/^      containers:/,${/image:/d}' \
		'.spec.template.spec.containers[0].image: missing'
	wrong brass '/mountPropagation/d' \
		".spec: status without mountPropagation keeps the node's mounts"
	wrong brass 's/mountPropagation: .*/mountPropagation: None/' \
		".spec: status without mountPropagation keeps the node's mounts"
}

@test "handler, RuntimeClass and the runtime in containerd have one name" {
	grep -qx 'handler: brass' "$root/contrib/kubernetes/brass.yaml"
	grep -q 'runtimes\.brass\]' "$root/contrib/kubernetes/node"
}
