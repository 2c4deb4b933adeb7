"""Arrangements of Redis servers: one alone, one with a replica and sentinels, a cluster of six.

Owns who replicates whom and which slots are whose, and their folder; refuses to know how one server
is run (`redis.py`). Rule: everything here blocks; on an event loop call it in a thread.
"""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from qingniao.errors import StartError
from qingniao.servers.ports import LOOPBACK, free_port
from qingniao.servers.redis import Node, find_program, until

__all__ = ["Cluster", "RedisServers", "Sentinels", "Standalone"]

_SLOTS: Final = 16_384
_SETTLE_S: Final = 30.0
_MASTER: Final = "qingniao"


class RedisServers(ABC):
    """What the three arrangements have in common: `with Standalone(program) as servers: …`."""

    def __init__(self, program: str = "", *, password: str = "") -> None:
        """`password` is what they ask for; "" lets everybody in. Raises `StartError`."""
        self.program = program or find_program()
        self.password = password
        if not self.program:
            raise StartError("Neither redis-server nor valkey-server is installed.")
        self._folder = Path(tempfile.mkdtemp(prefix="qingniao-redis-"))
        self.nodes: list[Node] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    @abstractmethod
    def url(self) -> str:
        """For `bus.url`, with the password."""

    def _url(self, *nodes: Node) -> str:
        who = f":{self.password}@" if self.password else ""
        return f"redis://{who}" + ",".join(f"{LOOPBACK}:{node.port}" for node in nodes)

    @abstractmethod
    def start(self) -> None:
        """Start everything and wait until all of it serves. Raises `StartError`."""

    @abstractmethod
    def wait(self) -> None:
        """Return when all of it serves. Raises `StartError`."""

    def stop(self) -> None:
        """End every process and remove what they wrote. Idempotent."""
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def mend(self) -> None:
        """Resume what is paused, start what is dead, wait until all of it serves again."""
        for node in self.nodes:
            node.resume()
            if not node.is_running:
                node.start()
        self.wait()

    def kill_all(self) -> None:
        """Everything is gone at once."""
        for node in self.nodes:
            node.kill()

    def restart_empty(self) -> None:
        """Everything is gone, and comes back knowing nothing but its arrangement."""
        self.kill_all()
        self.mend()

    def flush(self) -> None:
        """Forget all keys everywhere."""
        for node in self.nodes:
            node.flush()


class Standalone(RedisServers):
    """One server."""

    def __init__(self, program: str = "", *, password: str = "") -> None:
        super().__init__(program, password=password)
        self.node = Node(self.program, self._folder, password=password)
        self.nodes = [self.node]

    @property
    def url(self) -> str:
        """For `bus.url`."""
        return self._url(self.node)

    def start(self) -> None:
        """Start it."""
        self.node.start()

    def wait(self) -> None:
        """Return when it answers."""
        until(self.node.answers, _SETTLE_S, "The Redis server does not answer.")


class Sentinels(RedisServers):
    """A primary with a replica, and three sentinels that watch them."""

    def __init__(self, program: str = "", *, password: str = "") -> None:
        super().__init__(program, password=password)
        self._data = [Node(self.program, self._folder, password=password) for _ in range(2)]
        self._watchers = [Node(self.program, self._folder, is_sentinel=True) for _ in range(3)]
        self.nodes = [*self._data, *self._watchers]

    @property
    def url(self) -> str:
        """For `bus.url`: the sentinels."""
        return self._url(*self._watchers)

    @property
    def primary(self) -> Node:
        """Whom the sentinels call the primary now."""
        for watcher in self._watchers:
            said = watcher.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _MASTER, deadline_s=1.0)
            if isinstance(said, list):
                return next(node for node in self._data if node.port == int(said[1]))
        raise StartError("No sentinel answers.")

    def start(self) -> None:
        """Start all five and wait until the sentinels know each other and the replica."""
        first, second = self._data
        for node in self._data:
            node.start()
        second.ask("REPLICAOF", LOOPBACK, first.port)
        for watcher in self._watchers:
            watcher.start()
            watcher.ask("SENTINEL", "MONITOR", _MASTER, LOOPBACK, first.port, 2)
            settings: list[tuple[str, str | int]] = [
                ("down-after-milliseconds", 1_000),
                ("failover-timeout", 3_000),
            ]
            # The sentinels themselves are open: they know nothing but where the others are.
            settings += [("auth-pass", self.password)] if self.password else []
            for key, value in settings:
                watcher.ask("SENTINEL", "SET", _MASTER, key, value)
        self.wait()

    def wait(self) -> None:
        """Return when one primary has its replica and all sentinels see both."""
        until(self._is_whole, _SETTLE_S, "The sentinels do not settle.")

    def _is_whole(self) -> bool:
        roles = [node.info("replication") for node in self._data]
        if sorted(role.get("role", "") for role in roles) != ["master", "slave"]:
            return False
        if not any(role.get("master_link_status") == "up" for role in roles):
            return False
        for watcher in self._watchers:
            said = watcher.ask("SENTINEL", "MASTER", _MASTER, deadline_s=1.0)
            if not isinstance(said, list):
                return False
            fields = dict(zip(said[::2], said[1::2], strict=True))
            if fields[b"num-slaves"] == b"0" or fields[b"num-other-sentinels"] != b"2":
                return False
            if fields[b"flags"] != b"master":
                return False
        return True

    def failover(self) -> None:
        """Ask for another primary, and wait until it is one."""
        before = self.primary
        self._watchers[0].ask("SENTINEL", "FAILOVER", _MASTER)
        until(lambda: self.primary is not before, _SETTLE_S, "No failover.")

    def kill_primary(self) -> Node:
        """Kill it and wait until the sentinels have another; returns the dead one."""
        dead = self.primary
        dead.kill()
        until(lambda: self.primary is not dead, _SETTLE_S, "No failover.")
        return dead


class Cluster(RedisServers):
    """Three primaries, each with a replica."""

    def __init__(self, program: str = "", *, password: str = "") -> None:
        super().__init__(program, password=password)
        self._bus_ports = [free_port() for _ in range(6)]
        self.nodes = [
            Node(
                self.program, self._folder, "--cluster-enabled", "yes",
                "--cluster-port", str(port), "--cluster-node-timeout", "1000",
                "--cluster-replica-validity-factor", "0",
                "--cluster-allow-replica-migration", "no", password=password,
            )
            for port in self._bus_ports
        ]  # fmt: skip

    @property
    def url(self) -> str:
        """For `bus.url`: three of the six."""
        return self._url(*self.nodes[:3])

    def start(self) -> None:
        """Start the six and join them."""
        for number, node in enumerate(self.nodes, 1):
            node.start()
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
        for number, node in enumerate(self.nodes[:3]):
            first, last = number * _SLOTS // 3, (number + 1) * _SLOTS // 3 - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", LOOPBACK, self.nodes[0].port, self._bus_ports[0])
        until(self._all_met, _SETTLE_S, "The cluster's nodes do not meet.")
        for primary, replica in zip(self.nodes[:3], self.nodes[3:], strict=True):
            replica.ask("CLUSTER", "REPLICATE", self.id_of(primary))
        self.wait()

    def _all_met(self) -> bool:
        return all(node.ask("CLUSTER", "NODES").count(b"\n") == 6 for node in self.nodes)

    def wait(self) -> None:
        """Return when every node says that all is well and every replica has its primary."""
        try:
            until(self._is_whole, _SETTLE_S, "The cluster does not settle.")
        except StartError as exc:
            said = (node.ask("CLUSTER", "NODES", deadline_s=1.0) for node in self.nodes)
            views = "\n\n".join(v.decode() if isinstance(v, bytes) else str(v) for v in said)
            raise StartError(f"{exc}\n{views}") from exc

    def _is_whole(self) -> bool:
        maps = set()
        for node in self.nodes:
            said = node.ask("CLUSTER", "INFO", deadline_s=1.0)
            if not isinstance(said, bytes) or b"cluster_state:ok" not in said:
                return False
            if b"fail" in node.ask("CLUSTER", "NODES", deadline_s=1.0).replace(b"nofail", b""):
                return False
            role = node.info("replication")
            if role.get("role") == "slave" and role.get("master_link_status") != "up":
                return False
            maps.add(str(sorted(s[:3] for s in node.ask("CLUSTER", "SLOTS"))))
        return len(maps) == 1 and len(self.primaries) == 3

    @property
    def primaries(self) -> list[Node]:
        """Those that run and serve slots now."""
        found = (n for n in self.nodes if n.is_running)
        return [node for node in found if node.info("replication").get("role") == "master"]

    def id_of(self, node: Node) -> str:
        """Its name in the cluster."""
        return str(node.ask("CLUSTER", "MYID").decode())

    def owner_of(self, key: str) -> Node:
        """The primary that serves this key or channel."""
        return self._owner(self._any().ask("CLUSTER", "KEYSLOT", key))

    def _any(self) -> Node:
        return next(node for node in self.nodes if node.is_running)

    def _owner(self, slot: int) -> Node:
        for first, last, primary, *_ in self._any().ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == primary[1])
        raise StartError(f"Nobody serves slot {slot}.")

    def replica_of(self, primary: Node) -> Node:
        """A replica of it that runs."""
        for node in self.nodes:
            said = node.info("replication") if node.is_running else {}
            if said.get("role") == "slave" and int(said["master_port"]) == primary.port:
                return node
        raise StartError("It has no replica.")

    def failover(self, primary: Node) -> Node:
        """Hand its slots over to its replica, orderly; returns the new primary."""
        replica = self.replica_of(primary)
        for _ in range(4):
            # Asked again: it is refused, or given up, while the two are not in step.
            replica.ask("CLUSTER", "FAILOVER")
            try:
                until(lambda: replica in self.primaries, _SETTLE_S / 4, "No failover.")
            except StartError:
                continue
            return replica
        raise StartError("No failover.")

    def kill_primary(self, primary: Node) -> Node:
        """Kill it and wait until its replica has taken over; returns the new primary."""
        replica = self.replica_of(primary)
        primary.kill()
        until(lambda: replica in self.primaries, _SETTLE_S, "No failover.")
        return replica

    def move_slots(self, slots: Iterable[int], target: Node) -> None:
        """Move slots with their keys to another primary, as a resharding does."""
        for slot in slots:
            source = self._owner(slot)
            if source is target:
                continue
            target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
            source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(target))
            while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
                who = ("AUTH", self.password) if self.password else ()
                source.ask("MIGRATE", LOOPBACK, target.port, "", 0, 5_000, *who, "KEYS", *keys)
            for node in (target, source, *self.primaries):
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", self.id_of(target))
