// Rules of a plan and what their faults do, as people read them. Knows no elements.

import { whole } from "/page/words.js";

/** When a rule of a plan applies, as a sentence. */
export function scope(rule) {
  const limits = [...ofMail(rule), ...ofTime(rule)];
  return limits.length ? `Only ${limits.join("; ")}.` : "Every time.";
}

function ofMail({ key, recipient, sender, attempt, attempts }) {
  const [first, last] = attempt ?? [];
  return [
    key && `mails with the key ${key}`,
    recipient && `mails to ${recipient}`,
    sender && `mails from ${sender}`,
    attempt && (first === last ? `attempt ${first}` : `attempts ${first} to ${last}`),
    attempts && (attempts === 1 ? "the first try of each mail" : `the first ${attempts} tries of each mail`),
  ].filter(Boolean);
}

function ofTime({ probability, count, from_s, until_s, phase }) {
  return [
    probability < 1 && `${+(probability * 100).toPrecision(3)} % of them, drawn by the seed`,
    count && (count === 1 ? "once" : `the first ${whole(count)} times`),
    from_s != null && `from ${from_s} s after the plan came`,
    until_s != null && `until ${until_s} s after the plan came`,
    phase && `while the phase is ${phase}`,
  ].filter(Boolean);
}

/** The parameters of a rule over the fault's own defaults. */
export const settings = (rule, fault) => ({ ...fault?.defaults, ...rule.params });

/** What a fault says of itself, with these values in place of their names. */
export function told(text, values = {}) {
  return text.replaceAll(/`(\w+)`/g, (_all, name) => (name in values ? valued(name, values[name]) : name));
}

function valued(name, value) {
  if (name.endsWith("_per_s")) return `${value} ${name.slice(0, -6)}/s`;
  return name.endsWith("_s") ? `${value} s` : String(value);
}

/** Whether a fault stores the mail, and what a plain retry does then. */
export function outcome({ stored, copies, retry_duplicates }) {
  const kept = stored ? (copies > 1 ? `Stored ${copies} times` : "The mail is stored") : "The mail is not stored";
  return `${kept}; a plain retry ${retry_duplicates ? "makes a duplicate" : "makes no duplicate"}.`;
}

/** Whether a rule does what a button (its fault, its params as JSON) does, however often. */
export function does(rule, known, { fault, params }) {
  const now = settings(rule, known);
  return rule.fault === fault && Object.entries(JSON.parse(params)).every(([name, value]) => now[name] === value);
}

/** A plan as JSON; of a rule only what it says, without the fields that are as always. */
export function pretty({ seed, rules }) {
  const always = { probability: 1 };
  const said = ([name, value]) => value !== null && value !== always[name] && (name !== "params" || Object.keys(value).length);
  const short = rules.map((rule) => Object.fromEntries(Object.entries(rule).filter(said)));
  return JSON.stringify({ seed, rules: short }, null, 2);
}
