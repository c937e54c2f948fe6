#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The map against the real programs: which flags they have, and that what "brass explain"
# prints does what the shim does. Needs no containerd.

root=${BATS_TEST_FILENAME%/tests/host/*}

setup() {
	BRASS=$(realpath -e "${BRASS_BUILD:-$root/build}/brass")
	T=$BATS_TEST_TMPDIR
	NS=brass-map-$$-$BATS_TEST_NUMBER
	containers=()
	forky=''
}

teardown() {
	local id
	for id in "${containers[@]}"; do
		runc --root "$T/root/$NS" delete --force "$id"
	done
	find /sys/fs/cgroup -depth -type d -path "*/$NS*" -exec rmdir {} + 2>/dev/null || :
	[ -z "$forky" ] || debian_leave
}

# ------------------------------------------------------------- the flags

# The flags that a command of a program has; its help is on stdin.
flags_of_help() {
	grep -oE '^ +(-[a-zA-Z], )*--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' |
		grep -vxE -- '--(help|usage|version)' | sort -u
}

# The same by the map, of a column.
flags_of_map() {
	"$BRASS" explain --map | awk -F'\t' -v of="$1" -v command="${2:--}" \
		'$1 == "flag" && $2 == command && index("," $4 ",", "," of ",") { print $3 }' |
		sort -u
}

# The column that stands for this version of a program.
column() {
	"$BRASS" explain --for "$1" - <<<'{}' | sed -n '1s/.* for \([^,]*\),.*/\1/p'
}

# has_these_flags COLUMN PROGRAM...
has_these_flags() {
	local column=$1 command
	shift
	for command in '' create exec update; do
		diff <(flags_of_map "$column" "$command") \
			<("$@" $command --help | flags_of_help) ||
			{ echo "$* $command, which should be as $column"; return 1; }
	done
}

version() {
	"$@" --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p'
}

@test "runc of this machine has the flags of the map and no others" {
	has_these_flags "$(column "runc-$(version runc)")" runc
}

@test "so has crun" {
	command -v crun >/dev/null || skip 'no crun'
	has_these_flags "$(column "crun-$(version crun)")" crun
}

@test "so have those of Debian forky" {
	local r=0
	. "$root/contrib/lib/debian.bash"
	debian_make forky || r=$?
	[ $r != 2 ] || skip "the mirror of Debian forky cannot be reached"
	[ $r = 0 ]
	debian_enter forky "$T"
	forky=1
	has_these_flags "$(column "runc-$(version in_debian runc)")" in_debian runc
	has_these_flags "$(column "crun-$(version in_debian crun)")" in_debian crun
	[ "$(column "runc-$(version in_debian runc)")" = runc-1.3 ]
	[ "$(column "crun-$(version in_debian crun)")" = crun-1.28 ]
}

# ------------------------------------------ what is printed, and what is done

# A bundle whose runtime keeps its books in $T: $T/ID. On stdin: a filter for jq.
bundle() {
	local b=$T/$1 filter
	filter=$(cat)
	mkdir -p "$b"/rootfs/{bin,tmp,proc,sys,dev,etc,data,'a dir'}
	cp /bin/busybox "$b/rootfs/bin/busybox"
	ln -s busybox "$b/rootfs/bin/sh"
	ln -s busybox "$b/rootfs/bin/sleep"
	(cd "$b" && runc spec)
	jq --arg cgroup "/$NS/$1" '
		.process.terminal = false | .process.args = ["/bin/sleep", "1000"] |
		.process.env = [] | .process.noNewPrivileges = false |
		del(.process.rlimits) | .process.capabilities = {bounding: [], effective: [], permitted: []} |
		.linux.cgroupsPath = $cgroup' "$b/config.json" | jq "$filter" >"$b/new"
	mv "$b/new" "$b/config.json"
	echo "{\"root\":\"$T/root\"}" >"$b/options.json"
}

explain() {
	"$BRASS" explain --namespace "$NS" "$@"
}

# Creates and starts a container by the lines that explain prints, up to the exit.
launch() {
	explain --as create --for "runc-$(version runc)" "$T/$1" |
		sed -n '/^# ---- create: /,/^# ---- exit/p' >"$T/$1.sh"
	[ "$(grep -c "^runc " "$T/$1.sh")" = 2 ]
	bash -e "$T/$1.sh" </dev/null >"$T/$1.out" 2>&1 3>&-
	containers+=("$1")
}

# by_document OR by_flags OPTION...: runs that half of what explain prints.
by_document() {
	explain "$@" | sed '/^# The same by flags/,$d' >"$T/document.sh"
	bash -e "$T/document.sh" </dev/null 3>&-
}
by_flags() {
	explain "$@" >"$T/all.sh"
	{ grep -E '^(LOG|CONSOLE)=' "$T/all.sh"; sed -n '/^# The same by flags/,$p' "$T/all.sh"; } \
		>"$T/flags.sh"
	grep -q '^runc ' "$T/flags.sh"
	bash -e "$T/flags.sh" </dev/null 3>&-
}

state_of() {
	local p=/proc/$1
	grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' "$p/status"
	readlink "$p/cwd" "$p/root" "$p"/ns/*
	tr '\0' '\n' <"$p/environ"
	tr '\0' '\n' <"$p/cmdline"
	cat "$p/cgroup" "$p/limits" "$p/oom_score_adj"
	cat "$p/attr/current" 2>/dev/null || :
}

@test "an exec by flags is the same process as one by its document" {
	local by pid
	bundle c1 <<<'.process.env = ["FIRST=1"]'
	launch c1
	cat >"$T/process.json" <<-'END'
	{"user": {"uid": 1000, "gid": 1001, "additionalGids": [5, 6]},
	 "args": ["/bin/sh", "-c", "sleep 1000; :", "it's", "$HOME \"x\"\n", "--cwd", ""],
	 "env": ["FIRST=1", "A=x y", "B=it's $HOME,C=\t\\"], "cwd": "/a dir",
	 "capabilities": {"bounding": ["CAP_KILL", "CAP_CHOWN"],
	   "effective": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL", "CAP_CHOWN"]},
	 "noNewPrivileges": true}
	END
	# Flags add to what config.json has.
	jq 'del(.env[0])' "$T/process.json" >"$T/added.json"
	for by in document flags; do
		rm -f "$T/c1/exec-e1.pid"
		if [ $by = document ]; then
			by_document --as exec --bundle "$T/c1" "$T/process.json"
		else
			by_flags --as exec --bundle "$T/c1" --for "runc-$(version runc)" \
				"$T/added.json"
		fi
		pid=$(<"$T/c1/exec-e1.pid")
		state_of "$pid" >"$T/state.$by"
		kill -KILL "$pid"
	done
	cat "$T/flags.sh"
	diff "$T/state.document" "$T/state.flags"
	# And it is what was asked for.
	grep -qxE 'Uid:(.1000){4}' "$T/state.flags"
	grep -qxE 'Gid:(.1001){4}' "$T/state.flags"
	grep -qxE 'Groups:.5 6 ' "$T/state.flags"
	grep -qxE 'CapBnd:.0000000000000021' "$T/state.flags"
	grep -qxE 'NoNewPrivs:.1' "$T/state.flags"
	grep -qx '/a dir' "$T/state.flags"
	grep -qxF "B=it's \$HOME,C="$'\t\\' "$T/state.flags"
	grep -qxF -- "it's" "$T/state.flags"
}

@test "capabilities of root, by document and by flags" {
	local by pid
	bundle c1 <<<.
	launch c1
	echo '{"user":{"uid":0,"gid":0},"cwd":"/","args":["/bin/sleep","1000"],"capabilities":
	      {"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}}' \
		>"$T/process.json"
	for by in document flags; do
		"by_$by" --as exec --bundle "$T/c1" "$T/process.json"
		pid=$(<"$T/c1/exec-e1.pid")
		state_of "$pid" >"$T/state.$by"
		kill -KILL "$pid"
	done
	grep -qxE 'CapEff:.0000000000000020' "$T/state.document"
	diff "$T/state.document" "$T/state.flags"
}

# Runs a command with somebody at the other end of the console socket.
with_console() {
	rm -f "$T/c1/console.sock"
	"${BRASS%/*}/take-console" "$T/c1/console.sock" 3>&- &
	taker=$!
	until [ -S "$T/c1/console.sock" ]; do kill -0 "$taker"; done
	"$@"
}

@test "a terminal, by document and by flags" {
	local by pid
	bundle c1 <<<.
	launch c1
	echo '{"terminal":true,"user":{"uid":0,"gid":0},"cwd":"/","args":["/bin/sleep","1000"]}' \
		>"$T/process.json"
	for by in document flags; do
		with_console "by_$by" --as exec --bundle "$T/c1" "$T/process.json"
		pid=$(<"$T/c1/exec-e1.pid")
		{ state_of "$pid" && readlink "/proc/$pid/fd/0" && cut -d' ' -f7 "/proc/$pid/stat"; } \
			>"$T/state.$by"
		kill -KILL "$pid" "$taker"
		wait "$taker" || :
	done
	grep -qx '/dev/pts/[0-9]*' "$T/state.document"
	[ "$(tail -n 1 "$T/state.document")" != 0 ]
	diff "$T/state.document" "$T/state.flags"
}

# Every setting of a container's cgroups, "FILE VALUE" a line.
settings_of() {
	find /sys/fs/cgroup -type d -path "*/$NS/$1" 2>/dev/null | sort | while read -r dir; do
		find "$dir" -maxdepth 1 -type f -perm -200 -readable ! -name '*.pressure' \
			\( -name 'memory.*limit*' -o -name memory.max -o -name memory.low \
			-o -name 'memory.swap*' -o -name 'cpu.*' -o -name 'cpuset.*' \
			-o -name 'pids.*' -o -name '*weight*' \) -exec grep -Hs '' {} + |
			sed "s|/$1/|/ID/|" | sort
	done
}

# updated FIELD JSON: both ways lead to the same files, and from those at the start.
updated() {
	local by
	echo "$2" >"$T/resources.json"
	by_document --as update --id c1 --bundle "$T/c1" "$T/resources.json"
	by_flags --as update --id c2 --bundle "$T/c2" --for "runc-$(version runc)" \
		"$T/resources.json"
	settings_of c1 >"$T/c1.set"
	settings_of c2 >"$T/c2.set"
	diff "$T/c1.set" "$T/c2.set" || { cat "$T/flags.sh"; return 1; }
	! cmp -s "$T/c1.set" "$T/before" || { echo "$1: nothing has changed"; return 1; }
	cp "$T/c1.set" "$T/before"
}

cgroup_file() {
	find /sys/fs/cgroup -path "*/$NS/c1/$1" 2>/dev/null | grep -q .
}

# What stands in no file of this kernel cannot be shown here: a line says so.
@test "an update by flags sets what one by its document sets" {
	bundle c1 <<<'del(.linux.resources)'
	bundle c2 <<<'del(.linux.resources)'
	launch c1
	launch c2
	settings_of c1 >"$T/before"
	[ -s "$T/before" ]
	updated pids.limit '{"pids":{"limit":77}}'
	updated memory.limit '{"memory":{"limit":100000000},"pids":{"limit":77}}'
	updated memory.reservation '{"memory":{"reservation":50000000},"pids":{"limit":77}}'
	if cgroup_file memory.memsw.limit_in_bytes || cgroup_file memory.swap.max; then
		updated memory.swap '{"memory":{"limit":100000000,"swap":150000000},"pids":{"limit":77}}'
	else
		echo '# not shown: memory.swap' >&3
	fi
	updated cpu.shares '{"cpu":{"shares":512},"pids":{"limit":77}}'
	updated 'cpu.quota, period' '{"cpu":{"quota":20000,"period":50000},"pids":{"limit":77}}'
	updated cpu.cpus '{"cpu":{"cpus":"0"},"pids":{"limit":77}}'
	updated 'many at once' '{"cpu":{"shares":300,"quota":30000,"period":60000,"cpus":"0-1",
		"mems":"0"},"memory":{"limit":90000000},"pids":{"limit":66}}'
	if cgroup_file blkio.weight || cgroup_file io.weight; then
		updated blockIO.weight '{"blockIO":{"weight":300},"pids":{"limit":66}}'
	else
		echo '# not shown: blockIO.weight' >&3
	fi
	if cgroup_file cpu.rt_runtime_us; then
		# What the parent has, its children can share.
		echo 20000 >"/sys/fs/cgroup/cpu/$NS/cpu.rt_runtime_us"
		updated cpu.realtime '{"cpu":{"realtimeRuntime":1000,"realtimePeriod":500000}}'
	else
		echo '# not shown: cpu.realtimeRuntime, cpu.realtimePeriod' >&3
	fi
}

# ------------------------------------------------------------------- mounts

# The mounts of a process that are below a path: point, options, type, propagation.
mounts_of() {
	awk -v below="$2" '
		{ point = below == "" ? $5 : index($5, below) == 1 ? substr($5, length(below) + 1) : 0
		  if (point == 0 && below != "") next
		  shared = ""
		  for (i = 7; $i != "-"; i++) { split($i, word, ":"); shared = shared " " word[1] }
		  if (point == "") point = "/"
		  print point, $6, $(i + 1), $(i + 3), shared }' "/proc/$1/mountinfo"
}

@test "the mounts that are printed are those that runc makes, in their order" {
	local pid
	mkdir -p "$T/volume/below"
	echo x >"$T/file"
	bundle c1 <<-END
	del(.mounts[] | select(.type == "cgroup")) | .root.readonly = true |
	.mounts += [
	  {destination: "/data", type: "bind", source: "$T/volume",
	   options: ["rbind", "ro", "nosuid", "rprivate"]},
	  {destination: "/etc/a file", type: "bind", source: "$T/file",
	   options: ["bind", "noexec"]},
	  {destination: "/tmp", type: "tmpfs", source: "tmpfs",
	   options: ["nosuid", "nodev", "size=64k", "mode=1777"]},
	  {destination: "/tmp/new/dir", type: "bind", source: "$T/volume",
	   options: ["bind", "rslave"]}]
	END
	launch c1
	pid=$(<"$T/c1/init.pid")
	mounts_of "$pid" '' >"$T/done"
	explain --as mounts "$T/c1" >"$T/mounts.sh"
	unshare --mount --pid --ipc --net --fork bash -ec '
		. "$1"; cat /proc/self/mountinfo >"$2"' - "$T/mounts.sh" "$T/mountinfo" 3>&-
	mkdir "$T/proc"
	cp "$T/mountinfo" "$T/proc/mountinfo"
	(eval "$(declare -f mounts_of | sed "s|/proc/\$1|$T/proc|")"; mounts_of - "$T/c1/rootfs") \
		>"$T/printed"
	cat "$T/mounts.sh"
	diff <(sed 's/ *$//' "$T/done") <(sed 's/ *$//' "$T/printed")
	[ "$(wc -l <"$T/done")" -gt 12 ]
}

# ------------------------------------------------------------------- cgroups

# The path of the row that is marked as this host's.
printed_cgroup() {
	explain --as create "$T/$1" | sed -n 's/^# -> [a-z]* *v[12]  //p'
}

@test "the cgroup that is printed is the one that runc makes" {
	local path own
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		own=$(sed -n 's/^0:://p' /proc/self/cgroup)
		own=${own%/*}
	else
		own=$(sed -n 's/^[0-9]*:pids://p' /proc/self/cgroup)
	fi
	own=${own%/}
	bundle c1 <<<".linux.cgroupsPath = \"/$NS/../$NS//a.b/./c1\""
	bundle c2 <<<".linux.cgroupsPath = \"$NS/../$NS/c2\""
	bundle c3 <<<'del(.linux.cgroupsPath)'
	for id in c1 c2 c3; do
		launch $id
		path=$(printed_cgroup $id)
		path=${path/<controller>/pids}
		path=${path/\/<cgroup of the shim>/$own}
		path=${path/\/<above the cgroup of the shim>/$own}
		echo "$id: $path"
		grep -qx "$(<"$T/$id/init.pid")" "$path/cgroup.procs"
	done
}
