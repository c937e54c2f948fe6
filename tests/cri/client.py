# SPDX-License-Identifier: Apache-2.0
# A client of the Container Runtime Interface: what kubelet says to containerd, in short
# words. cri_pb2 is made of cri.proto by protoc.
import collections
import json
import os
import time

import grpc
import websocket

import cri_pb2 as m

READY, NOT_READY = 0, 1
CREATED, RUNNING, EXITED = 0, 1, 2
POD, CONTAINER, NODE = 0, 1, 2
IMAGE = "brass.test/busybox:latest"

# method: request, reply
RUNTIME = {
    "Status": (m.Id, m.StatusReply),
    "RunPodSandbox": (m.RunPod, m.Id),
    "StopPodSandbox": (m.Id, m.Empty),
    "RemovePodSandbox": (m.Id, m.Empty),
    "PodSandboxStatus": (m.Id, m.PodStatusReply),
    "ListPodSandbox": (m.Empty, m.Pods),
    "CreateContainer": (m.CreateContainer, m.Id),
    "StartContainer": (m.Id, m.Empty),
    "StopContainer": (m.Stop, m.Empty),
    "RemoveContainer": (m.Id, m.Empty),
    "ListContainers": (m.Empty, m.Containers),
    "ContainerStatus": (m.Id, m.ContainerStatusReply),
    "UpdateContainerResources": (m.Update, m.Empty),
    "ReopenContainerLog": (m.Id, m.Empty),
    "ExecSync": (m.ExecSync, m.ExecSyncReply),
    "Exec": (m.Exec, m.Url),
    "Attach": (m.Attach, m.Url),
    "PortForward": (m.PortForward, m.Url),
    "ContainerStats": (m.Id, m.StatsReply),
    "ListContainerStats": (m.Empty, m.StatsList),
}


def soon(condition, what, seconds=20):
    """Waits for a condition and returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.02)


class Cri:
    """Calls are methods: cri.StopContainer(id=ID, timeout=1). Errors: grpc.RpcError."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel("unix://" + address)
        grpc.channel_ready_future(self.channel).result(timeout=30)
        for name, (request, reply) in RUNTIME.items():
            setattr(self, name, self.method("RuntimeService", name, request, reply))
        self.ImageStatus = self.method(
            "ImageService", "ImageStatus", m.ImageRequest, m.ImageStatusReply)

    def method(self, service, name, request, reply):
        call = self.channel.unary_unary(
            f"/runtime.v1.{service}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=reply.FromString)
        return lambda **fields: call(request(**fields), timeout=90)


class Pod:
    """A pod with its log folder; containers start at once unless asked otherwise."""
    count = 0

    def __init__(self, cri, network=NODE, pid=CONTAINER, user=None):
        Pod.count += 1
        self.cri = cri
        self.logs = os.path.join(os.environ["T"], f"logs{Pod.count}")
        os.mkdir(self.logs)
        self.namespaces = m.Namespaces(network=network, pid=pid, user=user)
        self.config = m.PodConfig(
            metadata=m.PodMetadata(
                name=f"pod{Pod.count}", uid=f"uid-{os.getpid()}-{Pod.count}", namespace="test"),
            log_directory=self.logs,
            linux=m.PodLinux(
                # That by which the test knows what is left of this containerd's.
                cgroup_parent="/" + os.environ["CONTAINERD_NAMESPACE"],
                security=m.PodSecurity(namespaces=self.namespaces)))
        if network != NODE:
            self.config.hostname = "box"
        self.id = cri.RunPodSandbox(
            config=self.config, handler=os.environ["CRI_HANDLER"]).id

    def container(self, name, *command, attempt=0, start=True, resources=None, **options):
        log = f"{name}-{attempt}.log"
        box = Container(self, os.path.join(self.logs, log), self.cri.CreateContainer(
            pod_id=self.id, pod_config=self.config, config=m.ContainerConfig(
                metadata=m.ContainerMetadata(name=name, attempt=attempt),
                image=m.Image(image=IMAGE), command=command, log_path=log,
                linux=m.ContainerLinux(
                    resources=resources,
                    security=m.Security(namespaces=self.namespaces)), **options)).id)
        if start:
            self.cri.StartContainer(id=box.id)
        return box

    def shell(self, name, script, **options):
        return self.container(name, "sh", "-c", script, **options)

    def status(self):
        return self.cri.PodSandboxStatus(id=self.id).status

    def pid(self):
        reply = self.cri.PodSandboxStatus(id=self.id, verbose=True)
        return json.loads(reply.info["info"])["pid"]

    def forward(self, port):
        """A connection to a port of the pod, as channel 0; on 1 come errors. Both begin with
        the port's number."""
        return Stream(self.cri.PortForward(pod_id=self.id, port=[port]).url)

    def stop(self):
        self.cri.StopPodSandbox(id=self.id)

    def remove(self):
        self.cri.RemovePodSandbox(id=self.id)


class Container:
    def __init__(self, pod, log, container_id):
        self.pod, self.cri, self.log, self.id = pod, pod.cri, log, container_id

    def status(self):
        return self.cri.ContainerStatus(id=self.id).status

    def pid(self):
        reply = self.cri.ContainerStatus(id=self.id, verbose=True)
        return json.loads(reply.info["info"])["pid"]

    def shim(self):
        return parent(self.pid())

    def exited(self):
        """Waits for its end; the status."""
        return soon(lambda: next((s for s in [self.status()] if s.state == EXITED), None),
                    "the container has exited")

    def stop(self, timeout):
        self.cri.StopContainer(id=self.id, timeout=timeout)

    def remove(self):
        self.cri.RemoveContainer(id=self.id)

    def exec(self, *command, timeout=30):
        reply = self.cri.ExecSync(id=self.id, cmd=command, timeout=timeout)
        return reply.code, reply.stdout.decode(), reply.stderr.decode()

    def lines(self):
        """The log as (stream, text) pairs; a partial line is joined with what follows it."""
        found, partial = [], {}
        with open(self.log, newline="\n") as f:
            for line in f:
                if not line.endswith("\n"):
                    break  # containerd writes a line in several steps
                _, stream, tag, text = line.rstrip("\n").split(" ", 3)
                text = partial.pop(stream, "") + text
                if tag == "P":
                    partial[stream] = text
                else:
                    found.append((stream, text))
        return found + list(partial.items())

    def has_line(self, stream, text):
        soon(lambda: os.path.exists(self.log) and (stream, text) in self.lines(),
             f"{text!r} in the log")

    def start_exec(self, *command, tty=False):
        return Stream(self.cri.Exec(id=self.id, cmd=command, tty=tty, stdin=True, stdout=True,
                                    stderr=not tty).url)

    def attach(self, tty=False):
        return Stream(self.cri.Attach(id=self.id, tty=tty, stdin=True, stdout=True,
                                      stderr=not tty).url)


class Stream:
    """A terminal's end of Exec and Attach: channels of a web socket, 0 stdin, 1 stdout,
    2 stderr, 3 how it ended, 4 resize; PortForward has others."""

    def __init__(self, url):
        self.socket = websocket.create_connection(
            url.replace("http://", "ws://"), subprotocols=["v4.channel.k8s.io"], timeout=30)
        self.out = collections.defaultdict(bytes)

    def send(self, text):
        self.socket.send_binary(b"\0" + text.encode())

    def resize(self, width, height):
        self.socket.send_binary(b"\4" + json.dumps(
            {"Width": width, "Height": height}).encode())

    def read(self):
        """One message; false at the end."""
        try:
            data = self.socket.recv()
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return False
        if not data:
            return False
        data = data if isinstance(data, bytes) else data.encode()
        self.out[data[0]] += data[1:]
        return True

    def until(self, text, channel=1):
        while text.encode() not in self.out[channel]:
            assert self.read(), f"no {text!r} in {self.out}"

    def sees(self, text, channel=1):
        """Whether it has come, or does so within a moment."""
        before = self.socket.gettimeout()
        self.socket.settimeout(0.2)
        try:
            while text.encode() not in self.out[channel]:
                if not self.read():
                    return False
            return True
        except websocket.WebSocketTimeoutException:
            return False
        finally:
            self.socket.settimeout(before)

    def end(self):
        """Reads to the end; the exit code."""
        while not self.out[3] and self.read():
            pass
        end = json.loads(self.out[3])
        if end["status"] == "Success":
            return 0
        return int(end["details"]["causes"][0]["message"])

    def close(self):
        self.socket.close()


def parent(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("PPid:"))


def gone(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return any(line.startswith("State:\tZ") for line in f)
    except FileNotFoundError:
        return True


def cgroup(pid, controller):
    """The folder of its cgroup."""
    with open(f"/proc/{pid}/cgroup") as f:
        for line in f:
            _, names, path = line.rstrip("\n").split(":", 2)
            if controller in names.split(","):
                return f"/sys/fs/cgroup/{controller}{path}"
            unified = path
    return "/sys/fs/cgroup" + unified
