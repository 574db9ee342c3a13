#!/usr/bin/env python3
"""Small servers that stand on the router: what answers in place of the real ones.

gate.py close|reset|hang|text|portal ADDRESS PORT [FILE]   a TCP server that takes a connection and spoils it
gate.py dns ADDRESS PORT UPSTREAM '{"AAAA": 5, "*": null}' [NAME]   a name server: response code by type, "cut" for a truncated answer, else asks on
"""

import json
import socket
import struct
import sys
import threading
import time

TYPES = {"A": 1, "AAAA": 28, "HTTPS": 65}


def serve(mode, address, port, text):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(64)
    print("ready", flush=True)
    while True:
        c, _ = s.accept()
        threading.Thread(target=spoil, args=(mode, c, text), daemon=True).start()


def spoil(mode, c, text):
    try:
        c.recv(65536)
        if mode == "hang":
            time.sleep(600)
        if mode == "reset":
            time.sleep(0.02)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if mode in ("text", "portal"):
            c.sendall(text)
            c.shutdown(socket.SHUT_WR)
            c.settimeout(2)
            while c.recv(65536):
                pass
    except OSError:
        pass
    c.close()


def question(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin1").lower())
        at += 1 + query[at]
    return ".".join(labels), int.from_bytes(query[at + 1:at + 3], "big"), at + 5


def dns(address, port, upstream, codes, only):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    print("ready", flush=True)
    while True:
        query, who = s.recvfrom(4096)
        name, kind, end = question(query)
        code = next((codes[k] for k in codes if k == "*" or TYPES[k] == kind), None)
        if code is not None and (only is None or name == only):
            flags = 0x8080 | (0x0100 & int.from_bytes(query[2:4], "big")) | (0x0200 if code == "cut" else code)
            s.sendto(query[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, 0) + query[12:end], who)
            continue
        up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        up.settimeout(2)
        try:
            up.sendto(query, upstream)
            s.sendto(up.recvfrom(4096)[0], who)
        except OSError:
            pass
        up.close()


if __name__ == "__main__":
    mode, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if mode == "dns":
        host, _, number = sys.argv[4].partition(":")
        dns(address, port, (host, int(number or 53)), json.loads(sys.argv[5]), sys.argv[6] if len(sys.argv) > 6 else None)
    else:
        serve(mode, address, port, open(sys.argv[4], "rb").read() if len(sys.argv) > 4 else b"")
