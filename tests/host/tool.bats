#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The operator's tool on shims that a real containerd runs: ours, and the stock one's.

load helper
eval "host_$(declare -f setup_file)"

setup_file() {
	BRASS=$(realpath -e "$BRASS_BUILD/brass")
	STOCK=$(command -v containerd-shim-runc-v2 || :)
	export BRASS STOCK
	host_setup_file
}

brass() {
	timeout -k 5 30 "$BRASS" "$@"
}

# What ps says of the shim of a container, through a filter.
of_shim() {
	brass ps --namespace "$CONTAINERD_NAMESPACE" --json |
		jq -r "[.shims[] | select(.containers[].id == \"$1\")][0] | $2"
}

@test "ps: two containers of a pod, in one shim" {
	local id
	for id in pod c1; do
		ctr_run -d --annotation io.kubernetes.cri.sandbox-id=pod "$IMAGE" "$id" sleep 1000
	done
	[ "$(of_shim pod .shim)" = "$(shim_pid pod)" ]
	[ "$(of_shim c1 .shim)" = "$(shim_pid pod)" ]
	[ "$(of_shim c1 '.containers[] | select(.id == "c1") | "\(.state) \(.pid)"')" = \
		"running $(task_pid c1)" ]
	[ "$(of_shim pod '"\(.brass) \(.error)"')" = 'true null' ]
	[ "$(of_shim pod .private_dirty_kb)" -gt 0 ]
	[ "$(brass ps -q -n "$CONTAINERD_NAMESPACE" | sort | xargs)" = 'c1 pod' ]
	task pause c1
	[ "$(of_shim c1 '.containers[] | select(.id == "c1") | .state')" = paused ]
	task resume c1
}

@test "inspect: a container, what it has written, and the events that wait" {
	with_stdin ctr_run "$IMAGE" c1 sh -c 'echo 0123456789; exec cat'
	soon grep -q 0123456789 "$T/out"
	[ "$(brass inspect -n "$CONTAINERD_NAMESPACE" c1 |
		jq -c '.containers[0] | [.id, .init.state, .init.io.stdout.moved_bytes]')" = \
		'["c1","running",11]' ]
	[ "$(brass inspect -n "$CONTAINERD_NAMESPACE" c1 |
		jq -c '.events | [.connected, .queued]')" = '[true,0]' ]
	exec 7>&-
	ended_with "$client" 0
}

@test "inspect and ps while containerd is away: the events that it has not got" {
	local shim pid
	detached c1 sleep 1000
	shim=$(shim_pid c1) pid=$(task_pid c1)
	stop_containerd KILL
	kill -KILL "$pid"
	soon gone "$pid"
	soon eval '[ "$(brass inspect "$shim" | jq .events.queued)" = 1 ]'
	brass inspect "$shim" | jq -e '.containers[0].init.exit.status == 137'
	[ "$(brass ps -n "$CONTAINERD_NAMESPACE" --json | jq ".shims[] | select(.shim == $shim).events")" = 1 ]
	restart_containerd
	deleted_with c1 137
}

@test "call: what containerd would say" {
	detached c1 sleep 1000
	[ "$(brass call -n "$CONTAINERD_NAMESPACE" c1 State | jq -r '"\(.status) \(.pid)"')" = \
		"RUNNING $(task_pid c1)" ]
	[[ $(brass call -n "$CONTAINERD_NAMESPACE" c1 Stats | jq -r '.stats."@type"') == \
		io.containerd.cgroups.v* ]]
	run brass call -n "$CONTAINERD_NAMESPACE" c1 Start
	[ "$status" = 1 ]
	[[ $output == *FailedPrecondition:* || $output == *Unknown:* ]]
	brass call -n "$CONTAINERD_NAMESPACE" c1 Kill '{"signal": 9}'
	deleted_with c1 137
}

@test "a shim that is stopped: ps says so, and the others answer" {
	local shim
	detached c1 sleep 1000
	detached c2 sleep 1000
	shim=$(shim_pid c1)
	kill -STOP "$shim"
	run brass ps -n "$CONTAINERD_NAMESPACE" --timeout 500
	kill -CONT "$shim"
	[ "$status" = 1 ]
	[[ $output == *"shim $shim (c1) does not answer: DeadlineExceeded: no answer within 500 ms"* ]]
	grep -Eq " c2 +running " <<<"$output"
}

@test "the stock shim: in ps with its state, not to be inspected" {
	[ -n "$STOCK" ] || skip 'no containerd-shim-runc-v2'
	timeout -k 5 60 ctr run -d --runtime "$STOCK" "$IMAGE" c1 sleep 1000
	[ "$(of_shim c1 '"\(.brass) \(.containers[0].state)"')" = 'false running' ]
	run brass inspect -n "$CONTAINERD_NAMESPACE" c1
	[ "$status" = 2 ]
	[[ $output == *'its shim is none of ours'* ]]
	[ "$(brass call -n "$CONTAINERD_NAMESPACE" c1 State | jq -r .status)" = RUNNING ]
}

@test "doctor: this containerd and its configuration" {
	local entry='plugins."io.containerd.grpc.v1.cri".containerd.runtimes.b'
	printf 'version = 2\n[%s]\n[%s]\nruntime_type = "io.containerd.brass.v2"\nruntime_path = "%s"\n' \
		"${entry%.b}.runc" "$entry" "$BRASS_BUILD/containerd-shim-brass-v2" >"$T/config.toml"
	brass doctor --json --config "$T/config.toml" >"$T/findings" || [ $? = 1 ]
	jq -e '[.findings[] | select(.level == "error")] == []' "$T/findings"
	for check in kernel pidfd cgroup containerd shim runc space; do
		jq -e ".findings[] | select(.check == \"$check\")" "$T/findings" >/dev/null
	done
	jq -r '.findings[] | select(.check == "config").text' "$T/findings" |
		grep -qF 'runtime "b" is brass'
	jq -r '.findings[] | select(.check == "containerd").text' "$T/findings" |
		grep -qF "version $(containerd --version | cut -d' ' -f3)"
}

# read_by_containerd CONFIG: it starts with this, and CRI has the runtime b.
read_by_containerd() {
	containerd --config "$1" config dump 2>/dev/null | tr -d "\"'" |
		grep -qE '\[plugins\.io\.containerd\.(grpc\.v1\.cri|cri\.v1\.runtime)\.containerd\.runtimes\.b\]'
}

read_by_doctor() {
	brass doctor --json --config "$1" | jq -e '[.findings[] | select(.check == "config").text] |
		any(test("^runtime \"b\" is brass")) and
		(any(test("starts with|by a name of version 1")) | not)' >/dev/null
}

@test "doctor: a configuration of any version is read as this containerd does it" {
	local version plugin
	for version in '' 'version = 1' 'version = 2' 'version = 3' 'version = 4'; do
		for plugin in cri '"io.containerd.grpc.v1.cri"' '"io.containerd.cri.v1.runtime"'; do
			cat >"$T/config.toml" <<-END
			$version
			[plugins.$plugin.containerd.runtimes.runc]
			  runtime_type = "io.containerd.runc.v2"
			[plugins.$plugin.containerd.runtimes.b]
			  runtime_type = "io.containerd.brass.v2"
			  runtime_path = "$BRASS_BUILD/containerd-shim-brass-v2"
			END
			echo "$version $plugin"
			if read_by_containerd "$T/config.toml"; then
				read_by_doctor "$T/config.toml"
			else
				! read_by_doctor "$T/config.toml" || false
			fi
		done
	done
}

# What may not be read is left out, nothing fails or hangs.
@test "as a user that is not root" {
	detached c1 sleep 1000
	cp "$BRASS" /tmp/brass-$$ && chmod 755 /tmp/brass-$$
	run timeout -k 5 30 setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/brass-$$ ps \
		-n "$CONTAINERD_NAMESPACE"
	[ "$status" = 1 ]
	[[ $output == *"shim $(shim_pid c1) (c1) does not answer: its socket is not known: permission denied"* ]]
	run timeout -k 5 30 setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/brass-$$ doctor
	rm -f /tmp/brass-$$
	[[ $output == *'ok       pidfd '* ]]
}
