"use strict";
const plots = JSON.parse(document.getElementById("plots").textContent);
const chosen = document.getElementById("setting");
const drawn = new Set();
const hidden = new Map(); // by figure, the names that its legend hides

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--ink", "--line"].map((name) => style.getPropertyValue(name).trim());
  const title = { text: layout.xaxis.title.text.replace(", ", innerWidth < 600 ? ",<br>" : ", ") };
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line };
  return {
    ...layout,
    // A finger on a chart scrolls the page.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    font: { color: ink, family: "system-ui, sans-serif", size: 12 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    showlegend: false, // the page has legends of its own, which take no room from the lines
    height: 380,
    xaxis: { ...layout.xaxis, ...axis, title },
    yaxis: { ...layout.yaxis, ...axis },
  };
}

// In a figure by link, the setting of a series lacks the link: it belongs to every setting with all its parts.
function belongs(setting) {
  const parts = chosen ? chosen.value.split(" · ") : [];
  return !chosen || setting === "" || setting.split(" · ").every((part) => parts.includes(part));
}

function draw(key) {
  const { data, layout, settings } = plots[key];
  const off = hidden.get(key) ?? new Set();
  const shown = data
    .filter((_, index) => settings[index] === null || belongs(settings[index]))
    .map((trace) => (off.has(trace.name) ? { ...trace, visible: "legendonly" } : trace));
  const options = { displayModeBar: false, responsive: true };
  Plotly.react(document.getElementById(`plot-${key}`), structuredClone(shown), themed(structuredClone(layout)), options);
  legend(key, shown, layout.barmode === "stack");
  drawn.add(key);
}

function legend(key, traces, stacked) {
  const names = new Map();
  for (const trace of traces) {
    // Parts of a stack have one colour each, whatever the remark on their times.
    const label = stacked ? trace.name.replace(/ \([^)]*\)$/, "") : trace.name;
    if (trace.hoverinfo !== "skip" || trace.showlegend) names.set(label, [...(names.get(label) ?? []), trace]);
  }
  const place = document.getElementById(`plot-${key}`).parentElement.querySelector(".legend");
  place.replaceChildren(...[...names].map(([label, parts]) => button(key, label, parts)));
}

function button(key, label, traces) {
  const off = hidden.get(key) ?? new Set();
  const names = traces.map((trace) => trace.name);
  const made = document.createElement("button");
  made.type = "button";
  made.setAttribute("aria-pressed", String(!names.some((name) => off.has(name))));
  made.append(sample(traces[0]), plain(label));
  made.addEventListener("click", () => {
    const hide = made.getAttribute("aria-pressed") === "true";
    for (const name of names) hide ? off.add(name) : off.delete(name);
    hidden.set(key, off);
    draw(key);
    const again = [...document.getElementById(`plot-${key}`).parentElement.querySelectorAll(".legend button")];
    again.find((one) => one.textContent === made.textContent)?.focus();
  });
  return made;
}

// Names in traces are escaped for Plotly, which reads tags in them.
function plain(name) {
  return new DOMParser().parseFromString(name, "text/html").documentElement.textContent;
}

const DASHES = { dash: "6 3", dot: "2 3", dashdot: "6 2 2 2", longdash: "10 3", longdashdot: "10 3 2 3" };

function sample(trace) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 30 12");
  svg.setAttribute("aria-hidden", "true");
  const is_line = trace.type === "scatter" && trace.mode !== "markers";
  const shape = document.createElementNS(svg.namespaceURI, is_line ? "line" : "rect");
  const at = is_line ? { x1: 0, x2: 30, y1: 6, y2: 6, "stroke-width": 3, stroke: trace.line.color } : { x: 9, y: 0, width: 12, height: 12, fill: trace.marker.color };
  for (const [name, value] of Object.entries(at)) shape.setAttribute(name, value);
  if (is_line && DASHES[trace.line.dash]) shape.setAttribute("stroke-dasharray", DASHES[trace.line.dash]);
  svg.append(shape);
  return svg;
}

function redraw() {
  for (const key of drawn) draw(key);
}

// Draw a figure only when it is scrolled near the window, so that a page with many cells opens at once.
const near = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    near.unobserve(entry.target);
    draw(entry.target.dataset.key);
  }
}, { rootMargin: "600px" });
document.querySelectorAll(".plot").forEach((element) => near.observe(element));
if (chosen) chosen.addEventListener("change", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((one) => (one.open = true));
  document.querySelectorAll(".plot").forEach((one) => draw(one.dataset.key));
});
