# SPDX-License-Identifier: Apache-2.0
# What a kubelet does with pods, a function for each test of cri.bats.
# Usage: pods.py SOCKET TEST. Each removes what it made, as a kubelet would, unless it
# fails; then the pods are removed by force.
import os
import signal
import sys
import time

import grpc

import client
from client import EXITED, NOT_READY, POD, READY, RUNNING
from client import Cri, Pod, cgroup, gone, parent, soon


def refused(call, code):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error.details()
    raise AssertionError("it was not refused")


def removed(pod):
    """containerd 2.3 refuses while it still cleans up after the shim; a kubelet asks again."""
    try:
        pod.remove()
    except grpc.RpcError as error:
        assert "ttrpc: closed" in error.details(), error
        return False
    return True


def end_of(pod, *containers, remove=Pod.remove):
    """The order of a kubelet: the containers stop, the pod stops, all is removed."""
    for container in containers:
        container.stop(0)
    pod.stop()
    for container in containers:
        container.remove()
    remove(pod)


def one_shim(cri):
    pod, other = Pod(cri), Pod(cri)
    shim = parent(pod.pid())
    a = pod.container("a", "sleep", "1000")
    b = pod.container("b", "sleep", "1000")
    c = other.container("c", "sleep", "1000")
    assert a.shim() == b.shim() == shim
    assert c.shim() == parent(other.pid()) != shim
    a.stop(0)
    assert b.status().state == RUNNING
    a.remove()
    a = pod.container("a", "sleep", "1000", attempt=1)
    assert a.shim() == shim
    end_of(pod, a, b)
    soon(lambda: gone(shim), "the pod's shim is gone")
    assert c.status().state == RUNNING
    end_of(other, c)


def restarts(cri):
    """OnFailure as a kubelet does it: a new container in the same pod until one succeeds."""
    pod, boxes = Pod(cri), []
    shim = parent(pod.pid())
    for attempt in range(4):
        box = pod.shell("job", f"echo try {attempt}; exit {3 - attempt}", attempt=attempt)
        status = box.exited()
        assert status.exit_code == 3 - attempt, status
        assert status.reason == ("Completed" if attempt == 3 else "Error"), status
        assert status.started_at > 0 and status.finished_at > 0
        assert box.lines() == [("stdout", f"try {attempt}")]
        boxes.append(box)
    assert pod.status().state == READY and parent(pod.pid()) == shim
    end_of(pod, *boxes)


def exec_sync(cri):
    pod = Pod(cri)
    box = pod.container("a", "sleep", "1000")
    assert box.exec("sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")
    assert box.exec("cat") == (0, "", "")
    big = box.exec("seq", "1", "100000")
    assert big == (0, "".join(f"{i}\n" for i in range(1, 100001)), "")
    text = refused(lambda: box.exec("no-such-program"), grpc.StatusCode.UNKNOWN)
    assert "no-such-program" in text, text
    refused(lambda: box.exec("sleep", "1001", timeout=1), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert box.exec("sh", "-c", "ps | grep -c '[s]leep 1001'")[1] == "0\n"
    end_of(pod, box)


def exec_stream(cri):
    pod = Pod(cri)
    box = pod.container("a", "sleep", "1000")
    stream = box.start_exec("sh", "-c", "read x; echo got $x; echo err >&2; exit 5")
    stream.send("hello\n")
    assert stream.end() == 5
    assert (stream.out[1], stream.out[2]) == (b"got hello\n", b"err\n"), stream.out
    stream = box.start_exec("sh", tty=True)
    stream.resize(123, 45)
    stream.until("# ")
    soon(lambda: b"45 123" in size_of(stream), "the size of the terminal")
    stream.send("tty; exit 6\n")
    assert stream.end() == 6
    assert b"/dev/pts/" in stream.out[1], stream.out
    end_of(pod, box)


def size_of(stream):
    before = len(stream.out[1])
    stream.send("stty size; echo do''ne\n")
    while b"done\r\n" not in stream.out[1][before:]:
        assert stream.read(), stream.out
    return stream.out[1][before:]


def attach(cri):
    pod = Pod(cri)
    box = pod.shell("a", "while read x; do echo got $x; echo err $x >&2; done; exit 4",
                    stdin=True, stdin_once=True)
    stream = box.attach()
    stream.send("1\n")
    stream.until("got 1\n")
    stream.until("err 1\n", channel=2)
    stream.close()
    assert box.exited().exit_code == 4
    box.has_line("stdout", "got 1")
    tty = pod.shell("t", "tty; while read x; do echo got $x; [ $x != both ] || exit 8; done",
                    stdin=True, tty=True)
    tty.has_line("stdout", "/dev/pts/0")
    first, second = tty.attach(tty=True), tty.attach(tty=True)
    second.resize(80, 25)
    # Connected is not attached yet: what is said before is not heard.
    for stream in (first, second):
        soon(lambda stream=stream: stream.send("there\n") or stream.sees("got there"),
             "it is attached")
    first.send("both\n")
    first.until("got both")
    second.until("got both")
    assert tty.exited().exit_code == 8
    end_of(pod, box, tty)


def logs(cri):
    pod = Pod(cri)
    box = pod.shell("a", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done; "
                    "echo err >&2; head -c 100000 /dev/zero | tr '\\0' x; echo; printf end")
    box.exited()
    box.has_line("stdout", "end")
    lines = box.lines()
    assert [t for s, t in lines if s == "stdout"] == (
        [f"line {i}" for i in range(3000)] + ["x" * 100000, "end"])
    assert [t for s, t in lines if s == "stderr"] == ["err"]
    # Rotated, as by a kubelet, while it writes: no line is lost, none comes twice.
    ticker = pod.shell("t", "i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i + 1)); "
                       "[ $((i % 20)) != 0 ] || usleep 2000; done; echo end; sleep 1000")
    texts = []
    for _ in range(3):
        soon(ticker.lines, "some lines")
        os.rename(ticker.log, ticker.log + ".old")
        cri.ReopenContainerLog(id=ticker.id)
        new, ticker.log = ticker.log, ticker.log + ".old"
        texts += [t for _, t in ticker.lines()]
        ticker.log = new
    ticker.has_line("stdout", "end")
    texts += [t for _, t in ticker.lines()]
    assert texts == [str(i) for i in range(2000)] + ["end"], len(texts)
    end_of(pod, box, ticker)


def stats(cri):
    pod = Pod(cri)
    box = pod.shell("a", "dd if=/dev/zero of=/x bs=1M count=8; i=0; "
                    "while [ $i -lt 50000 ]; do i=$((i + 1)); done; echo ready; sleep 1000")
    box.has_line("stdout", "ready")
    first = cri.ContainerStats(id=box.id).stats
    assert first.cpu.used.value > 1000000, first
    assert first.memory.usage.value > 1000000, first
    box.exec("sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done")
    assert cri.ContainerStats(id=box.id).stats.cpu.used.value > first.cpu.used.value
    other = pod.container("b", "sleep", "1000")
    of_all = {s.container.id: s.memory.usage.value for s in cri.ListContainerStats().items}
    assert set(of_all) == {box.id, other.id} and all(of_all.values()), of_all
    end_of(pod, box, other)


def limits(cri):
    pod = Pod(cri)
    box = pod.container("a", "sleep", "1000", resources=client.m.Resources(
        cpu_period=100000, cpu_quota=50000, memory_limit=64 << 20))
    folder, v1 = cgroup(box.pid(), "memory"), os.path.exists("/sys/fs/cgroup/memory")
    limit = os.path.join(folder, "memory.limit_in_bytes" if v1 else "memory.max")
    assert open(limit).read().strip() == str(64 << 20)
    cri.UpdateContainerResources(id=box.id, linux=client.m.Resources(
        cpu_period=100000, cpu_quota=70000, memory_limit=96 << 20))
    assert open(limit).read().strip() == str(96 << 20)
    folder = cgroup(box.pid(), "cpu")
    cpu = open(os.path.join(folder, "cpu.cfs_quota_us" if v1 else "cpu.max")).read()
    assert cpu.split()[0] == "70000", cpu
    assert box.status().state == RUNNING
    end_of(pod, box)


def oom(cri):
    pod = Pod(cri)
    box = pod.shell("a", "tail /dev/zero", resources=client.m.Resources(memory_limit=16 << 20))
    status = box.exited()
    assert (status.exit_code, status.reason) == (137, "OOMKilled"), status
    end_of(pod, box)


def termination(cri):
    """SIGTERM first, and SIGKILL only for those who do not listen, when the time is up."""
    pod = Pod(cri)
    polite = pod.shell("p", "trap 'echo bye; exit 42' TERM; echo ready; "
                       "while :; do sleep 0.05; done")
    deaf = pod.shell("d", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    for box in polite, deaf:
        box.has_line("stdout", "ready")
    began = time.monotonic()
    polite.stop(60)
    assert time.monotonic() - began < 50
    assert polite.status().exit_code == 42
    polite.has_line("stdout", "bye")
    began = time.monotonic()
    deaf.stop(2)
    assert time.monotonic() - began >= 1.9
    assert deaf.status().exit_code == 137
    deaf.stop(2)
    end_of(pod, polite, deaf)


def any_order(cri):
    # The pod alone: its containers go with it.
    pod = Pod(cri)
    shim, a = parent(pod.pid()), pod.container("a", "sleep", "1000")
    b = pod.container("b", "sleep", "1000")
    pids = [a.pid(), b.pid(), pod.pid()]
    pod.stop()
    assert pod.status().state == NOT_READY
    assert a.status().state == b.status().state == EXITED
    pod.remove()
    assert all(gone(pid) for pid in pids)
    soon(lambda: gone(shim), "the shim is gone")
    refused(a.status, grpc.StatusCode.NOT_FOUND)
    # Not even stopped; a container that was never started, and one that has ended.
    pod = Pod(cri)
    shim = parent(pod.pid())
    pod.container("a", "sleep", "1000")
    pod.container("b", "true").exited()
    pod.container("c", "true", start=False)
    pod.remove()
    soon(lambda: gone(shim), "the shim is gone, before it leaves by itself", 8)
    # The sandbox's own process dies first.
    pod = Pod(cri)
    shim, a = parent(pod.pid()), pod.container("a", "sleep", "1000")
    os.kill(pod.pid(), signal.SIGKILL)
    soon(lambda: pod.status().state == NOT_READY, "the pod is not ready")
    assert a.status().state == RUNNING
    assert a.exec("echo", "alive")[1] == "alive\n"
    a.remove()
    pod.stop()
    pod.stop()
    pod.remove()
    pod.remove()
    soon(lambda: gone(shim), "the shim is gone")


def failed_start(cri):
    pod = Pod(cri)
    shim = parent(pod.pid())
    box = pod.container("a", "no-such-program", start=False)
    text = refused(lambda: cri.StartContainer(id=box.id), grpc.StatusCode.UNKNOWN)
    assert "no-such-program" in text, text
    status = box.status()
    assert status.state == EXITED and status.exit_code in (127, 128), status
    assert status.reason == "StartError" and "no-such-program" in status.message, status
    pipes = [os.readlink(f"/proc/{shim}/fd/{fd}") for fd in os.listdir(f"/proc/{shim}/fd")]
    assert not [p for p in pipes if p.startswith("pipe:")], pipes
    other = pod.container("b", "sleep", "1000")
    end_of(pod, box, other)


def shared_pids(cri):
    """The pod's processes see each other; a container's end ends all of its own only."""
    pod = Pod(cri, pid=POD)
    a = pod.shell("a", "sleep 1001 & echo ready; sleep 1002; exit 3")
    b = pod.container("b", "sleep", "1003")
    a.has_line("stdout", "ready")
    seen = b.exec("ps")[1]
    assert "sleep 1001" in seen and "sleep 1003" in seen, seen
    os.kill(a.pid(), signal.SIGKILL)
    assert a.exited().exit_code == 137
    soon(lambda: "sleep 100" not in b.exec("ps")[1].replace("sleep 1003", ""),
         "all of it are gone")
    assert b.status().state == RUNNING
    end_of(pod, a, b)


def own_network(cri):
    soon(lambda: all(c.status for c in cri.Status().status.conditions
                     if c.type in ("RuntimeReady", "NetworkReady")), "the network is ready")
    pod = Pod(cri, network=POD)
    address = pod.status().network.ip
    a = pod.shell("a", "mkdir /www; echo hello >/www/index.html; "
                  "httpd -p 8080 -h /www; echo ready; sleep 1000")
    b = pod.container("b", "sleep", "1000")
    a.has_line("stdout", "ready")
    assert b.exec("wget", "-qO-", "http://127.0.0.1:8080/")[1] == "hello\n"
    assert address in b.exec("ip", "addr", "show", "eth0")[1]
    assert os.readlink(f"/proc/{a.pid()}/ns/net") == os.readlink(f"/proc/{b.pid()}/ns/net")
    stream = pod.forward(8080)
    stream.send("GET / HTTP/1.0\r\n\r\n")
    stream.until("hello\n", channel=0)
    stream.close()
    stream = pod.forward(8081)
    stream.until("refused", channel=1)
    stream.close()
    end_of(pod, a, b)


def user_namespace(cri):
    maps = [client.m.IdMapping(host_id=200000, container_id=0, length=65536)]
    pod = Pod(cri, network=POD, user=client.m.UserNamespace(mode=POD, uids=maps, gids=maps))
    box = pod.shell("a", "echo hello; echo to myself >/proc/self/fd/2; id -u >/x; sleep 1000")
    box.has_line("stderr", "to myself")
    assert os.stat(f"/proc/{box.pid()}").st_uid == 200000
    # On the disk the file is root's; the mount is mapped.
    assert box.exec("stat", "-c", "%u", "/x", "/bin/busybox")[1] == "0\n0\n"
    assert box.exec("sh", "-c", "echo 1 >/proc/self/fd/1; cat /x")[:2] == (0, "1\n0\n")
    end_of(pod, box)


def daemon_begin(cri):
    """Before containerd is away; what it made, daemon_end finds."""
    pod = Pod(cri)
    pod.shell("a", "i=0; while [ ! -e /go ]; do echo $i; i=$((i + 1)); usleep 10000; done; "
              "exit 9")
    soon(lambda: len(open(os.path.join(pod.logs, "a-0.log")).readlines()) > 10, "some lines")


def answers(cri):
    """containerd answers before its CRI plugin has read all that there was."""
    try:
        return bool(cri.ListPodSandbox().items)
    except grpc.RpcError as error:
        assert "not initialized yet" in error.details(), error
        return False


def daemon_end(cri):
    """containerd was away, and /go came: the exit was not lost, nor was the log."""
    soon(lambda: answers(cri), "the plugin has come back")
    pod_id = cri.ListPodSandbox().items[0].id
    box = cri.ListContainers().items[0].id
    soon(lambda: cri.ContainerStatus(id=box).status.state == EXITED, "the container has exited")
    assert cri.ContainerStatus(id=box).status.exit_code == 9
    assert cri.PodSandboxStatus(id=pod_id).status.state == READY
    cri.StopPodSandbox(id=pod_id)
    cri.RemovePodSandbox(id=pod_id)


def shim_dies(cri):
    """Its containers end with it, and a kubelet finds nothing that it cannot remove."""
    pod, other = Pod(cri), Pod(cri)
    boxes = [pod.shell(name, "sleep 2000 & exec sleep 1000") for name in "abc"]
    done = pod.shell("d", "exit 7")
    assert done.exited().exit_code == 7
    exec_ = boxes[0].start_exec("sleep", "3000")
    spared = other.container("e", "sleep", "1000")
    pids = [pod.pid(), *(box.pid() for box in boxes)]
    shim = parent(pids[0])
    os.kill(shim, signal.SIGKILL)
    for pid in pids:
        soon(lambda pid=pid: gone(pid), f"process {pid} is gone")
    for box in boxes:
        # containerd's own number for a Wait that was cut off: the true one has no way to it.
        assert box.exited().exit_code == 255
    assert done.status().exit_code == 7
    soon(lambda: pod.status().state == NOT_READY, "the pod is not ready")
    assert spared.status().state == RUNNING
    exec_.close()
    end_of(pod, *boxes, done, remove=lambda pod: soon(lambda: removed(pod), "it can be removed"))
    end_of(other, spared)


def clean(cri):
    """By force, after a failure."""
    for pod in cri.ListPodSandbox().items:
        cri.StopPodSandbox(id=pod.id)
        cri.RemovePodSandbox(id=pod.id)


if __name__ == "__main__":
    globals()[sys.argv[2]](Cri(sys.argv[1]))
