"use strict";
const plots = JSON.parse(document.getElementById("plots").textContent);
const chosen = document.getElementById("setting");
const drawn = new Map();

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--ink", "--line"].map((name) => style.getPropertyValue(name).trim());
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line };
  return {
    ...layout,
    // A finger on a chart scrolls the page.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    font: { color: ink, family: "system-ui, sans-serif", size: 12 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    xaxis: { ...layout.xaxis, ...axis },
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
  const shown = data.filter((_, index) => settings[index] === null || belongs(settings[index]));
  const options = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  Plotly.react(document.getElementById(`plot-${key}`), structuredClone(shown), themed(structuredClone(layout)), options);
  drawn.set(key, true);
}

function redraw() {
  for (const key of drawn.keys()) draw(key);
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

function value(row, column) {
  const cell = row.cells[column];
  const number = Number(cell.dataset.value);
  return cell.dataset.value === "" || Number.isNaN(number) ? cell.textContent : number;
}

function sort(table, column, descending) {
  const rows = [...table.tBodies[0].rows];
  const missing = (row) => row.cells[column].dataset.value === "";
  rows.sort((a, b) => {
    if (missing(a) !== missing(b)) return missing(a) ? 1 : -1;
    const [x, y] = [value(a, column), value(b, column)];
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
    return descending ? -order : order;
  });
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(table, column, descending);
    });
  });
}
