"use strict";
document.documentElement.classList.add("scripted");
const said = document.getElementById("said");

async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // A browser may keep the clipboard from a file: the old way is tried.
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "sr";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const done = await copy(button.dataset.copy);
  button.focus();
  button.classList.toggle("copied", done);
  said.textContent = done ? "Copied." : "The browser did not allow it.";
  setTimeout(() => {
    button.classList.remove("copied");
    said.textContent = "";
  }, 1500);
});

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
});
