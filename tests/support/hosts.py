# SPDX-License-Identifier: Apache-2.0
"""Hosts for tests, by network namespaces: this program is on one, others are reached by way of a
router that can stop forwarding. Then every packet is lost without a word, as when a cable is cut
somewhere between; no interface goes down and nobody is told.

Root is not needed where user namespaces are allowed."""
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys

MARK = "QUORATE_TEST_HOSTS"
# Capabilities over the new network, for the programs that are started as well; the user stays.
AS_USER = ["--user", "--map-current-user", "--keep-caps"]


def enter():
    """Start this program anew in a network of its own, or end as "skipped" where that cannot be."""
    if MARK in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    words = ["unshare", "--net", *([] if os.geteuid() == 0 else AS_USER), "--"]
    probe = [*words, "ip", "link", "add", "one", "type", "veth", "peer", "name", "two"]
    for tool in ("ip", "nsenter", "unshare"):
        if not shutil.which(tool):
            print("skipped: " + tool + " is needed")
            sys.exit(77)
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print("skipped: no network namespace can be made: " + done.stderr.strip())
        sys.exit(77)
    os.environ[MARK] = "1"
    os.execvp("unshare", [*words, sys.executable, *sys.argv])


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def set_network(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A network of its own, held by a process that waits for its end."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       preexec_fn=end_with_parent)
        self.holder.stdout.readline()
        self.sh("ip link set lo up")

    def inside(self, *words):
        return ["nsenter", "--target", str(self.holder.pid), "--net", "--", *words]

    def sh(self, text):
        subprocess.run(self.inside("sh", "-ec", text), check=True)

    @contextlib.contextmanager
    def entered(self):
        """This thread, and what it starts meanwhile, are there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        try:
            set_network(there)
            try:
                yield
            finally:
                set_network(home)
        finally:
            os.close(there)
            os.close(home)

    def close(self):
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait()


class Host(Namespace):
    """Another host, number |n|. |here| is this program's address as that host has it, |address| its
    own as this program has it."""

    def __init__(self, n=1):
        super().__init__()
        near, far = f"10.77.{2 * n}", f"10.77.{2 * n + 1}"
        self.here, self.address = near + ".1", far + ".2"
        self.between = Namespace()
        middle, end = self.between.holder.pid, self.holder.pid
        self.between.sh(f"ip link add far type veth peer name eth0 netns {end}")
        subprocess.run(["sh", "-ec", f"""
            ip link add host{n} type veth peer name near netns {middle}
            ip addr add {near}.1/24 dev host{n}
            ip link set host{n} up
            ip route add {far}.0/24 via {near}.254"""], check=True)
        self.between.sh(f"""
            ip addr add {near}.254/24 dev near
            ip addr add {far}.254/24 dev far
            ip link set near up
            ip link set far up""")
        self.sh(f"""
            ip addr add {far}.2/24 dev eth0
            ip link set eth0 up
            ip route add default via {far}.254""")
        self.heal()

    def cut(self):
        self.between.sh("echo 0 > /proc/sys/net/ipv4/ip_forward")

    def heal(self):
        self.between.sh("echo 1 > /proc/sys/net/ipv4/ip_forward")

    def close(self):
        super().close()
        self.between.close()
