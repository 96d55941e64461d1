"""A systemd that is not one: speaks its D-Bus as far as the runtime does, on a private socket or on a real dbus-daemon.

Layer: tests. Used by systemd_test.py. Its marshalling is written here once more, from the D-Bus specification.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import socket
import struct
import subprocess
import threading
import time

from machine import cgroup_mounts

ALIGN = {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "(": 8, "{": 8}
NUMBER = {"y": "B", "b": "I", "u": "I", "i": "i", "t": "Q", "x": "q"}
CALL, REPLY, ERROR, SIGNAL = 1, 2, 3, 4
FIELDS = {1: ("path", "o"), 2: ("interface", "s"), 3: ("member", "s"), 4: ("error_name", "s"), 5: ("reply_serial", "u"),
          6: ("destination", "s"), 7: ("sender", "s"), 8: ("signature", "g")}
SERVICE, OBJECT, MANAGER = "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"


def split(signature):
    """The complete types of a signature: "sa(sv)u" -> ["s", "a(sv)", "u"]."""
    out, at = [], 0
    while at < len(signature):
        end = at
        while signature[end] == "a":
            end += 1
        depth = 0
        while True:
            depth += (signature[end] in "({") - (signature[end] in ")}")
            end += 1
            if depth == 0:
                break
        out.append(signature[at:end])
        at = end
    return out


def pad(data, to):
    return data + b"\0" * (-len(data) % to)


def marshal(data, kind, value):
    """`data` and one value of type `kind` behind it."""
    data = pad(data, ALIGN.get(kind[0], 4))
    if kind in NUMBER:
        return data + struct.pack("<" + NUMBER[kind], value)
    if kind in "so":
        return data + struct.pack("<I", len(value.encode())) + value.encode() + b"\0"
    if kind == "g":
        return data + bytes([len(value)]) + value.encode() + b"\0"
    if kind == "v":
        return marshal(marshal(data, "g", value[0]), value[0], value[1])
    if kind[0] == "a":
        start = pad(data + b"\0\0\0\0", ALIGN.get(kind[1], 4))
        out = start
        for item in value:
            out = marshal(out, kind[1:], item)
        return start[:len(data)] + struct.pack("<I", len(out) - len(start)) + out[len(data) + 4:]
    for inner, item in zip(split(kind[1:-1]), value, strict=True):
        data = marshal(data, inner, item)
    return data


def unmarshal(data, at, kind):
    """The value at `at`, and where it ends. Padding must be zero, strings must end."""
    aligned = at + -at % ALIGN.get(kind[0], 4)
    assert not any(data[at:aligned]), "padding is not zero"
    at = aligned
    if kind in NUMBER:
        size = struct.calcsize(NUMBER[kind])
        value, = struct.unpack_from("<" + NUMBER[kind], data, at)
        assert kind != "b" or value in (0, 1)
        return value, at + size
    if kind in "sog":
        length, = (data[at],) if kind == "g" else struct.unpack_from("<I", data, at)
        at += 1 if kind == "g" else 4
        assert data[at + length] == 0
        return data[at:at + length].decode(), at + length + 1
    if kind == "v":
        inner, at = unmarshal(data, at, "g")
        return unmarshal(data, at, inner)
    if kind[0] == "a":
        length, = struct.unpack_from("<I", data, at)
        at += 4
        at += -at % ALIGN.get(kind[1], 4)
        end, out = at + length, []
        while at < end:
            value, at = unmarshal(data, at, kind[1:])
            out.append(value)
        assert at == end
        return out, at
    out = []
    for inner in split(kind[1:-1]):
        value, at = unmarshal(data, at, inner)
        out.append(value)
    return tuple(out), at


def message(kind, serial, body=b"", **fields):
    rows = [(code, (signature, fields[name])) for code, (name, signature) in FIELDS.items() if name in fields]
    head = marshal(struct.pack("<cBBBII", b"l", kind, 0, 1, len(body), serial), "a(yv)", rows)
    return pad(head, 8) + body


def arguments(signature, *values):
    data = b""
    for kind, value in zip(split(signature), values, strict=True):
        data = marshal(data, kind, value)
    return {"signature": signature, "body": data}


class Link:
    """One stream of messages."""

    def __init__(self, stream):
        self.stream, self.data, self.serial = stream, b"", 0

    def need(self, count):
        while len(self.data) < count:
            more = self.stream.recv(65536)
            if not more:
                raise ConnectionError
            self.data += more

    def line(self):
        while b"\r\n" not in self.data:
            self.need(len(self.data) + 1)
        out, _, self.data = self.data.partition(b"\r\n")
        return out

    def receive(self):
        self.need(16)
        assert self.data[0:1] == b"l" and self.data[3] == 1
        body, serial, fields = struct.unpack_from("<III", self.data, 4)
        start = 16 + fields + -fields % 8
        self.need(start + body)
        out = {"kind": self.data[1], "serial": serial, "signature": ""}
        for code, value in unmarshal(self.data[:16 + fields], 12, "a(yv)")[0]:
            out[FIELDS[code][0]] = value
        content, at, out["arguments"] = self.data[start:start + body], 0, []
        for kind in split(out["signature"]):
            value, at = unmarshal(content, at, kind)
            out["arguments"].append(value)
        self.data = self.data[start + body:]
        return out

    def send(self, kind, **fields):
        self.serial += 1
        body = fields.pop("body", b"")
        self.stream.sendall(message(kind, self.serial, body, **fields))


class FakeSystemd(threading.Thread):
    """Answers one client after another. `below` is the cgroup that all its units are in.

    results    what the next jobs end with; "done" when it is empty, None: they never end
    exists     units that are there and make StartTransientUnit fail until ResetFailedUnit
    calls      (member, arguments) in the order they came
    """

    def __init__(self, below, version="252.38-1"):
        super().__init__(daemon=True)
        self.below, self.version = below, version
        self.results, self.exists, self.calls, self.units, self.failures = [], set(), [], {}, []
        self.forge, self.job = False, 0
        self.closing = False

    # ---- transport

    def listen(self, path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(5)
        self.start()
        return self

    def connect(self, path):
        """Becomes org.freedesktop.systemd1 on the bus at `path`."""
        self.listener = None
        self.bus = self.client(path)
        self.forger = self.client(path)
        self.bus.send(CALL, path="/org/freedesktop/DBus", interface="org.freedesktop.DBus", destination="org.freedesktop.DBus",
                      member="RequestName", **arguments("su", SERVICE, 0))
        assert self.bus.receive()["kind"] in (REPLY, SIGNAL)
        self.start()
        return self

    @staticmethod
    def client(path):
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(path)
        stream.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        link = Link(stream)
        assert link.line().startswith(b"OK")
        stream.sendall(b"BEGIN\r\n")
        link.send(CALL, path="/org/freedesktop/DBus", interface="org.freedesktop.DBus", destination="org.freedesktop.DBus", member="Hello")
        while link.receive()["kind"] != REPLY:
            pass
        return link

    def stop(self):
        self.closing = True
        for stream in ([self.listener] if self.listener else [self.bus.stream, self.forger.stream]):
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
            stream.close()
        self.join(10)

    def run(self):
        if self.listener is None:
            self.serve(self.bus)
            return
        while not self.closing:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            link = Link(stream)
            with contextlib.suppress(ConnectionError, OSError):
                link.need(1)
                link.data = link.data[1:]
                for expected, answer in ((b"AUTH EXTERNAL", b"DATA\r\n"), (b"DATA", b"OK 0123456789abcdef\r\n"), (b"BEGIN", b"")):
                    line = link.line()
                    assert line == expected, line
                    stream.sendall(answer)
                self.serve(link)
            stream.close()

    def serve(self, link):
        with contextlib.suppress(ConnectionError, OSError):
            while True:
                call = link.receive()
                if call["kind"] != CALL:
                    continue
                try:
                    self.answer(link, call)
                except (AssertionError, KeyError, ValueError, TypeError) as error:
                    self.failures.append(f"{call['member']}: {error!r}")
                    self.refuse(link, call, "org.freedesktop.DBus.Error.Failed", repr(error))

    # ---- what systemd says

    def reply(self, link, call, signature="", *values):
        more = {"destination": call["sender"]} if "sender" in call else {}
        link.send(REPLY, reply_serial=call["serial"], **more, **(arguments(signature, *values) if signature else {}))

    def refuse(self, link, call, name, text):
        more = {"destination": call["sender"]} if "sender" in call else {}
        link.send(ERROR, reply_serial=call["serial"], error_name=name, **more, **arguments("s", text))

    def answer(self, link, call):
        member, given = call["member"], call["arguments"]
        assert call["path"] == OBJECT, call["path"]
        if member == "Get":
            assert given[0] == MANAGER
            text = {"Version": self.version, "ControlGroup": self.below}[given[1]]
            return self.reply(link, call, "v", ("s", text))
        self.calls.append((member, given))
        assert call["interface"] == MANAGER, call["interface"]
        return getattr(self, member)(link, call, *given)

    def Subscribe(self, link, call):
        self.reply(link, call)

    def StartTransientUnit(self, link, call, name, mode, properties, units):
        assert (mode, units) == ("replace", [])
        if name in self.exists or name in self.units:
            return self.refuse(link, call, f"{SERVICE}.UnitExists", f"Unit {name} already exists.")
        properties = list(properties)
        given = dict(properties)
        result = self.results.pop(0) if self.results else "done"
        if result == "done":
            self.units[name] = properties
            self.place(name, given)
        return self.end_job(link, call, name, result)

    def place(self, name, given):
        pids = given.get("PIDs", [])
        assert name.endswith(".slice") or pids, "Scope has no PIDs. Refusing."
        self.path = self.path_of(name, given)
        for mount in self.mounts():
            os.makedirs(mount + self.path, exist_ok=True)
            for pid in pids:
                with open(f"{mount}{self.path}/cgroup.procs", "w") as procs:
                    procs.write(str(pid))

    def path_of(self, name, given):
        parts = given.get("Slice", name).removesuffix(".slice").split("-")
        slices = [] if given.get("Slice") == "-.slice" else ["-".join(parts[:n + 1]) + ".slice" for n in range(len(parts))]
        return "/".join([self.below, *slices, *([] if name.endswith(".slice") else [name])])

    @staticmethod
    def mounts():
        found = cgroup_mounts()
        return {found[name] for name in ("name=systemd", "memory", "unified") if name in found}

    def StopUnit(self, link, call, name, mode):
        assert mode == "replace"
        if name not in self.units:
            return self.refuse(link, call, f"{SERVICE}.NoSuchUnit", f"Unit {name} not loaded.")
        given = dict(self.units.pop(name))
        for mount in self.mounts():
            with contextlib.suppress(OSError):
                os.rmdir(mount + self.path_of(name, given))
        return self.end_job(link, call, name, self.results.pop(0) if self.results else "done")

    def collect(self):
        """What systemd does by itself: a scope without a process is over."""
        for name, properties in list(self.units.items()):
            directories = [mount + self.path_of(name, dict(properties)) for mount in self.mounts()]
            if not name.endswith(".scope") or any(self.populated(directory) for directory in directories):
                continue
            self.units.pop(name, None)
            for directory in directories:
                with contextlib.suppress(OSError):
                    os.rmdir(directory)

    @staticmethod
    def populated(directory):
        with contextlib.suppress(OSError), open(f"{directory}/cgroup.procs") as procs:
            return bool(procs.read())
        return False

    def ResetFailedUnit(self, link, call, name):
        if name not in self.exists and name not in self.units:
            return self.refuse(link, call, f"{SERVICE}.NoSuchUnit", f"Unit {name} not loaded.")
        self.exists.discard(name)
        return self.reply(link, call)

    def SetUnitProperties(self, link, call, name, runtime, properties):
        assert runtime == 1
        self.units[name] += [(key, value) for key, value in properties]
        self.reply(link, call)

    def AttachProcessesToUnit(self, link, call, name, below, pids):
        assert below == ""
        for mount in self.mounts():
            for pid in pids:
                with open(f"{mount}{self.path_of(name, dict(self.units[name]))}/cgroup.procs", "w") as procs:
                    procs.write(str(pid))
        self.reply(link, call)

    def end_job(self, link, call, name, result):
        self.job += 1
        job = f"{OBJECT}/job/{self.job}"
        self.reply(link, call, "o", job)
        removed = lambda path, how: {"path": OBJECT, "interface": MANAGER, "member": "JobRemoved",  # noqa: E731
                                     **arguments("uoss", self.job, path, name, how)}
        if self.forge:  # anybody may send a signal to anybody
            self.forger.send(SIGNAL, destination=call["sender"], **removed(job, "failed"))
            time.sleep(0.2)
        link.send(SIGNAL, **removed(f"{OBJECT}/job/4711", "failed"))  # somebody else's
        if result:
            link.send(SIGNAL, **removed(job, result))


def answers(path):
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as stream:
        stream.connect(path)
        return True
    return False


@contextlib.contextmanager
def message_bus(directory):
    """A dbus-daemon of our own: the path of its socket, and its pid."""
    path, config = os.path.join(directory, "bus"), os.path.join(directory, "bus.conf")
    with open(config, "w") as file:
        file.write(f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy>
</busconfig>""")
    process = subprocess.Popen(["dbus-daemon", "--config-file", config, "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not answers(path):  # its socket is there before it listens
            assert process.poll() is None and time.monotonic() < deadline, "dbus-daemon does not start"
            time.sleep(0.01)
        yield path, process.pid
    finally:
        process.kill()
        process.wait()
