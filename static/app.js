// Niceties of the dashboard. Every page works without this file.
(function () {
  "use strict";

  const all = (sel, root) => Array.from((root || document).querySelectorAll(sel));
  const one = (sel, root) => (root || document).querySelector(sel);
  const on = (type, handler) => document.addEventListener(type, handler);
  const say = (text) => { const el = one("#said"); if (el) el.textContent = text; };

  // Theme. theme.js set it before the first paint.
  function setTheme(choice) {
    try { localStorage.setItem("theme", choice); } catch (e) { /* storage is off: it lasts until the next page */ }
    applyTheme(choice);
  }
  function applyTheme(choice) {
    const root = document.documentElement;
    const dark = choice === "dark" || (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.classList.toggle("dark", dark);
    root.classList.toggle("light", !dark);
    root.dataset.theme = choice;
    all("[data-theme-set]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.themeSet === choice)));
  }
  applyTheme(document.documentElement.dataset.theme || "system");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (document.documentElement.dataset.theme === "system") applyTheme("system");
  });

  // Copying.
  async function copy(button) {
    const from = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
    const text = from ? from.textContent : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch (e) {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.classList.add("done");
    say("Copied");
    const label = button.title;
    button.title = "Copied";
    setTimeout(() => { button.classList.remove("done"); button.title = label; }, 1400);
  }

  // Asking before what cannot be undone.
  function ask(el, go) {
    const dialog = one("#confirm");
    if (!dialog || !dialog.showModal) return go();
    one("#confirm-text").textContent = el.dataset.confirm;
    one("#confirm-detail").textContent = el.dataset.confirmDetail || "";
    one("#confirm-yes").textContent = el.dataset.confirmYes || "Confirm";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") go(); }, { once: true });
    dialog.showModal();
  }
  on("submit", (e) => {
    const form = e.target, button = e.submitter;
    if (form.matches("[data-needs-one]") && !one("input:checked", form)) {
      e.preventDefault();
      say("Choose at least one endpoint");
      const first = one("input:not(:disabled)", form);
      if (first) { first.setCustomValidity("Choose at least one endpoint."); first.reportValidity(); }
      return;
    }
    const asking = button && button.dataset.confirm ? button : form.dataset.confirm ? form : null;
    if (asking && !form.dataset.asked) {
      e.preventDefault();
      ask(asking, () => { form.dataset.asked = "1"; form.requestSubmit(button || undefined); });
      return;
    }
    delete form.dataset.asked;
    if (form.method === "post") {
      if (form.dataset.sent) return e.preventDefault();
      form.dataset.sent = "1";
      if (button) setTimeout(() => button.classList.add("busy"), 150);
    }
    if (form.matches("[data-filters]")) {
      all("input", form).forEach((i) => { i.disabled = i.value === ""; });
      // A page that comes back from the history must have its fields again.
      setTimeout(() => all("input", form).forEach((i) => { i.disabled = false; }), 0);
    }
  });

  // A page that the history brings back may be sent from again, as a new one.
  addEventListener("pageshow", (e) => {
    if (!e.persisted) return;
    all("[name=form_token]").forEach((i) => { i.value += "+"; });
    all("[data-sent]").forEach((f) => delete f.dataset.sent);
    all(".busy").forEach((b) => b.classList.remove("busy"));
  });

  // Selection.
  function boxes(list) { return all("tbody .pick", list); }
  function counted(list) {
    const picked = boxes(list).filter((b) => b.checked).length;
    const label = one("[data-bulk-count]", list);
    if (label) label.textContent = picked + " selected on this page";
    const head = one("[data-pick-all]", list);
    if (head) {
      head.checked = picked > 0 && picked === boxes(list).length;
      head.indeterminate = picked > 0 && !head.checked;
    }
  }
  let lastPicked = null;
  on("click", (e) => {
    const box = e.target.closest(".pick");
    if (!box) return;
    const list = box.closest("[data-list]"), row = boxes(list);
    if (e.shiftKey && lastPicked && row.includes(lastPicked)) {
      const [a, b] = [row.indexOf(lastPicked), row.indexOf(box)].sort((x, y) => x - y);
      row.slice(a, b + 1).forEach((r) => { r.checked = box.checked; });
    }
    lastPicked = box;
    counted(list);
  });
  on("change", (e) => {
    const t = e.target;
    if (t.matches("[data-pick-all]")) {
      const list = t.closest("[data-list]");
      boxes(list).forEach((b) => { b.checked = t.checked; });
      counted(list);
    }
    if (t.matches("[data-submit]") && pointed) t.form.requestSubmit();
    if (t.closest("[data-needs-one]")) all("input", t.form).forEach((i) => i.setCustomValidity(""));
  });
  // Radio buttons that submit do so for the pointer only: arrow keys walk them.
  let pointed = false;
  on("pointerdown", () => { pointed = true; });

  on("click", (e) => {
    const t = e.target.closest("button, summary");
    if (t) {
      if (t.dataset.copy !== undefined || t.dataset.copyFrom) copy(t);
      if (t.dataset.themeSet) setTheme(t.dataset.themeSet);
      if (t.dataset.dialog) one("#" + t.dataset.dialog).showModal();
      if (t.dataset.close !== undefined) t.closest("dialog").close();
      if (t.dataset.dismiss !== undefined) t.closest("[data-flash]").remove();
      if (t.matches("summary[aria-disabled=true]")) e.preventDefault();
    }
    if (e.target.matches("dialog")) e.target.close();
    all(".menu details[open], details.menu[open], .bottom details[open]").forEach((d) => {
      if (!d.contains(e.target)) d.open = false;
    });
  });

  // Keyboard.
  const row = () => one("tr.at");
  function move(step) {
    const rows = all("[data-list] tbody tr");
    if (!rows.length) return;
    const now = rows.indexOf(row());
    const next = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + step))];
    if (row()) row().classList.remove("at");
    next.classList.add("at");
    next.scrollIntoView({ block: "nearest" });
    const link = one(".open", next);
    if (link) link.focus({ preventScroll: true });
  }
  function replay() {
    const target = row() ? one('[data-row-replay]', row()) : one("button[data-replay], details[data-replay] > summary");
    if (target && !target.disabled) target.click();
  }
  const keys = {
    "/": () => { const s = one("[data-search]") || one("[data-filters] summary"); if (s) s.focus(); },
    "?": () => one("#help") && one("#help").showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: () => { const b = row() && one(".pick", row()); if (b) { b.checked = !b.checked; counted(b.closest("[data-list]")); } },
    r: replay,
  };
  let going = 0;
  on("keydown", (e) => {
    pointed = false;
    if (e.key === "Escape") {
      all("details[open].menu, .menu details[open], .bottom details[open]").forEach((d) => { d.open = false; one("summary", d).focus(); });
      if (e.target.matches("[data-search]")) e.target.blur();
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, dialog")) return;
    if (Date.now() - going < 1200) {
      going = 0;
      const link = one('.nav a[data-key="' + CSS.escape(e.key) + '"]');
      if (link) { e.preventDefault(); location.href = link.href; }
      return;
    }
    if (e.key === "g") { going = Date.now(); return; }
    const act = keys[e.key];
    if (act) { e.preventDefault(); act(); }
  });

  // Times: words that stay true, and the local time on hover.
  function ago(ms) {
    const late = ms < 0, d = Math.floor(Math.abs(ms) / 1000);
    if (late && d < 1) return "now";
    if (!late && d < 2) return "just now";
    const words = d < 60 ? d + " s" : d < 3600 ? Math.floor(d / 60) + " min" : d < 86400 ? Math.floor(d / 3600) + " h"
      : d < 1209600 ? Math.floor(d / 86400) + " d" : "";
    if (!words) return "";
    return late ? "in " + words : words + " ago";
  }
  // The server's clock counts: words are counted on from what it wrote.
  const loaded = Date.now();
  const serverNow = () => skew === null ? null : Date.now() + skew;
  let skew = null;
  const meta = one("meta[name=server-time]");
  if (meta) skew = Date.parse(meta.content) - loaded;
  setInterval(() => {
    const now = serverNow();
    if (now === null || document.hidden) return;
    all("time[data-ago]").forEach((t) => {
      const words = ago(now - Date.parse(t.dateTime));
      if (words && words !== t.textContent) t.textContent = words;
    });
  }, 10000);
  on("pointerover", (e) => {
    const t = e.target.closest && e.target.closest("time");
    if (!t || t.dataset.local) return;
    t.dataset.local = "1";
    const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" }).format(new Date(t.dateTime));
    t.title += "\n" + local;
  });

  // What a column of a chart holds.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  on("pointermove", (e) => {
    const column = e.target.closest && e.target.closest("[data-tip]");
    tip.hidden = !column;
    if (!column) return;
    tip.textContent = column.dataset.tip;
    const box = tip.getBoundingClientRect();
    place(Math.min(e.clientX + 14, innerWidth - box.width - 8), Math.max(8, e.clientY - box.height - 12));
  });
  function place(x, y) { tip.style.left = x + "px"; tip.style.top = y + "px"; }

  // A refresh of a part keeps what was opened in it, and waits while someone
  // reads or chooses there.
  const opened = new Map();
  on("htmx:beforeRequest", (e) => {
    const el = e.target, chosen = getSelection();
    if (document.hidden || (chosen && !chosen.isCollapsed && el.contains(chosen.anchorNode))) e.preventDefault();
  });
  on("htmx:beforeSwap", () => {
    all("details[id]").forEach((d) => opened.set(d.id, d.open));
  });
  on("htmx:afterSettle", () => {
    opened.forEach((open, id) => { const d = document.getElementById(id); if (d) d.open = open; });
    opened.clear();
  });
  // A session that has ended shows as a redirect to the log-in.
  on("htmx:responseError", (e) => { if (e.detail.xhr.status === 401) location.reload(); });

  // A replay job tells its progress as it goes. While it does, the page asks
  // for itself only when something other than a number changed, and now and then
  // for the number of dead letters.
  const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
  function length(s) {
    const two = (a, au, b, bu) => a + " " + au + (b ? " " + b + " " + bu : "");
    s = Math.max(1, Math.round(s));
    if (s < 60) return s + " s";
    if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
    if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor(s % 3600 / 60), "min");
    return two(Math.floor(s / 86400), "d", Math.floor(s % 86400 / 3600), "h");
  }
  function pace(n) { return n > 0 ? (n < 10 ? String(Math.round(n * 10) / 10) : number(Math.round(n))) + "/s" : "\u2013"; }
  function portion(n, of) {
    if (!(of > 0)) return "\u2013";
    const p = Math.floor(n / of * 1000) / 10;
    return (n >= of ? 100 : n > 0 ? Math.max(p, 0.1) : p) + " %";
  }
  let stream = null, refused = false, told = 0;
  function follow() {
    const job = one("#replay[data-stream]");
    if (stream && (!job || stream.url !== new URL(job.dataset.stream, location.href).href)) { stream.close(); stream = null; }
    if (!job || stream || refused || !window.EventSource) return;
    const source = stream = new EventSource(job.dataset.stream);
    const news = (e) => {
      told = Date.now();
      let state;
      try { state = JSON.parse(e.data); } catch (err) { return; }
      progress(state);
    };
    source.addEventListener("progress", news);
    source.addEventListener("end", (e) => { news(e); source.close(); stream = null; told = 0; renew(); });
    source.onerror = () => { told = 0; if (source.readyState === EventSource.CLOSED) { stream = null; refused = true; } };
  }
  let renewed = 0;
  function renew() {
    const job = one("#replay[hx-get]");
    if (!job || !window.htmx || Date.now() - renewed < 400) return;
    renewed = Date.now();
    htmx.trigger(job, "refresh");
  }
  function progress(state) {
    const job = one("#replay"), p = state.progress;
    if (!job || !p) return;
    const put = (name, text) => all('[data-live="' + name + '"]', job).forEach((el) => { if (el.textContent !== text) el.textContent = text; });
    ["processed", "succeeded", "failed", "skipped"].forEach((name) => put(name, number(p[name])));
    put("remaining", number(Math.max(p.total - p.processed, 0)));
    put("retrying", p.retrying > 0 ? number(p.retrying) + " to be tried again" : "");
    put("share", portion(p.processed, p.total));
    put("rate", pace(p.rate));
    put("left", p.seconds_left > 0 ? "about " + length(p.seconds_left) + " left" : "\u2026");
    const whole = Math.max(p.total, 1);
    let x = 0;
    [["succeeded", p.succeeded], ["failed", p.failed], ["skipped", p.skipped + (p.discarded || 0)]].forEach(([name, n]) => {
      const part = one('[data-part="' + name + '"]', job);
      const w = Math.min(n > 0 ? Math.max(n / whole * 1000, 3) : 0, 1000 - x);
      if (part) { part.setAttribute("x", x.toFixed(2)); part.setAttribute("width", w.toFixed(2)); }
      x += w;
    });
    const bar = one("[data-progress]", job);
    if (bar) bar.setAttribute("aria-valuenow", String(Math.min(p.processed, whole)));
    document.title = document.title.replace(/^(\d+ % · )?/, state.status === "running" && p.total > 0 ? Math.floor(p.processed / p.total * 100) + " % · " : "");
    if (state.status !== job.dataset.status) renew();
    else if (p.failed + p.retrying !== Number(job.dataset.faults) && Date.now() - renewed > 3000) renew();
  }
  follow();
  on("htmx:afterSettle", follow);
  on("htmx:beforeRequest", (e) => {
    if (e.target.id !== "replay" || e.defaultPrevented) return;
    const since = Date.now() - renewed;
    if (Date.now() - told < 15000 && since > 300 && since < 10000) e.preventDefault();
    else renewed = Date.now();
  });

  // Leaving a form that was typed into.
  let dirty = false;
  on("input", (e) => { if (e.target.closest("[data-guard]")) dirty = true; });
  on("submit", () => { dirty = false; });
  addEventListener("beforeunload", (e) => { if (dirty) e.preventDefault(); });
})();
