/* Live plots: `<div class="plot" id="plot-NAME">` draws the series NAME of the stream; NAME says the scale. */
import { axisTime, clockTime } from "./core.js";
import { onPlots } from "./live.js";

const COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#b6bec9", "#7f9cf5"];
const HEIGHT = 240;
const plots = new Map();
const height = (holder) => Number(holder.dataset.height || HEIGHT);

function draw(key, data) {
  const holder = document.getElementById(`plot-${key}`);
  if (!holder) return;
  const names = Object.keys(data.v);
  const shape = names.join("|");
  const known = plots.get(key);
  if (!names.length) {
    known?.chart.destroy();
    plots.delete(key);
    if (!holder.firstChild) {
      const note = document.createElement("p");
      note.className = "empty";
      note.textContent = holder.dataset.empty;
      holder.append(note);
    }
    return;
  }
  const rows = [data.t, ...names.map((name) => data.v[name])];
  if (known?.shape === shape) {
    known.chart.setData(rows);
    return;
  }
  known?.chart.destroy();
  holder.replaceChildren();
  plots.set(key, { chart: new uPlot(options(holder, names), rows, holder), shape });
}

/* What was not measured stays a gap: a line goes on only over less than the time that a value speaks for. */
const longGaps = (hold) => (chart, _series, _from, _to, gaps) => {
  const pixels = chart.valToPos(hold, "x", true) - chart.valToPos(0, "x", true);
  return gaps.filter(([from, to]) => to - from > pixels);
};

function options(holder, names) {
  const axis = { stroke: "#9da7b3", grid: { stroke: "#21262d" }, ticks: { stroke: "#30363d" } };
  const mos = holder.dataset.scale === "mos";
  return {
    width: holder.clientWidth, height: height(holder),
    scales: mos ? { y: { range: [1, 4.6] } } : { y: { range: (_u, _low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [{ ...axis, values: (_u, ticks) => ticks.map((t) => axisTime.format(new Date(t * 1000))) }, { ...axis, size: 46 }],
    series: [{ label: holder.dataset.time, value: (_u, t) => (t === null ? "--" : clockTime.format(new Date(t * 1000))) }, ...names.map((name, index) => ({
      label: name, stroke: COLOURS[index % COLOURS.length], width: 1.5, gaps: longGaps(Number(holder.dataset.hold || 0)),
      dash: index >= COLOURS.length ? [6, 4] : undefined, points: holder.dataset.hold ? { show: true, size: 5 } : { size: 4 },
    }))],
  };
}

onPlots((series) => { for (const [key, data] of Object.entries(series)) draw(key, data); });
window.addEventListener("resize", () => {
  for (const [key, plot] of plots) {
    const holder = document.getElementById(`plot-${key}`);
    plot.chart.setSize({ width: holder.clientWidth, height: height(holder) });
  }
});
