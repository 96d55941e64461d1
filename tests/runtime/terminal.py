"""Terminals for the tests: the console socket that a shim listens on, and a pseudo terminal to run the runtime on.

Layer: tests. Users: process_test.py, exec_test.py.
SPDX-License-Identifier: Apache-2.0
"""
import array
import contextlib
import fcntl
import json
import os
import pty
import select
import socket
import struct
import termios
import time

PATIENCE = float(os.environ.get("CAISSON_PATIENCE", "60"))


def receive_descriptors(connection, count=8):
    """One message with its SCM_RIGHTS: (bytes, [descriptors])."""
    data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4 * count), socket.MSG_CMSG_CLOEXEC)
    found = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(payload[: len(payload) - len(payload) % found.itemsize])
    return data, list(found)


class Stream:
    """Reads a descriptor with a deadline; a pty master gives EIO when the last slave is closed."""

    def __init__(self, fd):
        self.fd, self.text = fd, ""

    def read_more(self, deadline):
        ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"terminal says nothing more after {self.text!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            if not self.read_more(deadline):
                raise AssertionError(f"terminal closed without {text!r}: {self.text!r}")
        return self.text

    def json(self):
        """Reads one line of JSON (the terminal turns newlines into CR LF)."""
        return json.loads(self.wait_for("}\r\n").replace("\r\n", "\n"))

    def write(self, data):
        os.write(self.fd, data)

    def close(self):
        with contextlib.suppress(OSError):
            os.close(self.fd)


class ConsoleSocket:
    def __init__(self, directory, name="console.sock"):
        self.path = os.path.join(directory, name)
        self.streams, self.message = [], None

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE)
        return self

    def receive(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            self.message, descriptors = receive_descriptors(connection)
        if len(descriptors) != 1:
            raise AssertionError(f"console socket got {len(descriptors)} descriptors")
        self.streams.append(Stream(descriptors[0]))
        return self.streams[-1]

    def __exit__(self, *_):
        self.listener.close()
        os.unlink(self.path)
        for stream in self.streams:
            stream.close()


class Session(Stream):
    """A call of the runtime in a session of its own whose controlling terminal we hold the other end of."""

    def __init__(self, test, arguments, size):
        master, slave = pty.openpty()
        os.set_inheritable(master, False)
        super().__init__(master)
        self.slave = slave
        self.resize(*size)
        self.attributes = self.current_attributes()

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.call = test.begin(*arguments, stdin=slave, stdout=slave, stderr=slave, preexec_fn=own_terminal)

    def current_attributes(self):
        return termios.tcgetattr(self.slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while self.call.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"the runtime does not end; terminal: {self.text!r}")
            ready, _, _ = select.select([self.fd], [], [], 0.05)
            if ready:
                self.read_more(deadline)
        return self.call.process.returncode


@contextlib.contextmanager
def run_on_terminal(test, *arguments, size=(24, 80)):
    session = Session(test, arguments, size)
    try:
        yield session
    finally:
        session.close()
        os.close(session.slave)
