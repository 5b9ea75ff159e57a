// What is always in sight: the counters, and a banner while any rule of a plan is in force. Keeps the plan for others.

import { ask, regularly } from "/page/api.js";
import { byId, el, say } from "/page/dom.js";
import { scope } from "/page/rules.js";
import { many, whole } from "/page/words.js";

const EVERY_MS = 2000;
const listeners = new Set();
let text = "";
let look = null;

/** Begin to look; returns nothing, and never throws: the state of the connection is shown by the inbox. */
export function start() {
  look = regularly(EVERY_MS, async () => {
    const [plan, counters] = await Promise.all([ask("/plan"), ask("/counters")]).catch(() => []);
    if (!plan) return;
    count(counters);
    set(plan);
  });
}

/** Call with the plan whenever it is another one. */
export function onPlan(listener) {
  listeners.add(listener);
}

/** Put a plan (JSON text) in force. Throws Refused with the sink's words for one that it does not take. */
export async function put(body) {
  set(await ask("/plan", { method: "PUT", body }));
  look();
}

/** Back to an honest server. */
export async function honest() {
  set(await ask("/plan", { method: "DELETE" }));
  look();
}

function set(plan) {
  const now = JSON.stringify(plan);
  if (now === text) return;
  text = now;
  banner(plan.rules);
  for (const listener of listeners) listener(plan);
}

function banner(rules) {
  const node = byId("banner");
  node.hidden = !rules.length;
  if (!rules.length) return node.replaceChildren();
  const one = rules.length === 1 ? scope(rules[0]) : "The first that applies wins.";
  return node.replaceChildren(
    el("p", {},
      el("strong", {}, `⚠ ${rules.length === 1 ? "Fault" : many(rules.length, "fault")} in force: `),
      el("span", {}, `${rules.map((rule) => rule.fault).join(", ")}. `), el("span", { class: "scope" }, one)),
    el("a", { href: "#plan" }, "See the plan"),
    el("button", { type: "button", onclick: () => honest().catch(() => {}) }, "Honest server"));
}

function count({ stored, open_sessions, faults }) {
  const applied = Object.values(faults).reduce((sum, one) => sum + one, 0);
  const figures = { Stored: stored, "Open sessions": open_sessions, "Faults applied": applied };
  const node = byId("counters");
  if (!node.children.length) {
    node.append(...Object.keys(figures).map((name) => el("div", {}, el("dt", {}, name), el("dd", {}))));
  }
  Object.values(figures).forEach((value, at) => say(node.children[at].lastChild, whole(value)));
}
