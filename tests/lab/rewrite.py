#!/usr/bin/env python3
"""Gives the addresses of a recording realistic values and mends the checksums.

`rewrite.py IN OUT` or `rewrite.py --self-test`. Knows what the lab makes: pcap, Ethernet, ARP, IPv4, IPv6, TCP,
UDP, ICMP and ICMPv6 with the packets they quote, DNS answers over UDP and TCP, and addresses written out in
clear text. The lab's addresses are as long in writing as the ones they become, so nothing moves.

Checksums are mended by the difference (RFC 1624), so cut frames and quoted headers come out right too, and one
that was wrong before stays wrong.
"""

import ipaddress
import re
import struct
import sys

V4 = {
    "192.0.2.1": "10.20.3.1", "192.0.2.8": "10.20.3.8", "192.0.2.53": "10.20.3.53", "192.0.2.54": "10.20.3.54",
    "192.0.2.71": "10.20.3.71", "192.0.2.255": "10.20.3.255",
    "198.51.100.14": "20.190.160.14", "198.51.100.7": "40.126.31.67", "198.51.100.20": "20.190.160.20",
    "198.51.100.130": "20.190.160.130", "198.51.100.66": "20.190.160.66", "198.51.100.4": "20.190.160.4",
    "198.51.100.45": "13.107.246.45", "198.51.100.46": "13.107.213.46", "198.51.100.6": "13.107.6.156",
    "198.51.100.90": "20.189.173.90", "198.51.100.77": "13.107.253.77", "198.51.100.120": "40.101.100.120",
    "198.51.100.80": "203.0.113.180", "198.51.100.99": "203.0.113.199", "198.51.100.25": "203.0.113.125",
    "198.51.100.5": "23.215.0.132", "198.51.100.1": "10.255.255.1",
}
V6 = {"2001:db8:28:": "2603:1027:1:"}

BYTES = {ipaddress.ip_address(a).packed: ipaddress.ip_address(b).packed for a, b in V4.items()}
PREFIX6 = {ipaddress.ip_address(a + ":").packed[:6]: ipaddress.ip_address(b + ":").packed[:6] for a, b in V6.items()}
TEXT = re.compile(rb"(?<![0-9.])(?:" + b"|".join(re.escape(a.encode()) for a in V4) + rb")(?![0-9])")
assert all(len(a) == len(b) for a, b in {**V4, **V6}.items())


def new4(packed):
    return BYTES.get(bytes(packed), bytes(packed))


def new6(packed):
    packed = bytes(packed)
    return PREFIX6.get(packed[:6], packed[:6]) + packed[6:]


def total(data):
    data = bytes(data) + (b"\0" if len(data) % 2 else b"")
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value


def mended(old, before, after):
    """The checksum of data whose sum was `before` and is `after` (RFC 1624, equation 3)."""
    value = (~old & 0xFFFF) + (~before & 0xFFFF) + after
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


class Cut(Exception):
    """The frame ends before the field."""


def need(buffer, end):
    if len(buffer) < end:
        raise Cut


def name_end(message, at):
    while True:
        need(message, at + 1)
        size = message[at]
        if size >= 192:
            return at + 2
        at += 1 + size
        if not size:
            return at


def dns(message):
    """Addresses in the answers of a message, in place."""
    need(message, 12)
    questions, *records = struct.unpack_from("!HHHH", message, 4)
    at = 12
    for _ in range(questions):
        at = name_end(message, at) + 4
    for _ in range(sum(records)):
        at = name_end(message, at)
        need(message, at + 10)
        kind, _, _, size = struct.unpack_from("!HHIH", message, at)
        at += 10
        need(message, at + size)
        if kind == 1 and size == 4:
            message[at:at + 4] = new4(message[at:at + 4])
        if kind == 28 and size == 16:
            message[at:at + 16] = new6(message[at:at + 16])
        at += size


def try_dns(message):
    try:
        dns(message)
    except Cut:
        pass


def payload(ports, data, tcp):
    """The data of a segment or datagram, changed where it holds addresses."""
    if 53 in ports:
        if tcp:
            at = 0
            while at + 2 <= len(data):
                size = int.from_bytes(data[at:at + 2], "big")
                part = bytearray(data[at + 2:at + 2 + size])
                try_dns(part)
                data[at + 2:at + 2 + len(part)] = part
                at += 2 + size
        else:
            try_dns(data)
    elif tcp and not ports & {443, 8443}:
        data[:] = TEXT.sub(lambda m: V4[m[0].decode()].encode(), bytes(data))


def transport(protocol, data, before, after, quoted=False):
    """TCP, UDP, ICMP or ICMPv6 in place; `before` and `after` are the sums of the addresses."""
    where = {6: 16, 17: 6, 1: 2, 58: 2}.get(protocol)
    if where is None or len(data) < where + 2:
        return
    old = bytes(data)
    check = int.from_bytes(data[where:where + 2], "big")
    if protocol == 6:
        ports = set(struct.unpack_from("!HH", data))
        start = (data[12] >> 4) * 4
        part = data[start:]
        payload(ports, part, True)
        data[start:] = part
    elif protocol == 17:
        part = data[8:]
        payload(set(struct.unpack_from("!HH", data)), part, False)
        data[8:] = part
    elif protocol == 1:
        before = after = 0
        if data[0] in (3, 4, 5, 11, 12) and not quoted:
            part = data[8:]
            network4(part, True)
            data[8:] = part
    elif data[0] in (1, 2, 3, 4) and not quoted:
        part = data[8:]
        network6(part, True)
        data[8:] = part
    elif data[0] in (135, 136) and len(data) >= 24:
        data[8:24] = new6(data[8:24])
    if protocol == 17 and check == 0:
        return
    fixed = mended(check, (before + total(old)) % 0xFFFF, (after + total(data)) % 0xFFFF)
    data[where:where + 2] = (fixed or (0xFFFF if protocol == 17 else 0)).to_bytes(2, "big")


def network4(data, quoted=False):
    if len(data) < 20:
        return
    size = (data[0] & 15) * 4
    old = bytes(data[:size])
    data[12:16], data[16:20] = new4(data[12:16]), new4(data[16:20])
    check = int.from_bytes(old[10:12], "big")
    data[10:12] = mended(check, total(old), total(data[:size])).to_bytes(2, "big")
    if int.from_bytes(data[6:8], "big") & 0x1FFF:
        return
    end = min(len(data), max(size, int.from_bytes(data[2:4], "big")))
    part = data[size:end]
    transport(data[9], part, total(old[12:20]), total(data[12:20]), quoted)
    data[size:end] = part


def network6(data, quoted=False):
    if len(data) < 40:
        return
    old = bytes(data[8:40])
    data[8:24], data[24:40] = new6(data[8:24]), new6(data[24:40])
    protocol, start = data[6], 40
    while protocol in (0, 60, 43) and len(data) >= start + 8:
        protocol, start = data[start], start + 8 + data[start + 1] * 8
    end = min(len(data), 40 + int.from_bytes(data[4:6], "big"))
    part = data[start:end]
    transport(protocol, part, total(old), total(data[8:40]), quoted)
    data[start:end] = part


def frame(data):
    kind = data[12:14]
    part = data[14:]
    if kind == b"\x08\x00":
        network4(part)
    elif kind == b"\x86\xdd":
        network6(part)
    elif kind == b"\x08\x06" and len(part) >= 28:
        part[14:18], part[24:28] = new4(part[14:18]), new4(part[24:28])
    data[14:] = part


def records(data):
    magic = struct.unpack_from("<I", data)[0]
    if magic != 0xA1B2C3D4 or struct.unpack_from("<I", data, 20)[0] != 1:
        raise SystemExit("not a pcap of Ethernet frames in this machine's byte order")
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at:at + 16], bytearray(data[at + 16:at + 16 + size])
        at += 16 + size


def rewrite(data):
    out = [data[:24]]
    for head, body in records(data):
        frame(body)
        out += [head, bytes(body)]
    return b"".join(out)


def self_test():
    """A frame of every kind, made here with checksums from scratch: rewritten, they must be right again."""
    ip = lambda a: ipaddress.ip_address(a).packed
    fill = lambda data, at, pseudo=b"": data[:at] + struct.pack("!H", ~total(pseudo + data) & 0xFFFF) + data[at + 2:]

    def v4(protocol, src, dst, body):
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 7, 0x4000, 63, protocol, 0, ip(src), ip(dst))
        return fill(head, 10) + body

    def over4(protocol, src, dst, body, at):
        return v4(protocol, src, dst, fill(body, at, ip(src) + ip(dst) + struct.pack("!HH", protocol, len(body))))

    def over6(protocol, src, dst, body, at):
        body = fill(body, at, ip(src) + ip(dst) + struct.pack("!IHH", len(body), 0, protocol))
        return struct.pack("!IHBB16s16s", 6 << 28, len(body), protocol, 64, ip(src), ip(dst)) + body

    def right(packet):
        if packet[0] >> 4 == 4:
            assert total(packet[:20]) == 0xFFFF, "IPv4"
            pseudo, protocol, body = packet[12:20], packet[9], packet[20:]
            pseudo = b"" if protocol == 1 else pseudo + struct.pack("!HH", protocol, len(body))
        else:
            protocol, body = packet[6], packet[40:]
            pseudo = packet[8:40] + struct.pack("!IHH", len(body), 0, protocol)
        assert total(pseudo + body) == 0xFFFF, f"protocol {protocol}"
        return body

    text = b"<p>from 192.0.2.71 to 198.51.100.14, not 1192.0.2.71</p>"
    tcp = struct.pack("!HHIIBBHHH", 8080, 50000, 1, 2, 5 << 4, 24, 500, 0, 0) + text
    question = b"\x05login\x07example\0\0\1\0\1"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + ip("198.51.100.14") + b"\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10" + ip("2001:db8:28::14")
    message = struct.pack("!HHHHHH", 9, 0x8180, 1, 2, 0, 0) + question + answer
    udp = struct.pack("!HHHH", 53, 40000, 8 + len(message), 0) + message
    inner = over4(6, "192.0.2.71", "198.51.100.14", tcp, 16)
    icmp = fill(struct.pack("!BBHI", 3, 13, 0, 0) + inner[:28], 2)
    inner6 = over6(6, "2001:db8:3::71", "2001:db8:28::14", tcp, 16)
    icmp6 = struct.pack("!BBHI", 1, 1, 0, 0) + inner6
    ask = struct.pack("!BBHI", 135, 0, 0, 0) + ip("2001:db8:28::14")
    cases = [
        inner, over4(17, "192.0.2.53", "192.0.2.71", udp, 6), v4(1, "192.0.2.1", "192.0.2.71", icmp),
        inner6, over6(58, "2001:db8:3::1", "2001:db8:3::71", icmp6, 2), over6(58, "2001:db8:3::71", "2001:db8:28::1", ask, 2),
    ]
    for packet in cases:
        right(packet)
        kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
        data = bytearray(bytes(12) + kind + packet)
        frame(data)
        out = bytes(data[14:])
        body = right(out)
        assert len(out) == len(packet)
        for lab in [ip("192.0.2.71"), ip("198.51.100.14"), ip("2001:db8:28::14")]:
            assert lab not in out, packet
        if body[:2] == struct.pack("!H", 8080):
            assert body[20:] == b"<p>from 10.20.3.71 to 20.190.160.14, not 1192.0.2.71</p>"
        if out[0] >> 4 == 4 and out[9] == 1:
            assert total(body[8:28]) == 0xFFFF, "the header that is quoted"
        # A frame that was cut: the same field as in the whole one, where it is inside.
        short = bytearray((bytes(12) + kind + packet)[:14 + 44])
        frame(short)
        assert len(short) == 14 + 44 and bytes(short[14:34]) == out[:20]
    whole = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1) + struct.pack("<IIII", 1, 2, len(inner) + 14, len(inner) + 14) + bytes(12) + b"\x08\0" + inner
    assert len(rewrite(whole)) == len(whole) and rewrite(whole) != whole
    print("rewrite: self-test passed")


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    else:
        with open(sys.argv[1], "rb") as source:
            changed = rewrite(source.read())
        with open(sys.argv[2], "wb") as target:
            target.write(changed)
