// Tables in `.sortable` are ordered by a click on a header, or by Enter or Space on it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const number = (text) => (/^[-−+]?[\d.]/.test(text) ? parseFloat(text.replace("−", "-")) : NaN);
  const value = (row, k) => row.cells[k].textContent.trim();
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return isNaN(x) ? a.localeCompare(b) : x - y;
  };
  const empty = (text) => text === "" || text === "–";

  for (const table of document.querySelectorAll(".sortable table")) {
    const body = table.tBodies[0];
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, k) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort-button";
      button.append(...header.childNodes);
      header.append(button);
      header.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const up = header.getAttribute("aria-sort") !== "ascending";
        for (const other of headers) other.setAttribute("aria-sort", "none");
        header.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [value(a, k), value(b, k)];
          if (empty(x) || empty(y)) return empty(x) - empty(y); // what is missing stays below
          return up ? compare(x, y) : compare(y, x);
        });
        rows.forEach((row, at) => {
          row.classList.toggle("row-even", at % 2 === 0);
          row.classList.toggle("row-odd", at % 2 === 1);
          body.append(row);
        });
      });
    });
  }
});
