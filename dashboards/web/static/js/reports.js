/* Reports: a table that is being made is asked for until it is ready; who makes one is told that it takes a moment. */
import { say } from "./core.js";

const rows = document.getElementById("rows");
const PAUSE = 1500;

async function again() {
  const answer = await fetch(rows.dataset.rows, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) { setTimeout(again, PAUSE * 4); return; }
  const made = new DOMParser().parseFromString(await answer.text(), "text/html");
  // Only figures and progress are replaced: what somebody fills in or reads stays where it is.
  for (const part of [".progress", "table.figures"]) {
    const fresh = made.querySelector(part);
    const old = rows.querySelector(part);
    const at = document.activeElement && old?.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    if (fresh && old) old.replaceWith(fresh);
    if (at) rows.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus();
  }
  if (Number(rows.querySelector(".progress")?.dataset.left)) setTimeout(again, PAUSE);
}

if (rows && Number(rows.dataset.pending)) setTimeout(again, PAUSE);

/* A report that is being made: the page is asked for until it is there, then shown. */
async function made() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (answer?.ok && !(await answer.text()).includes("data-waiting")) location.reload();
  else setTimeout(made, PAUSE);
}

if (document.querySelector("[data-waiting]")) setTimeout(made, PAUSE);

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-fetch][data-waits]");
  if (link) say(link.dataset.waits);
});

for (const form of document.querySelectorAll("form[data-make]")) {
  form.addEventListener("submit", () => {
    say(form.dataset.waits);
    const button = form.querySelector("button");
    button.setAttribute("aria-busy", "true");
    setTimeout(() => button.removeAttribute("aria-busy"), 8000);
  });
}
