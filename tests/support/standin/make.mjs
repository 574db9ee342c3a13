// Makes the captures and their manifest: `node tests/support/standin/make.mjs [--live] [name ...]`.
//
// Without `--live` everything that is built by code is written again, byte for byte the same; recordings of
// real browsers that lie in `captures/recorded/` are kept. With `--live` those are recorded anew (see live.mjs).

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { STORIES } from "./stories.mjs";
import { play } from "./virtual.mjs";
import { LAYOUTS, PRODUCERS, harText } from "./write_har.mjs";
import { fiddlerAnswer, saz } from "./write_saz.mjs";
import { containers } from "./containers.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..", "..", "captures");
const rows = [];

export function put(path, bytes, row) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  rows.push({ path, sha256: createHash("sha256").update(bytes).digest("hex"), ...row });
}

const ORIGIN = {
  scripted: "built by tests/support/standin, story told by a scripted browser",
  recorded: "recorded from a real Chromium against tests/support/standin",
  firefox: "recorded from a real Firefox against tests/support/standin",
  mitmproxy: "recorded by a real mitmproxy between Chromium and tests/support/standin",
  transcoded: "recorded from a real Chromium against tests/support/standin, transcoded",
};

export function write(story, layout, exchanges, origin = "scripted") {
  const covers = typeof story.covers === "function" ? story.covers(layout) : story.covers;
  const base = { origin: ORIGIN[origin], ...labelOf(story, layout), story: story.text, covers };
  if (layout.startsWith("saz")) {
    const everywhere = layout === "saz-everywhere";
    const bytes = saz(exchanges, { story, everywhere, decrypt: story.decrypt !== false });
    put(`${story.family}/${story.id}${everywhere ? ".everywhere" : ""}.saz`, bytes, { ...base, producer: everywhere ? "Fiddler Everywhere layout" : "Fiddler Classic layout" });
  } else {
    put(`${story.family}/${story.id}.${layout}.har`, harText(LAYOUTS[layout](exchanges, layout === "playwright" ? { story } : layout === "devtools" && story.har ? story.har : layout === "fiddler" ? (x, n) => fiddlerAnswer(x, n) || { status: 0, text: "", headers: [], body: "", mime: "" } : {})), { ...base, producer: PRODUCERS[layout] });
  }
}

const quote = (s) => JSON.stringify(s);

/** Rows of others stay as they are, and so does what rule authors wrote into ours. */
function manifest(before) {
  const order = ["path", "sha256", "origin", "producer", "story", "outcome", "side", "host", "mfa", "password"];
  const blocks = new Map([...before].filter(([, r]) => !r.ours).map(([path, r]) => [path, r.block]));
  for (const r of rows) {
    const old = before.get(r.path)?.block || "";
    const lines = order.filter((k) => r[k] !== undefined).map((k) => `${k.padEnd(8)} = ${quote(r[k])}`);
    blocks.set(r.path, [...lines, ...["expect", "forbid", "covers"].map((k) => `${k.padEnd(8)} = ${value(old, k) || start(r.covers)[k]}`)].join("\n"));
  }
  const text = [...blocks].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([, block]) => `[[capture]]\n${block}\n`);
  writeFileSync(join(root, "manifest.toml"), `# Rows with tests/support/standin as origin are made by its make.mjs: labels come from stories.mjs and were\n# written before the captures. expect, forbid and covers belong to the authors of the rules and are kept.\n\n${text.join("\n")}`);
}

/** What a new row says of the rules: the story it was made from names them. */
function start(covers = {}) {
  const list = (kind) => `[${Object.keys(covers).filter((k) => covers[k] === kind).map(quote).join(", ")}]`;
  const table = Object.entries(covers).map(([k, v]) => `${k} = ${quote(v)}`).join(", ");
  return { expect: list("positive"), forbid: list("look-alike"), covers: table ? `{ ${table} }` : "{}" };
}

/** What the manifest says now: rows by path, as text. */
function kept() {
  const file = join(root, "manifest.toml");
  const out = new Map();
  if (!existsSync(file)) return out;
  for (const block of readFileSync(file, "utf8").split("[[capture]]").slice(1)) {
    out.set(/path\s*= "([^"]*)"/.exec(block)[1], { block: block.trim(), ours: /^origin\s*= ".*tests\/support\/standin/m.test(block) });
  }
  return out;
}

/** A list or table of a row, over as many lines as it takes. */
const value = (block, key) => (new RegExp(`^${key}\\s*= ([^]*?)(?=\\n[a-z_]+\\s*=|$(?![^]))`, "m").exec(block) || [])[1]?.trim();

/** A format that does not hold the deciding fact has a label of its own. */
const labelOf = (story, format) => (/firefox/.test(format) && story.inFirefox) || story.expected;

async function main() {
  const before = kept();
  for (const story of STORIES) {
    if (story.driven) {
      for (const [ending, producer, origin] of [[".devtools.har", "Chrome DevTools layout", "recorded"], [".late.devtools.har", "Chrome DevTools layout", "recorded"], [".playwright.har", "Playwright", "recorded"], [".firefox.har", "Firefox", "firefox"], [".mitmproxy.har", "mitmproxy", "mitmproxy"], [".saz", "Fiddler Classic layout", "transcoded"]]) {
        const file = join(root, story.family, story.id + ending);
        if (existsSync(file)) put(`${story.family}/${story.id}${ending}`, readFileSync(file), { origin: ORIGIN[origin], story: story.text, ...(ending.startsWith(".late") ? story.late : labelOf(story, ending)), producer });
      }
      continue;
    }
    let exchanges = await play(story);
    if (story.edit) exchanges = story.edit(exchanges);
    for (const layout of story.as) write(story, layout, exchanges);
  }
  await containers(put);
  manifest(before);
  const known = new Set(rows.map((r) => r.path));
  for (const [path, r] of before) {
    if (r.ours && !known.has(path)) { rmSync(join(root, path), { force: true }); console.log(`removed ${path}`); }
  }
  console.log(`${rows.length} captures`);
}

await main();
