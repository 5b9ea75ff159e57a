// Numbers and times as people read them. Knows no elements.

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const WHOLE = new Intl.NumberFormat("en-GB");

export const whole = (number) => WHOLE.format(number);
export const clock = (at_s) => CLOCK.format(at_s * 1000);
export const iso = (at_s) => new Date(at_s * 1000).toISOString();

/** The time of day, with the day when it is not today. */
export function when(at_s) {
  const day = DAY.format(at_s * 1000);
  return day === DAY.format(Date.now()) ? clock(at_s) : `${day}, ${clock(at_s)}`;
}

export function bytes(size) {
  if (size < 1000) return `${size} B`;
  return size < 1e6 ? `${(size / 1000).toFixed(1)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

export function seconds(time_s) {
  return time_s < 1 ? `${Math.round(time_s * 1000)} ms` : `${time_s.toFixed(time_s < 10 ? 2 : 1)} s`;
}

export const many = (count, one) => `${whole(count)} ${one}${count === 1 ? "" : "s"}`;
