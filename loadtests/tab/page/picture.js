// The rate picture: offered, accepted and delivered per second, with a band for each fault.
import { el, svg } from "./dom.js";
import { rate } from "./words.js";

const HEIGHT = 260;
const EDGE = { left: 44, right: 12, top: 30, bottom: 24 };
export const LINES = [["offered", 1], ["accepted", 2], ["delivered", 3]];

/** Draw the last `minutes`; a fault has the same number as in the table. */
export function picture({ samples, faults, now, minutes, width }) {
  const from = now - minutes * 60;
  const shown = samples.filter((sample) => sample[0] >= from);
  const top = roof(Math.max(1, ...shown.flatMap((sample) => sample.slice(1).map((one) => one ?? 0))));
  const x = (at) => EDGE.left + ((Math.max(at, from) - from) / (now - from)) * (width - EDGE.left - EDGE.right);
  const y = (one) => HEIGHT - EDGE.bottom - (one / top) * (HEIGHT - EDGE.top - EDGE.bottom);
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": told(shown, faults, from, minutes) },
    hatch(),
    grid(top, y, width),
    minutesBelow(minutes, now, x, width),
    faults.map((fault) => band(fault, from, now, x)),
    LINES.map(([name, at]) => line(name, at, shown, x, y)),
  );
}

/** What each line is, with its value now. */
export function legend(samples) {
  const last = samples.at(-1);
  return LINES.map(([name, at]) =>
    el("span", { class: "key" }, sample(name), `${name} ${last ? rate(last[at]) : "–"}`),
  );
}

const sample = (name) =>
  svg("svg", { class: "sample", viewBox: "0 0 28 8", "aria-hidden": "true" }, svg("path", { class: name, d: "M0 4H28" }));

function hatch() {
  const attributes = { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  return svg("defs", {}, svg("pattern", attributes, svg("rect", { class: "hatch", width: 2, height: 6 })));
}

function grid(top, y, width) {
  return [0, 0.25, 0.5, 0.75, 1].map((share) => [
    svg("path", { class: "grid", d: `M${EDGE.left} ${y(share * top)}H${width - EDGE.right}` }),
    svg("text", { class: "tick", x: EDGE.left - 6, y: y(share * top) + 4, "text-anchor": "end" }, short(share * top)),
  ]);
}

function minutesBelow(minutes, now, x, width) {
  const step = (minutes > 8 ? 3 : minutes > 3 ? 1 : 0.5) * (width < 500 ? 2 : 1);
  const marks = [];
  for (let ago = 0; ago <= minutes; ago += step) marks.push(ago);
  return marks.map((ago) => {
    const text = ago ? `−${ago} min` : "now";
    const anchor = ago === 0 ? "end" : ago === minutes ? "start" : "middle";
    return svg("text", { class: "tick", x: x(now - ago * 60), y: HEIGHT - 6, "text-anchor": anchor }, text);
  });
}

function band(fault, from, now, x) {
  const end = fault.healed_s ?? now;
  if (!fault.inject_s || (fault.recovered_s ?? end) < from) return null;
  const [left, right] = [x(fault.inject_s), x(end)];
  const box = { x: left, y: EDGE.top, width: Math.max(2, right - left), height: HEIGHT - EDGE.top - EDGE.bottom };
  const seen = end >= from;
  return svg(
    "g",
    { class: "fault", "data-fault": fault.fault },
    svg("title", {}, fault.fault),
    seen && svg("rect", { class: "band", ...box }),
    seen && svg("rect", { class: "stripes", fill: "url(#hatch)", ...box }),
    seen && mark((left + right) / 2, fault.number),
    fault.bite_s > from && svg("path", { class: "bite", d: `M${x(fault.bite_s) - 5} ${EDGE.top}h10l-5 9z` }),
    fault.recovered_s > from && recovery(x(fault.recovered_s)),
  );
}

const mark = (x, number) => [
  svg("circle", { class: "number", cx: x, cy: 12, r: 9 }),
  svg("text", { class: "numeral", x, y: 16, "text-anchor": "middle" }, String(number)),
];

const recovery = (x) => [
  svg("path", { class: "recovered", d: `M${x} ${EDGE.top}V${HEIGHT - EDGE.bottom}` }),
  svg("path", { class: "tickmark", d: `M${x - 5} 21l4 4l7 -9` }),
];

function line(name, at, samples, x, y) {
  let path = "";
  let pen = "M";
  samples.forEach((one, place) => {
    const gap = place && one[0] - samples[place - 1][0] > 5;
    if (one[at] == null) pen = "M";
    else {
      path += `${gap ? "M" : pen}${x(one[0]).toFixed(1)} ${y(Math.max(0, one[at])).toFixed(1)}`;
      pen = "L";
    }
  });
  return svg("path", { class: name, d: path });
}

function told(samples, faults, from, minutes) {
  const last = samples.at(-1);
  const now = last ? LINES.map(([name, at]) => `${name} ${rate(last[at])}`).join(", ") : "no samples yet";
  const seen = faults.filter((fault) => (fault.healed_s ?? Infinity) >= from).map((fault) => fault.fault);
  return `Rates of the last ${minutes} minutes. Now: ${now}. Faults: ${seen.join(", ") || "none"}.`;
}

/** A round number above. */
function roof(most) {
  const size = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 8, 10].map((step) => step * size).find((step) => step >= most * 1.05) ?? 20 * size;
}

const short = (number) => (number >= 10 || Number.isInteger(number) ? String(Math.round(number)) : number.toFixed(2));
