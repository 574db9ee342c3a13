#!/usr/bin/env python3
"""Makes the captures of `captures/spoiled/` out of those of `captures/keyed/`, and their rows: no root, no network.

Each is a session with keys to which something happened that happens to captures: two recordings of one wire whose
clocks differ, packets out of order, a key log that lacks connections or secrets, a server that fell silent.
"""

import hashlib
import random
import struct
import tempfile
import tomllib
from pathlib import Path

import delivery
import lab

SOURCE = lab.CAPTURES / "keyed"
FOLDER = lab.CAPTURES / "spoiled"
ORIGIN = "made by tests/lab/spoiled.py"
CLIENT = bytes([10, 20, 3, 71])
SECOND = 10**9
FIN, RST, ACK = 0x01, 0x04, 0x10


class Frame:
    def __init__(self, at, data):
        self.at, self.data = at, data

    def __lt__(self, other):
        return self.at < other.at

    def is_of_server(self):
        return self.data[12:14] == b"\x08\x00" and self.data[30:34] == CLIENT

    def tcp(self):
        """Offset of the TCP header, sequence, acknowledgement, bytes of payload."""
        start = 14 + (self.data[14] & 15) * 4
        sequence, ack = struct.unpack(">II", self.data[start + 4:start + 12])
        return start, sequence, ack, struct.unpack(">H", self.data[16:18])[0] - (start - 14) - (self.data[start + 12] >> 4) * 4


def read(path):
    """Frames and keys of a pcapng as editcap writes it."""
    data, frames, keys, place, unit = path.read_bytes(), [], b"", 0, 1000
    while place < len(data):
        kind, size = struct.unpack("<II", data[place:place + 8])
        body = data[place + 8:place + size - 4]
        if kind == 1:
            option = body[8:]
            while len(option) > 4 and option[:2] != b"\0\0":
                code, length = struct.unpack("<HH", option[:4])
                unit = 10 ** (9 - option[4]) if code == 9 else unit
                option = option[4 + (length + 3) // 4 * 4:]
        elif kind == 6:
            _, high, low, length, _ = struct.unpack("<IIIII", body[:20])
            frames.append(Frame(((high << 32) | low) * unit, body[20:20 + length]))
        elif kind == 10:
            keys += body[8:8 + struct.unpack("<I", body[4:8])[0]]
        place += size
    return frames, keys


def write(path, frames, keys):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)), block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0)), delivery.secrets_block(keys)]
    out += [block(6, struct.pack("<IIIII", 0, f.at >> 32, f.at & 0xFFFFFFFF, len(f.data), len(f.data)) + f.data) for f in frames]
    path.write_bytes(b"".join(out))


def shown(frames, keys, condition, fields):
    with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
        write(Path(file.name), frames, keys)
        return delivery.frames(file.name, condition, fields=fields)


def apart(milliseconds):
    """Both directions recorded by clocks that differ."""
    def spoil(frames, keys):
        return sorted(Frame(f.at + milliseconds * 10**6 * f.is_of_server(), f.data) for f in frames), keys
    return spoil


def shuffled(milliseconds):
    def spoil(frames, keys):
        chance = random.Random(7)
        return sorted(Frame(f.at + chance.randint(0, milliseconds * 10**6), f.data) for f in frames), keys
    return spoil


def without_key(host, number):
    """The key log lacks one connection to a host; the capture goes on for long."""
    def spoil(frames, keys):
        hellos = shown(frames, keys, f'tls.handshake.type == 1 && tls.handshake.extensions_server_name == "{host}"', ["tls.handshake.random"])
        gone = hellos[number][0].replace(":", "").encode()
        asks = next(f for f in frames if f.data[23:24] == b"\x11" and not f.is_of_server())
        later = [Frame(frames[-1].at + s * SECOND, asks.data) for s in (30, 60, 100)]
        return frames + later, b"".join(line for line in keys.splitlines(keepends=True) if gone not in line)
    return spoil


def only(*labels):
    def spoil(frames, keys):
        return frames, b"".join(line for line in keys.splitlines(keepends=True) if line.split()[0].decode() in labels)
    return spoil


def silent(path, seconds):
    """A request is acknowledged and never answered, and the client leaves after a while."""
    def spoil(frames, keys):
        number, stream = shown(frames, keys, f'http.request.uri contains "{path}" || http2.headers.path contains "{path}"', ["frame.number", "tcp.stream"])[0]
        ours = {int(n) for (n,) in shown(frames, keys, f"tcp.stream == {stream}", ["frame.number"])}
        last = number = int(number)
        for n in sorted(n for n in ours if n > number):
            if frames[n - 1].tcp()[3] and frames[n - 1].is_of_server():
                break
            last = n if frames[n - 1].tcp()[3] else last
        request = frames[last - 1]
        kept = [f for n, f in enumerate(frames, 1) if n <= last or n not in ours]
        start, sequence, ack, length = request.tcp()
        end = (sequence + length) & 0xFFFFFFFF

        def bare(flags, own, other, at, is_back):
            data = bytearray(request.data[:start + 20])
            if is_back:
                data[0:12] = data[6:12] + data[0:6]
                data[26:34] = data[30:34] + data[26:30]
                data[start:start + 4] = data[start + 2:start + 4] + data[start:start + 2]
            data[16:18] = struct.pack(">H", len(data) - 14)
            data[start + 4:start + 14] = struct.pack(">IIBB", own, other, 0x50, flags)
            return Frame(at, bytes(data))

        left = request.at + seconds * SECOND
        kept += [bare(ACK, ack, end, request.at + 10**7, True), bare(FIN | ACK, end, ack, left, False), bare(ACK, ack, end + 1, left + 10**6, True)]
        return sorted(kept), keys
    return spoil


NETWORK = {"outcome": "mfa_prevented_by_network", "side": "network", "host": "login.microsoftonline.com"}
DENIED = {"outcome": "mfa_denied", "side": "user"}
CLOSED = {"outcome": "unreadable", "side": "cannot_tell"}
TRAFFIC = ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET")
SPOILED = [
    ("server-early-tls13-h2", "push-approved-tls13-h2", apart(-20), "The push is approved; what the server sent stands 20 ms too early, its answers before what they answer.", {"outcome": "mfa_completed", "side": "nothing_wrong", "mfa": "passed", "forbid": ["TLS001", "TLS005"]}),
    ("server-late-tls13-h1", "script-approved-tls13-h1", apart(20), "A program signs in, the push is approved; what the server sent stands 20 ms too late, behind what answers it.", {"outcome": "mfa_completed", "side": "nothing_wrong", "mfa": "passed", "forbid": ["TLS001", "TLS005"]}),
    ("shuffled-tls13-h2", "push-approved-tls13-h2", shuffled(20), "The push is approved; the frames are out of order by up to 20 ms.", {"outcome": "mfa_completed", "side": "nothing_wrong", "mfa": "passed", "forbid": ["TLS001", "TLS005"]}),
    ("last-poll-key-missing-tls12-h2", "script-denied-tls12-h2", without_key("login.microsoftonline.com", -1), "Deny is pressed; the key log lacks the connection of the last poll, which says so, and the capture goes on.", {"outcome": "undetermined", "side": "cannot_tell", "mfa": "begun", "forbid": ["CAP003", "MFA003", "MFA007"]}),
    ("first-connection-key-missing-tls12-h1", "polls-reset-tls12-h1", without_key("login.microsoftonline.com", 0), "Polls are reset, then nothing answers; the key log lacks the connection with all but the last poll.", {**NETWORK, "mfa": "begun", "expect": ["TCP003"]}),
    ("poll-unanswered-tls12-h1", "push-denied-tls12-h1-proxy", silent("EndAuth", 60), "The first poll is acknowledged and not answered for a minute, then the browser leaves; through a proxy.", {**NETWORK, "mfa": "begun", "expect": ["TCP001"], "forbid": ["MFA003"]}),
    ("begin-unanswered-tls13-h2", "push-unanswered-tls13-h2", silent("BeginAuth", 60), "The call that begins MFA is acknowledged and not answered for a minute, then the browser leaves.", {**NETWORK, "mfa": "asked", "expect": ["TCP001"], "forbid": ["MFA001"]}),
    ("handshake-keys-only-tls13-h2", "ropc-tls13-h2", only(*TRAFFIC), "The key log has the secrets of the handshakes alone.", CLOSED),
    ("server-keys-only-tls13-h2", "ropc-tls13-h2", only("SERVER_TRAFFIC_SECRET_0"), "The key log has the secrets of what the server sent alone.", CLOSED),
]


def main():
    FOLDER.mkdir(exist_ok=True)
    known = {row["path"]: row for row in tomllib.loads((lab.CAPTURES / "manifest.toml").read_text())["capture"]}
    rows = {}
    for name, source, spoil, text, label in SPOILED:
        path = FOLDER / f"{name}.pcapng"
        write(path, *spoil(*read(SOURCE / f"{source}.pcapng")))
        at = f"spoiled/{name}.pcapng"
        fields = {"path": at, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "origin": f"{ORIGIN} from keyed/{source}.pcapng", "producer": known[f"keyed/{source}.pcapng"]["producer"], "story": text, **label}
        lists = {k: fields.pop(k, []) for k in ("expect", "forbid")}
        lines = [f"{k:<8} = {lab.quote(v)}" for k, v in fields.items()]
        lines += [f"{k:<8} = [{', '.join(lab.quote(one) for one in v)}]" for k, v in lists.items()]
        rows[at] = "\n".join([*lines, "covers   = {}"]) + "\n"
    lab.put_rows(rows, ORIGIN, set(rows))


if __name__ == "__main__":
    main()
