// Move s and see p = s · p_I + (1 − s) · p_D change.
"use strict";

(window.aliveFigures ??= {}).mixture = (root, data, alive) => {
  const { make } = alive;
  const range = make("input", {
    type: "range", min: 0, max: 1, step: 0.01, id: "alive-s", class: "alive-range",
    "aria-label": "weight s of the invariant teacher",
  });
  const own = make("button", { type: "button", class: "alive-button" });
  const said = make("output", { for: "alive-s", class: "alive-said", "aria-live": "polite" });
  const screen = make("div", { class: "alive-screen" });
  const bars = make("div", { class: "alive-bars" });
  let video;

  // The true class and the likeliest ones of both teachers.
  const shown = () => {
    const rank = (p) => p.map((_, k) => k).sort((a, b) => p[b] - p[a]).slice(0, 2);
    return [...new Set([video.label, ...rank(video.p_inv), ...rank(video.p_dist)])];
  };
  const bar = (kind, p) => {
    const fill = make("span", { class: `alive-fill alive-${kind}` });
    fill.style.width = `${100 * p}%`;
    return make("span", { class: "alive-track", "data-kind": kind, "data-p": p.toFixed(4) }, fill);
  };
  const draw = () => {
    const s = Number(range.value);
    const mix = video.p_inv.map((p, k) => s * p + (1 - s) * video.p_dist[k]);
    const row = (k) =>
      make(
        "div",
        { class: "alive-row", role: "listitem" },
        make("span", { class: "alive-name" }, data.classes[k] + (k === video.label ? " ✓" : "")),
        make("span", {}, bar("inv", video.p_inv[k]), bar("dist", video.p_dist[k]), bar("mix", mix[k])),
        make("span", { class: "alive-number" }, mix[k].toFixed(2)),
      );
    bars.replaceChildren(...shown().map(row));
    const best = mix.indexOf(Math.max(...mix));
    const right = best === video.label ? "which is right" : `but it is ${data.classes[video.label]}`;
    said.textContent =
      `s = ${s.toFixed(2)}: the mixture says ${data.classes[best]} (${mix[best].toFixed(2)}), ${right}.`;
  };
  const measured = () => {
    range.value = video.s;
    draw();
  };
  const choose = (k) => {
    video = data.videos[k];
    screen.replaceChildren(alive.clip(video.clip, `Moving picture of the action ${video.name}`));
    own.textContent = `Measured: s(v) = ${video.s.toFixed(2)}`;
    measured();
  };
  range.addEventListener("input", draw);
  own.addEventListener("click", measured);
  const legend = [["inv", "invariant teacher"], ["dist", "distinctive teacher"], ["mix", "mixture"]];
  const keys = legend.map(([kind, words]) =>
    make("span", { class: "alive-key" }, make("i", { class: `alive-${kind}` }), words),
  );
  bars.setAttribute("role", "list");
  root.append(
    alive.choice("Video", data.videos.map((v) => `${v.name} (${v.family})`), choose),
    make(
      "div",
      { class: "alive-two" },
      make("div", {}, screen, alive.player(root)),
      make("div", { class: "alive-main" }, bars, make("p", { class: "alive-keys" }, ...keys)),
    ),
    make(
      "label",
      { class: "alive-slider" },
      make("span", {}, "0: distinctive only"),
      make("span", {}, "weight s of the invariant teacher"),
      make("span", {}, "1: invariant only"),
      range,
    ),
    make("p", { class: "alive-foot" }, own, said),
  );
  choose(0);
};
