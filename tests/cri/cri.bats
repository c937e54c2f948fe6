#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pods through containerd's CRI plugin, as kubelet makes them; the tests themselves are
# in pods.py. CRI_HANDLER says how containerd is told of brass: "drop-in" by runtime_path,
# with the stock shim's name and options; "name" by io.containerd.brass.v2; "stock" is the
# stock shim, to compare.

load ../host/helper
eval "host_$(declare -f setup_file)"
eval "host_$(declare -f setup)"
eval "host_$(declare -f teardown)"
export CRI_HANDLER=${CRI_HANDLER:-drop-in}

extra_config() {
	local cri='plugins."io.containerd.grpc.v1.cri"'
	cat <<-END
	[$cri]
	  sandbox_image = "$PAUSE_IMAGE"
	  restrict_oom_score_adj = true
	  stream_server_address = "127.0.0.1"
	  stream_server_port = "0"
	[$cri.cni]
	  bin_dir = "$BATS_FILE_TMPDIR/cni"
	  conf_dir = "$BATS_FILE_TMPDIR/net.d"
	[$cri.containerd]
	  snapshotter = "overlayfs"
	  default_runtime_name = "drop-in"
	[$cri.containerd.runtimes.drop-in]
	  runtime_type = "io.containerd.runc.v2"
	  runtime_path = "$BRASS_BUILD/containerd-shim-brass-v2"
	[$cri.containerd.runtimes.drop-in.options]
	  BinaryName = "runc"
	[$cri.containerd.runtimes.name]
	  runtime_type = "io.containerd.brass.v2"
	[$cri.containerd.runtimes.stock]
	  runtime_type = "io.containerd.runc.v2"
	  runtime_path = "/usr/bin/containerd-shim-runc-v2"
	END
}

# A network of this file's own; the programs are this machine's, wherever containerd runs.
make_network() {
	local net=10.$((RANDOM % 120 + 130)).$((RANDOM % 250)).0/24
	mkdir "$BATS_FILE_TMPDIR"/{cni,net.d}
	cp /usr/lib/cni/{loopback,ptp,host-local} "$BATS_FILE_TMPDIR/cni/"
	cat >"$BATS_FILE_TMPDIR/net.d/10-brass.conflist" <<-END
	{"cniVersion": "0.4.0", "name": "brass", "plugins": [{"type": "ptp", "ipam":
	 {"type": "host-local", "subnet": "$net", "dataDir": "$BATS_FILE_TMPDIR/addresses"}}]}
	END
}

setup_file() {
	export PYTHONPATH=$BATS_FILE_TMPDIR PYTHONDONTWRITEBYTECODE=1
	protoc -I"$root/tests/cri" --python_out="$BATS_FILE_TMPDIR" cri.proto
	export CONTAINERD_CRI=1
	# containerd 2.3 does not end the shim of a pod whose sandbox process has died first.
	export BRASS_UNUSED_MS=10000 BRASS_LEASE_MS=10000
	make_network
	host_setup_file
	ctr -n k8s.io images import --snapshotter overlayfs "$CONTAINERD_DIR/image.tar" >/dev/null
}

setup() {
	host_setup
	export T
}

# A test of pods.py.
cri() {
	timeout -k 5 150 /usr/bin/python3 "$root/tests/cri/pods.py" "$CONTAINERD_ADDRESS" "$1"
}

# What a failed test left must not disturb the next one.
teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || cri clean || :
	host_teardown
}

@test "the containers of a pod are in its shim, whoever comes and goes" {
	cri one_shim
}

@test "restart policy: new attempts in the same pod, each with its code, reason and log" {
	cri restarts
}

@test "ExecSync: both streams, code, 1 MB, a program that is not there, the time that is up" {
	cri exec_sync
}

@test "Exec: stdin, both streams, code; a terminal and its size" {
	cri exec_stream
}

@test "Attach: stdin once, both streams; two at one terminal" {
	cri attach
}

@test "logs: every line, long ones too, and over a rotation" {
	cri logs
}

@test "stats" {
	cri stats
}

@test "limits, and their update" {
	cri limits
}

@test "out of memory: the reason" {
	cri oom
}

@test "SIGTERM, then SIGKILL for who does not listen" {
	cri termination
}

@test "pods go in any order, and their shims with them" {
	cri any_order
}

@test "a program that is not there: the reason, no pipe is left" {
	cri failed_start
}

@test "a pid namespace for the pod: a container's end takes its own along, and nobody else" {
	cri shared_pids
}

@test "a network of the pod's own, and a port of it forwarded" {
	cri own_network
}

@test "containerd is killed and comes back: a code and the log are not lost" {
	cri daemon_begin
	local pid
	pid=$(ctr -n k8s.io tasks ls | awk '{ print $2 }' | while read -r pid; do
		! grep -qsa '/go ' "/proc/$pid/cmdline" || echo "$pid"
	done)
	stop_containerd KILL
	touch "/proc/$pid/root/go"
	soon gone "$pid"
	restart_containerd
	cri daemon_end
}

@test "a user namespace for the pod" {
	[ "$HOST_SUITE" = forky ] || skip "containerd $(containerd_version) knows none"
	cri user_namespace
}

@test "the shim of a pod is killed: all its containers end, and all of it can be removed" {
	cri shim_dies
}
