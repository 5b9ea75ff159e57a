// How the list of mails looks: rows, counts, and the words where there are none. Told by the inbox, asks it nothing.

import { ask } from "/page/api.js";
import { marked } from "/page/copies.js";
import { byId, el, keep, mark, say } from "/page/dom.js";
import { mailRow } from "/page/rows.js";
import { many, whole } from "/page/words.js";

const NEWS_MS = 4000;
const list = byId("mails");
let opened = null;
let unsaid = 0;
let news_timer = 0;

/** Mark the row of the mail that is open. */
export function select(number) {
  opened = number;
  mark(list, opened);
}

/** Say whether the list is live; the kind only colours it. */
export function state(kind, text) {
  byId("state").dataset.kind = kind;
  say(byId("state"), text);
}

/** Show these rows, and what is to be said about those that are not shown. */
export function draw({ rows, next, top, fresh, total }, counts, searching) {
  keep(list, marked(rows, counts), "mail", mailRow);
  mark(list, opened);
  byId("more").hidden = next === null;
  byId("fresh").hidden = !fresh && top;
  say(byId("fresh"), fresh ? `↑ ${whole(fresh)} new, show` : "↑ Back to the newest");
  const count = total ?? rows.length;
  const more = total === null && (next !== null || !top) ? " or more" : "";
  say(byId("shown"), searching ? `${whole(count)}${more} found` : `${many(count, "mail")}${more}`);
  if (!searching) say(byId("count"), `${whole(count)}${more && "+"}`);
  if (rows.length) byId("mails-none").hidden = true;
  else if (searching) none("No mail fits.");
  else welcome();
}

/** Say something in place of mails. */
export function none(...parts) {
  byId("mails-none").hidden = false;
  byId("mails-none").replaceChildren(...parts.map((part) => (part instanceof Node ? part : el("p", {}, part))));
}

async function welcome() {
  none("No mail yet.");
  const port = await ask("/health").then((health) => health.smtp_port, () => null);
  if (list.children.length || port === null) return;
  none(
    "No mail yet. Send one here, and it appears at once:",
    el("pre", { tabindex: 0 }, `smtplib.SMTP("${location.hostname}", ${port})`),
    el("p", {}, "Conversations that left no mail are under ", el("a", { href: "#sessions" }, "Sessions"), "."));
}

/** Tell a screen reader, now and then and not for each mail. */
export function announce(count) {
  unsaid += count;
  news_timer ||= setTimeout(() => {
    byId("news").textContent = many(unsaid, "new mail");
    unsaid = news_timer = 0;
  }, NEWS_MS);
}
