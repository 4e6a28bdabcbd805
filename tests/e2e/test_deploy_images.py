# SPDX-License-Identifier: Apache-2.0
"""deploy.sh with containers: a docker daemon of the test's own is started, images are built, the
system is brought up, an account is made and signs; then all of it is removed, and the machine's
network is as it was. Needs root, dockerd, docker-compose and debootstrap; skipped without."""
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import unittest

from deployed import (HASH, LIMIT, QUORATE, SERVERS, SERVICES, SOURCE, Place,
                      another_secret_is_refused, free_ports)

GATEWAY = "172.30.250.1"
# of the network of a party that is alone there, as on another host
PARTY_NETWORK, PARTY_GATEWAY = "172.30.251.0/24", "172.30.251.1"


def can_run():
    return os.geteuid() == 0 and all(map(shutil.which, (
        "dockerd", "docker", "docker-compose", "debootstrap", "iptables-save")))


def text_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def network():
    """What a daemon leaves behind: interfaces, chains, forwarding."""
    with open("/proc/sys/net/ipv4/ip_forward", encoding="ascii") as f:
        forward = f.read()
    rules = re.sub(r"(?m)^#.*\n|\[\d+:\d+\]", "", text_of("iptables-save"))
    return sorted(os.listdir("/sys/class/net")), rules, forward


def clean_rules():
    """Only what a daemon made: others may have changed the tables meanwhile."""
    for table in ("filter", "nat"):
        lines = text_of("iptables-save", "-t", table).splitlines()
        made = [line.split() for line in lines if re.search("DOCKER|docker0|br-", line)]
        for words in made:
            if words[0] == "-A":
                subprocess.run(["iptables", "-t", table, "-D", *words[1:]], check=True)
        for words in made:
            if words[0].startswith(":DOCKER"):
                subprocess.run(["iptables", "-t", table, "-X", words[0][1:]], check=True)


def forward_policy():
    """Of packets that go through this machine; a daemon drops them."""
    found = re.search(r"(?m)^-P FORWARD (\w+)", text_of("iptables", "-S"))
    return found.group(1) if found else "ACCEPT"


class Daemon:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="quorate-docker-")
        self.links, self.rules, self.forward = network()
        self.policy = forward_policy()
        self.host = f"unix://{self.dir}/docker.sock"
        with open(self.dir + "/log", "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.dir + "/data", "--exec-root", self.dir + "/exec",
                 "-H", self.host, "-p", self.dir + "/pid"], stdout=log, stderr=log)
        while self.docker("info").returncode != 0:
            if self.process.poll() is not None:
                raise RuntimeError("dockerd does not start")
            select.select([], [], [], 0.1)  # between two looks

    def docker(self, *words):
        return subprocess.run(["docker", "-H", self.host, *words], capture_output=True, text=True,
                              check=False)

    def remove(self):
        """And what it leaves in the machine's network."""
        self.process.terminate()
        self.process.wait(60)
        for link in set(os.listdir("/sys/class/net")) - set(self.links):
            subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
        clean_rules()
        subprocess.run(["iptables", "-P", "FORWARD", self.policy], check=True)
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
            f.write(self.forward)
        with open("/proc/self/mounts", encoding="utf-8") as f:
            mounts = [line.split()[1] for line in f if self.dir in line]
        for mount in reversed(mounts):
            subprocess.run(["umount", mount], check=True)
        shutil.rmtree(self.dir)


class ContainerPlace(Place):
    limit = 1500  # seconds: a base image is made by debootstrap

    def __init__(self, host):
        super().__init__()
        self.host = host
        self.settings["ALLOWED_IPS"] = "127.0.0.1," + GATEWAY
        for name in ("POSTGRES_PORT", "REDIS_PORT", "RABBITMQ_PORT"):
            del self.settings[name]
        self.write()

    def environment(self):
        return {**super().environment(), "DEPLOY_MODE": "containers", "DOCKER_HOST": self.host,
                "DEPLOY_HOSTS": PARTY_GATEWAY}


class Elsewhere:
    """PostgreSQL, Redis and RabbitMQ as another operator runs them: at published ports of the host,
    under an authority of their own. The database's owner is no superuser."""

    def __init__(self, daemon, top):
        self.daemon, self.top = daemon, os.path.join(top, "servers")
        self.passwords = {name: os.urandom(12).hex() for name in SERVERS}
        self.ports = dict(zip(SERVERS, free_ports(3)))
        self.quorate("init", "--dir", self.top)
        for name in SERVERS:
            self.start(name)
        self.make_owner()

    def quorate(self, *words):
        subprocess.run([QUORATE, "pki", *words], check=True, capture_output=True)

    def start(self, name):
        place = os.path.join(self.top, name)
        self.quorate("issue", name, "--dir", self.top, "--out", place, "--hosts", GATEWAY)
        shutil.copy(os.path.join(self.top, "ca.crt"), place)
        with open(os.path.join(place, "password"), "w", encoding="ascii") as f:
            f.write(self.passwords[name])
        for file in os.listdir(place):
            os.chmod(os.path.join(place, file), 0o644)
        os.chmod(place, 0o755)
        inside = {"postgres": 5432, "redis": 6379, "rabbitmq": 5671}[name]
        p = self.daemon.docker(
            "run", "-d", "--init", "--name", "elsewhere-" + name, "-v", place + ":/run/secrets:ro",
            "--tmpfs", "/run/server:uid=10001,gid=10001,mode=700", "-p",
            f"{self.ports[name]}:{inside}", "-e", "SERVER_USER=mpc_user", "-e",
            "SERVER_DATABASE=first", "-e", "SERVER_VHOST=/", "quorate-servers", name)
        if p.returncode != 0:
            raise RuntimeError(p.stderr)

    def psql(self, text):
        return self.daemon.docker(
            "exec", "elsewhere-postgres", "sh", "-c", "PGPASSWORD=$(cat /run/secrets/password) "
            'exec psql -h 127.0.0.1 -U mpc_user -X -q -A -t -v ON_ERROR_STOP=1 -d first -c "$0"', text)

    def make_owner(self):
        """Once the server answers; what was there is gone."""
        for _ in range(600):
            if self.psql("SELECT 1").returncode == 0:
                break
            select.select([], [], [], 0.1)  # between two looks
        for text in ("DROP DATABASE IF EXISTS mpc", "CREATE DATABASE mpc"):
            p = self.psql(text)
            if p.returncode != 0:
                raise RuntimeError(p.stderr)
        if self.psql("SELECT FROM pg_roles WHERE rolname = 'mpc_owner'").stdout == "":
            self.psql("CREATE ROLE mpc_owner LOGIN CREATEROLE PASSWORD '%s'" % self.passwords["postgres"])
        self.psql("ALTER DATABASE mpc OWNER TO mpc_owner")

    def settings(self):
        found = {"POSTGRES_USER": "mpc_owner", "POSTGRES_DB": "mpc", "REDIS_PLAINTEXT": "true"}
        for name in SERVERS:
            found.update({name.upper() + "_HOST": GATEWAY, name.upper() + "_PORT": self.ports[name],
                          name.upper() + "_PASSWORD": self.passwords[name]})
            if name != "redis":
                found[name.upper() + "_TLS_CA"] = os.path.join(self.top, "ca.crt")
        return found

    def remove(self):
        for name in SERVERS:
            self.daemon.docker("rm", "-f", "-v", "elsewhere-" + name)


@unittest.skipUnless(can_run(), "no root, dockerd, docker-compose or debootstrap")
class Containers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.place = ContainerPlace(cls.daemon.host)

    @classmethod
    def tearDownClass(cls):
        cls.place.remove()
        cls.daemon.remove()

    def done(self, *words, text=""):
        code, out, err = self.place.run(*words, text=text)
        self.assertEqual(code, 0, f"{words}: {out}{err}")
        return out

    def signs(self, account, *words):
        p = subprocess.run([QUORATE, "sign", "--account", account, "--message-hash", HASH, "--dir",
                            self.place.data, "--json", *words], capture_output=True, text=True,
                           timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, p.stderr)

    def inspected(self):
        """[(name, user, read-only root, published container ports)]"""
        names = self.daemon.docker("ps", "--format", "{{.Names}}").stdout.split()
        form = ("{{.Name}} {{.Config.User}} {{.HostConfig.ReadonlyRootfs}} "
                "{{range $p, $b := .HostConfig.PortBindings}}{{$p}} {{end}}")
        return [line.split() for line in
                self.daemon.docker("inspect", "-f", form, *names).stdout.splitlines()]

    def test_the_life_of_a_system(self):
        self.done("build")
        self.done("up")
        health = self.done("health")
        for name in SERVERS + SERVICES:
            self.assertRegex(health, rf"(?m)^{name} +healthy$")
        account = re.search(r"account (\S+)\n\Z", self.done("test-api")).group(1)
        rows = self.inspected()
        self.assertEqual(len(rows), len(SERVERS + SERVICES))
        for name, user, readonly, *ports in rows:
            self.assertEqual((user.split(":")[0] in ("10001", "server"), readonly), (True, "true"))
            self.assertIn(ports, ([], ["8080/tcp"], ["4000/tcp"]), name)
        self.assertEqual(sum(bool(r[3:]) for r in rows), 4)
        self.assertIn("database system is ready", self.done("logs-tail", "postgres"))
        self.assertIn("/data", self.done("shell", "party-1", text="pwd\n"))
        self.account_service_has_two_ports()
        self.examined()
        self.refused_before_anything_stops()
        self.done("mpc", "restart")
        self.signs(account)
        self.a_party_elsewhere()
        key, self.place.settings["BACKUP_RECIPIENT"] = self.place.backup_key("backup.key")
        self.place.write()
        self.done("down")
        self.assertEqual(self.daemon.docker("ps", "-aq").stdout, "")
        self.done("up")
        self.signs(account)
        self.lost_and_restored(account, key)
        self.cleaned()

    def test_the_servers_are_elsewhere(self):
        """After the other, of which the images are left."""
        servers = Elsewhere(self.daemon, self.place.top)
        self.addCleanup(servers.remove)
        self.place.settings.update(servers.settings())
        self.place.write()
        self.done("up")
        health = self.done("health")
        for name in SERVERS:
            self.assertRegex(health, rf"(?m)^{name} +elsewhere, at {re.escape(GATEWAY)}$")
        account = re.search(r"account (\S+)\n\Z", self.done("test-api")).group(1)
        self.assertEqual(len(self.inspected()), len(SERVERS + SERVICES))
        self.refused_before_anything_stops()
        self.signs(account)
        key, self.place.settings["BACKUP_RECIPIENT"] = self.place.backup_key("elsewhere.key")
        self.place.write()
        self.done("mpc", "restart")
        self.signs(account)
        file = os.path.join(self.place.top, "elsewhere.qbs")
        self.done("backup", file)
        signer = self.done("backup-signer").strip()
        self.done("clean", "--yes")
        code, _, err = self.place.run("restore", file, key, "--signed-by", signer)
        self.assertEqual(code, 1, err)
        self.assertIn("the database holds something already", err)
        self.assertFalse(os.path.exists(self.place.data))
        servers.make_owner()
        self.done("restore", file, key, "--signed-by", signer)
        self.done("up")
        self.signs(account)
        self.done("clean", "--yes")
        self.assertEqual(self.daemon.docker("volume", "ls", "-q", "--filter",
                                            "label=com.docker.compose.project").stdout, "")

    def refused_before_anything_stops(self):
        """Another password than a server's, and another master key."""
        before = self.daemon.docker("ps", "-q").stdout
        another_secret_is_refused(self)
        self.assertEqual(self.daemon.docker("ps", "-q").stdout, before)

    def cleaned(self):
        self.done("clean", "--yes")
        self.assertEqual(self.daemon.docker("ps", "-aq").stdout, "")
        self.assertEqual(self.daemon.docker("volume", "ls", "-q").stdout, "")
        self.assertFalse(os.path.exists(self.place.data))

    def lost_and_restored(self, account, key):
        """Containers, volumes, keys and .env are gone. A volume that is there stays."""
        file = os.path.join(self.place.top, "system.qbs")
        self.done("backup", file)
        signer = self.done("backup-signer").strip()
        self.cleaned()
        os.remove(self.place.env_file)
        label = "com.docker.compose.project=quorate"
        self.daemon.docker("volume", "create", "--label", label, "other")
        code, _, err = self.place.run("restore", file, key)
        self.assertEqual((code, err.count("\n")), (1, 1), err)
        self.assertIn("volumes exist (other)", err)
        self.assertEqual(self.daemon.docker("volume", "rm", "other").stdout, "other\n")
        self.done("restore", file, key, "--signed-by", signer)
        self.done("up")
        self.signs(account)

    def account_service_has_two_ports(self):
        words = ("exec", "quorate_account-service_1", "quorate", "health", "--ca",
                 "/run/secrets/ca.crt")
        for port in (8080, 4000):
            p = self.daemon.docker(*words, f"https://127.0.0.1:{port}")
            self.assertEqual(p.returncode, 0, p.stderr)

    def examined(self):
        """Keys without a backup are all that is found."""
        code, out, err = self.place.run("doctor")
        told = [line for line in out.splitlines() if "checks," not in line]
        self.assertTrue(told, err)
        for line in told:
            self.assertIn("have no verified backup", line)
        self.assertEqual(code, 1)

    def a_party_elsewhere(self):
        """By the commands of the page, in a network without any of the others."""
        top = self.place.top
        with open(os.path.join(SOURCE, "docs", "operations.md"), encoding="utf-8") as f:
            page = f.read().split("## A party on another host")[1].split("\n## ")[0]
        first, second = re.findall(r"(?ms)^```sh\n(.*?)^```$", page)
        first = "\n".join(line for line in first.splitlines() if "./deploy.sh" not in line)
        place = os.path.join(top, "elsewhere")
        os.makedirs(place)
        for name in ("deploy", ".env.party.example"):
            os.symlink(os.path.join(SOURCE, name), os.path.join(place, name))
        os.symlink(self.place.data, os.path.join(place, "quorate-data"))
        self.shell(first, place)
        self.assertEqual(self.daemon.docker("network", "create", "--subnet", PARTY_NETWORK,
                                            "elsewhere_default").returncode, 0)
        with open(os.path.join(self.place.data, "party-1.env"), encoding="utf-8") as f:
            given = dict(line.rstrip("\n").split("=", 1) for line in f if line[0] != "#")
        values = {"CA_KEY": given["CA_KEY"], "INITIATOR_KEYS": given["INITIATOR_KEYS"],
                  "CRYPTO_MASTER_KEY": os.urandom(32).hex(),
                  **{a + "_ADDR": f"{PARTY_GATEWAY}:" + self.port_of(n) for a, n in
                     (("COORDINATOR", "session-coordinator"), ("ROUTER", "message-router"))}}
        path = os.path.join(place, "party-4", ".env")
        with open(path, encoding="utf-8") as f:
            lines = [line for line in f if line.split("=")[0] not in values]
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(lines + [f"{k}={v}\n" for k, v in values.items()])
        second = second.replace("docker compose", "docker-compose -p elsewhere")
        override = os.path.join(place, "network.yml")
        with open(override, "w", encoding="ascii") as f:
            f.write("networks: {default: {external: {name: elsewhere_default}}}\n")
        file = "-f deploy/docker-compose.party.yml"
        self.shell(second.replace(file, f"{file} -f {override}"), place)
        p = subprocess.run([QUORATE, "account", "create", "--user", "elsewhere", "--parties",
                            "party-1,party-2,party-4", "--dir", self.place.data, "--json"],
                           capture_output=True, text=True, timeout=LIMIT, check=False)
        while "not" in p.stderr and p.returncode != 0 and self.waits_for_party():
            p = subprocess.run(p.args, capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, p.stderr)
        account = re.search('"account_id": *"([^"]*)"', p.stdout).group(1)
        self.signs(account, "--parties", "party-1,party-4")
        self.shell(f"PARTY_DIR=$PWD/party-4 docker-compose -p elsewhere {file} -f {override} down -v",
                   place)
        self.daemon.docker("network", "rm", "elsewhere_default")

    def waits_for_party(self):
        """Until it is healthy; false if it is, or has ended."""
        for _ in range(600):
            state = self.daemon.docker("inspect", "-f", "{{.State.Health.Status}}",
                                       "elsewhere_party_1").stdout.strip()
            if state != "starting":
                break
            select.select([], [], [], 0.1)  # between two looks
        self.looks = getattr(self, "looks", 0) + 1
        return self.looks < 20

    def port_of(self, name):
        with open(os.path.join(self.place.data, name + ".env"), encoding="utf-8") as f:
            return re.search(r"(?m)^HTTP_PORT=(\d+)$", f.read()).group(1)

    def shell(self, text, place):
        bin_dir = os.path.dirname(QUORATE)
        env = {**self.place.environment(), "PATH": bin_dir + ":" + os.environ["PATH"]}
        p = subprocess.run(["bash", "-euc", text], cwd=place, env=env, capture_output=True,
                           text=True, timeout=LIMIT, check=False)
        self.assertEqual(p.returncode, 0, text + p.stdout + p.stderr)


@unittest.skipUnless(can_run(), "no root, dockerd, docker-compose or debootstrap")
class Traces(unittest.TestCase):
    """Run after the other: the machine is as it was."""
    before = network() if can_run() else None
    policy = forward_policy() if can_run() else None

    def test_nothing_is_left(self):
        links, rules, forward = network()
        self.assertEqual((links, forward), (self.before[0], self.before[2]))
        self.assertNotRegex(rules, r"DOCKER|docker0|172\.30\.")
        self.assertEqual(forward_policy(), self.policy)


if __name__ == "__main__":
    if not can_run():
        print("no root, dockerd, docker-compose or debootstrap")
        sys.exit(77)
    unittest.main()
