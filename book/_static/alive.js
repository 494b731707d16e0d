// What all figures that answer share: their data, small builders, and moving pictures.
// A figure is `<div class="alive" data-alive="NAME">`; NAME is a function in `window.aliveFigures`,
// which fills it. The files may load in any order. The picture for paper follows as `.still` and is
// hidden once the figure works.
"use strict";

const alive = {
  here: document.currentScript.src.replace(/[^/]*$/, ""),

  // make("p", {class: "x"}, "text", child, …)
  make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  },

  // A list to choose a video from.
  choice(label, names, act) {
    const options = names.map((name, k) => alive.make("option", { value: k }, name));
    const select = alive.make("select", { class: "alive-choice" }, ...options);
    select.addEventListener("change", () => act(Number(select.value)));
    return alive.make("label", { class: "alive-label" }, label + " ", select);
  },

  // A moving picture is one wide picture that CSS shows part by part.
  clip(told, words) {
    const node = alive.make("div", { class: "alive-clip", role: "img", "aria-label": words });
    node.style.backgroundImage = `url("${alive.here}${told.file}")`;
    node.style.setProperty("--frames", told.frames);
    node.style.setProperty("--seconds", `${told.seconds}s`);
    return node;
  },

  // One part of a moving picture, standing still.
  frame(told, k, words) {
    const node = alive.clip(told, words);
    node.classList.add("alive-frame");
    node.style.backgroundPositionX = `${(100 * k) / (told.frames - 1)}%`;
    return node;
  },

  // A button that plays and pauses everything that moves in a figure.
  player(root) {
    const button = alive.make("button", { type: "button", class: "alive-button alive-player" });
    const set = (playing) => {
      root.classList.toggle("alive-playing", playing);
      button.textContent = playing ? "❚❚ Pause" : "▶ Play";
    };
    button.addEventListener("click", () => set(!root.classList.contains("alive-playing")));
    set(!matchMedia("(prefers-reduced-motion: reduce)").matches);
    return button;
  },
};

(window.aliveFigures ??= {}).clips = (root, data) => {
  const words = (name) => `Moving picture of the action ${name}`;
  const items = Object.entries(data.clips).map(([name, told]) =>
    alive.make("figure", {}, alive.clip(told, words(name)), alive.make("figcaption", {}, name)),
  );
  root.append(alive.make("div", { class: "alive-wall" }, ...items), alive.player(root));
};

document.addEventListener("DOMContentLoaded", () => {
  const scripts = document.querySelectorAll("script.alive-data");
  const data = Object.assign({}, ...[...scripts].map((node) => JSON.parse(node.textContent)));
  for (const root of document.querySelectorAll(".alive")) {
    window.aliveFigures[root.dataset.alive](root, data, alive);
    root.classList.add("alive-on");
  }
});
