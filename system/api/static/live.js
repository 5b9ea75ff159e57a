// Keeps the regions marked data-live up to date: fetches this page again and takes over what has changed in it.
// So the server alone knows how things look. A region's direct children are the smallest unit: an unchanged one is
// left alone, with its focus and whatever was typed into it. Without this script the pages work, and stand still.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const SLOWEST_MS = 30000;
  const TIMEOUT_MS = 10000;
  const regions = [...document.querySelectorAll("[data-live]")];
  if (!regions.length) return;

  const news = document.getElementById("news");
  const words = document.getElementById("live-words");
  const toggle = document.getElementById("live-toggle");
  // How each child came from the server: its present form may hold what the user did to it.
  const received = new WeakMap();
  let timer = 0;
  let failures = 0;
  let paused = false;

  const remember = (child) => received.set(child, child.outerHTML);

  function merge(region, fresh) {
    const old = new Map([...region.children].map((child) => [child.id, child]));
    const next = [...fresh.children].map((child) => {
      const known = old.get(child.id);
      if (known && received.get(known) === child.outerHTML) return known;
      const node = document.importNode(child, true);
      remember(node);
      return node;
    });
    const same = next.length === region.children.length && next.every((node, n) => node === region.children[n]);
    if (same) return;
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    region.replaceChildren(...next);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function told() {
    return new Map([...document.querySelectorAll("[data-news]")].map((node) => [node.id, node.dataset.news]));
  }

  function announce(before) {
    const changed = [...told()].filter(([id, text]) => before.has(id) && before.get(id) !== text);
    if (changed.length) news.textContent = changed.map(([, text]) => text).join("; ");
  }

  function say(text) {
    if (words.textContent !== text) words.textContent = text;
  }

  async function look() {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(window.location.href.split("#")[0], { headers: { Accept: "text/html" }, signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const pairs = regions.map((region) => [region, page.getElementById(region.id)]);
    if (pairs.some(([, fresh]) => !fresh)) throw new Error(`answered ${answer.status}`);
    if (paused) return;
    const before = told();
    for (const [region, fresh] of pairs) merge(region, fresh);
    announce(before);
  }

  async function turn() {
    timer = 0;
    try {
      await look();
      failures = 0;
      if (!paused) say("Live: this page follows what happens.");
    } catch (error) {
      failures += 1;
      if (!paused) say(`Not live: the server does not answer as it should (${error.message}). Trying again.`);
    }
    plan(Math.min(SLOWEST_MS, EVERY_MS * 2 ** failures));
  }

  function plan(wait) {
    window.clearTimeout(timer);
    timer = 0;
    if (!paused && !document.hidden) timer = window.setTimeout(turn, wait);
  }

  toggle.addEventListener("click", () => {
    paused = !paused;
    toggle.textContent = paused ? "Resume live updates" : "Pause live updates";
    say(paused ? "Paused: this page stands still." : "Live: this page follows what happens.");
    plan(0);
  });
  // A tab that nobody sees asks for nothing, and looks at once when it is seen again.
  document.addEventListener("visibilitychange", () => plan(0));

  for (const region of regions) [...region.children].forEach(remember);
  document.getElementById("live").hidden = false;
  plan(EVERY_MS);
})();
