// The forms that start a scenario or a single fault.
import { el, say } from "./dom.js";

const GROUPS = { network: "Network", processes: "Processes", smtp: "SMTP server" };

/** Both forms for a catalogue; `start(path, body)` is called with what was chosen. */
export function forms(catalogue, start) {
  return [
    catalogue.scenarios.length > 0 && scenarios(catalogue.scenarios, start),
    catalogue.faults.length > 0 && faults(catalogue.faults, start),
    catalogue.why_not && el("p", { class: "quiet" }, `Not from here: ${catalogue.why_not}.`),
  ].filter(Boolean);
}

function scenarios(offered, start) {
  const choice = el("select", { id: "scenario", onchange: show }, offered.map((each) => el("option", {}, each.name)));
  const summary = el("p", { class: "quiet" });
  const button = el("button", { class: "start" }, "Start scenario");
  function show() {
    const each = offered[choice.selectedIndex];
    say(summary, each.why_not ? `${each.summary}. Not here: ${each.why_not}` : each.summary);
  }
  show();
  const send = (event) => {
    event.preventDefault();
    start(`scenarios/${encodeURIComponent(choice.value)}`, {});
  };
  return el("form", { onsubmit: send }, el("label", { for: "scenario" }, "Scenario"), choice, summary, button);
}

function faults(offered, start) {
  const named = new Map(offered.map((each) => [each.name, each]));
  const choice = el("select", { id: "fault", onchange: show }, groups(offered));
  const summary = el("p", { class: "quiet" });
  const fields = el("div", { class: "fields" });
  function show() {
    const each = named.get(choice.value);
    say(summary, each.summary);
    fields.replaceChildren(...each.parameters.map(field));
  }
  show();
  const send = (event) => {
    event.preventDefault();
    start(`faults/${encodeURIComponent(choice.value)}`, values(named.get(choice.value), fields));
  };
  const button = el("button", { class: "start" }, "Start fault");
  return el("form", { onsubmit: send }, el("label", { for: "fault" }, "Single fault"), choice, summary, fields, button);
}

function groups(offered) {
  const names = [...new Set(offered.map((each) => each.group))];
  return names.map((group) => {
    const options = offered.filter((each) => each.group === group).map((each) => el("option", {}, each.name));
    return el("optgroup", { label: GROUPS[group] ?? group }, options);
  });
}

function field({ name, default: preset, words, choices }) {
  const input = choices.length
    ? el("select", { name }, choices.map((each) => el("option", { selected: each === preset }, each)))
    : el("input", { name, value: preset ?? "", ...(isNumber(preset) && { type: "number", step: "any" }) });
  return el("label", { title: words }, name === "hold_s" ? "hold, in seconds" : name.replaceAll("_", " "), input);
}

function values(fault, fields) {
  const given = fault.parameters.map(({ name, default: preset }) => {
    const text = fields.querySelector(`[name="${name}"]`).value;
    return [name, isNumber(preset) ? Number(text) : text];
  });
  return Object.fromEntries(given);
}

const isNumber = (preset) => typeof preset === "number";
