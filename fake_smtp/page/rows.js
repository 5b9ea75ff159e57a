// The rows of the two lists, a mail and a session, and the badges of both.

import { badge, el } from "/page/dom.js";
import { bytes, iso, many, when } from "/page/words.js";

const time = (at_s) => el("time", { datetime: iso(at_s), title: iso(at_s) }, when(at_s));

/** The words on a mail that is there more than once; nothing for others. */
export const copyBadge = ({ copy, copies }) =>
  copies > 1 ? badge(`Duplicate: copy ${copy} of ${copies}`, "warn") : null;

export const attemptBadge = ({ attempt }) => (attempt > 1 ? badge(`Attempt ${attempt}`) : null);

export function mailRow(entry) {
  return el("li", { class: entry.copies > 1 ? "row copied" : "row" },
    el("a", { href: `#mail/${entry.mail}` },
      el("span", { class: "top" }, el("span", { class: "who" }, entry.sender || "<>"), time(entry.at_s)),
      el("span", { class: "subject" }, entry.subject.trim() || "(no subject)"),
      el("span", { class: "foot" },
        el("span", { class: "to" }, `to ${entry.recipients.join(", ")}`),
        el("span", { class: "size" }, `#${entry.mail} · ${bytes(entry.size)}`)),
      el("span", { class: "badges" }, copyBadge(entry), attemptBadge(entry))));
}

/** What a session came to, in badges: the login, the fault, the end. While it is open, little of that is known. */
export function sessionBadges(session) {
  const { auth, fault, how, mails, ended_s, tls } = session;
  return [
    fault && badge(`Fault: ${fault}`, "bad"),
    auth === "rejected" && badge("Login refused", "bad"),
    mails > 0 && badge(`${many(mails, "mail")} stored`, "good"),
    mails === 0 && badge("No mail stored"),
    tls && badge(tls),
    ended_s == null ? badge(how ?? "Open", "warn") : badge(`Ended: ${ENDS[how] ?? how ?? "unknown"}`),
  ].filter(Boolean);
}

const ENDS = {
  quit: "QUIT",
  closed: "the client left",
  idle: "silent for too long",
  data_limit: "the mail took too long",
  fault: "cut by the fault",
  shutdown: "the sink stopped",
};

export function sessionRow(session) {
  return el("li", { class: "row" },
    el("a", { href: `#session/${session.session}` },
      el("span", { class: "top" },
        el("span", { class: "who" }, `Session ${session.session}`), time(session.begun_s)),
      el("span", { class: "subject quiet" }, `${session.peer ?? "?"}${session.stage ? `, came to ${session.stage}` : ""}`),
      el("span", { class: "badges" }, sessionBadges(session))));
}
