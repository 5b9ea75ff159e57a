// The list of sessions: also those that were refused or cut and left no mail. Looks again while somebody sees it.

import { ask, Refused, regularly, words } from "/page/api.js";
import { byId, el, keep, mark, walkable } from "/page/dom.js";
import { sessionRow } from "/page/rows.js";
import { refresh } from "/page/transcript.js";

const PAGE = 50;
const MOST = 200;
const EVERY_MS = 2000;
const list = byId("sessions");
// All sessions that are known, by number: the newest page is fetched again and again, older ones once.
const known = new Map();
let next = null;
let opened = null;
let look = null;

export function start() {
  walkable(list);
  look = regularly(EVERY_MS, turn);
  byId("sessions-refresh").addEventListener("click", look);
  byId("sessions-more").addEventListener("click", more);
}

/** Mark the row of the session that is open, and look at once. */
export function select(number) {
  opened = number;
  mark(list, opened);
  look?.();
}

async function turn() {
  if (byId("view-sessions").hidden) return;
  try {
    const found = await ask(`/sessions?limit=${PAGE}`);
    // Pages that no longer join would leave a hole between them.
    const joins = found.sessions.some((one) => known.has(one.session));
    if (!joins) known.clear();
    if (!joins || !known.size) next = found.next;
    render(found.sessions);
    await refresh();
  } catch (error) {
    none(error instanceof Refused && error.status === 404 ? "This sink keeps no sessions to show." : words(error));
  }
}

async function more() {
  try {
    const found = await ask(`/sessions?limit=${PAGE}&before=${next}`);
    next = found.next;
    render(found.sessions);
  } catch (error) {
    none(words(error));
  }
}

function render(found) {
  for (const one of found) known.set(one.session, one);
  const numbers = [...known.keys()].sort((a, b) => b - a);
  for (const number of numbers.splice(MOST)) {
    known.delete(number);
    next = null;
  }
  keep(list, numbers.map((number) => known.get(number)), "session", sessionRow);
  mark(list, opened);
  byId("sessions-more").hidden = next === null;
  byId("sessions-none").hidden = numbers.length > 0;
  if (!numbers.length) none("No session yet.");
}

function none(text) {
  byId("sessions-none").hidden = false;
  byId("sessions-none").replaceChildren(el("p", {}, text));
}
