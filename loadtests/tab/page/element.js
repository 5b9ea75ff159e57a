// The tab as one element with its own styles, so that it lives in Locust's page as well as alone.
import { get, HEAL_LIMIT_MS, post, words } from "./ask.js";
import { table } from "./clocks.js";
import { forms } from "./controls.js";
import { el, fill, say } from "./dom.js";
import { legend, picture } from "./picture.js";
import { theme } from "./theme.js";
import { clock, value } from "./words.js";

const EVERY_MS = 1000;
const KEPT = 900;

class Delivery extends HTMLElement {
  samples = [];
  next = 0;
  minutes = window.innerWidth < 760 ? 2 : 5;
  last = null;

  connectedCallback() {
    if (!this.shadowRoot) this.build();
    this.alive = true;
    this.look();
    if (!this.offered) this.offer();
  }

  disconnectedCallback() {
    this.alive = false;
    clearTimeout(this.timer);
  }

  build() {
    const style = el("link", { rel: "stylesheet", href: new URL("delivery.css", import.meta.url) });
    const span = el("select", { id: "span", onchange: () => this.draw() }, [2, 5, 15].map((minutes) =>
      el("option", { value: minutes, selected: minutes === this.minutes }, `${minutes} minutes`)));
    const rates = [el("h2", {}, "Rates"), el("div", { id: "legend" }), el("label", { class: "span" }, "last ", span)];
    this.attachShadow({ mode: "open" }).append(
      style,
      el("div", { class: "bar" },
        el("p", { id: "now", role: "status" }, "Looking…"),
        el("button", { id: "heal", onclick: () => this.heal() }, "Heal everything")),
      el("p", { id: "trouble", role: "alert" }),
      el("p", { id: "message", role: "status" }),
      el("dl", { id: "figures" }),
      el("section", {}, el("div", { class: "head" }, rates), el("div", { id: "picture" })),
      el("div", { class: "columns" },
        el("section", { class: "wide" }, el("h2", {}, "Recovery clocks"), el("div", { id: "clocks" }),
          el("h2", {}, "Notes"), el("ul", { id: "notes" })),
        el("section", {}, el("h2", {}, "Break it"), el("div", { id: "forms" }, el("p", {}, "Looking…")))),
    );
    new ResizeObserver(() => this.draw()).observe(this.at("picture"));
  }

  at(name) {
    return this.shadowRoot.getElementById(name);
  }

  async look() {
    clearTimeout(this.timer);
    this.dataset.theme = theme();
    try {
      this.take(await get(`state?since=${this.next}`));
      this.show(this.last);
    } catch (error) {
      say(this.at("now"), words(error));
    }
    if (this.alive) this.timer = setTimeout(() => this.look(), EVERY_MS);
  }

  take(state) {
    if (state.next - state.samples.length !== this.next) this.samples = [];
    this.samples = [...this.samples, ...state.samples].slice(-KEPT);
    this.next = state.next;
    this.last = state;
  }

  show(state) {
    say(this.at("now"), doing(state));
    say(this.at("trouble"), [state.trouble, state.unreached].filter(Boolean).join(" "));
    fill(this.at("figures"), state.figures, (figures) => figures.map(card));
    fill(this.at("clocks"), [state.faults, state.watching], ([faults, watching]) => table(faults, watching));
    fill(this.at("notes"), state.notes.slice(-8).reverse(), (notes) =>
      notes.length ? notes.map((note) => el("li", {}, el("time", {}, clock(note.at_s)), note.text)) : [el("li", {}, "None.")]);
    for (const button of this.shadowRoot.querySelectorAll("button.start")) button.disabled = state.running !== null;
    this.draw();
  }

  draw() {
    const place = this.at("picture");
    if (!this.last || !place.clientWidth) return;
    const now = this.last.at_s;
    const shown = { samples: this.samples, faults: this.last.faults, now, width: place.clientWidth };
    this.minutes = Number(this.at("span").value);
    this.at("legend").replaceChildren(...legend(this.samples));
    place.replaceChildren(picture({ ...shown, minutes: this.minutes }));
  }

  async offer() {
    try {
      const catalogue = await get("catalogue");
      this.offered = true;
      this.at("forms").replaceChildren(...forms(catalogue, (path, body) => this.start(path, body)));
    } catch (error) {
      this.at("forms").replaceChildren(el("p", {}, words(error)));
      if (this.alive) setTimeout(() => this.alive && this.offer(), 5 * EVERY_MS);
    }
  }

  start(path, body) {
    return this.act(async () => `Started ${(await post(path, body)).started}.`);
  }

  heal() {
    this.at("heal").disabled = true;
    say(this.at("message"), "Healing…");
    return this.act(async () => healed(await post("heal", {}, HEAL_LIMIT_MS)));
  }

  async act(doing) {
    const message = this.at("message");
    try {
      say(message, await doing());
      message.className = "";
    } catch (error) {
      say(message, words(error));
      message.className = "bad";
    }
    this.at("heal").disabled = false;
    this.look();
  }
}

function card({ label, bad, words: why, ...figure }) {
  const shown = [bad && el("span", { "aria-hidden": "true" }, "⚠ "), value(figure)];
  const known = figure.value == null ? "unknown" : "";
  return el("div", { class: `card ${bad ? "bad" : known}`, "data-name": figure.name },
    el("dt", {}, label), el("dd", {}, el("b", {}, shown), el("span", {}, why)));
}

function doing(state) {
  const load = state.run ? `Load ${state.run}: ${state.load}.` : "No load yet.";
  if (state.running) return `${load} Now: ${state.running.kind} ${state.running.name}.`;
  if (state.watching) return `${load} Watching the recovery from ${state.watching}.`;
  return `${load} Nothing is broken from here.`;
}

function healed(answer) {
  const what = [...answer.healed, ...answer.found_broken];
  const words = what.length ? `Healed and read back: ${what.join(", ")}.` : "Nothing was broken.";
  return answer.stopped ? `Stopped ${answer.stopped}. ${words}` : words;
}

customElements.define("mailstorm-delivery", Delivery);
