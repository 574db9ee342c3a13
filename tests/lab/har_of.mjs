// Writes what a program's traffic looks like in a HAR: `node har_of.mjs EXCHANGES.json LAYOUT OUT.har`, the
// exchanges as `keyed.py` puts them together from the stand-in's log and the client's own report.

import { readFileSync, writeFileSync } from "node:fs";
import { LAYOUTS, harText } from "../support/standin/write_har.mjs";

const [from, layout, to] = process.argv.slice(2);
const exchanges = JSON.parse(readFileSync(from, "utf8"));
writeFileSync(to, harText(LAYOUTS[layout](Object.assign(exchanges, { pages: [] }))));
