// The dialog opens when htmx fills it. Everything here has a way without JavaScript.
(() => {
  "use strict";
  const dialog = document.getElementById("dialog");
  const banner = document.getElementById("no-answer");
  let opener = null;
  document.documentElement.classList.add("js");

  new MutationObserver(() => {
    if (!dialog.querySelector("[data-dialog-content]")) return;
    if (!dialog.open) dialog.showModal();
    const wanted = ["[aria-invalid=true]", "[autofocus]", "[data-close]"];
    wanted.map((selector) => dialog.querySelector(selector)).find(Boolean)?.focus();
  }).observe(dialog, { childList: true });

  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    if (document.activeElement !== document.body) return;
    // The table was filled in meanwhile, and the link in it replaced by an equal one.
    [...document.links].find((link) => link.href === opener?.href)?.focus();
  });

  document.addEventListener("click", (event) => {
    opener = event.target.closest("a[hx-target='#dialog']") || opener;
    if (event.target.closest("[data-dismiss]")) banner.hidden = true;
    if (event.target.closest("[data-close]") && dialog.open) {
      event.preventDefault();
      dialog.close();
    }
  });

  const closeSwitchers = (inside) => {
    for (const open of document.querySelectorAll(".switcher[open]")) {
      if (!open.contains(inside)) open.open = false;
    }
  };
  document.addEventListener("htmx:afterSettle", ({ target }) => {
    if (target.matches(".switcher-menu")) target.querySelector("input[type=search]")?.focus();
  });
  for (const name of ["click", "focusin"]) {
    document.addEventListener(name, ({ target }) => closeSwitchers(target));
  }
  document.addEventListener("keydown", ({ key }) => {
    const open = document.querySelector(".switcher[open]");
    if (key !== "Escape" || !open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });

  document.addEventListener("change", ({ target }) => {
    const form = target.dataset.pickAll;
    if (!form) return;
    for (const box of document.querySelectorAll(`input[type=checkbox][form="${form}"]`)) box.checked = target.checked;
  });

  // htmx takes leave of each element that goes, with two events: of fifty rows for 0.15 s on a phone.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (!detail.shouldSwap || detail.target.id !== "results") return;
    detail.target.querySelector("tbody")?.replaceChildren();
  });

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => {
      (dialog.open ? dialog : document.body).prepend(banner);
      banner.hidden = false;
    });
  }
})();
