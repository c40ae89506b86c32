/* What every page has: running ages, the service's clock, keys, the help, messages that pass. */
const body = document.body;
export const language = body.dataset.language;
export const zone = body.dataset.timezone;
// Everybody at the NOC reads one clock: the service's, whatever the browser's zone.
const format = (parts) => new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: "h23", ...parts });
export const clockTime = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const axisTime = format({ hour: "2-digit", minute: "2-digit" });
// Ages count from the server's clock: the wall's own clock may be wrong.
let skewMs = Number(body.dataset.nowMs) - Date.now();
export const nowMs = () => Date.now() + skewMs;
export const serverSays = (milliseconds) => { skewMs = milliseconds - Date.now(); };

export function span(milliseconds) {
  const total = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value) => String(value).padStart(2, "0");
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${two(total % 60)} s`;
  if (total < 86400) return `${Math.floor(total / 3600)} h ${two(Math.floor((total % 3600) / 60))} min`;
  return `${Math.floor(total / 86400)} d ${two(Math.floor((total % 86400) / 3600))} h`;
}

export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

const ticking = new Set();
export const onTick = (work) => { ticking.add(work); };

export function tick() {
  const now = nowMs();
  for (const element of document.querySelectorAll("[data-since-us]")) {
    setText(element, span(now - Number(element.dataset.sinceUs) / 1000));
  }
  for (const element of document.querySelectorAll("[data-until-us]")) {
    const left = Number(element.dataset.untilUs) / 1000 - now;
    setText(element, left >= 0 ? span(left) : `${element.dataset.late} ${span(-left)}`);
  }
  setText(document.getElementById("clock"), clockTime.format(new Date(now)));
  for (const work of ticking) work(now);
}

/* -- messages that pass: read aloud, gone after some seconds ---------------------------------------------------------- */

export function say(text, bad = false) {
  const toast = document.getElementById("toast");
  toast.className = bad ? "toast bad" : "toast";
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, 6000);
}

/* -- keys: pages only mark what is a row, a search, an earlier or later page, an acknowledgement ---------------------- */

const rows = () => [...document.querySelectorAll("[data-row]")].filter((each) => each.offsetParent !== null);
const focusable = (row) => (row.matches("a, button, [tabindex]") ? row : row.querySelector("a, button, [tabindex]"));
const currentRow = () => document.activeElement?.closest("[data-row]");

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(currentRow());
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
  focusable(next)?.focus();
  next.scrollIntoView({ block: "nearest" });
}

/* The focused row's, else the page's only one; of several the first is focused, and the next press takes it. */
function acknowledge() {
  const forms = [...document.querySelectorAll("form[data-ack]:not([hidden])")];
  const mine = forms.find((form) => form.closest("[data-row]") === currentRow() && currentRow());
  const chosen = mine ?? (forms.length === 1 ? forms[0] : null);
  if (chosen) chosen.requestSubmit();
  else if (forms.length) focusable(forms[0].closest("[data-row]") ?? forms[0])?.focus();
}

const click = (selector) => document.querySelector(selector)?.click();

export function go(changes) {
  const address = new URL(location.href);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) address.searchParams.delete(key); else address.searchParams.set(key, value);
  }
  location.assign(address);
}

const wall = () => go({ wall: body.classList.contains("wall") ? null : "1" });

function otherLanguage() {
  const other = language === "es" ? "en" : "es";
  document.cookie = `lang=${other};path=/;max-age=31536000;samesite=strict`;
  go({ lang: null });
}

const keys = document.getElementById("keys");
const places = document.getElementById("places");
const help = () => { if (keys.open) keys.close(); else { places.close(); keys.showModal(); } };
const where = () => { if (!places.open) places.showModal(); };
const acts = {
  "?": help, g: where, j: () => step(1), k: () => step(-1), a: acknowledge, "/": () => document.querySelector("[data-search]")?.focus(),
  "[": () => click("[data-prev]"), "]": () => click("[data-next]"), w: wall, l: otherLanguage,
};
for (const link of document.querySelectorAll("#places a[data-key]")) acts[link.dataset.key] ??= () => location.assign(link.href);
document.querySelector("[data-help]")?.addEventListener("click", help);
document.querySelector("a[data-language]")?.addEventListener("click", (event) => { event.preventDefault(); otherLanguage(); });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = acts[event.key];
  if (!act || (event.repeat && !"jk".includes(event.key))) return;
  event.preventDefault();
  if (places.open && event.key !== "g" && event.key !== "?") places.close();
  act();
});

tick();
setInterval(tick, 1000);
