// The plan: what is in force, in sentences and as JSON, buttons for the usual faults, and an editor for any plan.

import { ask, words } from "/page/api.js";
import { byId, el } from "/page/dom.js";
import { does, outcome, pretty, scope, settings, told } from "/page/rules.js";
import { honest, onPlan, put } from "/page/strip.js";
import { OFTEN, USUAL } from "/page/usual.js";

const SEED = 1;
const root = byId("view-plan");
const faults = new Map();
const parts = {
  sentences: el("div", { id: "sentences" }),
  json: el("pre", { id: "plan-json", tabindex: 0, "aria-label": "The plan as JSON" }),
  often: el("select", { id: "often" }, OFTEN.map(([name], at) => el("option", { value: at }, name))),
  all: el("select", { id: "all-faults", onchange: explain }),
  about: el("div", { id: "about-fault" }),
  editor: el("textarea", { id: "editor", rows: 12, spellcheck: "false", "aria-describedby": "plan-said" }),
  said: el("p", { id: "plan-said", class: "said", role: "alert" }),
};
let plan = null;

export async function start() {
  onPlan((fresh) => { plan = fresh; draw(); });
  root.append(el("div", { class: "column" }, active(), editor()), el("div", { class: "column" }, usual(), every()));
  try {
    for (const fault of (await ask("/faults")).faults) faults.set(fault.name, fault);
  } catch (error) {
    tell(words(error));
  }
  parts.all.append(...[...faults.keys()].map((name) => el("option", { value: name }, name)));
  explain();
  draw();
}

// --- what is in force

function active() {
  return card("In force now", parts.sentences, el("h3", {}, "As JSON"), parts.json);
}

function draw() {
  if (!plan) return;
  const rules = plan.rules.map((rule) => el("li", {}, sentence(rule)));
  parts.sentences.replaceChildren(rules.length
    ? el("ol", { class: "rules" }, rules)
    : el("p", {}, "No rule: the sink is an honest server."));
  parts.json.textContent = pretty(plan);
  for (const button of root.querySelectorAll("[data-fault]")) {
    button.setAttribute("aria-pressed", plan.rules.some((rule) => does(rule, faults.get(rule.fault), button.dataset)));
  }
}

function sentence(rule) {
  const fault = faults.get(rule.fault);
  return [
    el("p", {}, el("strong", {}, rule.fault), ` ${scope(rule)}`),
    fault && about(fault, settings(rule, fault)),
  ];
}

function about(fault, values) {
  const set = Object.entries(values).map(([name, value]) => `${name} = ${value}`).join(", ");
  return [
    el("p", {}, told(fault.does, values)),
    el("p", { class: "hint" },
      `The client sees: ${told(fault.client_sees, values)}. ${outcome(fault)}${set ? ` Parameters: ${set}.` : ""}`),
  ];
}

// --- buttons

function usual() {
  const button = ({ fault, words: name, params }) =>
    el("button", { type: "button", "data-fault": fault, "data-params": JSON.stringify(params), "aria-pressed": "false", onclick: () => use(fault, params) }, name);
  return card("The usual faults",
    el("p", { class: "often" }, el("label", { for: "often" }, "Apply it "), parts.often),
    el("div", { class: "buttons" }, USUAL.map(button)),
    el("button", { type: "button", id: "honest", class: "primary", onclick: () => obey(honest()) }, "Honest server"));
}

function use(fault, params) {
  return obey(put(JSON.stringify({ seed: SEED, rules: [rule(fault, params)] })));
}

const rule = (fault, params) => ({ fault, ...OFTEN[parts.often.value][1], params });

function every() {
  const chosen = () => faults.get(parts.all.value);
  const edit = () => {
    parts.editor.value = pretty({ seed: SEED, rules: [rule(chosen().name, chosen().defaults)] });
    parts.editor.focus();
  };
  return card("All faults",
    el("p", {}, el("label", { for: "all-faults" }, "Fault "), parts.all),
    parts.about,
    el("div", { class: "buttons" },
      el("button", { type: "button", onclick: () => use(chosen().name, {}) }, "Put in force"),
      el("button", { type: "button", onclick: edit }, "Open in the editor")));
}

function explain() {
  const fault = faults.get(parts.all.value);
  if (!fault) return;
  parts.about.replaceChildren(...about(fault, fault.defaults));
}

// --- the editor

function editor() {
  const take = () => { parts.editor.value = parts.json.textContent; };
  return lastCard("Any plan",
    el("label", { for: "editor" }, "Plan as JSON, its rules in order; the first that applies wins"),
    parts.editor,
    parts.said,
    el("div", { class: "buttons" },
      el("button", { type: "button", id: "put", class: "primary", onclick: () => obey(put(parts.editor.value)) }, "Put in force"),
      el("button", { type: "button", onclick: take }, "Copy the one in force")));
}

/** Wait for a change of the plan and say how it went. */
async function obey(change) {
  try {
    await change;
    tell(plan.rules.length ? "✓ In force." : "✓ The sink is an honest server.", "good");
  } catch (error) {
    tell(`✗ ${words(error)}`, "bad");
  }
}

function tell(text, kind = "") {
  parts.said.dataset.kind = kind;
  parts.said.textContent = text;
}

const card = (title, ...children) => el("section", { class: "card" }, el("h2", {}, title), children);

function lastCard(...parts) {
  const node = card(...parts);
  node.classList.add("last");
  return node;
}
