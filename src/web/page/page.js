"use strict";
const MOST = 512 * 1024 * 1024;
const ALL = 2 * MOST;
const ENDINGS = { html: "html", text: "txt", markdown: "md", json: "json", ndjson: "ndjson", csv: "csv", sarif: "sarif" };
const LABELS = { html: "HTML", text: "Text", markdown: "Markdown", json: "JSON", ndjson: "NDJSON", csv: "CSV", sarif: "SARIF" };
const $ = (id) => document.getElementById(id);
const chosen = { file: [], keylog: [] };
let request = null;

function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < 3) { bytes /= 1024; unit++; }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

function say(words) { $("said").textContent = words; }
function complain(words) { $("wrong").textContent = words; }

function list(kind) {
  const place = $(kind === "file" ? "files" : "keylogs");
  place.replaceChildren(...chosen[kind].map((file, index) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = `${file.name}, ${size(file.size)}`;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Remove";
    button.setAttribute("aria-label", `Remove ${file.name}`);
    button.addEventListener("click", () => { chosen[kind].splice(index, 1); list(kind); $(kind).focus(); });
    item.append(name, button);
    return item;
  }));
}

function add(kind, files) {
  complain("");
  const large = [...files].find((file) => file.size > MOST);
  if (large) {
    complain(`${large.name} is larger than 512 MiB: analyse it with the command line, mfatrace FILE.`);
    return;
  }
  chosen[kind].push(...files);
  list(kind);
  say(`${chosen.file.length} captures and ${chosen.keylog.length} key logs are chosen.`);
  if (chosen.file.length) $("start").focus();
}

for (const kind of ["file", "keylog"]) {
  const zone = $(`drop-${kind}`);
  $(kind).addEventListener("change", (event) => { add(kind, event.target.files); event.target.value = ""; });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, () => zone.classList.add("over"));
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, () => zone.classList.remove("over"));
  }
}
// A file that misses the two places is a capture, and never replaces the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const kind = event.target instanceof Element && event.target.closest("#drop-keylog") ? "keylog" : "file";
  if (event.dataTransfer.files.length) add(kind, event.dataTransfer.files);
});

function busy(is) {
  $("work").hidden = !is;
  $("stop").hidden = !is;
  $("start").disabled = is;
}

function send() {
  complain("");
  if (!chosen.file.length) {
    complain("Choose a capture first.");
    $("file").focus();
    return;
  }
  const all = [...chosen.file, ...chosen.keylog].reduce((sum, file) => sum + file.size, 0);
  if (all > ALL) {
    complain("The files are larger than 1 GiB together: analyse them with the command line.");
    return;
  }
  const form = new FormData();
  form.append("redact", $("redact").value);
  if ($("password").value) form.append("password", $("password").value);
  for (const file of chosen.keylog) form.append("keylog", file, file.name);
  for (const file of chosen.file) form.append("file", file, file.name);
  request = new XMLHttpRequest();
  request.open("POST", "/results");
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) $("bar").value = event.loaded / event.total;
  });
  request.upload.addEventListener("load", () => {
    $("bar").removeAttribute("value");
    $("doing").textContent = "Analysing";
    say("All is sent; it is analysed now.");
  });
  request.addEventListener("load", () => done(request));
  request.addEventListener("error", () => {
    ended();
    complain("The server did not answer, or did not take the files. Is mfatrace serve still running?");
  });
  request.addEventListener("abort", () => { ended(); say("Stopped."); });
  $("doing").textContent = "Sending";
  $("bar").value = 0;
  say("The files are sent.");
  busy(true);
  request.send(form);
}

function ended() {
  request = null;
  busy(false);
}

function done(answered) {
  ended();
  let answer = {};
  try { answer = JSON.parse(answered.responseText); } catch { /* What is no JSON has no words for us. */ }
  if (answered.status !== 201) {
    say("");
    complain(answer.detail ? `It was refused: ${answer.detail}.` : `It was refused (${answered.status}).`);
    return;
  }
  show(answer);
  if (answer.locked) {
    complain("A file is protected: type its password and analyse again.");
    $("password").focus();
  }
}

function show(answer) {
  const link = (href, words, name) => {
    const item = document.createElement("li");
    const anchor = document.createElement("a");
    anchor.href = href;
    anchor.textContent = words;
    if (name) anchor.download = name; else { anchor.target = "_blank"; anchor.rel = "noopener"; }
    item.append(anchor);
    return item;
  };
  $("forms").replaceChildren(
    link(`${answer.result}/html`, "Open in a tab"),
    ...answer.formats.map((form) => link(`${answer.result}/${form}`, `Save as ${LABELS[form]}`, `mfatrace-report.${ENDINGS[form]}`)),
  );
  const frame = document.createElement("iframe");
  frame.title = "The report";
  frame.setAttribute("sandbox", "allow-scripts allow-popups");
  frame.allow = "clipboard-write";
  frame.src = `${answer.result}/html`;
  frame.addEventListener("load", () => { document.body.dataset.shown = answer.result; });
  $("shown").replaceChildren(frame);
  $("answer").hidden = false;
  document.querySelector(".skip").hidden = false;
  say("The report is there.");
  $("answer").focus();
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("stop").addEventListener("click", () => { if (request) request.abort(); });
