// The run sheet as time goes on: asking for changes, what is not touched meanwhile, ages and timers, what is announced.
"use strict";

(() => {
  const { $, $$, say } = window.runsheet;
  const board = () => $("#board");

  // --- the server's clock -------------------------------------------------------------------------------------------

  let ahead = 0;  // seconds by which the server's clock is ahead of this one
  const now = () => Date.now() / 1000 + ahead;
  const correct = (epoch) => { if (epoch > 0) ahead = epoch - Date.now() / 1000; };
  correct(Number(board()?.dataset.now));

  // --- words: the same as web/words.py --------------------------------------------------------------------------------

  function duration(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min`;
    if (whole >= 2 * 86400) return `${Math.floor(whole / 86400)} days`;
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor((whole % 3600) / 60);
    return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  }

  const forWords = (seconds, least) => (seconds < 60 ? (least ? "" : "just now") : least + duration(seconds));

  function ago(seconds) {
    if (seconds < 10) return "just now";
    if (seconds < 60) return `${Math.floor(seconds / 10) * 10} s ago`;
    return `${duration(seconds)} ago`;
  }

  /** live, ageing at 1.5 intervals, stale at 2; broken where a person must act: domain/freshness.py. */
  function wordOf(data) {
    if (data.word === "none") return "none";
    if (data.broken !== undefined) return "broken";
    if (!data.swept) return "never";
    const intervals = (now() - Number(data.swept)) / Number(data.interval || 1);
    return intervals >= 2 ? "stale" : intervals >= 1.5 ? "ageing" : "live";
  }

  const WORDS = { live: "Live", ageing: "Ageing", stale: "Stale", broken: "Broken", never: "Never read", none: "Not connected" };

  function ageWords(word, swept) {
    if (word === "never" || word === "none") return WORDS[word];
    const read = word === "live" ? "" : "read ";
    return swept ? `${WORDS[word]}, ${read}${ago(now() - Number(swept))}` : `${WORDS[word]}, never read`;
  }

  const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

  // --- ages and timers --------------------------------------------------------------------------------------------------

  const OLD = new Set(["stale", "broken", "never"]);
  const LATE_AFTER_S = 300;
  let formatter = null;

  function timeOfDay() {
    const zone = $("[data-clock]")?.dataset.zone;
    formatter ??= new Intl.DateTimeFormat("en-AU", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });
    return formatter.format(new Date(now() * 1000));
  }

  function drawAges() {
    const data = board().dataset;
    const word = wordOf(data);
    const fresh = $("[data-fresh]");
    if (offline) {
      fresh.dataset.word = "offline";
      put($("span", fresh), navigator.onLine ? "No answer, trying again" : "Offline");
    } else {
      fresh.dataset.word = word;
      put($("span", fresh), ageWords(word, data.swept));
    }
    const old = $("[data-old-notice]");
    if (old) old.hidden = word !== "stale";
    document.body.classList.toggle("needs-sync", OLD.has(word) && word !== "broken");
    for (const group of $$("[data-group]")) {
      const own = wordOf(group.dataset);
      group.dataset.word = own;
      put($("[data-age]", group), own === "live" ? "" : ageWords(own, group.dataset.swept));
    }
  }

  function drawTimers() {
    for (const timer of $$("[data-since]")) {
      const word = timer.closest("[data-group]")?.dataset.word;
      const least = timer.dataset.least !== undefined || OLD.has(word) ? "at least " : "";
      put(timer, forWords(now() - Number(timer.dataset.since), least));
    }
    for (const due of $$("[data-due]")) {
      const over = now() - Number(due.dataset.due);
      due.closest("tr, .status-line").classList.toggle("is-late", over >= LATE_AFTER_S);
      put(due, over >= LATE_AFTER_S ? `, late ${duration(over)}` : "");
    }
  }

  function drawLine() {
    const time = timeOfDay();
    put($("[data-clock]"), time);
    if (board().dataset.today === undefined) return;
    for (const body of $$(".group > table > tbody")) {
      let before = true;
      for (const row of body.rows) {
        const first = before && Number(row.dataset.start) > now();
        row.classList.toggle("line", first);
        if (first) row.cells[0].dataset.now = time;
        before &&= !first;
      }
    }
  }

  function draw() {
    if (!board()) return;
    drawAges();
    drawTimers();
    drawLine();
    for (const toast of $$("[data-until]")) toast.hidden = now() > Number(toast.dataset.until);
  }

  // --- asking for changes -------------------------------------------------------------------------------------------------

  const IDLE_MS = 60_000;
  const IDLE_POLL_MS = 14_000;  // every third beat of 5 s
  const HOLD_MS = 10_000;
  const EDIT_MS = 60_000;
  let lastUse = Date.now();
  let lastPoll = 0;
  let lastTyped = 0;
  let paused = false;
  let offline = !navigator.onLine;
  let failures = 0;
  let forced = false;

  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "scroll", "touchstart"]) {
    addEventListener(kind, () => { lastUse = Date.now(); }, { passive: true, capture: true });
  }
  addEventListener("input", () => { lastTyped = Date.now(); }, true);

  const field = (element) => element?.matches?.("input:not([type=hidden]), textarea, select");
  const editing = () => board().contains(document.activeElement) && field(document.activeElement) && Date.now() - lastTyped < EDIT_MS;

  /** Ask now, whatever the page has seen. */
  function refresh() {
    if (!board()) return;
    forced = true;
    htmx.trigger(board(), "board-now");
  }

  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, headers } = event.detail;
    if (!board()?.contains(elt)) return;
    headers["X-Find"] = encodeURIComponent($("#find")?.value ?? "");
    if (elt.id === "board" && forced) event.detail.path = event.detail.path.replace(/([?&]seen=)[^&]*/, "$1");
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id !== "board") return;
    const idle = Date.now() - lastUse > IDLE_MS && Date.now() - lastPoll < IDLE_POLL_MS;
    const wanted = forced || event.detail.requestConfig.triggeringEvent?.type === "appointment-changed";
    if (document.hidden || editing() || (!wanted && (paused || idle))) {
      event.preventDefault();
      return;
    }
    forced = false;
    lastPoll = Date.now();
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, elt } = event.detail;
    correct(Number(xhr.getResponseHeader?.("X-Now")));
    if (elt.id !== "board") return;
    if (xhr.status > 0 && xhr.status < 500) answered();
  });

  function answered() {
    failures = 0;
    setOffline(!navigator.onLine);
  }

  for (const kind of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(kind, (event) => {
      if (event.detail.elt.id !== "board" || (event.detail.xhr?.status ?? 0) in { 400: 1, 403: 1, 404: 1 }) return;
      failures += 1;
      setOffline(!navigator.onLine || failures > 1);
    });
  }

  function setOffline(is) {
    if (is !== offline) {
      offline = is;
      say(is ? "Offline. What you see does not change until the connection is back." : "Connected again.");
    }
    document.body.classList.toggle("offline", offline);
    for (const button of $$(".do button, .toast button, [data-sync], .notice button")) button.disabled = offline;
    draw();
  }

  addEventListener("offline", () => setOffline(true));
  addEventListener("online", () => { failures = 0; setOffline(false); refresh(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { lastUse = Date.now(); refresh(); draw(); } });
  addEventListener("pageshow", (event) => { if (event.persisted) refresh(); });

  const pause = $("[data-pause]");
  if (pause && board()) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      put(pause, paused ? "Paused" : "Pause");
      if (!paused) refresh();
    });
  }

  document.addEventListener("sync-asked", () => { lastUse = Date.now(); });

  // --- search -----------------------------------------------------------------------------------------------------------------

  let typing = 0;
  $("[data-find]")?.addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
  $("#find")?.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(refresh, 250); });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-clear]") && $("#find")) $("#find").value = "";
  }, true);

  // --- what an update leaves alone ----------------------------------------------------------------------------------------------

  let boardSwap = false;
  let focusedRow = null;

  /** Why this row must not change under somebody's hands; "" where it may. */
  function busy(row) {
    if (row.querySelector(".note-form")) return "note";
    if (row.querySelector("details[open]")) return "menu";
    const selection = getSelection();
    if (selection && !selection.isCollapsed && row.contains(selection.anchorNode)) return "selection";
    return row.contains(document.activeElement) && Date.now() - lastUse < HOLD_MS ? "focus" : "";
  }

  function hold(row) {
    const count = Number(row.dataset.held || 0) + 1;
    row.dataset.held = count;
    let mark = $(".held", row);
    if (!mark) {
      mark = document.createElement("button");
      mark.type = "button";
      mark.className = "held";
      mark.addEventListener("click", () => { release(row); });
      $(".do", row).prepend(mark);
    }
    mark.textContent = count === 1 ? "1 update held" : `${count} updates held`;
  }

  function release(row) {
    for (const menu of $$("details[open]", row)) menu.open = false;
    if (row.contains(document.activeElement)) document.activeElement.blur();
    lastUse = Date.now() - HOLD_MS;
    refresh();
  }

  Object.assign(Idiomorph.defaults.callbacks, {
    beforeNodeMorphed(old, fresh) {
      if (!boardSwap || old.nodeName !== "TR" || !old.id.startsWith("r-")) return true;
      if (!busy(old)) {
        delete old.dataset.held;
        return true;
      }
      if (fresh.dataset.v !== old.dataset.v) {
        if (old.dataset.seenV !== fresh.dataset.v) hold(old);
        old.dataset.seenV = fresh.dataset.v;
      }
      return false;
    },
    beforeNodeRemoved: (node) => !(boardSwap && node.nodeType === 1 && node.matches("[data-keep]")),
    beforeAttributeUpdated: (name, node) => !(name === "open" && node.nodeName === "DETAILS"),
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target } = event.detail;
    boardSwap = target?.id === "board";
    // Only for what can be typed into: a focused button would keep the word of a step that is past.
    Idiomorph.defaults.ignoreActiveValue = Boolean(field(document.activeElement));
    if (target?.matches?.("tr[id^=r-]")) $(`#${CSS.escape(target.id.replace("r-", "c-"))}`)?.remove();
    focusedRow = document.activeElement?.closest?.("tr[id]")?.id ?? null;
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    boardSwap = false;
    keepFocus();
    if (!board()) return;
    correct(Number(board().dataset.now));
    if (offline) setOffline(offline);
    draw();
    announce();
  });

  /** A row that folded away while it had the focus: the fold takes it. A form that went: the row's menu. */
  function keepFocus() {
    if (!focusedRow || (document.activeElement && document.activeElement !== document.body)) return;
    const row = document.getElementById(focusedRow);
    const fold = row?.closest("details.fold:not([open])");
    (fold ? $("summary", fold) : row && ($(".next", row) ?? $(".menu summary", row)))?.focus({ preventScroll: true });
  }

  // A row that was held and is free again takes what it missed.
  function releaseFree() {
    const due = Date.now() - lastPoll > 2000 || !$$("#board.htmx-request").length;
    if (due && $$("tr[data-held]").some((row) => !busy(row))) refresh();
  }
  document.addEventListener("focusout", () => setTimeout(releaseFree, 50));
  document.addEventListener("toggle", () => setTimeout(releaseFree, 50), true);

  // --- the spoken digest: counts, at most every 20 seconds ---------------------------------------------------------------------

  const SPEAK_MS = 20_000;
  let spoken = board()?.dataset.counts;
  let spokenAt = 0;
  let waiting = 0;

  function announce() {
    const counts = board().dataset.counts;
    if (counts === spoken || waiting) return;
    const speak = () => {
      waiting = 0;
      const latest = board()?.dataset.counts;
      if (!latest || latest === spoken) return;
      spoken = latest;
      spokenAt = Date.now();
      say(`The sheet changed: ${latest}.`);
    };
    const wait = spokenAt + SPEAK_MS - Date.now();
    if (wait <= 0) speak();
    else waiting = setTimeout(speak, wait);
  }

  // --- the beat --------------------------------------------------------------------------------------------------------------------

  setInterval(() => {
    if (document.hidden || !board()) return;
    draw();
    const again = Number(board().dataset.again);
    if (again && now() > again) { board().dataset.again = ""; refresh(); }
    if ($$("tr[data-held]").length) releaseFree();
  }, 1000);
  draw();
})();
