// Choose a video, look at its clips and at how alike each two of them are.
"use strict";

(window.aliveFigures ??= {}).similarity = (root, data, alive) => {
  const { make } = alive;
  const screen = make("div", { class: "alive-screen" });
  const pair = make("div", { class: "alive-pair" });
  const said = make("output", { class: "alive-said", "aria-live": "polite" });
  const grid = make("div", { class: "alive-grid", role: "grid", "aria-label": "Similarity of clips" });
  const total = make("p", { class: "alive-total" });
  const apart = data.videos.flatMap((v) => v.matrix.flatMap((row, i) => row.filter((_, j) => j !== i)));
  const low = Math.min(...apart);
  let video, cells;

  // Off the diagonal, all videos share one scale; equal steps of colour are equal steps of cosine.
  const tint = (value) => {
    const k = Math.round((15 * (value - low)) / Math.max(1 - low, 1e-6));
    return `rgb(${data.tints[Math.min(Math.max(k, 0), 15)]})`;
  };
  const focusOn = (i, j) => {
    for (const cell of cells.flat()) cell.tabIndex = -1;
    for (const cell of cells.flat()) cell.setAttribute("aria-selected", "false");
    cells[i][j].tabIndex = 0;
    cells[i][j].setAttribute("aria-selected", "true");
    pair.replaceChildren(
      ...[i, j].map((k) =>
        make(
          "figure",
          {},
          alive.frame(video.clip, video.at[k], `Middle frame of clip ${k + 1}`),
          make("figcaption", {}, `clip ${k + 1}`),
        ),
      ),
    );
    said.textContent = `Clips ${i + 1} and ${j + 1}: cosine ${video.matrix[i][j].toFixed(4)}`;
  };
  const cell = (i, j) => {
    const words = `clips ${i + 1} and ${j + 1}: ${video.matrix[i][j].toFixed(4)}`;
    const node = make("div", { class: "alive-cell", role: "gridcell", "aria-label": words });
    node.style.background = tint(video.matrix[i][j]);
    node.addEventListener("pointerenter", () => focusOn(i, j));
    node.addEventListener("click", () => focusOn(i, j));
    node.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      const [down, right] = step[event.key] || [0, 0];
      const next = cells[i + down]?.[j + right];
      if ((!down && !right) || !next) return;
      event.preventDefault();
      focusOn(i + down, j + right);
      next.focus();
    });
    return node;
  };
  const choose = (k) => {
    video = data.videos[k];
    cells = video.matrix.map((row, i) => row.map((_, j) => cell(i, j)));
    grid.replaceChildren(
      ...cells.map((row) => make("div", { role: "row", class: "alive-line" }, ...row)),
    );
    screen.replaceChildren(alive.clip(video.clip, `Moving picture of the action ${video.name}`));
    total.textContent =
      `Mean of all pairs S(v) = ${video.raw.toFixed(4)}; its score s(v) = ${video.s.toFixed(2)}`;
    focusOn(0, video.matrix.length - 1);
  };
  const scale = make("p", { class: "alive-scale" }, low.toFixed(3), make("i"), "1");
  scale.querySelector("i").style.background =
    `linear-gradient(90deg, ${data.tints.map((c) => `rgb(${c})`)})`;
  root.append(
    alive.choice("Video", data.videos.map((v) => `${v.name} (${v.family})`), choose),
    make(
      "div",
      { class: "alive-two" },
      make("div", {}, screen, alive.player(root)),
      make("div", {}, grid, scale),
      make("div", {}, pair, make("p", {}, said)),
    ),
    total,
  );
  choose(0);
};
