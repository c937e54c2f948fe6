# SPDX-License-Identifier: Apache-2.0
# What the host tests share: a private containerd per file (contrib/lib), short words
# for ctr with a limit on everything, and the check after each test that nothing of it
# is left: process, mount, cgroup, socket, FIFO, runc's books, bundle.
#
# The shim is that of $BRASS_BUILD. It is there under both of its names, so that
# RUNTIME=io.containerd.runc.v2 is brass as well (for options that ctr gives to no
# other runtime).

root=${BATS_TEST_FILENAME%/tests/*}
: "${BRASS_BUILD:=$root/build}"

# tests/matrix says on what the files run; by default, on what this machine has.
# HOST_SUITE    host, or the Debian whose containerd, runc and crun are taken
# HOST_RUNC     runc or crun; the shim finds it as runc
# HOST_RUNTIME  the name that containerd knows the shim by
export HOST_SUITE=${HOST_SUITE:-host} HOST_RUNC=${HOST_RUNC:-runc}
RUNTIME=${HOST_RUNTIME:-io.containerd.brass.v2}

# The library, and its variables: each test is a process of its own.
load_library() {
	. "$root/contrib/lib/containerd.bash"
	. "$root/contrib/lib/debian.bash"
	[ ! -e "$BATS_FILE_TMPDIR/containerd" ] || . "$BATS_FILE_TMPDIR/containerd"
}

keep() {
	declare -p CONTAINERD_PID CONTAINERD_DIR | sed 's/^declare --/declare -g/' \
		>"$BATS_FILE_TMPDIR/containerd"
}

# Makes the combination's containerd, ctr and runc the first in PATH.
enter_debian() {
	[ "$HOST_SUITE" = host ] || debian_make "$HOST_SUITE"
	if [ "$HOST_RUNC" = crun ]; then
		ln -s /usr/bin/crun "$BRASS_BUILD/runc"
		DEBIAN_LEGACY=1
	fi
	[ "$HOST_SUITE-$HOST_RUNC" = host-runc ] || debian_enter "$HOST_SUITE" "$BATS_FILE_TMPDIR"
	PATH=$BATS_FILE_TMPDIR/bin:$PATH
	export PATH DEBIAN_PID
}

# How the runtime says that a program is not there.
not_found() {
	case $HOST_RUNC in
	crun) echo "executable file \`$1\` not found in \$PATH" ;;
	*) echo "\"$1\": executable file not found in \$PATH" ;;
	esac
}

containerd_version() {
	ctr version | sed -n '/^Server/,$s/^ *Version: *v\?\([0-9.]*\).*/\1/p'
}

# A file of the machine on which containerd runs, as this side finds it.
there() {
	echo "${DEBIAN_PID:+/proc/$DEBIAN_PID/root}$1"
}

setup_file() {
	local shim dir
	shim=$(realpath -e "$BRASS_BUILD/containerd-shim-brass-v2")
	dir=$(mktemp -d /tmp/brass-host.XXXXXX)
	chmod 711 "$dir" # mapped users must get through
	mkdir "$dir/bin"
	cp "$shim" "$dir/bin/containerd-shim-brass-v2"
	ln "$dir/bin/containerd-shim-brass-v2" "$dir/bin/containerd-shim-runc-v2"
	export BRASS_BUILD=$dir/bin
	load_library
	[ -n "${DEBIAN_PID-}" ] || enter_debian
	make_image "$dir"
	! declare -F extra_config >/dev/null || CONTAINERD_EXTRA=$(extra_config)
	start_containerd "$dir"
	keep
}

teardown_file() {
	load_library
	cleanup
	debian_leave
}

setup() {
	load_library
	[ -n "$CONTAINERD_DIR" ] && [ -n "$CONTAINERD_PID" ]
	T=$BATS_TEST_TMPDIR
	FIFOS=$T/fifo
	background=()
}

teardown() {
	local pid
	for pid in "${background[@]}"; do
		kill "$pid" 2>/dev/null || :
	done
	remove_containers
	clean_afterwards
}

# bats looks at what teardown returns, and not at the commands in it.
clean_afterwards() {
	no_leftovers && no_open_fifos
}

# containerd holds no FIFO of a container that is gone.
no_open_fifos() {
	wait_for 20 no_fifo_in "$CONTAINERD_PID" && return
	find "/proc/$CONTAINERD_PID/fd" -lname "$CONTAINERD_DIR/state/*/log" -printf 'FIFO %l\n'
	return 1
}

no_fifo_in() {
	[ -z "$(find "/proc/$1/fd" -lname "$CONTAINERD_DIR/state/*/log" 2>/dev/null)" ]
}

# containerd again, after stop_containerd; later tests have to know its pid.
restart_containerd() {
	start_containerd "$CONTAINERD_DIR"
	keep
}

# ctr run [OPTION]... IMAGE ID [COMMAND]..., the options given first: limit 60 s.
ctr_run() {
	timeout -k 5 60 ctr run --runtime "$RUNTIME" --fifo-dir "$FIFOS" "$@"
}

task() {
	timeout -k 5 30 ctr tasks "$@"
}

# Status of a task, as ctr says it; empty if there is none.
task_status() {
	task ls | awk -v id="$1" '$1 == id { print $3 }'
}

is_status() {
	[ "$(task_status "$1")" = "$2" ]
}

# Deletes a stopped task, which must have ended with this code. (ctr only prints it.)
deleted_with() {
	local id=$1 code=$2 text
	soon is_status "$id" STOPPED
	text=$(task delete "$id" 2>&1)
	if [ "$code" = 0 ]; then
		[ -z "$text" ]
	else
		[[ $text == *"exit code $code\""* ]] || { echo "$text"; return 1; }
	fi
}

# Waits for a background job, which must end with this code.
ended_with() {
	local status=0
	wait "$1" || status=$?
	[ "$status" = "$2" ] || { echo "ended with $status, expected $2"; return 1; }
}

# Runs a client in the background with a pipe as its stdin, on descriptor 7; its output
# goes to $T/out. ctr forgets to pass an end of stdin on that comes before it has the
# task, so tests wait for some output before they close it.
with_stdin() {
	mkfifo "$T/in"
	"$@" <"$T/in" >"$T/out" 2>&1 3>&- &
	client=$!
	background+=("$client")
	exec 7>"$T/in"
}

# What a command in a container prints, which must be this, and its exit code. The
# command lives until it was read: ctr 1.6 drops the output of execs that end before it
# has quite opened the FIFOs (one in some hundred, with any shim).
exec_prints() {
	local id=$1 exec_id=$2 command=$3 expected=$4 code=${5:-0}
	rm -f "$T/in" "$T/out"
	with_stdin task exec --exec-id "$exec_id" "$id" sh -c "$command; cat >/dev/null; exit $code"
	soon grep -qxF -- "$expected" "$T/out"
	exec 7>&-
	ended_with "$client" "$code"
	[ "$(<"$T/out")" = "$expected" ]
}

# Waits for a condition; $SOON is for machines that are slow.
soon() {
	wait_for "${SOON:-30}" "$@" || { echo "not in time: $*"; return 1; }
}

gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

# Starts a container that waits in the background, with the given command line.
detached() {
	local id=$1
	shift
	ctr_run -d "$IMAGE" "$id" "$@"
}

# Makes /go in the container's root, which its command waits for.
go() {
	touch "/proc/$(task_pid "$1")/root/go"
}

# Collects events into $T/events from now on.
record_events() {
	timeout 600 ctr events >"$T/events" 3>&- &
	background+=($!)
	# It is there when it sees an event: an image that is tagged makes one.
	soon events_flow
}

events_flow() {
	ctr images tag --force "$IMAGE" brass.test/probe:latest >/dev/null
	[ -s "$T/events" ]
}

# The topics of the events that concern a container, one a line.
topics_of() {
	sed -n "s|.* \(/tasks/[a-z-]*\) {.*\"container_id\":\"$1\".*|\1|p" "$T/events"
}
