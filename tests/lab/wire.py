#!/usr/bin/env python3
"""The line between router and server: two interfaces, frames carried over with a delay.

`wire.py A B '{"delay": 8, "loss": 0.03, ...}'`: what `tc netem` does, for kernels that lack it, and the things
on the way that netem cannot be: a box that reads ClientHellos. Frames that are lost, doubled or delayed are
drawn from a generator with the seed given.
"""

import heapq
import json
import random
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def server_name(hello):
    """The name in a ClientHello, also in one whose end is missing; None while it is not there whole."""
    try:
        at = 43
        at += 1 + hello[at]
        at += 2 + int.from_bytes(hello[at:at + 2], "big")
        at += 1 + hello[at]
        end = at + 2 + int.from_bytes(hello[at:at + 2], "big")
        at += 2
        while at < end:
            kind, size = struct.unpack_from("!HH", hello, at)
            if kind == 0:
                length = int.from_bytes(hello[at + 7:at + 9], "big")
                name = hello[at + 9:at + 9 + length]
                return name.decode("latin1") if len(name) == length and length else None
            at += 4 + size
    except (IndexError, struct.error):
        pass
    return None


class Segment:
    """A TCP segment over IPv4 in an Ethernet frame."""

    def __init__(self, frame):
        self.frame = frame
        self.ihl = (frame[14] & 15) * 4
        self.src, self.dst = frame[26:30], frame[30:34]
        tcp = 14 + self.ihl
        self.sport, self.dport, self.seq, self.ack = struct.unpack_from("!HHII", frame, tcp)
        self.flags = frame[tcp + 13]
        start = tcp + (frame[tcp + 12] >> 4) * 4
        self.data = frame[start:14 + int.from_bytes(frame[16:18], "big")]

    @staticmethod
    def of(frame):
        if len(frame) > 54 and frame[12:14] == b"\x08\x00" and frame[23] == 6:
            return Segment(frame)
        return None

    @property
    def key(self):
        return (self.src, self.sport, self.dst, self.dport)


def reset(like, back, ttl, ident):
    """A reset as a box on the way makes it: to the sender of `like`, or onwards to its receiver."""
    if back:
        macs, src, dst, ports = like.frame[6:12] + like.frame[0:6], like.dst, like.src, (like.dport, like.sport)
        seq, ack = like.ack, (like.seq + len(like.data)) & 0xFFFFFFFF
    else:
        macs, src, dst, ports = like.frame[0:12], like.src, like.dst, (like.sport, like.dport)
        seq, ack = like.seq, like.ack
    tcp = bytearray(struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, RST | ACK, 0, 0, 0))
    struct.pack_into("!H", tcp, 16, checksum(src + dst + struct.pack("!BBH", 0, 6, len(tcp)) + bytes(tcp)))
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, ident, 0, ttl, 6, 0, src, dst))
    struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
    return macs + b"\x08\x00" + bytes(ip) + bytes(tcp)


class Wire:
    def __init__(self, names, options):
        self.o = {"delay": 8, "loss": 0, "dup": 0, "reorder": 0, "seed": 1, "hello": [], "down": None, **options}
        self.random = random.Random(self.o["seed"])
        self.ports = [self.open(name) for name in names]
        self.queue, self.count = [], 0
        self.rest, self.hellos = {}, {}
        self.cut = set()

    @staticmethod
    def open(name):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        s.bind((name, ETH_P_ALL))
        s.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex(name), 1, 0, b""))  # promiscuous
        return s

    def send(self, side, frame, extra=0.0):
        self.count += 1
        heapq.heappush(self.queue, (time.monotonic() + self.o["delay"] / 1000 + extra, self.count, side, frame))

    def carry(self, side, frame):
        """One frame from interface `side`, to be sent at the other."""
        other = 1 - side
        if frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
            return self.send(other, frame)
        segment = Segment.of(frame)
        if segment and self.box(side, segment):
            return None
        chance = self.random.random
        if self.o["loss"] and chance() < self.o["loss"]:
            return None
        late = 0.012 if self.o["reorder"] and chance() < self.o["reorder"] else 0.0
        self.send(other, frame, late)
        if self.o["dup"] and chance() < self.o["dup"]:
            self.send(other, frame, 0.0004)
        return None

    def box(self, side, s):
        """What a box that reads ClientHellos does; true when the segment goes no further."""
        back = (s.dst, s.dport, s.src, s.sport)
        if s.key in self.cut or back in self.cut:
            return True
        if side or not s.data or not self.o["hello"]:
            return False
        if s.key in self.rest:
            first, end = self.rest[s.key]
            return first < s.seq < end
        if s.data[:2] == b"\x16\x03" and s.data[5] == 1:
            self.hellos[s.key] = (s.seq, bytearray(s.data))
        elif s.key in self.hellos and s.seq == self.hellos[s.key][0] + len(self.hellos[s.key][1]):
            self.hellos[s.key][1].extend(s.data)
        else:
            return False
        first, hello = self.hellos[s.key]
        name = server_name(hello)
        size = int.from_bytes(hello[3:5], "big") + 5
        for what in self.o["hello"]:
            if name is None or what["name"] not in ("*", name) or (what.get("split") and s.seq == first):
                continue
            if what["do"] == "reset":
                self.send(0, reset(s, True, what.get("ttl", 61), 0))
                self.send(1, reset(s, False, what.get("ttl", 61), 0))
                return True
            if what["do"] == "drop":
                self.cut.add(s.key)
                return True
            if what["do"] == "drop-rest":
                self.rest[s.key] = (first, first + size)
                return s.seq != first
        return False

    def run(self):
        for s in self.ports:
            s.setblocking(False)
        print("ready", flush=True)
        while True:
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, _, side, frame = heapq.heappop(self.queue)
                try:
                    self.ports[side].send(frame)
                except OSError as e:
                    print("lost", len(frame), e, flush=True)
            wait = max(0.0, self.queue[0][0] - now) if self.queue else 1.0
            for s in select.select(self.ports, [], [], wait)[0]:
                try:
                    frame, where = s.recvfrom(70000)
                except BlockingIOError:
                    continue
                if where[2] != 4:  # not our own
                    self.carry(self.ports.index(s), frame)


if __name__ == "__main__":
    Wire(sys.argv[1:3], json.loads(sys.argv[3])).run()
