"use strict";
/* Puts server-rendered fragments in place, keeps ages running, draws the two plots, and is loud when it is cut off. */
(() => {
  const body = document.body;
  const language = body.dataset.language;
  // Everybody at the NOC reads one clock: the service's, whatever the browser's zone.
  const clockTime = new Intl.DateTimeFormat(language, { timeZone: body.dataset.timezone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const axisTime = new Intl.DateTimeFormat(language, { timeZone: body.dataset.timezone, hourCycle: "h23", hour: "2-digit", minute: "2-digit" });
  const STALE_MS = 5000; // the server beats every second
  const OLD_DATA_MS = 10000;
  // Ages count from the server's clock: the wall's own clock may be wrong.
  let skewMs = Number(body.dataset.nowMs) - Date.now();
  let lastBeat = performance.now();
  const live = document.getElementById("banner") !== null;
  const nowMs = () => Date.now() + skewMs;

  function span(milliseconds) {
    const total = Math.max(0, Math.floor(milliseconds / 1000));
    const two = (value) => String(value).padStart(2, "0");
    if (total < 60) return `${total} s`;
    if (total < 3600) return `${Math.floor(total / 60)} min ${two(total % 60)} s`;
    if (total < 86400) return `${Math.floor(total / 3600)} h ${two(Math.floor((total % 3600) / 60))} min`;
    return `${Math.floor(total / 86400)} d ${two(Math.floor((total % 86400) / 3600))} h`;
  }

  function setText(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  function tick() {
    const now = nowMs();
    for (const element of document.querySelectorAll("[data-since-us]")) {
      setText(element, span(now - Number(element.dataset.sinceUs) / 1000));
    }
    for (const element of document.querySelectorAll("[data-until-us]")) {
      const left = Number(element.dataset.untilUs) / 1000 - now;
      setText(element, left >= 0 ? span(left) : `${element.dataset.late} ${span(-left)}`);
    }
    setText(document.getElementById("clock"), clockTime.format(new Date(now)));
    if (live) freshness(now);
  }

  function freshness(now) {
    const silent = performance.now() - lastBeat;
    const cut = silent > STALE_MS;
    const stale = document.getElementById("stale");
    body.classList.toggle("stale", cut);
    stale.hidden = !cut;
    if (cut) setText(stale, stale.dataset.text.replace("{age}", span(silent)));
    const link = document.getElementById("link");
    setText(link, cut ? link.dataset.off : link.dataset.on);
    link.className = cut ? "pill bad" : "pill good";
    const age = document.getElementById("age");
    const last = document.querySelector("#banner [data-last-us]");
    const lastUs = last ? Number(last.dataset.lastUs) : 0;
    if (!lastUs) {
      setText(age, age.dataset.none);
      age.className = "pill bad";
      return;
    }
    const old = now - lastUs / 1000;
    setText(age, age.dataset.label.replace("{age}", span(old)));
    age.className = old > OLD_DATA_MS ? "pill bad" : "pill";
  }

  const COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#b6bec9", "#7f9cf5"];
  const PLOT_HEIGHT = 240;
  const plots = {};

  function draw(key, data) {
    const holder = document.getElementById(`plot-${key}`);
    if (!holder) return;
    const names = Object.keys(data.v);
    const shape = names.join("|");
    if (!names.length) {
      if (plots[key]) { plots[key].chart.destroy(); delete plots[key]; }
      if (!holder.firstChild) {
        const note = document.createElement("p");
        note.className = "empty";
        note.textContent = holder.dataset.empty;
        holder.append(note);
      }
      return;
    }
    const rows = [data.t, ...names.map((name) => data.v[name])];
    if (plots[key] && plots[key].shape === shape) {
      plots[key].chart.setData(rows);
      return;
    }
    if (plots[key]) plots[key].chart.destroy();
    holder.replaceChildren();
    const axis = { stroke: "#9da7b3", grid: { stroke: "#21262d" }, ticks: { stroke: "#30363d" } };
    const mos = key === "mos";
    const chart = new uPlot({
      width: holder.clientWidth, height: PLOT_HEIGHT,
      scales: mos ? { y: { range: [1, 4.6] } } : { y: { range: (_u, _low, high) => [0, Math.max(1, high * 1.1)] } },
      axes: [{ ...axis, values: (_u, ticks) => ticks.map((t) => axisTime.format(new Date(t * 1000))) }, { ...axis, size: 46 }],
      series: [{ label: holder.dataset.time, value: (_u, t) => (t === null ? "--" : clockTime.format(new Date(t * 1000))) }, ...names.map((name, index) => ({
        label: name, stroke: COLOURS[index % COLOURS.length], width: 1.5, spanGaps: mos,
        dash: index >= COLOURS.length ? [6, 4] : undefined, points: { show: mos, size: 5 },
      }))],
    }, rows, holder);
    plots[key] = { chart, shape };
  }

  function listen() {
    const source = new EventSource(`/events?lang=${language}`);
    const heard = () => { lastBeat = performance.now(); };
    source.addEventListener("fragment", (event) => {
      heard();
      const { id, html } = JSON.parse(event.data);
      const place = document.getElementById(id);
      if (place) place.innerHTML = html;
      tick();
    });
    source.addEventListener("beat", (event) => {
      heard();
      skewMs = Number(event.data) - Date.now();
      tick();
    });
    source.addEventListener("plots", (event) => {
      heard();
      for (const [key, data] of Object.entries(JSON.parse(event.data))) draw(key, data);
    });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) { source.close(); setTimeout(listen, 2000); }
    };
  }

  function go(changes) {
    const address = new URL(location.href);
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) address.searchParams.delete(key); else address.searchParams.set(key, value);
    }
    location.assign(address);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const keys = document.getElementById("keys");
    if (event.key === "?" && keys) { keys.open ? keys.close() : keys.showModal(); }
    else if (event.key === "p") location.assign("/" + location.search);
    else if (event.key === "w") go({ wall: body.classList.contains("wall") ? null : "1" });
    else if (event.key === "l") {
      const other = language === "es" ? "en" : "es";
      document.cookie = `lang=${other};path=/;max-age=31536000;samesite=strict`;
      go({ lang: other });
    }
  });

  window.addEventListener("resize", () => {
    for (const [key, plot] of Object.entries(plots)) {
      plot.chart.setSize({ width: document.getElementById(`plot-${key}`).clientWidth, height: PLOT_HEIGHT });
    }
  });

  tick();
  setInterval(tick, 1000);
  if (live) listen();
})();
