// Numbers and times in words.

/** A count, or a dash with the reason beside it. */
export function value(figure) {
  if (figure.value == null) return "–";
  return figure.unit === "s" ? seconds(figure.value) : Math.round(figure.value).toLocaleString("en");
}

export function seconds(number) {
  if (number < 60) return `${number.toFixed(1)} s`;
  return `${Math.floor(number / 60)} min ${Math.round(number % 60)} s`;
}

/** The time of day. */
export const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");

export const rate = (number) => (number == null ? "not known" : `${number.toFixed(number < 10 ? 1 : 0)}/s`);

/** What became of a fault. */
export function fate(fault, watching) {
  if (fault.active) return ["broken", "broken now"];
  if (fault.recovered_s) return ["good", "recovered"];
  if (fault.not_recovered) return ["bad", "did not recover"];
  if (!fault.healed_s) return ["", "not injected"];
  return fault.fault === watching ? ["", "recovering…"] : ["", "healed; recovery not seen"];
}
