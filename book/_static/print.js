// On paper nothing can be clicked: what is closed opens while a page is printed, and closes again.
(() => {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const part of opened) part.open = true;
    for (const part of document.querySelectorAll(".toggle-hidden")) {
      part.classList.replace("toggle-hidden", "toggle-printed");
    }
  });
  addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
    for (const part of document.querySelectorAll(".toggle-printed")) {
      part.classList.replace("toggle-printed", "toggle-hidden");
    }
  });
})();
