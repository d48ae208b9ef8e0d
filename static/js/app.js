// The dialog opens when htmx fills it. Everything here has a way without JavaScript.
(() => {
  "use strict";
  const dialog = document.getElementById("dialog");
  const banner = document.getElementById("no-answer");
  const said = document.getElementById("said"); // read aloud, not seen
  let opener = null;

  // While an act is on its way, closing its dialog would look like calling it off.
  const isSending = () => dialog.querySelector("form[hx-post].htmx-request");

  new MutationObserver(() => {
    if (!dialog.querySelector("[data-dialog-content]")) return;
    if (!dialog.open) dialog.showModal();
    const wanted = ["[aria-invalid=true]", "input[name^=typed]", "[autofocus]", "[data-close]"];
    wanted.map((selector) => dialog.querySelector(selector)).find(Boolean)?.focus();
  }).observe(dialog, { childList: true });

  dialog.addEventListener("cancel", (event) => {
    if (isSending()) event.preventDefault();
  });
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
      if (!isSending()) dialog.close();
    }
  });

  // The address holds the view, without the filters that are not in use.
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.verb !== "get") return;
    for (const [name, value] of [...detail.formData]) {
      if (value === "") detail.formData.delete(name);
    }
  });

  // The page after a success is swapped in (HX-Location). Until then its button can't be pressed again.
  document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
    if (detail.xhr.getResponseHeader("HX-Location")) detail.keepIndicators = true;
  });
  document.addEventListener("htmx:afterSettle", ({ target }) => {
    if (target.id !== "main") return;
    dialog.close();
    (target.querySelector(".flash") ?? target).focus();
  });

  // What was selected stays selected when the table is filled in.
  let selected = [];
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const boxes = detail.target.querySelectorAll("input[type=checkbox][form]:checked");
    selected = [...boxes].map((box) => box.id).filter(Boolean);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of selected.splice(0)) {
      const box = document.getElementById(id);
      if (box) box.checked = true;
    }
  });

  const closeSwitchers = (inside) => {
    for (const open of document.querySelectorAll("[data-menu][open]")) {
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
    const open = document.querySelector("[data-menu][open]");
    if (key !== "Escape" || !open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy); // absent without TLS
      button.dataset.copied = "yes";
    } catch {
      button.dataset.copied = "no";
    }
    said.textContent = said.dataset[button.dataset.copied];
    setTimeout(() => delete button.dataset.copied, 2000);
  });

  // The server compares the name as well, and decides.
  document.addEventListener("input", ({ target }) => {
    const wanted = target.form?.querySelector(".to-type");
    if (!wanted || !/^typed/.test(target.name)) return;
    target.form.classList.toggle("matches", target.value === wanted.textContent);
  });

  document.addEventListener("change", ({ target }) => {
    const form = target.dataset.pickAll;
    if (!form) return;
    for (const box of document.querySelectorAll(`input[type=checkbox][form="${form}"]`)) box.checked = target.checked;
  });

  // "/", Ctrl-K and "?" open the jump palette; arrows move through its results, which are links.
  const isTyping = (target) => target.closest("input, select, textarea, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    const jump = document.querySelector("[data-jump]");
    const opens = ctrlKey || metaKey ? key === "k" : !altKey && !isTyping(target) && (key === "/" || key === "?");
    if (!opens || !jump || dialog.open) return;
    event.preventDefault();
    const field = document.querySelector("main #jump-q"); // one in the dialog may be on its way out
    if (field) field.focus();
    else {
      htmx.trigger(dialog, "htmx:abort"); // of another dialog, asked for before
      htmx.ajax("GET", `${jump.href}?palette=1`, { source: dialog, target: "#dialog", swap: "innerHTML" });
    }
  });

  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const place = event.target.closest(".jump");
    if (!step || !place) return;
    event.preventDefault();
    const stops = [...place.querySelectorAll("#jump-q, .hits a")];
    stops[Math.min(Math.max(stops.indexOf(event.target) + step, 0), stops.length - 1)].focus();
  });

  const showBanner = (isAct) => {
    banner.toggleAttribute("data-act", isAct || (!banner.hidden && banner.hasAttribute("data-act")));
    (dialog.open ? dialog : document.body).prepend(banner);
    banner.hidden = false;
  };
  const asksItself = ({ elt, triggeringEvent }) => !triggeringEvent && /\bevery\b/.test(elt.getAttribute("hx-trigger"));

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { target, xhr, requestConfig } = detail;
    if (xhr.status >= 400) {
      // What asks again by itself goes on asking; a table keeps its place, and the names that it has.
      if (xhr.status === 503 && asksItself(requestConfig)) {
        detail.shouldSwap = false;
        showBanner(false);
      } else if (target.id === "results") {
        detail.swapOverride = requestConfig.triggeringEvent ? "innerHTML" : "afterbegin";
      }
      return;
    }
    if (!banner.hasAttribute("data-act")) banner.hidden = true;
    // htmx takes leave of each element that goes, with two events: of fifty rows for 0.15 s on a phone.
    // Not with the focus in them, which it gives back afterwards.
    const rows = ["results", "main"].includes(target.id) && target.querySelector("tbody");
    if (detail.shouldSwap && rows && !rows.contains(document.activeElement)) rows.replaceChildren();
  });
  document.addEventListener("htmx:afterSettle", ({ target }) => {
    if (target.id === "results") said.textContent = target.querySelector(".count")?.textContent.trim() ?? "";
  });

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, ({ detail }) => {
      const { headers, path, verb } = detail.requestConfig;
      if (headers["HX-Boosted"]) return location.assign(path); // the act is done: load its page in full
      showBanner(verb !== "get" && !asksItself(detail.requestConfig));
    });
  }

  // A search changes the address: what leads back here leads to the new one.
  let isElsewhere = false;
  for (const name of ["htmx:pushedIntoHistory", "htmx:replacedInHistory"]) {
    document.addEventListener(name, () => (isElsewhere = true));
  }
  document.addEventListener("submit", ({ target }) => {
    if (!isElsewhere) return;
    const here = location.pathname + location.search;
    if (target.matches(".pin")) target.elements.next.value = here;
    if (target.matches(".language")) target.action = `${target.action.split("?")[0]}?next=${encodeURIComponent(here)}`;
  });
})();
