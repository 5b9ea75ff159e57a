// The list of mails: newest first, live, searchable. Holds at most MOST rows, however fast the mails come.

import { ask, words } from "/page/api.js";
import { remember } from "/page/copies.js";
import { byId, sure, walkable } from "/page/dom.js";
import { announce, draw, none, select, state } from "/page/inbox_view.js";
import { follow } from "/page/live.js";

export { select };

const MOST = 200;
const PAGE = 50;
const FLUSH_MS = 100;
const TYPING_MS = 250;
const SEARCH_MS = 1000;

const scroller = byId("mails-scroll");

// rows: what is shown. pending: what came since the last flush, the newest MOST of it. fresh: how many mails are
// newer than the rows. top: whether the rows begin with the newest mail. newest: the highest number known.
const now = { rows: [], pending: [], came: 0, fresh: 0, top: true, newest: 0, next: null, total: null };
const counts = new Map();
let asked = 0;
let loading = false;
let frame = 0;
let flushed_ms = 0;
let search_timer = 0;

export function start() {
  byId("search").addEventListener("submit", (event) => { event.preventDefault(); load(); });
  byId("words").addEventListener("input", () => searchIn(TYPING_MS));
  byId("field").addEventListener("change", load);
  byId("fresh").addEventListener("click", load);
  byId("more").addEventListener("click", more);
  byId("clear").addEventListener("click", clear);
  scroller.addEventListener("scroll", () => now.fresh && atTop() && now.top && load());
  walkable(byId("mails"));
  follow({ opened: () => { state("live", "Live"); rejoin(); }, lost: () => state("lost", "Reconnecting…"), mail: take });
}

const query = () => {
  const text = byId("words").value.trim();
  return text ? { [byId("field").value]: text } : {};
};
const searching = () => Boolean(byId("words").value.trim());
const atTop = () => scroller.scrollTop < 8;

// --- from the API

function page(more) {
  return ask(`/mails?${new URLSearchParams({ limit: PAGE, ...query(), ...more })}`);
}

/** Ask for the newest page; what comes meanwhile waits, so that the answer cannot undo it. */
async function newest(use) {
  const turn = ++asked;
  loading = true;
  try {
    const found = await page({});
    if (turn === asked) use(found);
  } catch (error) {
    if (turn === asked) none(words(error));
  } finally {
    if (turn === asked) loading = false;
    if (now.pending.length) schedule();
  }
}

const load = () => newest(replace);

/** After a break: whoever reads further down stays there, and is told what is new. */
const rejoin = () => newest(now.rows.length && !atTop() && !searching() ? counted : replace);

function replace({ mails, next, total }) {
  counts.clear();
  const first = mails[0]?.mail ?? 0;
  // Other mails than the found ones are not new because a search does not show them.
  now.newest = searching() ? Math.max(first, now.newest) : first;
  Object.assign(now, { rows: mails, next, total: searching() ? null : total, fresh: 0, top: true });
  scroller.scrollTop = 0;
  draw(now, counts, searching());
}

function counted(found) {
  const first = found.mails[0]?.mail ?? 0;
  // Smaller numbers than before: another inbox.
  if (first < now.newest) return replace(found);
  Object.assign(now, { fresh: now.fresh + first - now.newest, newest: first, total: searching() ? null : found.total });
  return draw(now, counts, searching());
}

async function more() {
  const turn = asked;
  try {
    const found = await page({ before: now.next });
    if (turn !== asked) return;
    const rows = [...now.rows, ...found.mails];
    now.rows = rows.slice(-MOST);
    now.top = now.top && rows.length <= MOST;
    now.next = found.next;
    draw(now, counts, searching());
  } catch (error) {
    none(words(error));
  }
}

function searchIn(wait_ms) {
  clearTimeout(search_timer);
  search_timer = setTimeout(() => { search_timer = 0; load(); }, wait_ms);
}

async function clear() {
  if (!(await sure())) return;
  await ask("/mails", { method: "DELETE" }).catch((error) => none(words(error)));
  location.hash = "#inbox";
  load();
}

// --- live

function take(entry) {
  now.pending.push(entry);
  now.came += 1;
  if (now.pending.length > 2 * MOST) now.pending = now.pending.slice(-MOST);
  schedule();
}

function schedule() {
  frame ||= requestAnimationFrame(flush);
}

function flush(at_ms) {
  frame = 0;
  if (at_ms - flushed_ms < FLUSH_MS || loading) return loading || schedule();
  flushed_ms = at_ms;
  const { pending, came } = now;
  const news = pending.filter((entry) => entry.mail > now.newest).reverse();
  // Of a flood only the end is here, all of it new.
  const count = came > pending.length ? came : news.length;
  Object.assign(now, { pending: [], came: 0, newest: Math.max(now.newest, news[0]?.mail ?? 0) });
  if (count) show(news, count);
}

function show(news, count) {
  news.forEach((entry) => remember(counts, entry));
  if (now.total !== null && !searching()) now.total += count;
  if (searching()) {
    if (!search_timer) searchIn(SEARCH_MS);
  } else if (atTop() && now.top) {
    const rows = [...news, ...now.rows];
    now.rows = rows.slice(0, MOST);
    if (rows.length > MOST || count > news.length) now.next = now.rows.at(-1).mail;
  } else {
    now.fresh += count;
  }
  announce(count);
  draw(now, counts, searching());
}
