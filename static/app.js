// What every page needs beside htmx: menus, the panel, drafts, and what to say when something fails.
// Without it every link and form still works.
"use strict";

(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- saying things ---------------------------------------------------------------------------------------------

  const polite = $("#polite");

  /** Say one thing to a screen reader, without moving the focus. */
  function say(text) {
    if (!polite) return;
    polite.textContent = "";
    requestAnimationFrame(() => { polite.textContent = text; });
  }

  /** An own action failed: say it at once and let it stand until it is dismissed. */
  function fail(text) {
    const place = $("#failed");
    const box = document.createElement("div");
    const words = document.createElement("span");
    const button = document.createElement("button");
    words.textContent = text;
    button.type = "button";
    button.textContent = "Close";
    button.addEventListener("click", () => box.remove());
    box.append(words, button);
    place.replaceChildren(box);
  }

  window.runsheet = { $, $$, say, fail };

  // --- menus: one open at a time, closed by Escape, a press elsewhere or a choice -----------------------------------

  function closeMenus(except) {
    for (const menu of $$("details.menu[open]")) if (menu !== except) menu.open = false;
  }

  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!menu.matches?.("details.menu") || !menu.open) return;
    closeMenus(menu);
    const box = $(".menu-box", menu);
    menu.classList.remove("row-up", "to-left");
    const under = box.getBoundingClientRect();
    if (under.right > document.documentElement.clientWidth) menu.classList.add("to-left");
    if (under.bottom > innerHeight && under.top - under.height > 60) menu.classList.add("row-up");
  }, true);

  document.addEventListener("click", (event) => {
    const menu = event.target.closest("details.menu");
    closeMenus(menu);
    if (menu && event.target.closest(".menu-box a")) menu.open = false;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = event.target.closest?.("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    $("summary", menu).focus();
  });

  // --- the panel: a page's own fragment beside the list -------------------------------------------------------------

  const panel = $("#panel");
  let cameFrom = null;

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-panel]");
    if (!link || !panel || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    cameFrom = link.closest("tr")?.id ?? null;
    htmx.ajax("GET", link.getAttribute("href"), { target: "#panel-body", swap: "innerHTML" });
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!panel?.contains(event.target) && event.target.id !== "panel-body") return;
    if (!$(".close", panel)) {
      const close = document.createElement("button");
      close.type = "button";
      close.className = "close";
      close.textContent = "Close";
      close.addEventListener("click", () => panel.close());
      panel.prepend(close);
    }
    restoreDrafts(panel);
    if (!panel.open) {
      panel.showModal();
      $("#panel-title", panel)?.focus();
    }
  });

  panel?.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
  panel?.addEventListener("close", () => {
    $("#panel-body").replaceChildren();
    if (cameFrom) $(`#${CSS.escape(cameFrom)} .who a`)?.focus();
  });

  // --- notes: typed in the row, and never lost ------------------------------------------------------------------------

  const drafts = new Map();

  document.addEventListener("input", (event) => {
    const key = event.target.dataset?.draft;
    if (key) drafts.set(key, event.target.value);
  });

  function restoreDrafts(root) {
    for (const area of $$("[data-draft]", root)) {
      const typed = drafts.get(area.dataset.draft);
      if (typed !== undefined && !area.hasAttribute("aria-invalid")) area.value = typed;
    }
  }

  /** Put the note's form into the row's own cell. */
  async function editNote(row) {
    const cell = $("td.note", row);
    if (!cell || $("form", cell)) return;
    await htmx.ajax("GET", `/appointments/${row.id.slice(2)}/note`, { source: cell, target: cell, swap: "innerHTML" });
    const area = $("textarea", cell);
    if (!area) return;
    restoreDrafts(cell);
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-note-of]");
    const cell = event.target.closest("td[data-note]");
    const cancel = event.target.closest("[data-cancel-note]");
    if (cancel) return endNote(cancel.closest("form"));
    if (link) event.preventDefault();
    if (link || (cell && !event.target.closest("form"))) editNote((link ?? cell).closest("tr"));
  });

  function endNote(form) {
    drafts.delete($("textarea", form).dataset.draft);
    const row = form.closest("tr");
    form.replaceWith($("textarea", form).defaultValue);
    $(".menu summary", row)?.focus();
  }

  document.addEventListener("keydown", (event) => {
    const form = event.target.closest?.("td .note-form");
    if (!form) return;
    if (event.key === "Escape") endNote(form);
    if (event.key === "Enter" && !event.shiftKey && event.target.matches("textarea")) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  addEventListener("beforeunload", (event) => {
    const dirty = $$("textarea[data-draft]").some((area) => area.value !== area.defaultValue);
    if (dirty) event.preventDefault();
  });

  // --- pressing: once is enough, and failing is told ------------------------------------------------------------------

  const buttonsOf = (element) => (element.matches?.("form") ? $$("button", element) : []);

  document.addEventListener("htmx:beforeRequest", (event) => {
    for (const button of buttonsOf(event.detail.elt)) button.setAttribute("aria-busy", "true");
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, successful, requestConfig } = event.detail;
    for (const button of buttonsOf(elt)) button.removeAttribute("aria-busy");
    const area = $("textarea[data-draft]", elt.matches?.("form") ? elt : document.createElement("p"));
    if (successful && requestConfig.verb === "post" && area) drafts.delete(area.dataset.draft);
    if (successful && elt.dataset?.settles) $(`#${CSS.escape(elt.dataset.settles)}`)?.remove();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.querySelector("button[aria-busy]")) {  // a second press while the first is on its way
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);

  const own = (event) => !["board", "sync-live"].includes(event.detail.elt.id);

  // A sync that is watched: not while nobody looks, and no longer once it is not there any more. A page that refreshes
  // itself when a sync has ended leaves alone what somebody is typing.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = event.detail;
    const typing = elt.matches("[data-refresh]") && $$("input", elt).some((field) => field.value !== field.defaultValue);
    if (typing || (elt.id === "sync-live" && document.hidden)) event.preventDefault();
  });

  document.addEventListener("htmx:responseError", (event) => {
    const { elt, xhr } = event.detail;
    if (elt.id === "sync-live" && xhr.status < 500) {
      const quiet = elt.cloneNode(false);
      for (const name of elt.getAttributeNames().filter((one) => one.startsWith("hx-"))) quiet.removeAttribute(name);
      elt.replaceWith(quiet);
    }
  });

  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    const token = xhr.getResponseHeader("X-CSRFToken");
    if (token) {
      document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
      for (const field of $$("input[name=csrf_token]")) field.value = token;
      fail("You signed in again in the meantime. Nothing was changed: press it once more.");
    } else if (own(event)) {
      const told = new DOMParser().parseFromString(xhr.responseText, "text/html").body.textContent.trim();
      fail(told.length < 400 && told ? told : "That did not work. Nothing was changed.");
    }
  });

  for (const kind of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(kind, (event) => {
      if (own(event)) fail("Runsheet could not be reached. Nothing was changed; what you typed is still here.");
    });
  }

  // Signed out with something half typed: keep it, and say where to sign in.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401) return;
    if (!$$("textarea[data-draft]").some((area) => area.value !== area.defaultValue)) return;
    event.preventDefault();
    fail("You were signed out. Your note is still here: sign in in another tab, then save it.");
  });

  document.addEventListener("click", (event) => {
    const dismiss = event.target.closest("[data-dismiss]");
    if (!dismiss) return;
    const gone = $(`#${CSS.escape(dismiss.dataset.dismiss)}`);
    const row = gone?.previousElementSibling;
    gone?.remove();
    (row && ($("button, summary", row)))?.focus();
  });

  $("[data-focus]")?.focus();
})();
