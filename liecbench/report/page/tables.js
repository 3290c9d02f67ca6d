const MOST_ROWS = 12;
const filter = document.getElementById("filter");

function value(row, column) {
  const cell = row.cells[column];
  const number = Number(cell.dataset.value);
  return cell.dataset.value === "" || Number.isNaN(number) ? cell.textContent : number;
}

// Rows are sorted within their group.
function sort(body, column, descending) {
  const rows = [...body.rows].filter((row) => !row.classList.contains("fold"));
  const missing = (row) => row.cells[column].dataset.value === "";
  rows.sort((a, b) => {
    if (missing(a) !== missing(b)) return missing(a) ? 1 : -1;
    const [x, y] = [value(a, column), value(b, column)];
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
    return descending ? -order : order;
  });
  body.prepend(...rows);
  fold(body);
}

// Of a long group show the first rows, and a button that shows all; a filter looks through all rows.
function fold(body) {
  const words = filter ? filter.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
  const group = body.previousElementSibling?.classList.contains("group") ? body.previousElementSibling : null;
  const about = group ? group.textContent : "";
  const rows = [...body.rows].filter((row) => !row.classList.contains("fold"));
  let shown = 0;
  rows.forEach((row, index) => {
    const text = `${about} ${row.textContent}`.toLowerCase();
    row.hidden = words.length ? !words.every((word) => text.includes(word)) : body.dataset.folded === "true" && index >= MOST_ROWS;
    shown += !row.hidden;
  });
  if (group) group.hidden = words.length > 0 && shown === 0;
  const button = body.querySelector(".unfold");
  if (button) {
    button.closest("tr").hidden = words.length > 0;
    button.textContent = body.dataset.folded === "true" ? `show all ${rows.length} rows` : "show fewer rows";
    button.setAttribute("aria-expanded", String(body.dataset.folded !== "true"));
  }
  return shown;
}

function makeFoldable(body, columns) {
  body.dataset.folded = String(body.rows.length > MOST_ROWS);
  if (body.dataset.folded === "false") return;
  const row = body.insertRow();
  row.className = "fold";
  const cell = row.insertCell();
  cell.colSpan = columns;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "unfold";
  button.addEventListener("click", () => {
    body.dataset.folded = String(body.dataset.folded !== "true");
    fold(body);
  });
  cell.append(button);
  fold(body);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const bodies = [...table.querySelectorAll("tbody.rows")];
  for (const body of bodies) makeFoldable(body, heads.length);
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      for (const body of bodies) sort(body, column, descending);
    });
  });
  filter?.addEventListener("input", () => {
    const found = bodies.map(fold).reduce((sum, count) => sum + count, 0);
    document.getElementById("found").textContent = filter.value.trim() ? `${found} rows` : "";
  });
}

// A table that goes on beyond the edge says so: in words above it, and by a shadow at the edge.
for (const box of document.querySelectorAll(".scrolls")) {
  const frame = document.createElement("div");
  frame.className = "frame";
  const hint = document.createElement("p");
  hint.className = "caption hint";
  hint.textContent = "This table scrolls sideways →";
  box.replaceWith(hint, frame);
  frame.append(box);
  const update = () => {
    const beyond = box.scrollWidth - box.clientWidth;
    hint.hidden = beyond < 2;
    box.tabIndex = beyond < 2 ? -1 : 0;
    frame.classList.toggle("more-left", box.scrollLeft > 1);
    frame.classList.toggle("more-right", box.scrollLeft < beyond - 1);
  };
  box.addEventListener("scroll", update, { passive: true });
  const observer = new ResizeObserver(update);
  observer.observe(box);
  observer.observe(box.firstElementChild);
}
