/* Puts server-rendered fragments in place, and is loud when it is cut off or what it shows is old. */
import { language, nowMs, onTick, serverSays, setText, span, tick } from "./core.js";

const STALE_MS = 5000; // the server beats every second
const OLD_DATA_MS = 10000;
const topic = document.body.dataset.live;
let lastBeat = performance.now();
const plotted = new Set();
/** Who draws the series that come with the stream. */
export const onPlots = (work) => { plotted.add(work); };

function freshness(now) {
  const silent = performance.now() - lastBeat;
  const cut = silent > STALE_MS;
  const stale = document.getElementById("stale");
  document.body.classList.toggle("stale", cut);
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

/* The focus stays on the same thing when the fragment around it is replaced. */
function replace(place, html) {
  const held = place.contains(document.activeElement) ? document.activeElement : null;
  const key = held && (held.id ? `#${CSS.escape(held.id)}` : held.getAttribute("href") && `a[href="${CSS.escape(held.getAttribute("href"))}"]`);
  place.innerHTML = html;
  if (key) place.querySelector(key)?.focus({ preventScroll: true });
}

function listen() {
  const source = new EventSource(`/events?topic=${encodeURIComponent(topic)}&lang=${language}`);
  source.addEventListener("fragment", (event) => {
    const { id, html } = JSON.parse(event.data);
    const place = document.getElementById(id);
    if (place) replace(place, html);
    tick();
  });
  source.addEventListener("beat", (event) => {
    lastBeat = performance.now();
    serverSays(Number(event.data));
    tick();
  });
  source.addEventListener("plots", (event) => {
    const series = JSON.parse(event.data);
    for (const work of plotted) work(series);
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) { source.close(); setTimeout(listen, 2000); }
  };
}

if (topic) {
  onTick(freshness);
  freshness(nowMs());
  listen();
}
