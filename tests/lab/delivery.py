"""How keys and packets get to the reader: inside the pcapng, in one archive, beside the capture, or not all of them.

Knows containers only: pcap as `rewrite.py` leaves it, pcapng (draft-ietf-opsawg-pcapng), the decryption secrets
block (section 4.7 there), key logs (draft-ietf-tls-keylogfile).
"""

import struct
import subprocess
import zipfile

TLS_KEY_LOG = 0x544C534B
STAMP = (2030, 1, 15, 10, 0, 0)


def sh(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def secrets_block(keys):
    data = keys + bytes(-len(keys) % 4)
    size = 20 + len(data)
    return struct.pack("<IIII", 0x0A, size, TLS_KEY_LOG, len(keys)) + data + struct.pack("<I", size)


def inside(pcap, keys, out, end=False):
    """pcapng with the secrets in front of the packets, as editcap puts them, or behind all of them."""
    if end:
        sh("editcap", "-F", "pcapng", str(pcap), str(out))
        with open(out, "ab") as file:
            file.write(secrets_block(keys.read_bytes()))
    else:
        sh("editcap", "-F", "pcapng", "--inject-secrets", f"tls,{keys}", str(pcap), str(out))


def zipped(pcap, keys, out):
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in [("trace.pcap", pcap), ("sslkeys.log", keys)]:
            archive.writestr(zipfile.ZipInfo(name, STAMP), path.read_bytes(), zipfile.ZIP_DEFLATED)


def frames(pcap, condition, keys=None, fields=("frame.number",), twice=False):
    """What tshark shows of the frames that meet a condition, with the keys: one tuple of texts a frame."""
    told = ["-o", f"tls.keylog_file:{keys}"] if keys else []
    out = sh("tshark", "-n", *(["-2"] if twice else []), "-r", str(pcap), *told, "-Y", condition, "-T", "fields", "-E", "separator=/t", *(x for f in fields for x in ("-e", f)))
    return [tuple(line.split("\t")) for line in out.splitlines()]


def without_frames(pcap, numbers, out):
    sh("editcap", "-F", "pcap", str(pcap), str(out), *(str(n) for n in numbers))


def from_frame(pcap, number, out):
    sh("editcap", "-F", "pcap", "-r", str(pcap), str(out), f"{number}-9999999")


def without_secrets(keys, randoms, out):
    """The key log without the lines of some connections, named by the random of their ClientHello in hexadecimal."""
    lines = keys.read_text().splitlines(keepends=True)
    out.write_text("".join(line for line in lines if not any(r in line.lower() for r in randoms)))
    assert len(out.read_text()) < len("".join(lines)), randoms
