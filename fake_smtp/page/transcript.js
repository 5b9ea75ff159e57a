// One conversation, line by line: who said what and when, where the fault hit, and what never left the sink.

import { ask, Refused, words } from "/page/api.js";
import { badge, byId, el, pair } from "/page/dom.js";
import { sessionBadges } from "/page/rows.js";
import { bytes, iso, seconds, when } from "/page/words.js";

const HALF = 500;
const NAMES = { client: "Client", server: "Server", sink: "Sink" };
const root = byId("session");
let turn = 0;
let seen = "";
let open_session = null;

/** Return the transcript of a session as elements; friendly words when there is none. */
export async function transcriptOf(number) {
  try {
    return drawn(await ask(`/sessions/${number}`));
  } catch (error) {
    return el("p", { class: "none" }, missing(error));
  }
}

const missing = (error) =>
  error instanceof Refused && error.status === 404 ? "The transcript of this session is not available." : words(error);

/** Show a session on its own; without a number say how to choose one. */
export async function open(number) {
  open_session = number;
  seen = "";
  if (number == null) {
    root.replaceChildren(el("p", { class: "none" }, "Choose a session to read its transcript here."));
    return;
  }
  root.replaceChildren(back(), el("p", { class: "none" }, "Loading…"));
  await refresh();
}

/** Ask again for the open session, which may still be going on. */
export async function refresh() {
  if (open_session == null) return;
  const mine = ++turn;
  const [sign, parts] = await looked(open_session);
  // Unchanged, it is left alone, with its scrolling and whatever is selected in it.
  if (mine !== turn || sign === seen) return;
  seen = sign;
  root.replaceChildren(back(), el("h2", { tabindex: -1 }, `Session ${open_session}`), ...parts);
}

async function looked(number) {
  try {
    const session = await ask(`/sessions/${number}`);
    return [JSON.stringify(session), drawn(session)];
  } catch (error) {
    return [missing(error), [el("p", { class: "none" }, missing(error))]];
  }
}

const back = () => el("a", { class: "back", href: "#sessions" }, "← Sessions");

function drawn(session) {
  const rows = session.lines.map(line);
  if (session.cut) rows.splice(HALF, 0, el("li", { class: "line gap" }, "… lines in between are left out …"));
  return [
    el("p", { class: "badges" }, sessionBadges(session)),
    facts(session),
    el("ol", { class: "transcript", "aria-label": "Transcript" }, rows),
  ];
}

function facts({ peer, begun_s, ended_s, stage, auth, tls, bytes_in }) {
  const lasted = ended_s == null ? "" : `, lasted ${seconds(ended_s - begun_s)}`;
  return el("dl", { class: "facts" },
    pair("Client", peer),
    pair("Begun", el("time", { datetime: iso(begun_s), title: iso(begun_s) }, `${when(begun_s)}${lasted}`)),
    pair("Came to", stage),
    pair("Login", { ok: "accepted", rejected: "refused", none: "none" }[auth] ?? auth),
    pair("TLS", ended_s == null ? tls : (tls ?? "none")),
    pair("Received", bytes_in == null ? null : bytes(bytes_in)));
}

function line(one) {
  const lost = one.sent === false;
  const kind = `line ${one.who}${one.fault ? " fault" : ""}${lost ? " lost" : ""}`;
  return el("li", { class: kind },
    el("span", { class: "label" }, one.fault ? "Fault" : (NAMES[one.who] ?? one.who), el("span", { class: "at" }, offset(one.at_s))),
    el("span", { class: "said" }, one.mail ? stored(one) : el("code", {}, one.text || " ")),
    lost && badge("did not leave the sink", "bad"));
}

const stored = ({ text, mail }) => el("a", { href: `#mail/${mail}` }, text);
const offset = (at_s) => `+${at_s.toFixed(3)} s`;
