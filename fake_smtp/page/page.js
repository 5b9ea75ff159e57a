// Starts the page and follows the address: #inbox, #mail/12/headers, #sessions, #session/7, #plan.

import { byId } from "/page/dom.js";
import * as inbox from "/page/inbox.js";
import * as mail from "/page/mail.js";
import * as plan from "/page/plan.js";
import * as sessions from "/page/sessions.js";
import * as strip from "/page/strip.js";
import * as transcript from "/page/transcript.js";

const VIEWS = { inbox: "inbox", mail: "inbox", sessions: "sessions", session: "sessions", plan: "plan" };
const TITLES = { inbox: "Inbox", sessions: "Sessions", plan: "Plan" };
const WHOLE = /^\d{1,15}$/;
let shown = "";

function route() {
  const [name, number, tab] = location.hash.slice(1).split("/");
  const view = VIEWS[name] ?? "inbox";
  const wanted = WHOLE.test(number ?? "") && (name === "mail" || name === "session") ? Number(number) : null;
  for (const one of Object.keys(TITLES)) {
    byId(`view-${one}`).hidden = one !== view;
    if (one === view) byId(`nav-${one}`).setAttribute("aria-current", "page");
    else byId(`nav-${one}`).removeAttribute("aria-current");
  }
  document.body.classList.toggle("reading", wanted !== null);
  document.title = `${wanted === null ? TITLES[view] : `${name === "mail" ? "Mail" : "Session"} ${wanted}`} · Fake SMTP sink`;
  if (view === "inbox") show(inbox, mail, wanted, tab);
  if (view === "sessions") show(sessions, transcript, wanted);
}

async function show(list, detail, wanted, tab) {
  list.select(wanted);
  const id = `${detail === mail ? "mail" : "session"} ${wanted}`;
  const other = id !== shown;
  shown = id;
  await detail.open(wanted, tab);
  // On a phone the list has gone, and the focus with it.
  if (other && wanted !== null && document.activeElement === document.body) {
    document.querySelector("article:not([hidden]) h2")?.focus({ preventScroll: true });
  }
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("content").focus();
});
window.addEventListener("hashchange", route);
sessions.start();
inbox.start();
plan.start();
strip.start();
route();
