/* Puts server-rendered fragments in place, and is loud when it is cut off or what it shows is old. */
import { language, nowMs, onTick, serverSays, setText, span, tick } from "./core.js";

const STALE_MS = 5000; // the server beats every second
const OLD_DATA_MS = 10000;
const AGAIN_MS = 2000;
const CALM_MS = 30000; // not more often than this a page is loaded again by itself
const body = document.body;
const topic = body.dataset.live;
let lastBeat = performance.now();
const plotted = new Set();
const placed = new Set();
const shown = new Map(); // what the server said last of every element: the same again changes nothing
/** Who draws the series that come with the stream. */
export const onPlots = (work) => { plotted.add(work); };
/** Who wants to know that something was replaced. */
export const onPlaced = (work) => { placed.add(work); };

function freshness(now) {
  const silent = performance.now() - lastBeat;
  const cut = silent > STALE_MS;
  const stale = document.getElementById("stale");
  body.classList.toggle("stale", cut);
  stale.hidden = !cut;
  if (cut) setText(stale.querySelector("span"), stale.dataset.text.replace("{age}", span(silent)));
  const link = document.getElementById("link");
  setText(link, cut ? link.dataset.off : link.dataset.on);
  link.className = cut ? "pill bad" : "pill good";
  dataAge(now);
}

function dataAge(now) {
  const age = document.getElementById("age");
  const last = document.querySelector("[data-last-us]");
  if (!last) { age.hidden = true; return; }
  const lastUs = Number(last.dataset.lastUs);
  age.hidden = false;
  if (!lastUs) {
    setText(age, age.dataset.none);
    age.className = "pill bad";
    return;
  }
  const old = now - lastUs / 1000;
  setText(age, age.dataset.label.replace("{age}", span(old)));
  age.className = old > OLD_DATA_MS ? "pill bad" : "pill";
}

/* The focus stays on the same thing when the fragment around it is replaced, and what was opened stays open. */
function replace(place, html) {
  const held = place.contains(document.activeElement) ? document.activeElement : null;
  const key = held && (held.id ? `#${CSS.escape(held.id)}` : held.getAttribute("href") && `a[href="${CSS.escape(held.getAttribute("href"))}"]`);
  const within = held?.closest("details[id]")?.id ?? held?.closest("[data-row][id]")?.id;
  const kind = held?.matches("button, summary") ? held.tagName : null;
  const opened = [...place.querySelectorAll("details[open][id]")].map((each) => each.id);
  place.innerHTML = html;
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  const around = (within && document.getElementById(within)) || place;
  const again = key ? place.querySelector(key) : (kind && around.querySelector(kind));
  again?.focus({ preventScroll: true });
}

function put([id, html]) {
  if (shown.get(id) === html) return;
  shown.set(id, html);
  const place = document.getElementById(id);
  if (!place) return;
  replace(place, html);
  for (const row of place.querySelectorAll("[id]")) shown.delete(row.id); // what lies within came with it
}

/* A page of another build, or for another zone, is loaded again; a server that cannot decide does not make it flicker. */
function again() {
  try {
    const last = Number(sessionStorage.getItem("again") || 0);
    if (Date.now() - last < CALM_MS) return;
    sessionStorage.setItem("again", String(Date.now()));
  } catch { return; }
  location.reload();
}

/* The stream was refused or ended for good: this page may be no one's any more. */
async function refused() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
    if (answer.redirected || [401, 403, 404].includes(answer.status)) { location.reload(); return; }
  } catch { /* nobody there: the bar says so, and it is tried again */ }
  setTimeout(listen, AGAIN_MS);
}

function listen() {
  const source = new EventSource(`/events?topic=${encodeURIComponent(topic)}&lang=${language}`);
  source.addEventListener("fragments", (event) => {
    for (const news of JSON.parse(event.data)) put(news);
    for (const work of placed) work();
    tick();
  });
  source.addEventListener("beat", (event) => {
    const { now, build } = JSON.parse(event.data);
    if (build !== body.dataset.build) again();
    lastBeat = performance.now();
    serverSays(now);
    tick();
  });
  source.addEventListener("plots", (event) => {
    const series = JSON.parse(event.data);
    for (const work of plotted) work(series);
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) { source.close(); refused(); }
  };
}

if (topic) {
  document.getElementById("stale").classList.remove("asleep"); // scripts run: from now on they say it
  onTick(freshness);
  freshness(nowMs());
  listen();
}
