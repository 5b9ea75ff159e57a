// The clocks of every fault, the last one first.
import { el } from "./dom.js";
import { clock, fate, seconds } from "./words.js";

const HEADS = ["", "Fault", "Injected", "Bit after", "Healed after", "Recovered after", ""];
const LABELS = ["number", "fault", "injected", "bit after", "healed after", "recovered after", "state"];

export function table(faults, watching) {
  if (!faults.length) return [el("p", { class: "quiet" }, "No fault so far.")];
  const rows = faults.map((fault) => row(fault, watching)).reverse();
  const head = el("tr", {}, HEADS.map((text, at) => el("th", { scope: "col" }, text || hidden(LABELS[at]))));
  return [el("table", {}, el("thead", {}, head), el("tbody", {}, rows))];
}

const hidden = (text) => el("span", { class: "hidden" }, text);

function row(fault, watching) {
  const [kind, words] = fate(fault, watching);
  const cells = [
    el("span", { class: "round" }, String(fault.number)),
    el("strong", { title: fault.detail }, fault.fault),
    fault.inject_s ? clock(fault.inject_s) : "–",
    after(fault.bite_s, fault.inject_s, fault.healed_s ? "did not bite" : "not yet"),
    after(fault.healed_s, fault.inject_s, "not yet"),
    fault.recovery_s != null ? seconds(fault.recovery_s) : "–",
    el("span", { class: `state ${kind}` }, words),
  ];
  return el("tr", { "data-fault": fault.fault }, cells.map((cell, at) => el("td", { "data-label": LABELS[at] }, cell)));
}

const after = (at, from, otherwise) => (at && from ? seconds(Math.max(0, at - from)) : otherwise);
