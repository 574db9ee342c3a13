// Zip (plain, ZipCrypto, WinZip AES) and tar, with fixed times, so that the same members give the same bytes.

import { createCipheriv, createHmac, pbkdf2Sync } from "node:crypto";
import { crc32 as nodeCrc, deflateRawSync } from "node:zlib";

const TABLE = Array.from({ length: 256 }, (_, n) => { let c = n; for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c >>> 0; });
const step = (crc, byte) => (TABLE[(crc ^ byte) & 255] ^ (crc >>> 8)) >>> 0;
export const crc32 = nodeCrc || ((data) => { let c = 0xffffffff; for (const b of data) c = step(c, b); return (c ^ 0xffffffff) >>> 0; });

function zipCrypto(data, password, crc, random) {
  const k = [0x12345678, 0x23456789, 0x34567890];
  const update = (b) => {
    k[0] = step(k[0], b);
    k[1] = (Math.imul((k[1] + (k[0] & 255)) >>> 0, 134775813) + 1) >>> 0;
    k[2] = step(k[2], k[1] >>> 24);
  };
  for (const b of Buffer.from(password)) update(b);
  const put = (b) => { const t = (k[2] | 2) & 0xffff; const s = (Math.imul(t, t ^ 1) >>> 8) & 255; update(b); return b ^ s; };
  const head = Buffer.from(random.hex(24), "hex");
  head[11] = crc >>> 24;
  return Buffer.concat([Buffer.from(head.map(put)), Buffer.from(data.map(put))]);
}

function winzipAes(data, password, bits, random) {
  const size = bits / 8, salt = Buffer.from(random.hex(size), "hex");
  const keys = pbkdf2Sync(password, salt, 1000, size * 2 + 2, "sha1");
  const ecb = createCipheriv(`aes-${bits}-ecb`, keys.subarray(0, size), null).setAutoPadding(false);
  const out = Buffer.alloc(data.length);
  const counter = Buffer.alloc(16);
  for (let at = 0, n = 1; at < data.length; at += 16, n++) {
    counter.writeUInt32LE(n, 0);
    const pad = ecb.update(counter);
    for (let i = at; i < Math.min(at + 16, data.length); i++) out[i] = data[i] ^ pad[i - at];
  }
  const mac = createHmac("sha1", keys.subarray(size, size * 2)).update(out).digest().subarray(0, 10);
  return Buffer.concat([salt, keys.subarray(size * 2), out, mac]);
}

const TIME = (9 << 11) | (42 << 5), DATE = ((2030 - 1980) << 9) | (1 << 5) | 15;

/** Members are `[name, bytes]`, a folder has `null`. `protect` is `{ method: "zipcrypto" | "aes128" | "aes256", password }`. */
export function zip(members, { comment = "", protect = null, random = null } = {}) {
  const out = [], central = [];
  let at = 0;
  for (const [name, bytes] of members) {
    const raw = bytes || Buffer.alloc(0), crc = crc32(raw) >>> 0;
    const packed = deflateRawSync(raw, { level: 9 });
    const stored = raw.length === 0 || packed.length >= raw.length;
    let data = stored ? raw : packed, method = stored ? 0 : 8, flags = 0, extra = Buffer.alloc(0), checked = crc;
    const lock = protect && bytes !== null && !name.startsWith("[Content");
    if (lock && protect.method === "zipcrypto") { flags = 1; data = zipCrypto(data, protect.password, crc, random); }
    if (lock && protect.method.startsWith("aes")) {
      const bits = +protect.method.slice(3);
      flags = 1;
      data = winzipAes(data, protect.password, bits, random);
      extra = Buffer.from([0x01, 0x99, 7, 0, 2, 0, 0x41, 0x45, bits === 128 ? 1 : bits === 192 ? 2 : 3, method, 0]);
      method = 99;
      checked = 0;
    }
    const label = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(method === 99 ? 51 : 20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt16LE(TIME, 6);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(checked, 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(raw.length, 18);
    common.writeUInt16LE(label.length, 22);
    common.writeUInt16LE(extra.length, 24);
    out.push(Buffer.from("PK\x03\x04", "latin1"), common, label, extra, data);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(bytes === null ? 0x10 : 0, 6);
    tail.writeUInt32LE(at, 10);
    central.push(Buffer.from("PK\x01\x02\x2d\x00", "latin1"), common, tail, label, extra);
    at += 30 + label.length + extra.length + data.length;
  }
  const directory = Buffer.concat(central), end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(Buffer.byteLength(comment), 20);
  return Buffer.concat([...out, directory, end, Buffer.from(comment)]);
}

export function tar(members) {
  const out = [];
  for (const [name, bytes] of members) {
    const h = Buffer.alloc(512);
    h.write(name, 0);
    h.write("0000644\0" + "0000000\0" + "0000000\0" + bytes.length.toString(8).padStart(11, "0") + "\0" + Math.floor(Date.UTC(2030, 0, 15, 9, 42) / 1000).toString(8).padStart(11, "0") + "\0" + "        0", 100);
    h.write("ustar\0" + "00", 257);
    h.write([...h].reduce((a, b) => a + b, 0).toString(8).padStart(6, "0") + "\0 ", 148);
    out.push(h, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...out, Buffer.alloc(1024)]);
}
