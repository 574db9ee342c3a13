// One capture in every wrapping that has to work: compressed, in archives, protected, in other encodings, damaged.

import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { seeded } from "./ids.mjs";
import { STORIES } from "./stories.mjs";
import { play } from "./virtual.mjs";
import { LAYOUTS, harText } from "./write_har.mjs";
import { saz } from "./write_saz.mjs";
import { tar, zip } from "./archive.mjs";

const PASSWORD = "Fiddler1!";
const pick = (id) => STORIES.find((s) => s.id === id);
const pipe = (command, args, input) => execFileSync(command, args, { input, maxBuffer: 1 << 26 });

export async function containers(put) {
  const denied = { ...pick("push-denied"), family: "containers", service: { kmsi: false, me: false, signedIn: true, mfa: { end: [{ after: 500, result: "PhoneAppDenied" }] } } }, passed = pick("literal-50074"), polls = signedIn(pick("polls-cut"));
  const row = (story, text, more = {}) => ({ origin: "built by tests/support/standin, story told by a scripted browser", ...story.expected, story: `${text}: ${story.text}`, producer: "Chrome DevTools layout", ...more });
  const xs = await play(denied), ok = await play(passed), cut = await play(polls), hour = await play(polls, Date.UTC(2030, 0, 15, 10, 30));
  const har = harText(LAYOUTS.devtools(xs)), okHar = harText(LAYOUTS.devtools(ok));
  const name = "containers/denied";
  const text = har.toString();

  const gz = gzipSync(har, { level: 9 });
  gz[9] = 3;
  put(`${name}.har.gz`, gz, row(denied, "gzip"));
  put(`${name}.har.zst`, pipe("zstd", ["-q", "-19", "-c"], har), row(denied, "zstd"));
  put(`${name}.har.bz2`, pipe("bzip2", ["-9", "-c"], har), row(denied, "bzip2"));
  put(`${name}.har.xz`, pipe("xz", ["-9", "-c", "-T1"], har), row(denied, "xz"));
  put(`${name}-no-ending`, gz, row(denied, "gzip without any file name ending"));

  put("containers/har-and-saz.zip", zip([["case/denied.har", har], ["case/network.saz", saz(hour, { story: polls })], ["case/readme.txt", Buffer.from("two captures of one morning\r\n")]]), row(polls, "a zip with the HAR of a denied push and, an hour later in the same ticket, the SAZ of another sign-in", { producer: "Chrome DevTools layout, Fiddler Classic layout" }));
  put("containers/captures.tar", tar([["captures/denied.har", har], ["captures/notes.txt", Buffer.from("notes\n")]]), row(denied, "tar"));
  put("containers/captures.tar.gz", gz0(tar([["captures/denied.har", har]])), row(denied, "tar, gzip"));
  put("containers/nested.zip", zip([["mail/attachments.zip", zip([["denied.har.gz", gz]])]]), row(denied, "zip in zip with a gzip in it"));
  put("containers/only-success.zip", zip([["success.har", okHar]]), row(passed, "zip"));

  for (const [method, label] of [["zipcrypto", "ZipCrypto"], ["aes128", "AES-128"], ["aes256", "AES-256"]]) {
    const bytes = saz(cut, { story: polls, protect: { method, password: PASSWORD } });
    put(`containers/protected-${method}.saz`, bytes, row(polls, `protected SAZ, ${label}`, { producer: "Fiddler Classic layout", password: PASSWORD }));
  }

  put(`${name}.utf16le.har`, Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]), row(denied, "UTF-16 LE with a byte order mark"));
  put(`${name}.utf16be.har`, Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(text, "utf16le").swap16()]), row(denied, "UTF-16 BE with a byte order mark"));
  put(`${name}.bom.har`, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), har]), row(denied, "UTF-8 with a byte order mark"));
  put(`${name}.harp`, Buffer.from(`onInputData(${text.trimEnd()});\n`), row(denied, "JSONP wrapper"));
  put(`${name}.pretty.har`, Buffer.from(JSON.stringify(JSON.parse(text), null, 2).replaceAll("\n", "\r\n")), row(denied, "indented, lines end with CR LF"));

  const at = text.indexOf('"ResultValue\\":\\"PhoneAppDenied');
  put("containers/truncated-before-answer.har", Buffer.from(text.slice(0, text.lastIndexOf('"request"', at) + 40)), { ...row(denied, "cut off in the request of the first poll"), outcome: "undetermined", side: "cannot_tell", mfa: "begun" });
  put("containers/truncated-after-answer.har", Buffer.from(text.trimEnd().slice(0, -4)), row(denied, "cut off in the very last bytes, all entries whole"));
  const shuffled = LAYOUTS.devtools(xs);
  const order = seeded("order");
  shuffled.log.entries = shuffled.log.entries.map((e) => [order.next(), e]).sort((a, b) => a[0] - b[0]).map(([, e]) => e);
  put(`${name}.shuffled.har`, harText(shuffled), row(denied, "entries in no order"));
  const base64 = LAYOUTS.devtools(xs);
  for (const e of base64.log.entries) if (e.response.content.text) Object.assign(e.response.content, { text: Buffer.from(e.response.content.text).toString("base64"), encoding: "base64" });
  put(`${name}.base64.har`, harText(base64), row(denied, "every body in base64"));
  const bare = LAYOUTS.devtools(xs);
  for (const e of bare.log.entries) {
    for (const k of ["time", "timings", "cache", "pageref", "serverIPAddress", "_initiator", "_priority", "_connectionId", "connection"]) delete e[k];
    for (const k of ["httpVersion", "cookies", "queryString", "headersSize", "bodySize"]) { delete e.request[k]; delete e.response[k]; }
    if (e.response.content.text) e.response.content = { text: e.response.content.text };
    if (e.request.postData) delete e.request.postData.params;
  }
  delete bare.log.pages;
  delete bare.log.creator;
  put(`${name}.bare.har`, harText(bare), row(denied, "only what a HAR must have to be of use", { producer: "none named" }));

  // A Fiddler archive on which things are missing.
  put("containers/missing-parts.saz", saz(cut, { story: polls, drop: { meta: [3, 8], response: [2] } }), row(polls, "SAZ with two metadata parts and one response part missing", { producer: "Fiddler Classic layout" }));
  put("containers/backslash-names.saz", saz(cut, { story: polls, names: (n) => n.replace("raw/", "RAW\\") }), row(polls, "SAZ whose member names are upper case with a backslash", { producer: "Fiddler Classic layout" }));
}

/** The same story of a user who has a session already: the challenge comes as the first page. */
const signedIn = (story) => ({ ...story, service: { ...story.service, signedIn: true } });

function gz0(bytes) {
  const out = gzipSync(bytes, { level: 9 });
  out[9] = 3;
  return out;
}
