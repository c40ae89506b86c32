/* Opens results beside the timeline, reads on, zooms by dragging. The address always says what is shown. */
const panel = document.getElementById("result");
const story = document.querySelector(".case");
const lines = document.getElementById("lines");

async function piece(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

function close() {
  panel.hidden = true;
  panel.replaceChildren();
  story.classList.remove("open");
}

/* Whatever cannot be fetched is asked of the server as a page. */
async function open(place, address, push) {
  let html;
  try { html = await piece(`${place}?fragment=1`); } catch { location.assign(address); return; }
  panel.innerHTML = html;
  panel.hidden = false;
  story.classList.add("open");
  for (const button of panel.querySelectorAll("[data-close]")) button.hidden = false;
  if (push) history.pushState({}, "", address);
  mark();
  panel.focus({ preventScroll: true });
  if (panel.getBoundingClientRect().top < 0 || innerWidth < 1100) panel.scrollIntoView({ block: "start" });
}

function mark() {
  const shown = new URL(location.href).searchParams.get("result");
  for (const link of document.querySelectorAll(".lines [data-open]")) {
    link.closest("[data-row]").classList.toggle("chosen", Boolean(shown) && link.dataset.open.endsWith(`/${shown}`));
  }
}

/* By hand: what URLSearchParams writes is the same question, but nobody can read it in a ticket. */
const without = () => location.search.replace(/&?result=[^&]*/, "");
const withResult = (place) => `${location.pathname}${without()}&result=${place.replace("/forensics/result/", "")}#result`;

function leave() {
  const shown = new URL(location.href).searchParams.get("result");
  history.pushState({}, "", location.pathname + without());
  close();
  mark();
  [...document.querySelectorAll(".lines [data-open]")].find((link) => link.dataset.open.endsWith(`/${shown}`))?.focus();
}

async function readOn(link) {
  const place = link.closest("li");
  let html;
  try { html = await piece(link.dataset.more); } catch { location.assign(link.href); return; }
  const before = place.previousElementSibling;
  place.outerHTML = html;
  (before?.nextElementSibling ?? lines.lastElementChild)?.querySelector("a, [tabindex]")?.focus({ preventScroll: true });
}

if (panel) {
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const opener = event.target.closest("[data-open]");
    const more = event.target.closest("[data-more]");
    if (opener) { event.preventDefault(); open(opener.dataset.open, withResult(opener.dataset.open), true); }
    else if (more) { event.preventDefault(); readOn(more); }
    else if (event.target.closest("[data-close]")) leave();
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "Escape" && !panel.hidden && !typing && !document.querySelector("dialog[open]")) leave();
  });
  window.addEventListener("popstate", () => {
    const shown = new URL(location.href).searchParams.get("result");
    if (shown) open(`/forensics/result/${shown}`, location.href, false); else { close(); mark(); }
  });
  for (const button of panel.querySelectorAll("[data-close]")) button.hidden = false;
  mark();
}

/* -- drag over the picture: the window between the two ends ---------------------------------------------------------- */

const glance = document.querySelector(".glance");
const svg = glance?.querySelector("svg");
if (svg) {
  const NS = "http://www.w3.org/2000/svg";
  const left = 168, right = 1168, least = 6;
  let from = null, shade = null, dragged = false;
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.min(right, Math.max(left, ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width));
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button || event.pointerType === "touch") return;
    from = at(event);
    dragged = false;
  });
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointermove", (event) => {
    if (from === null || Math.abs(at(event) - from) < least) return;
    dragged = true;
    if (!shade) {
      shade = document.createElementNS(NS, "rect");
      shade.setAttribute("class", "s-shade");
      shade.setAttribute("y", "0");
      shade.setAttribute("height", String(svg.viewBox.baseVal.height));
      svg.append(shade);
    }
    shade.setAttribute("x", String(Math.min(from, at(event))));
    shade.setAttribute("width", String(Math.abs(at(event) - from)));
  });
  window.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const ends = [from, at(event)].sort((one, other) => one - other);
    from = null;
    if (!dragged) return;
    const [begin, length] = [Number(glance.dataset.fromUs), Number(glance.dataset.toUs) - Number(glance.dataset.fromUs)];
    const moment = (x) => {
      const us = Math.round(begin + ((x - left) / (right - left)) * length);
      return `${new Date(Math.floor(us / 1000)).toISOString().slice(0, 19)}.${String(us % 1e6).padStart(6, "0")}Z`;
    };
    const address = new URL(location.href);
    address.searchParams.set("from", moment(ends[0]));
    address.searchParams.set("to", moment(ends[1]));
    for (const name of ["after", "result"]) address.searchParams.delete(name);
    address.hash = "";
    location.assign(address);
  });
  svg.addEventListener("click", (event) => { if (dragged) { event.preventDefault(); dragged = false; } }, true);
}
