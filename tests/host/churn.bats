#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Short lives over real runc while containerd is stopped at random moments: what it has
# been told of each is whole and in order. (That it is killed as well is in
# tests/e2e/test-churn.c: no client of a real one can see what it has got before.)

load helper

# Stops containerd and lets it go on, until the file $T/enough is there.
torment() {
	RANDOM=${CHURN_SEED:-4711}
	while [ ! -e "$T/enough" ]; do
		sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
		kill -STOP "$CONTAINERD_PID"
		sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
		kill -CONT "$CONTAINERD_PID"
	done
}

# The events of a container, a word each: the topic's last word, and whose exit it was.
story_of() {
	grep "\"container_id\":\"$1\"" "$T/events" |
		sed -n 's|.* /tasks/\([a-z-]*\) {\(.*\)}.*|\1 \2|p' |
		sed -e 's|^exit .*"id":"\([^"]*\)".*|exit:\1|' \
			-e 's|^exec-\([a-z]*\) .*"exec_id":"\([^"]*\)".*|\1:\2|' \
			-e 's| .*||' | tr '\n' ' '
}

story_is() {
	[ "$(story_of "$1")" = "$2 " ]
}

@test "containerd is stopped at random moments: events of containers and execs are whole and in order" {
	local i tormentor
	record_events
	torment 3>&- &
	tormentor=$!
	for i in {1..5}; do
		ctr_run -d --annotation io.kubernetes.cri.sandbox-id=pod "$IMAGE" "c$i" \
			sh -c "while [ ! -e /go ]; do sleep 0.05; done; exit $i"
		exec_prints "c$i" "e$i" 'echo hello' hello "$((i + 10))"
		go "c$i"
		deleted_with "c$i" "$i"
	done
	touch "$T/enough"
	wait "$tormentor"
	for i in {1..5}; do
		soon story_is "c$i" "create start added:e$i started:e$i exit:e$i exit:c$i delete" ||
			{ story_of "c$i"; return 1; }
	done
}
